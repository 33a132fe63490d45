package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/nginx"
	"molo/provision"
)

// The bounds of the files that nginx.conf includes. Lists of addresses are long,
// and nothing else of a configuration comes near.
const (
	maxNginxFiles = 10_000
	maxNginxBytes = 64 << 20
)

func (h *Host) nginxFacts(ctx context.Context, f *facts.Facts) {
	n := &f.Nginx
	unread := func(what string, err error) {
		f.Unknown = append(f.Unknown, unreadable(what, provision.PartNginx, err))
	}
	_, err := os.Stat(h.path(nginxBinary))
	if n.Installed = err == nil; !n.Installed {
		return
	}
	if target, err := os.Readlink(h.path(nginx.DefaultSite)); err == nil {
		n.DefaultSite = target
	}
	if n.Foreign, err = h.foreignSites(); err != nil {
		unread("/etc/nginx", err)
	}
	if n.Logs, err = h.logFacts(nginx.WorkerUser(*n)); err != nil {
		f.Unknown = append(f.Unknown, unreadable(nginx.LogDir, provision.PartLogs, err))
	}
	if h.offline() {
		return
	}
	n.NoIPv6 = !hasIPv6()
	if n.Version, n.Can, err = h.askNginx(ctx); err != nil {
		unread("what "+nginxBinary+" can do", err)
	}
	unit, err := h.unit(ctx, provision.NginxUnit)
	if err != nil {
		unread(provision.NginxUnit, err)
	}
	n.Running = unit.Active == "active" || unit.Active == "reloading"
	n.Queued = unit.Active == "inactive" && unit.Queued
	n.Unconfined = n.Running && h.unconfined(unit)
}

// foreignSites reads nginx.conf and all that it includes, but for molo's own files.
func (h *Host) foreignSites() (map[string]string, error) {
	files := map[string]string{}
	bytes := 0
	for queue := []string{nginx.Root}; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if _, known := files[name]; known || name == nginx.Entry || strings.HasPrefix(name, nginx.Dir+"/") {
			continue
		}
		text, err := h.readOptional(name)
		if err != nil {
			return nil, err
		}
		files[name] = text
		if bytes += len(text); len(files) > maxNginxFiles || bytes > maxNginxBytes {
			return nil, fmt.Errorf("nginx.conf includes more than %d files or %d bytes", maxNginxFiles, maxNginxBytes)
		}
		patterns, err := nginx.Includes(name, text)
		if err != nil {
			continue // the compiler reports it, with its place
		}
		for _, p := range patterns {
			found, err := h.included(p)
			if err != nil {
				return nil, err
			}
			queue = append(queue, found...)
		}
	}
	return files, nil
}

// included returns the files that a pattern of an include names, as glob(3) does: a
// "*" does not stand for hidden files.
func (h *Host) included(pattern string) ([]string, error) {
	found, err := h.glob(pattern)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(name string) bool {
		hidden := strings.HasPrefix(filepath.Base(name), ".") && !strings.HasPrefix(filepath.Base(pattern), ".")
		info, err := os.Stat(h.path(name))
		return err != nil || info.IsDir() || hidden
	}), nil
}

// asked is what an nginx binary has answered.
type asked struct {
	Binary  string   `json:"binary"`  // which one it was
	Asked   []string `json:"asked"`   // the names of the questions
	Version string   `json:"version"` // "1.22.1"
	Can     []string `json:"can"`
}

func (h *Host) askedPath() string { return h.path(filepath.Join(stateDir, "nginx.json")) }

// askNginx returns the version of the nginx binary and what it can do. It is asked
// once: what it has answered is kept until there is another binary.
func (h *Host) askNginx(ctx context.Context) (version string, can []string, err error) {
	identity, err := h.identifyNginx()
	if err != nil {
		return "", nil, err
	}
	now := asked{Binary: identity}
	for _, c := range nginx.Capabilities() {
		now.Asked = append(now.Asked, c.Name)
	}
	var before asked
	if err := readJSON(h.askedPath(), &before); err == nil && before.Binary == now.Binary && slices.Equal(before.Asked, now.Asked) {
		return before.Version, before.Can, nil
	}
	if err := h.interview(ctx, &now); err != nil {
		return "", nil, err
	}
	if !h.locked {
		return now.Version, now.Can, nil // a plan writes nothing
	}
	return now.Version, now.Can, h.writeJSON(h.askedPath(), now)
}

// identifyNginx tells nginx, with the TLS library that it runs with, from all others.
func (h *Host) identifyNginx() (string, error) {
	libraries, err := filepath.Glob("/usr/lib/*/lib[sc]*.so.[0-9]*")
	if err != nil {
		return "", err
	}
	identity, err := identify(nginxBinary)
	for _, path := range libraries {
		if name := filepath.Base(path); err == nil && (strings.HasPrefix(name, "libssl.") || strings.HasPrefix(name, "libcrypto.")) {
			var library string
			library, err = identify(path)
			identity += " " + library
		}
	}
	return identity, err
}

// identify tells a file from all that were, or will be, in its place.
func identify(path string) (string, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return fmt.Sprintf("%d:%d:%d:%d.%d", stat.Dev, stat.Ino, stat.Size, stat.Ctim.Sec, stat.Ctim.Nsec), nil
}

// interview asks the binary, in a mount namespace of its own: even "nginx -t"
// leaves files behind.
func (h *Host) interview(ctx context.Context, a *asked) error {
	if os.Geteuid() != 0 {
		return fs.ErrPermission
	}
	_, said, err := h.execBoth(ctx, nil, nginxBinary, "-V")
	if err != nil {
		return err
	}
	if a.Version, err = nginx.ParseVersion(said); err != nil {
		return err
	}
	dir, err := h.scratch("nginx-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, c := range nginx.Capabilities() {
		if err := os.WriteFile(filepath.Join(dir, c.Name+".conf"), []byte(c.Config()), 0o600); err != nil {
			return err
		}
	}
	return h.inNamespace(dir, func() error {
		for _, c := range nginx.Capabilities() {
			_, err := h.exec(ctx, nil, nginxBinary, "-t", "-q", "-c", filepath.Join(nginxDir, c.Name+".conf"))
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				return err
			}
			if err == nil {
				a.Can = append(a.Can, c.Name)
			}
		}
		return nil
	})
}
