package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadFile reads a file of the host. Links resolve as they do on the host.
func (h *Host) ReadFile(name string) ([]byte, error) {
	run, err := h.running()
	if err != nil {
		return nil, err
	}
	f, err := run.open(name, unix.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	defer f.Close()
	return io.ReadAll(f)
}

// WriteFile writes a file of the host, whose owner is root, with exactly this mode; it makes the directories above it
// where they are missing. A program that is running is replaced.
func (h *Host) WriteFile(name string, data []byte, mode fs.FileMode) error {
	run, err := h.running()
	if err != nil {
		return err
	}
	if err := run.write(name, data, mode.Perm()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// Push copies a file of the machine to the host, with its mode.
func (h *Host) Push(local, name string) error { return push(h, local, name) }

func push(to interface {
	WriteFile(name string, data []byte, mode fs.FileMode) error
}, local, name string) error {
	info, err := os.Stat(local)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(local)
	if err != nil {
		return err
	}
	return to.WriteFile(name, data, info.Mode())
}

// open opens a file as the host itself would: absolute links, and .. at the top, stay inside its root.
func (r *running) open(name string, flags int, mode fs.FileMode) (*os.File, error) {
	how := &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Mode: uint64(mode), Resolve: unix.RESOLVE_IN_ROOT}
	for {
		fd, err := unix.Openat2(int(r.root.Fd()), name, how)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) { // a rename elsewhere got in between (openat2(2))
			continue
		}
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

func (r *running) write(name string, data []byte, mode fs.FileMode) error {
	dir, base := path.Split(path.Clean("/" + name))
	parent, err := r.mkdirAll(dir)
	if err != nil {
		return err
	}
	defer parent.Close()
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC
	f, err := r.open(path.Join(dir, base), flags, mode)
	if errors.Is(err, unix.ETXTBSY) {
		if err := unix.Unlinkat(int(parent.Fd()), base, 0); err != nil {
			return err
		}
		f, err = r.open(path.Join(dir, base), flags, mode)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// mkdirAll makes a directory and those above it, and returns it open.
func (r *running) mkdirAll(dir string) (*os.File, error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY
	at, err := r.open("/", flags, 0)
	if err != nil {
		return nil, err
	}
	walked := "/"
	for elem := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		walked = path.Join(walked, elem)
		next, err := r.open(walked, flags, 0)
		if errors.Is(err, unix.ENOENT) {
			if err := unix.Mkdirat(int(at.Fd()), elem, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
				at.Close()
				return nil, err
			}
			next, err = r.open(walked, flags, 0)
		}
		at.Close()
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}
