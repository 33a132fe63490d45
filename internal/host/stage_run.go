package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// hide puts an empty directory over another, in a mount namespace of its own.
func hide(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("hiding %s: %w", dir, err)
	}
	return nil
}

// mirror puts a directory over another in which everything is as it was but for some
// paths: they are not there, and what is made beside them is seen by nobody else. nginx
// looks into /run for more than its own: name servers are in /run/systemd/resolve, and
// whatever the owner has put there.
func mirror(dir string, without []string) error {
	original, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer original.Close()
	if err := hide(dir); err != nil {
		return err
	}
	for i, name := range without { // as most write it
		without[i] = strings.Replace(name, "/var/run/", "/run/", 1)
	}
	return mirrorInto(fmt.Sprintf("/proc/self/fd/%d", original.Fd()), dir, without)
}

// mirrorInto shows the entries of a directory in another.
func mirrorInto(from, to string, without []string) error {
	entries, err := os.ReadDir(from + "/")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		leads := slices.ContainsFunc(without, func(name string) bool { return strings.HasPrefix(name, target+"/") })
		switch {
		case slices.Contains(without, target):
			continue
		case leads && entry.IsDir():
			if err = os.Mkdir(target, 0o755); err == nil {
				err = mirrorInto(source, target, without)
			}
		default:
			err = show(source, target, entry)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may have gone meanwhile
			return fmt.Errorf("showing %s: %w", target, err)
		}
	}
	return nil
}

// show makes a file, a directory or a link appear in another place.
func show(source, target string, entry fs.DirEntry) error {
	switch {
	case entry.Type()&fs.ModeSymlink != 0:
		to, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(to, target)
	case entry.IsDir():
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
	default: // sockets too
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			return err
		}
	}
	return unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, "")
}
