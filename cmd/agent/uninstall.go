package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"molo/internal/host"
	"molo/internal/policy"
	"molo/provision"
)

// lastRunPatience is how long an uninstall waits for the last run that molo began by itself.
const lastRunPatience = 5 * time.Minute

func (a *app) uninstallCommand() *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use: "uninstall", Short: "Give back what molo owns: its rules, its sites, its keys of daemon.json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.uninstall(cmd.Context(), yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without, only say what would be done")
	a.onlyFlag(cmd)
	return cmd
}

// uninstall is an apply of the policy that asks for nothing.
func (a *app) uninstall(ctx context.Context, yes bool) error {
	nothing := &policy.Policy{}
	h, err := a.host()
	if err != nil {
		return err
	}
	if yes {
		if err := a.turnOff(ctx, h); err != nil {
			return err
		}
		return a.underLock(ctx, func(h *host.Host) error { return a.converge(ctx, h, nothing) })
	}
	plan, f, err := provision.MakePlan(ctx, h, h, nothing, a.options())
	if err != nil {
		return err
	}
	if err := a.showPlan(plan, f.Hostname); err != nil {
		return err
	}
	if plan.Empty() || a.json {
		return nil
	}
	_, err = fmt.Fprintln(a.stdout, "Nothing was changed: --yes does it.")
	return err
}

// turnOff has molo no longer run by itself: the next run would take back what is given
// back here.
func (a *app) turnOff(ctx context.Context, h *host.Host) error {
	if os.Geteuid() != 0 && a.root == "/" {
		return errNotRoot
	}
	was, err := h.TurnOff(ctx)
	if err != nil || !was {
		return err
	}
	a.lockPatience = max(a.lockPatience, lastRunPatience)
	if a.json {
		return nil
	}
	_, err = fmt.Fprintln(a.stdout, "molo no longer runs by itself (molo.target is disabled).")
	return err
}
