package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"molo/provision"
)

// rollbackUnit is how the names begin of the transient timer, and of its service, that take
// a run back unless somebody confirms it.
const rollbackUnit = "molo-rollback"

// Unconfirmed is a run that waits from now on.
func Unconfirmed(run string, after time.Duration) provision.Unconfirmed {
	return provision.Unconfirmed{Run: run, Deadline: time.Now().Add(after), Boot: bootID(), Uptime: uptime() + after}
}

// Expired reports whether a run has waited long enough. On another boot it has: its timer
// is gone.
func Expired(u provision.Unconfirmed) bool { return u.Boot != bootID() || uptime() >= u.Uptime }

// uptime is how long the kernel has run, suspended or not. Unlike the time of day it can't
// be set.
func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0 // every kernel since 2.6.39 has this clock
	}
	return time.Duration(now.Nano())
}

// Arm has systemd run molo with these arguments after a time, again and again until that
// succeeds, whatever becomes of this process and of the session that it belongs to. It
// replaces what was armed before, which goes on counting until the new timer does.
func (h *Host) Arm(ctx context.Context, after time.Duration, args ...string) error {
	molo, err := os.Executable()
	if err != nil {
		return fmt.Errorf("arming the rollback: %w", err)
	}
	unit := rollbackUnit + "-" + RecordID(time.Now())
	argv := append([]string{
		"--quiet", "--collect", "--unit=" + unit, "--description=Take back a run of molo that nobody confirmed",
		fmt.Sprintf("--on-active=%dms", after.Milliseconds()), "--timer-property=AccuracySec=100ms",
		"--property=Restart=on-failure", "--property=RestartSec=15s", "--", molo,
	}, args...)
	if _, err := h.exec(ctx, nil, "systemd-run", argv...); err != nil {
		return fmt.Errorf("arming the rollback: %w", err)
	}
	return h.disarm(ctx, unit+".timer")
}

// Disarm stops the timer. A rollback that is under way goes on.
func (h *Host) Disarm(ctx context.Context) error { return h.disarm(ctx, "") }

// disarm stops all timers but one.
func (h *Host) disarm(ctx context.Context, but string) error {
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("asking systemd about the rollback: %w", err)
	}
	defer conn.Close()
	timers, err := conn.ListUnitsByPatternsContext(ctx, nil, []string{rollbackUnit + "*.timer"})
	if err != nil {
		return fmt.Errorf("asking systemd about the rollback: %w", err)
	}
	for _, timer := range timers {
		if timer.Name == but {
			continue
		}
		done := make(chan string, 1)
		_, err := conn.StopUnitContext(ctx, timer.Name, "replace", done)
		if err != nil && strings.Contains(err.Error(), "not loaded") {
			continue // it has just elapsed
		}
		if err != nil {
			return fmt.Errorf("disarming the rollback: %w", err)
		}
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
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
