package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const pathInside = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is that of root's login.
func environment() []string {
	return []string{"PATH=" + pathInside, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "LANG=C.UTF-8"}
}

// Result is what a command printed and how it ended. A command ended by a signal has 128 and the signal's number, as
// in a shell.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Command returns a command that will run on the host, as root, in / and with a login's environment. It leads a process
// group, which is killed as a whole when ctx ends. Nothing of the machine is inside but the descriptors it is given.
func (h *Host) Command(ctx context.Context, argv ...string) *exec.Cmd {
	run, err := h.running()
	if err != nil {
		return failing(ctx, err)
	}
	return run.command(ctx, argv)
}

func (r *running) command(ctx context.Context, argv []string) *exec.Cmd {
	args := make([]string, 0, len(r.ns)+1+len(argv))
	for option, f := range r.ns {
		// Our descriptor, reached from the child: inheriting it would leave it open in what runs inside.
		args = append(args, fmt.Sprintf("--%s=/proc/%d/fd/%d", option, os.Getpid(), f.Fd()))
	}
	cmd := grouped(ctx, "nsenter", append(append(args, "--"), argv...)...)
	cmd.Env = environment()
	cmd.SysProcAttr.UseCgroupFD = true
	cmd.SysProcAttr.CgroupFD = int(r.commands.Fd())
	return cmd
}

// grouped returns a command that is killed with all its children.
func grouped(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if !cmd.SysProcAttr.Setpgid { // the caller wants it in the foreground of a terminal
			return cmd.Process.Kill()
		}
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	cmd.WaitDelay = 2 * time.Second // for a background process that keeps the output open
	return cmd
}

// failing returns a command that cannot start, because of err.
func failing(ctx context.Context, err error) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter")
	cmd.Err = err
	return cmd
}

// Run runs a command on the host to its end. It returns an error only if the command could not run, or ctx ended first.
func (h *Host) Run(ctx context.Context, argv ...string) (Result, error) {
	res, err := run(ctx, h.Command(ctx, argv...))
	if err == nil && res.Code != 0 {
		if r, down := h.running(); down != nil || r.ended() {
			err = fmt.Errorf("%s: %w", h.name, errDown)
		}
	}
	if err != nil {
		return res, fmt.Errorf("running %s: %w", argv[0], err)
	}
	return res, nil
}

// Output runs a command on the host and returns what it printed. If it ends with another code than 0, that is an error
// which holds what it printed.
func (h *Host) Output(ctx context.Context, argv ...string) (string, error) {
	res, err := h.Run(ctx, argv...)
	return output(argv, res, err)
}

func run(ctx context.Context, cmd *exec.Cmd) (Result, error) {
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	res := Result{Stdout: stdout.String(), Stderr: stderr.String()}
	if ctx.Err() != nil {
		return res, context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		res.Code = exitCode(exit.Sys().(syscall.WaitStatus))
		return res, nil
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return res, nil
	}
	return res, err
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func output(argv []string, res Result, err error) (string, error) {
	if err != nil {
		return res.Stdout, err
	}
	if res.Code != 0 {
		return res.Stdout, fmt.Errorf("running %s: exit code %d\n%s%s", strings.Join(argv, " "), res.Code, res.Stdout, res.Stderr)
	}
	return res.Stdout, nil
}
