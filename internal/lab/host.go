package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"sync"
)

// Host is a Debian machine in namespaces.
type Host struct {
	name string
	dir  string
	log  io.Writer

	changing sync.Mutex // guards the next three
	state    state
	lock     *os.File // held for as long as the host is ours; nil when other processes may change it
	peers    map[string]*Peer

	mu  sync.Mutex // guards run
	run *running   // nil when the host is down
}

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// Release returns the Debian release the host runs.
func (h *Host) Release() string { return h.state.Release }

// Pid returns the host's PID 1 as the machine sees it, or 0 when the host is down. It changes with a reboot.
func (h *Host) Pid() int {
	if run, err := h.running(); err == nil {
		return run.pid
	}
	return 0
}

// Path returns where a file of the host is seen from outside, /proc/PID/root/..., for tools that need a name. Links in
// it resolve to the machine's files: ReadFile, WriteFile and Push are safe, this is not.
func (h *Host) Path(name string) string {
	return filepath.Join("/proc", fmt.Sprint(h.Pid()), "root", path.Clean("/"+name))
}

// DialContext connects to an IP address and port from the host itself.
func (h *Host) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	run, err := h.running()
	if err != nil {
		return nil, err
	}
	return run.net.dial(ctx, network, addr)
}

var errDown = errors.New("the host is down")

func (h *Host) running() (*running, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run == nil {
		return nil, fmt.Errorf("%s: %w", h.name, errDown)
	}
	return h.run, nil
}

func (h *Host) setRunning(r *running) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.run = r
}

// remember notes the process of a boot for other processes.
func (h *Host) remember(r *running) error {
	started, err := startTime(r.pid)
	if err != nil {
		return err
	}
	h.state.Pid, h.state.Started = r.pid, started
	return h.state.write(h.dir)
}

// file returns the path of something in the host's directory.
func (h *Host) file(elem ...string) string {
	return filepath.Join(append([]string{h.dir}, elem...)...)
}
