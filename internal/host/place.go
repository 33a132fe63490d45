package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

// maxLinks is how many links may be on the way to a file, as for the kernel.
const maxLinks = 40

// place is what a path leads to, held open, so that nobody can put something else there
// meanwhile.
type place struct {
	fd    int // opened with O_PATH
	stat  unix.Stat_t
	real  string // the path without links
	loose []facts.Loose
}

func (p place) close() { unix.Close(p.fd) }

// locate follows a path step by step and looks at every directory and link on the way:
// whoever controls one of them decides what the path leads to. Absolute links stay below
// the host's root.
func (h *Host) locate(name string) (place, error) {
	r := route{todo: strings.Split(name, "/")}
	defer r.close()
	if err := r.enter(unix.AT_FDCWD, h.root, "/"); err != nil {
		return place{}, &fs.PathError{Op: "opening", Path: name, Err: err}
	}
	for len(r.todo) > 0 {
		if err := r.step(); err != nil {
			return place{}, &fs.PathError{Op: "opening", Path: name, Err: err}
		}
	}
	last := r.path[len(r.path)-1]
	r.path = r.path[:len(r.path)-1]
	last.loose = r.loose
	if last.stat.Mode&unix.S_IFMT == unix.S_IFREG && last.stat.Nlink > 1 {
		last.loose = append(last.loose, facts.Loose{Path: last.real, Why: "has a second name somewhere (a hard link)"})
	}
	return last, nil
}

// route is the way to a place: the directories that lead there, and what is left to go.
type route struct {
	path  []place
	todo  []string
	links int
	loose []facts.Loose
}

func (r *route) close() {
	for _, p := range r.path {
		p.close()
	}
}

// enter opens a directory entry without following it, and goes there.
func (r *route) enter(dir int, name, real string) error {
	flags := unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW
	if dir == unix.AT_FDCWD {
		flags &^= unix.O_NOFOLLOW // the root is the caller's
	}
	fd, err := unix.Openat(dir, name, flags, 0)
	if err != nil {
		return err
	}
	p := place{fd: fd, real: real}
	if err := unix.Fstat(fd, &p.stat); err != nil {
		p.close()
		return err
	}
	if p.stat.Mode&unix.S_IFMT == unix.S_IFLNK {
		defer p.close()
		return r.follow(p)
	}
	r.path = append(r.path, p)
	return nil
}

// step takes the next component of the path.
func (r *route) step() error {
	name := r.todo[0]
	r.todo = r.todo[1:]
	here := r.path[len(r.path)-1]
	switch name {
	case "", ".":
		return nil
	case "..":
		if len(r.path) > 1 {
			here.close()
			r.path = r.path[:len(r.path)-1]
		}
		return nil
	}
	if here.stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.ENOTDIR
	}
	r.judge(here)
	return r.enter(here.fd, name, path.Join(here.real, name))
}

// follow puts the target of a link before what is left to go.
func (r *route) follow(link place) error {
	if r.links++; r.links > maxLinks {
		return unix.ELOOP
	}
	r.judge(link)
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(link.fd, "", buffer)
	if err != nil {
		return err
	}
	target := string(buffer[:n])
	if strings.HasPrefix(target, "/") {
		for _, p := range r.path[1:] {
			p.close()
		}
		r.path = r.path[:1]
	}
	r.todo = append(strings.Split(target, "/"), r.todo...)
	return nil
}

// judge notes a directory or link that others than root control.
func (r *route) judge(p place) {
	mode, why := p.stat.Mode, ""
	switch isLink := mode&unix.S_IFMT == unix.S_IFLNK; {
	case p.stat.Uid != 0:
		why = fmt.Sprintf("belongs to user %d", p.stat.Uid)
	case !isLink && mode&0o002 != 0:
		why = "can be written by everybody"
	case !isLink && mode&0o020 != 0 && p.stat.Gid != 0:
		why = fmt.Sprintf("can be written by group %d", p.stat.Gid)
	}
	found := facts.Loose{Path: p.real, Why: why}
	if why != "" && !slices.Contains(r.loose, found) {
		r.loose = append(r.loose, found)
	}
}

// kind says what the place is; "" for what nothing of Docker's can be, such as a device.
func (p place) kind() facts.PathKind {
	switch p.stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return facts.KindFile
	case unix.S_IFDIR:
		return facts.KindDir
	case unix.S_IFSOCK:
		return facts.KindSocket
	}
	return ""
}

// errLoose says that a path leads where others than root want.
var errLoose = errors.New("others than root decide where this path leads")
