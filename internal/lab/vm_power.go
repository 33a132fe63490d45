package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Reboot shuts the machine down in order and waits until it is up again.
func (v *VM) Reboot(ctx context.Context) error {
	return v.again(ctx, "rebooting", func() error {
		_, err := v.Run(ctx, "systemctl", "reboot", "--no-block")
		return err
	})
}

// Crash resets the machine, as the button does, and waits until it is up again. Nothing inside gets to clean up.
func (v *VM) Crash(ctx context.Context) error {
	return v.again(ctx, "crashing", func() error {
		_, err := v.tell(ctx, "system_reset", nil)
		return err
	})
}

const bootID = "/proc/sys/kernel/random/boot_id"

// again ends a boot and waits for the next one to be over.
func (v *VM) again(ctx context.Context, doing string, end func() error) error {
	before, err := v.ReadFile(bootID)
	if err == nil {
		err = end()
	}
	if err == nil {
		err = v.nextBoot(ctx, string(before))
	}
	if err == nil {
		err = v.Up(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, v.Name(), err)
	}
	return nil
}

// nextBoot waits for an agent of another boot than that before.
func (v *VM) nextBoot(ctx context.Context, before string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, vmBootLimit, fmt.Errorf("not up within %v", vmBootLimit))
	defer cancel()
	for {
		if err := v.Await(ctx); err != nil {
			return err
		}
		ask, stop := context.WithTimeout(ctx, 5*time.Second) // it may go down in the middle of an answer
		now, err := v.Output(ask, "cat", bootID)
		stop()
		if err == nil && now != before {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// Up waits until systemd has done all that a boot is, whether or not every unit is well.
func (v *VM) Up(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, vmBootLimit, fmt.Errorf("the boot is not over within %v", vmBootLimit))
	defer cancel()
	if err := v.Await(ctx); err != nil {
		return err
	}
	res, err := v.Run(ctx, "systemctl", "is-system-running", "--wait")
	if err != nil {
		return err
	}
	if state := strings.TrimSpace(res.Stdout); state != "running" && state != "degraded" {
		return fmt.Errorf("%s is %s", v.Name(), state)
	}
	return nil
}

// Save keeps the machine as it is, memory and all, under a name.
func (v *VM) Save(ctx context.Context, name string) error { return v.snapshot(ctx, "savevm", name) }

// Restore brings the machine back to what it was when it was saved, within a second. Its clock is set to the present.
func (v *VM) Restore(ctx context.Context, name string) error {
	if err := v.snapshot(ctx, "loadvm", name); err != nil {
		return err
	}
	if err := v.Await(ctx); err != nil {
		return err
	}
	_, err := v.Output(ctx, "date", "-s", fmt.Sprintf("@%d", time.Now().Unix()))
	return err
}

func (v *VM) snapshot(ctx context.Context, command, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	answer, err := v.tell(ctx, "human-monitor-command", map[string]any{"command-line": command + " " + name})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", command, v.Name(), err)
	}
	var said string
	if err := json.Unmarshal(answer, &said); err != nil {
		return err
	}
	if said = strings.TrimSpace(said); said != "" { // it says nothing when all is well
		return fmt.Errorf("%s of %s: %s", command, v.Name(), said)
	}
	return nil
}

// tell gives the emulator a command.
func (v *VM) tell(ctx context.Context, command string, arguments any) (json.RawMessage, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process == nil {
		return nil, errDown
	}
	return v.process.monitor.ask(ctx, command, arguments)
}
