package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"molo/internal/facts"
	"molo/internal/host"
	"molo/internal/policy"
	"molo/provision"
)

// applyPatience is how long an apply may take before the rollback that was armed ahead
// of it comes all the same: molo may have died.
const applyPatience = 5 * time.Minute

// rollbackPatience is how long a rollback waits for another run to end, before it tries
// again.
const rollbackPatience = 10 * time.Minute

const confirmLong = `Say that the host can still be reached after "molo apply --confirm": the run
stays, and nothing is taken back.`

func (a *app) confirmCommand() *cobra.Command {
	return &cobra.Command{
		Use: "confirm", Short: "Keep what apply --confirm did", Long: confirmLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.underLock(cmd.Context(), func(h *host.Host) error { return a.confirm(cmd.Context(), h) })
		},
	}
}

func (a *app) confirm(ctx context.Context, h *host.Host) error {
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	if memory.Unconfirmed == nil {
		return errors.New("no run waits to be confirmed")
	}
	run := memory.Unconfirmed.Run
	if err := a.endWait(ctx, h, memory); err != nil {
		return err
	}
	return a.say(map[string]string{"confirmed": run}, "Run "+run+" stays.")
}

// endWait keeps a memory in which no run waits to be confirmed any more.
func (a *app) endWait(ctx context.Context, h *host.Host, memory provision.Memory) error {
	memory.Unconfirmed = nil
	return errors.Join(a.keep(ctx, h, memory), h.Disarm(ctx))
}

// keep saves what the metrics tell of without a run as well.
func (a *app) keep(ctx context.Context, h *host.Host, memory provision.Memory) error {
	return errors.Join(h.Save(ctx, memory), h.WriteState(ctx, a.policyDigest()))
}

// checkUnconfirmed refuses to go on while a run waits to be confirmed. One whose time is
// up although nothing took it back, or whose timer went with a reboot, is taken back now: by
// a run of some parts only these, because at boot that comes before Docker, and can't
// restart it.
func (a *app) checkUnconfirmed(ctx context.Context, h *host.Host) error {
	memory, err := h.Load(ctx)
	if err != nil || memory.Unconfirmed == nil {
		return err
	}
	// Only what is there can be taken back.
	if err := h.RestoreRules(ctx); err != nil {
		return err
	}
	if !host.Expired(*memory.Unconfirmed) {
		return &unconfirmedError{*memory.Unconfirmed}
	}
	if err := a.rollUnconfirmed(ctx, h); err != nil {
		return err
	}
	// As long as something of it is left nothing else must come on top.
	if memory, err = h.Load(ctx); err != nil || memory.Unconfirmed == nil {
		return err
	}
	return &unconfirmedError{*memory.Unconfirmed}
}

// unconfirmedError says that a run waits to be confirmed.
type unconfirmedError struct{ run provision.Unconfirmed }

// Error names the run, and what ends the wait.
func (e *unconfirmedError) Error() string {
	return fmt.Sprintf("run %s waits to be confirmed until %s\nhint: molo confirm keeps it, molo rollback takes it back",
		e.run.Run, e.run.Deadline.Local().Format(time.TimeOnly))
}

// arm makes sure that a run is taken back unless it is confirmed in time.
func (a *app) arm(ctx context.Context, h *host.Host, run string, after time.Duration) error {
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	waits := host.Unconfirmed(run, after)
	memory.Unconfirmed = &waits
	if err := h.Save(ctx, memory); err != nil {
		return err
	}
	return h.Arm(ctx, after, "rollback", "--unconfirmed", "--wait", rollbackPatience.String())
}

// await gives a person the time that was asked for, or none if there is nothing to look at.
func (a *app) await(ctx context.Context, h *host.Host, run host.Run) error {
	ctx = context.WithoutCancel(ctx)
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	if memory.Trail == nil || memory.Trail.Run != run.ID {
		return a.endWait(ctx, h, memory)
	}
	if err := a.arm(ctx, h, run.ID, a.confirmIn); err != nil {
		return err
	}
	if a.json {
		return nil
	}
	_, err = fmt.Fprintf(a.stdout, "Unless you run \"molo confirm\" within %s, all of it is taken back.\n", a.confirmIn)
	return err
}

// lockedOut refuses a plan that would cut the connection that it is run from.
func (a *app) lockedOut(ctx context.Context, h *host.Host, p *policy.Policy) error {
	if a.allowLockout {
		return nil
	}
	session, ok, err := h.Session()
	if err != nil || !ok {
		return err
	}
	plan, f, err := provision.MakePlan(ctx, h, h, p, a.options())
	if err != nil {
		return err
	}
	return lockout(plan, f, session)
}

func lockout(plan provision.Plan, f facts.Facts, session facts.Flow) error {
	if why := provision.Lockout(plan, f, session); why != "" {
		return fmt.Errorf("this would cut the connection that you run it from: %s\nhint: --confirm 60s takes it back by itself, --allow-lockout does it anyway", why)
	}
	return nil
}
