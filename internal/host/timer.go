package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// rollbackUnit is the transient timer, and the service, that takes a run back unless
// somebody confirms it.
const rollbackUnit = "molo-rollback"

// Arm has systemd run molo with these arguments after a time, whatever becomes of this
// process and of the session that it belongs to. It replaces what was armed before.
func (h *Host) Arm(ctx context.Context, after time.Duration, args ...string) error {
	if err := h.Disarm(ctx); err != nil {
		return err
	}
	molo, err := os.Executable()
	if err != nil {
		return fmt.Errorf("arming the rollback: %w", err)
	}
	argv := append([]string{
		"--quiet", "--collect", "--unit=" + rollbackUnit, "--description=Take back a run of molo that nobody confirmed",
		fmt.Sprintf("--on-active=%dms", after.Milliseconds()), "--timer-property=AccuracySec=100ms", "--", molo,
	}, args...)
	if _, err := h.exec(ctx, nil, "systemd-run", argv...); err != nil {
		return fmt.Errorf("arming the rollback: %w", err)
	}
	return nil
}

// Disarm stops the timer. A rollback that is under way goes on.
func (h *Host) Disarm(ctx context.Context) error {
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("asking systemd about the rollback: %w", err)
	}
	defer conn.Close()
	done := make(chan string, 1)
	_, err = conn.StopUnitContext(ctx, rollbackUnit+".timer", "replace", done)
	if err != nil && strings.Contains(err.Error(), "not loaded") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("disarming the rollback: %w", err)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WaitLock takes the run lock, waiting for another run to end.
func (h *Host) WaitLock(ctx context.Context, command string, patience time.Duration) (unlock func() error, err error) {
	err = poll(ctx, patience, func(context.Context) error {
		unlock, err = h.Lock(command)
		return err
	})
	if locked := new(LockedError); errors.As(err, &locked) {
		return nil, locked
	}
	return unlock, err
}
