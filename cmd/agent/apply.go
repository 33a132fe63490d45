package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"molo/certificate"
	"molo/internal/host"
	"molo/internal/policy"
	"molo/provision"
)

func (a *app) applyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apply", Short: "Make the host match the policy", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.apply(cmd.Context()) },
	}
	a.detailedFlag(cmd)
	a.onlyFlag(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&a.retry, "retry", false, "try again what failed before: what dockerd did not run with, certificates that could not be ordered")
	flags.BoolVar(&a.noProbe, "no-probe", false, "do not send packets to published ports after the rules changed")
	flags.DurationVar(&a.confirmIn, "confirm", 0, "take all of it back after this `TIME`, such as 60s, unless \"molo confirm\" is run")
	flags.BoolVar(&a.allowLockout, "allow-lockout", false, "also if it cuts the SSH connection that it is run from")
	return cmd
}

func (a *app) apply(ctx context.Context) error {
	p, err := a.load()
	if err != nil {
		return a.keepShut(ctx, err)
	}
	return a.underLock(ctx, func(h *host.Host) error {
		if err := a.checkUnconfirmed(ctx, h); err != nil {
			return err
		}
		if paused, err := a.paused(ctx, h); err != nil || paused {
			return errors.Join(err, h.RestoreRules(ctx))
		}
		if a.confirmIn == 0 {
			if err := a.lockedOut(ctx, h, p); err != nil {
				return err
			}
		}
		return a.converge(ctx, h, p)
	})
}

// keepShut loads the rules that a reboot took away, although there is no policy that could
// be applied, and returns why there is none.
func (a *app) keepShut(ctx context.Context, why error) error {
	if os.Geteuid() != 0 || a.root != "/" {
		return why
	}
	err := a.underLock(ctx, func(h *host.Host) error { return h.RestoreRules(ctx) })
	if locked := new(host.LockedError); errors.As(err, &locked) {
		return why
	}
	return errors.Join(why, err)
}

// underLock does something to the host that no other run must do at the same time.
func (a *app) underLock(ctx context.Context, do func(*host.Host) error) error {
	if os.Geteuid() != 0 && a.root == "/" {
		return errNotRoot
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	unlock, err := h.WaitLock(ctx, strings.Join(os.Args, " "), a.lockPatience)
	if err != nil {
		return err
	}
	return errors.Join(do(h), unlock())
}

// paused reports whether somebody asked molo to change nothing, and says so.
func (a *app) paused(ctx context.Context, h *host.Host) (bool, error) {
	memory, err := h.Load(ctx)
	if err != nil || memory.Paused == nil {
		return false, err
	}
	if memory.Paused.Holds(time.Now(), a.policyDigest()) {
		return true, a.say(map[string]any{"paused": memory.Paused}, pausedText(memory.Paused))
	}
	memory.Paused = nil
	return false, h.Save(ctx, memory)
}

// converge makes the host match a policy, says what it did, and keeps the record.
func (a *app) converge(ctx context.Context, h *host.Host, p *policy.Policy) error {
	run := host.NewRun(version, a.policyPath())
	if a.confirmIn > 0 {
		if err := a.arm(ctx, h, run.ID, a.confirmIn+applyPatience); err != nil {
			return err
		}
	}
	_, err := a.carryOut(ctx, h, p, &run)
	problems := []error{a.printRun(run), h.Record(run, a.policyDigest())}
	if a.confirmIn > 0 {
		problems = append(problems, a.await(ctx, h, run))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if err != nil {
		return reported{err}
	}
	if a.detailed && run.Status == provision.Changed {
		return errChanges
	}
	return nil
}

// carryOut makes the host match a policy, and proves it. The error is what failed; the
// run has it too.
func (a *app) carryOut(ctx context.Context, h *host.Host, p *policy.Policy, run *host.Run) (*provision.Report, error) {
	options := a.options()
	options.Run, options.Policy, run.Only = run.ID, a.policyDigest(), a.only
	report, err := provision.Apply(ctx, h, h, p, options)
	if err == nil && !a.noProbe && p.Firewall != nil && report.Has(provision.PartFirewall, provision.Changed) {
		a.prove(ctx, h, p, report)
	}
	run.End(report, err)
	run.Certificates = certificate.Report(p.Sites, report.Facts.Nginx.TLS)
	return report, errors.Join(err, report.Failed())
}

// prove sends packets to published ports after the rules have changed. A packet that
// does otherwise than the policy says is a failure; a host on which packets can't be
// sent, because namespaces are forbidden there, is not.
func (a *app) prove(ctx context.Context, h *host.Host, p *policy.Policy, report *provision.Report) {
	trials, _, err := knock(ctx, h, p)
	trials = provision.OfMolo(trials)
	switch differ := provision.Differences(trials); {
	case err != nil:
		report.Note(provision.PartFirewall, provision.Note{Text: "not proven with packets: " + err.Error()})
	case differ > 0:
		report.Fail(provision.PartFirewall, fmt.Errorf("the rules are loaded, but %d of %d packets do not do what the policy says\nhint: molo probe", differ, len(trials)))
	}
}

// printRun says what was done.
func (a *app) printRun(run host.Run) error {
	if a.json {
		return a.writeJSON(run)
	}
	if err := provision.WriteText(a.stdout, run.Parts); err != nil {
		return err
	}
	if run.Error != "" {
		if _, err := fmt.Fprintln(a.stderr, "molo:", run.Error); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(a.stdout, ending(run))
	return err
}

// ending is the last line of an apply.
func ending(run host.Run) string {
	switch {
	case run.Action == "rollback" && run.Status == provision.Failed:
		return "Failed: not all of it could be taken back; the lines marked with x say what, and why."
	case run.Action == "rollback":
		return "Taken back: " + run.Why + "."
	case run.Status == provision.OK:
		return "No changes. The host matches the policy."
	case run.Status == provision.Changed:
		return "Applied: " + provision.Summary(run.Parts) + ". The host matches the policy."
	case run.Rounds == 0:
		return "Failed. Nothing was changed."
	case run.Error != "":
		return "Failed. The host does not match the policy."
	}
	return "Failed: the lines marked with x say what, and why."
}
