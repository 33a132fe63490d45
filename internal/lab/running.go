package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// running is one boot of a host: its PID 1, and what is held open of it. A host is entered and ended through these, not
// by a number that may meanwhile have become somebody else's.
type running struct {
	pid      int
	pidfd    *os.File
	net      netns
	ns       map[string]*os.File // namespaces by the name nsenter has for them
	root     *os.File            // its root directory
	commands *os.File            // the cgroup for what the lab runs inside
}

// namespaces maps nsenter's options to the names in /proc/PID/ns.
func namespaces() map[string]string {
	return map[string]string{"mount": "mnt", "uts": "uts", "ipc": "ipc", "net": "net", "pid": "pid", "cgroup": "cgroup"}
}

// newRunning takes over pidfd and commands.
func newRunning(pid, pidfd int, commands *os.File) (*running, error) {
	r := &running{
		pid: pid, pidfd: os.NewFile(uintptr(pidfd), "pidfd"), ns: make(map[string]*os.File), commands: commands,
	}
	for option, name := range namespaces() {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening the host's namespaces: %w", err), r.kill(), r.close())
		}
		r.ns[option] = f
	}
	r.net = netns{r.ns["net"]}
	return r, nil
}

// openRoot must wait until the first process has changed its root.
func (r *running) openRoot() error {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/root", r.pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the host's root directory: %w", err)
	}
	r.root = os.NewFile(uintptr(fd), "root")
	return nil
}

// attach finds a host that another process booted.
func attach(s state, commands *os.File) (*running, error) {
	pidfd, err := unix.PidfdOpen(s.Pid, 0)
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", s.Pid, err)
	}
	// The descriptor is open, so from here on the number cannot change hands.
	if started, err := startTime(s.Pid); err != nil || started != s.Started {
		unix.Close(pidfd)
		return nil, errors.New("it is not running")
	}
	r, err := newRunning(s.Pid, pidfd, commands)
	if err != nil {
		return nil, err
	}
	if err := r.openRoot(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// ended says whether PID 1, and with it everything inside, is gone.
func (r *running) ended() bool {
	fds := []unix.PollFd{{Fd: int32(r.pidfd.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}

func (r *running) wait(ctx context.Context) error {
	return poll(ctx, 5*time.Millisecond, func() (bool, error) { return r.ended(), nil })
}

func (r *running) signal(sig syscall.Signal) error {
	err := unix.PidfdSendSignal(int(r.pidfd.Fd()), sig, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signalling PID 1: %w", err)
	}
	return nil
}

// kill cuts the power: with PID 1 the kernel ends every process of the host.
func (r *running) kill() error { return r.signal(unix.SIGKILL) }

func (r *running) close() error {
	errs := []error{r.pidfd.Close(), r.commands.Close()}
	for _, f := range r.ns {
		errs = append(errs, f.Close())
	}
	if r.root != nil {
		errs = append(errs, r.root.Close())
	}
	return errors.Join(errs...)
}
