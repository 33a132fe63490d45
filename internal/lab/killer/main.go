//go:build linux && amd64

// Command killer runs a program and kills it right before one of its side effects, which
// it counts: system calls that change files, start other programs, or tell the kernel,
// systemd or dockerd to do something. What only reads is not counted, nor is what the
// program's children do.
//
//	killer N PROGRAM [ARGUMENT...]
//
// It prints "killed before N: EFFECT" and exits with 9, or "ended after N effects" and
// exits as the program did.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: killer N PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "killer:", err)
		os.Exit(2)
	}
	code, err := run(n, os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "killer:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// run traces a program until it ends or its time has come.
func run(n int, argv []string) (int, error) {
	// The tracer is a thread, not a process (ptrace(2)).
	runtime.LockOSThread()
	name, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	pid, err := syscall.ForkExec(name, argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		return 0, err
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return 0, err
	}
	// Threads are followed, children are not.
	const options = syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACESYSGOOD | exitKill
	if err := syscall.PtraceSetOptions(pid, options); err != nil {
		return 0, err
	}
	t := tracer{pid: pid, left: n}
	return t.follow()
}

// exitKill has the kernel end the traced program with the tracer (PTRACE_O_EXITKILL).
const exitKill = 1 << 20

// tracer follows the threads of one program.
type tracer struct {
	pid  int
	left int // effects until the end
	seen int
}

func (t *tracer) follow() (int, error) {
	thread, signal := t.pid, 0
	for {
		// A thread that is gone meanwhile is no failure.
		if err := syscall.PtraceSyscall(thread, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return 0, fmt.Errorf("letting thread %d go on: %w", thread, err)
		}
		var status syscall.WaitStatus
		var err error
		if thread, err = syscall.Wait4(-1, &status, syscall.WALL, nil); err != nil {
			return 0, err
		}
		for status.Exited() || status.Signaled() {
			if thread == t.pid {
				fmt.Printf("ended after %d effects\n", t.seen)
				return status.ExitStatus(), nil
			}
			if thread, err = syscall.Wait4(-1, &status, syscall.WALL, nil); err != nil {
				return 0, err
			}
		}
		signal = 0
		switch stop := status.StopSignal(); stop {
		case syscall.SIGTRAP | 0x80:
			if t.isLast(thread) {
				return 9, syscall.Kill(t.pid, syscall.SIGKILL)
			}
		case syscall.SIGTRAP, syscall.SIGSTOP:
		default:
			signal = int(stop)
		}
	}
}

// isLast counts the effect that a thread is about to have, if it is one.
func (t *tracer) isLast(thread int) bool {
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(thread, &r); err != nil {
		return false // it is gone
	}
	if int64(r.Rax) != -int64(syscall.ENOSYS) {
		return false // it comes out of one
	}
	what := call{t.pid, r.Orig_rax, [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}}.effect()
	if what == "" {
		return false
	}
	t.seen++
	if t.left--; t.left != 0 {
		return false
	}
	fmt.Printf("killed before %d: %s\n", t.seen, what)
	return true
}
