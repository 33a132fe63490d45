package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// home is the directory that holds everything the lab makes:
//
//	rootfs/RELEASE-KEY    root file systems, read only once built
//	host/NAME             the disk and the state of a host
//	vm/RELEASE-KEY        disk, kernel and initrd of virtual machines, read only once built
//	vm/run-NAME           the disk and the sockets of a virtual machine
//	bin                   static binaries for containers
//	lock                  held while hosts are added or swept
type home string

func labHome() home {
	return home(cmp.Or(os.Getenv("MOLO_LAB_HOME"), "/var/tmp/molo-lab"))
}

func (h home) path(elem ...string) string {
	return filepath.Join(append([]string{string(h)}, elem...)...)
}

// make creates the directory. /var/tmp is for everyone, so a directory that somebody else made first is refused.
func (h home) make() error {
	if !filepath.IsAbs(string(h)) {
		return fmt.Errorf("lab home %q is not an absolute path", string(h))
	}
	for _, dir := range []string{h.path(), h.path("rootfs"), h.path("host"), h.path("bin"), h.path("vm")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the lab's home: %w", err)
		}
	}
	var st unix.Stat_t
	if err := unix.Lstat(h.path(), &st); err != nil {
		return fmt.Errorf("reading %s: %w", h.path(), err)
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s belongs to someone else or is open to others; hint: remove it, or set MOLO_LAB_HOME", h.path())
	}
	return nil
}

var errLocked = errors.New("locked by another process")

// tryLock takes the lock of a file; flags may be os.O_CREATE. The kernel lets go of the lock when the process ends,
// however it ends.
func tryLock(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("locking %s: %w", path, errLocked)
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// lock waits for the lock of a file until ctx ends.
func lock(ctx context.Context, path string, flags int) (*os.File, error) {
	var f *os.File
	err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		var err error
		f, err = tryLock(path, flags)
		if errors.Is(err, errLocked) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for %s: %w", path, err)
	}
	return f, nil
}

// poll asks until it is told yes, gets an error, or ctx ends.
func poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
