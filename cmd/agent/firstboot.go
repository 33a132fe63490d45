package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"molo/internal/host"
	"molo/provision"
)

const firstbootLong = `Apply the policy, have molo run by itself from now on (molo.target), and keep
what became of it in ` + host.FirstBootRecord + `. It prints five lines
for the console.

This is the last step of setting a host up, for cloud-init's runcmd. Before it,
"molo apply" is to stand ahead of the installation of Docker: then Docker finds
its configuration and the firewall's rules when it first starts. It waits for no
service that waits for cloud-init.`

func (a *app) firstbootCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "firstboot", Short: "Apply the policy, now and from now on, and keep a record: for cloud-init", Long: firstbootLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.firstboot(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&a.noProbe, "no-probe", false, "do not send packets to published ports after the rules changed")
	return cmd
}

func (a *app) firstboot(ctx context.Context) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	return a.underLock(ctx, func(h *host.Host) error {
		run := host.NewRun(version, a.policyPath())
		report, failed := a.carryOut(ctx, h, p, &run)
		off := h.TurnOn(ctx)
		record := host.FirstBoot{Converged: failed == nil, Kept: off == nil, Docker: report.Facts.Docker.Version, Run: run}
		err := errors.Join(h.Record(run, a.policyDigest()), h.RecordFirstBoot(record), a.printFirstBoot(record))
		if err := errors.Join(err, off); err != nil {
			return err
		}
		if failed != nil {
			return reported{failed}
		}
		return nil
	})
}

// printFirstBoot writes one line for the host, one for each part and one for what comes.
func (a *app) printFirstBoot(f host.FirstBoot) error {
	if a.json {
		return a.writeJSON(f)
	}
	var out strings.Builder
	verdict := "matches"
	if !f.Converged {
		verdict = "DOES NOT MATCH"
	}
	engine := "no Docker yet"
	if f.Docker != "" {
		engine = "Docker " + f.Docker
	}
	fmt.Fprintf(&out, "molo: %s %s %s (%s)\n", f.Run.Hostname, verdict, f.Run.Policy, engine)
	for _, name := range []string{provision.PartFirewall, provision.PartDocker} {
		fmt.Fprintf(&out, "molo:   %-9s %s\n", name, became(name, f))
	}
	fmt.Fprintf(&out, "molo:   %-9s %s\n", "the rest", rest(f))
	next := "runs by itself from now on"
	if !f.Kept {
		next = "DOES NOT RUN by itself"
	}
	fmt.Fprintf(&out, "molo: %s; molo status says more, the record is %s\n", next, host.FirstBootRecord)
	_, err := fmt.Fprint(a.stdout, out.String())
	return err
}

// rest says in one line how the parts stand that have no line of their own.
func rest(f host.FirstBoot) string {
	const well = "as the policy wants it"
	var failed []string
	for _, name := range provision.Parts() {
		if name == provision.PartFirewall || name == provision.PartDocker {
			continue
		}
		if is := became(name, f); is != well {
			failed = append(failed, name+" "+is)
		}
	}
	if len(failed) == 0 {
		return well
	}
	return strings.Join(failed, "; ")
}

// became says in one line how a part stands.
func became(part string, f host.FirstBoot) string {
	for _, o := range f.Run.Parts {
		switch {
		case o.Part != part:
		case o.Err != nil:
			first, _, _ := strings.Cut(o.Err.Error(), "\n")
			return "FAILED: " + first
		case part == provision.PartDocker && f.Docker == "":
			return "ready for Docker to be installed"
		default:
			return "as the policy wants it"
		}
	}
	first, _, _ := strings.Cut(f.Run.Error, "\n")
	return "FAILED: " + first
}
