package host

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/internal/resource"
	"molo/kernel"
	"molo/provision"
)

// procSys is where the kernel shows its settings.
const procSys = "/proc/sys"

// sysctlFacts reads what the kernel's settings are and what sets them.
func (h *Host) sysctlFacts(f *facts.Facts) {
	unread := func(what string, err error) {
		f.Unknown = append(f.Unknown, unreadable(what, provision.PartKernel, err))
	}
	var err error
	if f.Sysctl.Files, err = h.sysctlFiles(); err != nil {
		unread("sysctl.d", err)
	}
	if path := shellValue(f.UFW.Defaults, "IPT_SYSCTL"); path != "" {
		f.Sysctl.UFW.Path = path
		if f.Sysctl.UFW.Text, err = h.readOptional(path); err != nil {
			unread(path, err)
		}
	}
	if h.offline() {
		return
	}
	f.Sysctl.Live = map[string]string{}
	for _, name := range kernel.Watched() {
		for _, name := range kernel.Expand(name, f.Sysctl.Interfaces) {
			value, err := h.setting(name)
			switch {
			case err == nil, errors.Is(err, fs.ErrPermission):
				f.Sysctl.Live[name] = value
			case !errors.Is(err, fs.ErrNotExist):
				unread(policyName(name), err)
			}
		}
	}
}

// sysctlFiles reads the files of sysctl.d(5) in the order of systemd-sysctl: by their
// names, whatever directory they are in; of two with one name, the first one counts.
func (h *Host) sysctlFiles() ([]facts.Text, error) {
	named := map[string]facts.Text{}
	for _, dir := range []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"} {
		found, err := filepath.Glob(h.path(filepath.Join(dir, "*.conf")))
		if err != nil {
			return nil, fmt.Errorf("looking for files in %s: %w", dir, err)
		}
		for _, path := range found {
			name := filepath.Base(path)
			if _, replaced := named[name]; replaced {
				continue
			}
			text, err := h.readOptional(filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			named[name] = facts.Text{Path: filepath.Join(dir, name), Text: text}
		}
	}
	byName := func(a, b facts.Text) int { return cmp.Compare(filepath.Base(a.Path), filepath.Base(b.Path)) }
	return slices.SortedFunc(maps.Values(named), byName), nil
}

// shellValue returns what a file of shell assignments sets a variable to.
func shellValue(text, name string) string {
	value := ""
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			value = strings.Trim(v, `"'`)
		}
	}
	return value
}

// ownInterfaces names the links that receive packets themselves.
func ownInterfaces(links []netlink.Link) []string {
	var names []string
	for _, l := range links {
		if l.Attrs().MasterIndex == 0 {
			names = append(names, l.Attrs().Name)
		}
	}
	slices.Sort(names)
	return names
}

// setting reads the value of a setting.
func (h *Host) setting(name string) (string, error) {
	data, err := os.ReadFile(h.path(filepath.Join(procSys, name)))
	if err != nil {
		return "", fmt.Errorf("reading the setting %s: %w", policyName(name), err)
	}
	return strings.Join(strings.Fields(string(data)), " "), nil
}

func (h *Host) readSysctl(name string) (resource.Resource, error) {
	if h.offline() {
		return nil, nil
	}
	value, err := h.setting(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EISDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return resource.Sysctl{Name: name, Value: value}, nil
}

// writeSysctl sets a value and reads it back: the kernel takes some and bounds them.
func (h *Host) writeSysctl(c provision.Change) error {
	s, ok := c.Want.(resource.Sysctl)
	if !ok {
		return fmt.Errorf("setting %s: no value is known", policyName(c.ID.Where()))
	}
	err := writeSetting(h.path(filepath.Join(procSys, s.Name)), s.Value)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // an interface that is gone
	case errors.Is(err, unix.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("setting %s: %w\nhint: in a container the kernel is not the host's own: take the block sysctl out there", policyName(s.Name), err)
	case err != nil:
		return fmt.Errorf("setting %s to %s: %w", policyName(s.Name), s.Value, err)
	}
	switch got, err := h.setting(s.Name); {
	case err != nil:
		return err
	case got != s.Value:
		return fmt.Errorf("setting %s to %s: the kernel made it %s", policyName(s.Name), s.Value, got)
	}
	return nil
}

func writeSetting(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Close())
}

// policyName is the name of a setting as a policy has it.
func policyName(name string) string { return strings.NewReplacer("/", ".", ".", "/").Replace(name) }
