package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	shutdownLimit = 90 * time.Second // systemd's own limit for a unit that does not stop
	cleanupLimit  = 30 * time.Second

	// systemd stops everything in order and reboots (systemd(1), SIGRTMIN+5), which for a PID namespace is its end.
	sigReboot = syscall.Signal(34 + 5)
)

// Reboot shuts the host down in order and boots it again. Its disk and its peers stay; what is in memory, such as
// firewall rules and the addresses Docker made, does not.
func (h *Host) Reboot(ctx context.Context) error {
	return h.again(ctx, "rebooting", func(run *running) error { return run.signal(sigReboot) })
}

// Crash cuts the host's power and boots it again. Nothing inside gets to clean up.
func (h *Host) Crash(ctx context.Context) error {
	return h.again(ctx, "crashing", (*running).kill)
}

func (h *Host) again(ctx context.Context, doing string, end func(*running) error) error {
	unlock, err := h.own(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, h.name, err)
	}
	defer unlock()
	run, err := h.running()
	if err != nil {
		return err
	}
	if err := h.cycle(ctx, run, end); err != nil {
		return fmt.Errorf("%s %s: %w", doing, h.name, err)
	}
	return nil
}

func (h *Host) cycle(ctx context.Context, run *running, end func(*running) error) error {
	if err := end(run); err != nil {
		return err
	}
	limit, cancel := context.WithTimeoutCause(ctx, shutdownLimit, fmt.Errorf("still up after %v", shutdownLimit))
	defer cancel()
	if err := run.wait(limit); err != nil {
		return fmt.Errorf("%w\n%s", err, h.diagnose())
	}
	if err := h.halt(); err != nil {
		return err
	}
	return h.start(ctx)
}

// halt ends the host's processes, if any are left, and what the kernel holds of them.
func (h *Host) halt() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupLimit)
	defer cancel()
	h.mu.Lock()
	run := h.run
	h.run = nil
	h.mu.Unlock()
	if run != nil {
		if err := errors.Join(run.kill(), run.wait(ctx), run.close()); err != nil {
			return fmt.Errorf("ending %s: %w", h.name, err)
		}
	}
	cg, err := hostCgroup(h.name)
	if err != nil {
		return err
	}
	return errors.Join(cg.remove(ctx), h.unplugAll())
}

// Close ends the host and removes all of it: processes, network, peers, cgroup and disk. Closing twice does nothing.
func (h *Host) Close() error {
	if !exists(h.dir) {
		return nil
	}
	if err := h.close(); err != nil {
		return fmt.Errorf("closing %s: %w", h.name, err)
	}
	return nil
}

func (h *Host) close() error {
	unlock, err := h.own(context.Background())
	if err != nil {
		return err
	}
	defer unlock()
	if err := h.halt(); err != nil {
		return err
	}
	for _, p := range h.peers {
		p.net.file.Close()
	}
	if err := demolish(h.dir); err != nil {
		return err
	}
	if h.lock != nil {
		return h.lock.Close()
	}
	return nil
}

// demolish removes the directory of a host that is down, and the namespaces of its peers, which are mounted there.
func demolish(dir string) error {
	peers, err := os.ReadDir(filepath.Join(dir, "peer"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, p := range peers {
		err := unix.Unmount(filepath.Join(dir, "peer", p.Name()), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) { // made, but not mounted
			return fmt.Errorf("unmounting peer %s: %w", p.Name(), err)
		}
	}
	return removeDir(dir)
}

// removeDir removes a host's directory, the lock last: whoever finds a directory without one leaves it alone.
func removeDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "lock" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}
