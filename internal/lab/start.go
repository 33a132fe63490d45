package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// start boots the host's disk, new or not.
func (h *Host) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bootLimit, fmt.Errorf("not up after %v", bootLimit))
	defer cancel()
	begin := time.Now()
	if err := h.launch(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, h.console())
	}
	state, err := h.waitUp(ctx)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, h.diagnose())
	}
	fmt.Fprintf(h.log, "%s is %s after %.1f s\n", h.name, state, time.Since(begin).Seconds())
	return nil
}

// launch starts the host's first process, plugs in its cables, lets it go, and returns when the process has become the
// host's init.
func (h *Host) launch(ctx context.Context) error {
	hold, release, err := os.Pipe()
	if err != nil {
		return err
	}
	defer release.Close()
	ready, entered, err := os.Pipe()
	if err != nil {
		hold.Close()
		return err
	}
	defer ready.Close()
	run, err := h.spawn(hold, entered)
	hold.Close()
	entered.Close()
	if err != nil {
		return err
	}
	h.setRunning(run)
	if err := h.remember(run); err != nil {
		return err
	}
	if err := h.plugAll(run.net); err != nil {
		return fmt.Errorf("plugging in the network: %w", err)
	}
	if _, err := release.WriteString("\n"); err != nil {
		return fmt.Errorf("starting the first process: %w", err)
	}
	return run.waitInit(ctx, ready)
}

// spawn starts the boot script in new namespaces, where it waits for a line on hold.
func (h *Host) spawn(hold, entered *os.File) (*running, error) {
	cg, err := hostCgroup(h.name)
	if err != nil {
		return nil, err
	}
	group, commands, err := cg.make()
	if err != nil {
		return nil, err
	}
	defer group.Close()
	console, err := os.OpenFile(h.file("console"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(err, commands.Close())
	}
	defer console.Close()
	pidfd := -1
	cmd := exec.Command("/bin/sh", "-c", bootScript, "lab", h.dir, h.state.Rootfs, newUUID()) //nolint:noctx // the host outlives the call that boots it
	cmd.Env = []string{"PATH=" + pathInside}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = hold, console, console
	cmd.ExtraFiles = []*os.File{entered}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID |
			syscall.CLONE_NEWNET,
		Unshareflags: syscall.CLONE_NEWCGROUP, // after the step into the group: that makes the group its root
		UseCgroupFD:  true,
		CgroupFD:     int(group.Fd()),
		PidFD:        &pidfd,
		Setsid:       true,
	}
	if err := startInit(cmd, h.state.Keep); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the first process: %w", err), commands.Close())
	}
	return newRunning(cmd.Process.Pid, pidfd, commands)
}

// startInit starts a host's first process, which dies with this one unless it is kept.
func startInit(cmd *exec.Cmd, keep bool) error {
	if !keep {
		_, err := startWithParent(cmd)
		return err
	}
	err := cmd.Start()
	if err == nil {
		go cmd.Wait() //nolint:errcheck // reaps it if we are still here; how it ended is for whoever opens it
	}
	return err
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	x := randomHex(16)
	return x[:8] + "-" + x[8:12] + "-4" + x[13:16] + "-8" + x[17:20] + "-" + x[20:]
}

// waitInit waits for the script to close its end of ready, which it does as the last thing before init, or by failing.
func (r *running) waitInit(ctx context.Context, ready *os.File) error {
	stop := context.AfterFunc(ctx, func() { ready.SetReadDeadline(time.Now()) }) //nolint:errcheck // then the copy below goes on to its end
	defer stop()
	if _, err := io.Copy(io.Discard, ready); err != nil {
		return errors.Join(fmt.Errorf("waiting for init: %w", err), context.Cause(ctx))
	}
	if r.ended() {
		return errors.New("the first process ended before it became init")
	}
	return r.openRoot()
}

// waitUp waits until systemd has no more jobs to do, and returns what it calls that: running, or degraded if a unit
// failed.
func (h *Host) waitUp(ctx context.Context) (string, error) {
	var said string
	err := poll(ctx, 20*time.Millisecond, func() (bool, error) {
		res, err := h.Run(ctx, "systemctl", "is-system-running", "--wait")
		said = strings.TrimSpace(res.Stdout)
		if err != nil && ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return said == "running" || said == "degraded", err
	})
	if err != nil {
		return "", fmt.Errorf("waiting for systemd (last said: %q): %w", said, err)
	}
	return said, nil
}
