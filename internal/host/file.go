package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

// replace writes a file whole or not at all: a temporary file in the same
// directory, fsync, rename, fsync of the directory. A symbolic link stays one: the
// file it names is replaced. An existing file keeps its owner; it keeps its mode
// as well if keepMode says so.
func replace(path string, data []byte, mode fs.FileMode, keepMode bool) error {
	path, err := follow(path)
	if err != nil {
		return err
	}
	return swapIn(path, data, renameio.WithPermissions(mode), func(f *os.File) error { return keepOwner(f, path, keepMode) })
}

// swapIn puts a new file in the place of whatever the path names, whole or not at all.
// prepare gets the file while it is still empty.
func swapIn(path string, data []byte, mode renameio.Option, prepare func(*os.File) error) error {
	pending, err := renameio.NewPendingFile(path, mode, renameio.WithTempDir(filepath.Dir(path)))
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer pending.Cleanup() //nolint:errcheck // after a successful rename there is nothing to clean up
	if err := prepare(pending.File); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if _, err := pending.Write(data); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// follow returns the file that a path names in the end. A path that does not exist
// names itself.
func follow(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	switch {
	case err == nil:
		return target, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("resolving %s: %w", path, err)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return "", fmt.Errorf("resolving %s: the link leads nowhere", path)
	}
	return path, nil
}

func keepOwner(f *os.File, path string, keepMode bool) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if keepMode {
		if err := f.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return f.Chown(int(stat.Uid), int(stat.Gid))
	}
	return nil
}

// syncDir makes renames in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}

// remove takes away a file or link, so that it stays away after a power cut; one that is
// not there is fine.
func remove(path string) error {
	if err := discard(path); err != nil {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// discard takes away a file or link that may come back after a power cut.
func discard(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// backup keeps a copy of a file as it was before molo first changed it.
func (h *Host) backup(path string) error {
	data, err := os.ReadFile(h.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backing up %s: %w", path, err)
	}
	copied := h.path(filepath.Join(stateDir, "backup", path))
	if _, err := os.Lstat(copied); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(copied), 0o700); err != nil {
		return fmt.Errorf("backing up %s: %w", path, err)
	}
	return replace(copied, data, 0o600, false)
}
