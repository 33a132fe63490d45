package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"molo/internal/volumes"
)

// Survey looks at everything in a job's tree, and changes nothing.
func (h *Host) Survey(ctx context.Context, j volumes.Job) (volumes.Survey, error) {
	return survey(ctx, j.Source(), j)
}

func survey(ctx context.Context, top string, j volumes.Job) (volumes.Survey, error) {
	s := volumes.Survey{Names: map[volumes.Inode]uint64{}}
	several := map[volumes.Inode]*item{} // judged when all their names are counted
	w := walk{ctx: ctx, tally: &s.Tally, visit: func(f *item) error {
		if f.IsDir() || f.Links == 1 {
			s.Tally.Count(f.name, f.Entry, volumes.Judge(f.Entry, j.Shift), f.bytes)
			return nil
		}
		s.Names[f.inode]++
		several[f.inode] = f
		return nil
	}}
	err := w.tree(top)
	for inode, f := range several {
		f.Here = s.Names[inode]
		s.Tally.Count(f.name, f.Entry, volumes.Judge(f.Entry, j.Shift), f.bytes)
	}
	s.Tally.Sort()
	return s, err
}

// remapper changes the owners in a tree. Wherever it is interrupted, another one goes
// on: each entry says by its ids, or by a note that it carries, what is left to do.
type remapper struct {
	ctx    context.Context
	job    volumes.Job
	survey volumes.Survey
	tally  volumes.Tally
}

// act does one thing to the host, unless the run has been interrupted.
func (r *remapper) act(do func() error) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	return do()
}

// shift gives everything in a tree its new owners, and waits until they would survive
// a power cut.
func (r *remapper) shift(top string) error {
	done := map[volumes.Inode]bool{}
	w := walk{ctx: r.ctx, tally: &r.tally, visit: func(f *item) error {
		if !f.IsDir() && f.Links > 1 {
			if done[f.inode] {
				return nil
			}
			done[f.inode] = true
			f.Here = r.survey.Names[f.inode]
		}
		return r.entry(f)
	}}
	if err := w.tree(top); err != nil {
		return err
	}
	return syncTree(top)
}

// syncTree syncs the file system that a tree is on.
func syncTree(top string) error {
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := open(unix.AT_FDCWD, top, how)
	if errors.Is(err, unix.ENOTDIR) {
		fd, err = open(unix.AT_FDCWD, filepath.Dir(top), how)
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", top, err)
	}
	defer unix.Close(fd)
	if err := unix.Syncfs(fd); err != nil {
		return fmt.Errorf("syncing %s: %w", top, err)
	}
	return nil
}

// entry changes one entry. What the kernel refuses is left alone.
func (r *remapper) entry(f *item) error {
	c := volumes.Judge(f.Entry, r.job.Shift)
	if !c.Empty() {
		if err := r.change(f, c); err != nil {
			if r.ctx.Err() != nil {
				return r.ctx.Err()
			}
			c = volumes.Change{Left: append(c.Left, err.Error())}
		}
	}
	r.tally.Count(f.name, f.Entry, c, f.bytes)
	return nil
}

// change makes the steps of a change in an order in which none is lost: chown takes
// away what the note keeps until it is given back.
func (r *remapper) change(f *item, c volumes.Change) error {
	steps := []func() error{}
	set := func(name string, value []byte) {
		steps = append(steps, func() error {
			if err := unix.Setxattr(self(f.fd), name, value, 0); err != nil {
				return fmt.Errorf("writing its attribute %s: %w", name, err)
			}
			return nil
		})
	}
	if c.Note != nil {
		set(volumes.Note, c.Note)
	}
	for _, name := range []string{volumes.AccessACL, volumes.DefaultACL} {
		if acl, ok := c.Attrs[name]; ok {
			set(name, acl)
		}
	}
	if c.Owner != nil {
		steps = append(steps, func() error { return chown(f.fd, *c.Owner) })
	}
	if c.SetID != 0 {
		steps = append(steps, func() error { return addSetID(f.fd, c.SetID) })
	}
	if c.Capability != nil {
		set(volumes.Capability, c.Capability)
	}
	if c.Noted {
		steps = append(steps, func() error { return dropNote(f.fd) })
	}
	for _, step := range steps {
		if err := r.act(step); err != nil {
			return err
		}
	}
	return nil
}

func chown(fd int, o volumes.Owner) error {
	err := unix.Fchownat(fd, "", int(o.UID), int(o.GID), unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return fmt.Errorf("changing its owner: %w", err)
	}
	return nil
}

// addSetID gives set-user-ID and set-group-ID bits back, and leaves the rest of the
// mode as it is.
func addSetID(fd int, bits uint32) error {
	var stat unix.Stat_t
	err := unix.Fstatat(fd, "", &stat, unix.AT_EMPTY_PATH)
	if err == nil {
		err = unix.Chmod(self(fd), stat.Mode&0o7777|bits)
	}
	if err != nil {
		return fmt.Errorf("giving its set-id bits back: %w", err)
	}
	return nil
}

func dropNote(fd int) error {
	if err := unix.Removexattr(self(fd), volumes.Note); err != nil {
		return fmt.Errorf("removing its attribute %s: %w", volumes.Note, err)
	}
	return nil
}
