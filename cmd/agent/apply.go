package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

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
	cmd.Flags().BoolVar(&a.retry, "retry", false, "try again what dockerd did not run with before")
	cmd.Flags().BoolVar(&a.noProbe, "no-probe", false, "do not send packets to published ports after the rules changed")
	return cmd
}

func (a *app) apply(ctx context.Context) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	return a.converge(ctx, p)
}

// converge makes the host match a policy under the run lock, and keeps the record.
func (a *app) converge(ctx context.Context, p *policy.Policy) error {
	if os.Geteuid() != 0 && a.root == "/" {
		return errNotRoot
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	unlock, err := h.Lock(strings.Join(os.Args, " "))
	if err != nil {
		return err
	}
	run := host.NewRun(version, a.policyPath())
	report, err := provision.Apply(ctx, h, h, p, a.options())
	if err == nil && !a.noProbe && p.Firewall != nil && report.Has(provision.PartFirewall, provision.Changed) {
		a.prove(ctx, h, p, report)
	}
	run.End(report, err)
	if err := errors.Join(a.printRun(run), h.Record(run), unlock()); err != nil {
		return err
	}
	if err := errors.Join(err, report.Failed()); err != nil {
		return reported{err}
	}
	if a.detailed && run.Status == provision.Changed {
		return errChanges
	}
	return nil
}

// prove sends packets to published ports after the rules have changed. A packet that
// does otherwise than the policy says is a failure; a host on which packets can't be
// sent, because namespaces are forbidden there, is not.
func (a *app) prove(ctx context.Context, h *host.Host, p *policy.Policy, report *provision.Report) {
	trials, _, err := knock(ctx, h, p)
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
