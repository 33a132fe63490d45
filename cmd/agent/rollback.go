package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"molo/internal/host"
	"molo/provision"
)

const rollbackLong = `Take back what a run changed, last change first: the newest run that changed
something, or the one that is named. What somebody has changed since is left
alone and named. Until the policy is another one, molo does not apply it again
by itself.`

func (a *app) rollbackCommand() *cobra.Command {
	unconfirmed := false
	cmd := &cobra.Command{
		Use: "rollback [RUN]", Short: "Take back what a run changed", Long: rollbackLong, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.underLock(cmd.Context(), func(h *host.Host) error {
				if unconfirmed {
					return a.rollUnconfirmed(cmd.Context(), h)
				}
				return a.rollback(cmd.Context(), h, args)
			})
		},
	}
	cmd.Flags().BoolVar(&unconfirmed, "unconfirmed", false, "only if the run waits to be confirmed; what systemd runs")
	return cmd
}

// rollUnconfirmed takes back the run that nobody has confirmed, if there is one.
func (a *app) rollUnconfirmed(ctx context.Context, h *host.Host) error {
	memory, err := h.Load(ctx)
	if err != nil || memory.Unconfirmed == nil {
		return err
	}
	if !host.Expired(*memory.Unconfirmed) {
		return nil // an earlier timer's, which had to wait for the run itself
	}
	run := memory.Unconfirmed.Run
	if memory.Trail == nil || memory.Trail.Run != run {
		return a.endWait(ctx, h, memory) // it had changed nothing yet
	}
	return a.rollTrail(ctx, h, *memory.Trail, fmt.Sprintf("run %s was taken back: nobody confirmed it", run))
}

func (a *app) rollback(ctx context.Context, h *host.Host, args []string) error {
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	trail := memory.Trail
	if len(args) == 1 {
		named, err := h.Trail(args[0])
		if err != nil {
			return err
		}
		trail = &named
	}
	if trail == nil {
		return errors.New("there is no run that changed something and has not been taken back")
	}
	if u := memory.Unconfirmed; u != nil && u.Run != trail.Run {
		return &unconfirmedError{*u}
	}
	return a.rollTrail(ctx, h, *trail, fmt.Sprintf("run %s was taken back", trail.Run))
}

// rollTrail takes a run back, keeps the record, and has the timer leave the policy alone
// that led there.
func (a *app) rollTrail(ctx context.Context, h *host.Host, trail provision.Trail, why string) error {
	run := host.NewRun(version, a.policyPath())
	run.Action, run.Why, run.Only = "rollback", why, a.only
	report, err := provision.Rollback(ctx, h, h, trail, a.only...)
	run.End(report, err)
	if err := errors.Join(a.rolled(ctx, h, trail, why), a.printRun(run), h.Record(run, a.policyDigest())); err != nil {
		return err
	}
	if err := errors.Join(err, report.Failed()); err != nil {
		return reported{err}
	}
	return nil
}

// rolled notes that a run was taken back. As long as something of it is left the run goes
// on waiting: systemd tries again, and so does the next run.
func (a *app) rolled(ctx context.Context, h *host.Host, trail provision.Trail, why string) error {
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	memory.Paused = &provision.Pause{Reason: why, Since: time.Now(), Policy: cmp.Or(trail.Policy, a.policyDigest())}
	left := memory.Trail != nil && memory.Trail.Run == trail.Run
	if left || memory.Unconfirmed == nil {
		return h.Save(ctx, memory)
	}
	return a.endWait(ctx, h, memory)
}
