package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/internal/resource"
	"molo/provision"
)

const (
	// ufwLock is what ufw(8) holds, as an exclusive fcntl(2) lock, while it changes
	// its files (since 0.36).
	ufwLock = "/run/ufw.lock"
	// ufwPatience is how long a running ufw may take.
	ufwPatience = 10 * time.Second
)

// ufwFacts reads UFW's files. UFW writes them in place, so they are read under its
// own lock; without privilege to take it they can't be read either.
func (h *Host) ufwFacts(ctx context.Context, f *facts.Facts) {
	_, err := os.Stat(h.path("/etc/ufw/ufw.conf"))
	if f.UFW.Installed = err == nil; !f.UFW.Installed {
		return
	}
	unread := func(what string, err error) {
		f.Unknown = append(f.Unknown, unreadable(what, provision.PartFirewall, err))
	}
	unlock, err := h.lockUFW(ctx)
	if err != nil {
		unread(ufwLock, err)
		return
	}
	defer unlock()
	for _, file := range []struct {
		path string
		into *string
	}{
		{"/etc/ufw/ufw.conf", &f.UFW.Conf},
		{"/etc/default/ufw", &f.UFW.Defaults},
		{"/etc/ufw/user.rules", &f.UFW.Rules4},
		{"/etc/ufw/user6.rules", &f.UFW.Rules6},
	} {
		text, err := h.readOptional(file.path)
		if err != nil {
			unread(file.path, err)
		}
		*file.into = text
	}
	for line := range strings.Lines(f.UFW.Conf) {
		if strings.EqualFold(strings.TrimSpace(line), "ENABLED=yes") {
			f.UFW.Enabled = true
		}
	}
}

// withoutUFW lists the families in which UFW has no say about packets to the host:
// somebody flushed its chains, or it could not load them.
func (h *Host) withoutUFW(ctx context.Context) ([]string, error) {
	families := []resource.Family{resource.IPv4}
	if hasIPv6() {
		families = append(families, resource.IPv6)
	}
	var all []string
	for _, family := range families {
		tables, err := h.saveAs(ctx, family, "")
		if err != nil {
			return nil, err
		}
		hooked := slices.ContainsFunc(tables.saved["filter"].rules["INPUT"], func(rule string) bool { return strings.Contains(rule, "-j ufw") })
		if !hooked {
			all = append(all, string(family))
		}
	}
	return all, nil
}

// lockUFW waits until no ufw is changing its files. Where nobody has ever taken the
// lock, or we may not, there is nothing to wait for.
func (h *Host) lockUFW(ctx context.Context) (unlock func(), err error) {
	lock, err := os.Open(h.path(ufwLock))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("waiting for ufw: %w", err)
	}
	err = poll(ctx, ufwPatience, func(context.Context) error {
		shared := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
		return unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, &shared)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for ufw: %w", err), lock.Close())
	}
	return func() { lock.Close() }, nil
}
