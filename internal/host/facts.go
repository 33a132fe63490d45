package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/provision"
)

// Facts reads what the host is. What can't be read, for want of privilege or
// because a service hangs, is listed in Facts.Unknown.
func (h *Host) Facts(ctx context.Context) (facts.Facts, error) {
	f := facts.Facts{Offline: h.offline(), Time: time.Now()}
	var err error
	if f.OS, err = h.osRelease(); err != nil {
		return f, err
	}
	if !f.Offline {
		if err := h.kernelFacts(&f); err != nil {
			return f, err
		}
	}
	h.dockerFacts(ctx, &f)
	h.ufwFacts(ctx, &f)
	h.nginxFacts(ctx, &f)
	return f, nil
}

// osRelease reads os-release(5).
func (h *Host) osRelease() (facts.OS, error) {
	text, err := h.readOptional("/etc/os-release")
	if err != nil {
		return facts.OS{}, err
	}
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[key] = strings.Trim(value, `"'`)
	}
	return facts.OS{ID: values["ID"], Version: values["VERSION_ID"], Codename: values["VERSION_CODENAME"]}, nil
}

func (h *Host) kernelFacts(f *facts.Facts) error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("reading the kernel's name: %w", err)
	}
	f.Hostname, f.Kernel = unix.ByteSliceToString(uts.Nodename[:]), unix.ByteSliceToString(uts.Release[:])
	f.IPv6 = hasIPv6()
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("listing network links: %w", err)
	}
	for _, l := range links {
		if l.Type() == "bridge" {
			f.Bridges = append(f.Bridges, l.Attrs().Name)
		}
	}
	return nil
}

// readOptional reads a file of the host; one that is not there is empty.
func (h *Host) readOptional(path string) (string, error) {
	data, err := os.ReadFile(h.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return string(data), nil
}

// defaultSite is where Debian enables its own default site.
const defaultSite = "/etc/nginx/sites-enabled/default"

func (h *Host) nginxFacts(ctx context.Context, f *facts.Facts) {
	n := &f.Nginx
	unread := func(what string, err error) {
		f.Unknown = append(f.Unknown, unreadable(what, provision.PartNginx, err))
	}
	_, err := os.Stat(h.path("/usr/sbin/nginx"))
	if n.Installed = err == nil; !n.Installed {
		return
	}
	if target, err := os.Readlink(h.path(defaultSite)); err == nil {
		n.DefaultSite = target
	}
	if n.Foreign, err = h.foreignSites(); err != nil {
		unread("/etc/nginx", err)
	}
	if h.offline() {
		return
	}
	unit, err := h.unit(ctx, provision.NginxUnit)
	if err != nil {
		unread(provision.NginxUnit, err)
	}
	n.Running = unit.Active == "active" || unit.Active == "reloading"
	n.Queued = unit.Active == "inactive" && unit.Queued
}

// foreignSites reads nginx.conf and the files that it includes on Debian.
func (h *Host) foreignSites() (map[string]string, error) {
	files := map[string]string{}
	for _, pattern := range []string{"/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*"} {
		found, err := filepath.Glob(h.path(pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			name := filepath.Join("/", strings.TrimPrefix(path, h.root))
			text, err := h.readOptional(name)
			if err != nil {
				return nil, err
			}
			files[name] = text
		}
	}
	return files, nil
}
