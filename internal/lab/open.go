package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Info describes a host for a list.
type Info struct {
	Name    string
	Release string
	Pid     int  // 0 when it is down
	Kept    bool // it outlives the process that booted it
	Owned   bool // a process holds it
}

// List lists the hosts of this machine, those of other processes too.
func List() ([]Info, error) {
	hm := labHome()
	entries, err := os.ReadDir(hm.path("host"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []Info
	for _, e := range entries {
		s, err := readState(hm.path("host", e.Name()))
		if errors.Is(err, fs.ErrNotExist) { // it is just coming or going
			continue
		}
		if err != nil {
			return nil, err
		}
		info := Info{Name: e.Name(), Release: s.Release, Kept: s.Keep}
		if s.alive() {
			info.Pid = s.Pid
		}
		held, err := tryLock(hm.path("host", e.Name(), "lock"), 0)
		if err == nil {
			held.Close()
		}
		info.Owned = errors.Is(err, errLocked)
		list = append(list, info)
	}
	return list, nil
}

// alive says whether the process that the state names is still there, and is that process.
func (s state) alive() bool {
	if s.Pid == 0 {
		return false
	}
	started, err := startTime(s.Pid)
	return err == nil && started == s.Started
}

// Open attaches to a host that another process booted. A host that its owner holds can be looked at; one that was kept
// can also be given peers, rebooted and closed.
func Open(name string) (*Host, error) {
	h, err := labHome().open(name, nil)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	return h, nil
}

func (hm home) open(name string, log io.Writer) (*Host, error) {
	if !validName(name) {
		return nil, errors.New("no such host")
	}
	h := &Host{name: name, dir: hm.path("host", name), log: orDiscard(log), peers: make(map[string]*Peer)}
	var err error
	if h.state, err = readState(h.dir); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no such host")
	} else if err != nil {
		return nil, err
	}
	cg, err := hostCgroup(name)
	if err != nil {
		return nil, err
	}
	commands, err := os.Open(filepath.Join(string(cg), commandGroup))
	if err != nil {
		return nil, err
	}
	if h.run, err = attach(h.state, commands); err != nil {
		return nil, err
	}
	for _, link := range h.state.Peers {
		if h.peers[link.Name], err = h.openPeer(link); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// own lets one goroutine at a time change the host. Where other processes may do so too, it takes the host's lock and
// learns what they have changed.
func (h *Host) own(ctx context.Context) (unlock func(), err error) {
	h.changing.Lock()
	if h.lock != nil {
		return h.changing.Unlock, nil
	}
	held, err := h.borrow(ctx)
	if err != nil {
		h.changing.Unlock()
		return nil, err
	}
	return func() { held.Close(); h.changing.Unlock() }, nil
}

func (h *Host) borrow(ctx context.Context) (*os.File, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, cleanupLimit, errLocked)
	defer cancel()
	held, err := lock(ctx, h.file("lock"), 0)
	if err != nil {
		return nil, err
	}
	if h.state, err = readState(h.dir); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}
