package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"molo/internal/volumes"
)

// beneath keeps the kernel from leaving a tree by way of a mount or of a link that
// somebody puts there while it is walked.
const beneath = unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// walk visits everything in a tree once for each of its names, in no order. It holds
// on to descriptors, never to names: what is renamed meanwhile can't lead out of the
// tree.
type walk struct {
	ctx   context.Context
	visit func(*item) error // an error ends the walk
	tally *volumes.Tally    // takes what can't be visited
}

// item is one file, directory or link, held by a descriptor that reads and writes
// none of its contents (O_PATH).
type item struct {
	volumes.Entry
	fd    int
	name  string // below the tree
	inode volumes.Inode
	bytes uint64
}

// openTree opens the top of a tree. No part of its path may be a symbolic link.
func openTree(top string) (int, error) {
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := open(unix.AT_FDCWD, top, how)
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, errors.New("there is a symbolic link in the path\nhint: readlink -f " + top)
	case err != nil:
		return -1, fmt.Errorf("opening %s: %w", top, err)
	}
	return fd, nil
}

// open repeats openat2 when a signal or a rename elsewhere got in between (openat2(2)).
func open(dir int, name string, how *unix.OpenHow) (int, error) {
	for {
		fd, err := unix.Openat2(dir, name, how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// tree visits a tree from its top.
func (w *walk) tree(top string) error {
	fd, err := openTree(top)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return w.entry(fd, ".")
}

func (w *walk) entry(fd int, name string) error {
	f, err := look(fd, name)
	if err != nil {
		w.tally.Leave(name, err.Error())
		return nil
	}
	if err := w.visit(f); err != nil || !f.IsDir() {
		return err
	}
	return w.children(fd, name)
}

// children visits what is in a directory. Its access time stays.
func (w *walk) children(fd int, name string) error {
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOATIME | unix.O_CLOEXEC, Resolve: beneath}
	opened, err := open(fd, ".", how)
	if err != nil {
		w.tally.Leave(name, fmt.Sprintf("its entries can't be read: %v", err))
		return nil
	}
	dir := os.NewFile(uintptr(opened), name)
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1000)
		for _, child := range names {
			if err := w.child(opened, child, path.Join(name, child)); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			w.tally.Leave(name, fmt.Sprintf("its entries can't be read: %v", err))
			return nil
		}
	}
}

func (w *walk) child(dir int, child, name string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: beneath}
	fd, err := open(dir, child, how)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil // removed meanwhile
	case errors.Is(err, unix.EXDEV):
		w.tally.Skip(name)
		return nil
	case err != nil:
		w.tally.Leave(name, fmt.Sprintf("it can't be opened: %v", err))
		return nil
	}
	defer unix.Close(fd)
	return w.entry(fd, name)
}

// look reads what an entry is.
func look(fd int, name string) (*item, error) {
	var stat unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &stat); err != nil {
		return nil, fmt.Errorf("it can't be looked at: %w", err)
	}
	f := &item{fd: fd, name: name, bytes: stat.Blocks * 512}
	f.inode = volumes.Inode{Device: unix.Mkdev(stat.Dev_major, stat.Dev_minor), Number: stat.Ino}
	f.Mode, f.UID, f.GID, f.Links, f.Here = uint32(stat.Mode), stat.Uid, stat.Gid, uint64(stat.Nlink), uint64(stat.Nlink)
	switch {
	case stat.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		f.Frozen = "immutable (chattr -i)"
	case stat.Attributes&unix.STATX_ATTR_APPEND != 0:
		f.Frozen = "append-only (chattr -a)"
	}
	if f.IsLink() {
		return f, nil // it has no attributes that name ids
	}
	var err error
	f.Attrs, err = attributes(fd)
	return f, err
}

// self names what a descriptor holds, for calls that take no O_PATH descriptor. It
// leads to that, whatever has become of its name.
func self(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// attributes reads the extended attributes that matter.
func attributes(fd int) (map[string][]byte, error) {
	buffer := make([]byte, 1024)
	n, err := unix.Listxattr(self(fd), buffer)
	if errors.Is(err, unix.ERANGE) {
		buffer = make([]byte, 64<<10) // XATTR_LIST_MAX
		n, err = unix.Listxattr(self(fd), buffer)
	}
	switch {
	case errors.Is(err, unix.ENOTSUP):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("its attributes can't be read: %w", err)
	}
	attrs := map[string][]byte{}
	for _, name := range splitNames(buffer[:n]) {
		switch name {
		case volumes.AccessACL, volumes.DefaultACL, volumes.Capability, volumes.Note:
			if attrs[name], err = readAttribute(fd, name); err != nil {
				return nil, fmt.Errorf("its attribute %s can't be read: %w", name, err)
			}
		}
	}
	return attrs, nil
}

// splitNames splits what listxattr(2) returns.
func splitNames(list []byte) []string {
	var names []string
	start := 0
	for i, b := range list {
		if b == 0 {
			names = append(names, string(list[start:i]))
			start = i + 1
		}
	}
	return names
}

func readAttribute(fd int, name string) ([]byte, error) {
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	n, err := unix.Getxattr(self(fd), name, value)
	if err != nil {
		return nil, err
	}
	return value[:n:n], nil
}
