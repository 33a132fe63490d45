package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"molo/internal/volumes"
)

// Remap does a job.
//
// While owners change, the data is where dockerd does not see it, if there is such a
// place: it comes into sight last, and whole, and goes out of sight first.
func (h *Host) Remap(ctx context.Context, j volumes.Job, s volumes.Survey) (volumes.Tally, error) {
	engine, err := openEngine()
	if err != nil {
		return s.Tally, err
	}
	defer engine.Close()
	return remap(ctx, j, s, volumeAPI{engine})
}

// volumeStore is dockerd's record of the volumes in sight.
type volumeStore interface {
	// create makes dockerd know a volume and returns where it expects the data.
	create(ctx context.Context, name string, labels map[string]string) (string, error)
	// remove makes dockerd forget a volume whose data is gone, unless a container
	// still refers to it.
	remove(ctx context.Context, name string) (forgotten bool, err error)
}

func remap(ctx context.Context, j volumes.Job, s volumes.Survey, store volumeStore) (volumes.Tally, error) {
	r := &remapper{ctx: ctx, job: j, survey: s}
	steps := []func() error{func() error { return r.shift(j.Tree) }}
	switch {
	case j.Moves() && j.Tell:
		tell := func() error { return r.tell(store) }
		steps = []func() error{func() error { return r.shift(j.Source()) }, tell, r.move}
	case j.Moves():
		steps = []func() error{r.move, func() error { return r.shift(j.Tree) }}
	}
	steps = append(steps, r.tidy, func() error { return r.forget(store) })
	for _, step := range steps {
		if err := step(); err != nil {
			r.tally.Sort()
			return r.tally, err
		}
	}
	r.tally.Sort()
	return r.tally, nil
}

// tell makes the volume known to dockerd.
func (r *remapper) tell(store volumeStore) error {
	return r.act(func() error {
		at, err := store.create(r.ctx, r.job.Name, r.job.Labels)
		if err != nil {
			return fmt.Errorf("creating the volume: %w", err)
		}
		if at != r.job.Tree {
			return fmt.Errorf("dockerd has the volume at %s, not at %s", at, r.job.Tree)
		}
		return nil
	})
}

// move renames the data into the other data root. The kernel puts it in the place of
// an empty directory, and refuses if there is anything in that.
func (r *remapper) move() error {
	from, err := openTree(filepath.Join(r.job.From, volumes.Dir, r.job.Name))
	if err != nil {
		return err
	}
	defer unix.Close(from)
	to, err := r.home()
	if err != nil {
		return err
	}
	defer unix.Close(to)
	err = r.act(func() error { return unix.Renameat2(from, volumes.Data, to, volumes.Data, 0) })
	switch {
	case errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%s has data by now: nothing was overwritten", r.job.Tree)
	case err != nil:
		return fmt.Errorf("renaming %s to %s: %w", r.job.Source(), r.job.Tree, err)
	}
	return errors.Join(syncDir(filepath.Dir(r.job.Tree)), syncDir(filepath.Dir(r.job.Source())))
}

// home opens the volume's directory in the data root that it moves to, which dockerd
// does not have where it does not see it.
func (r *remapper) home() (int, error) {
	parent, err := openTree(filepath.Join(r.job.To, volumes.Dir))
	if err != nil {
		return -1, err
	}
	defer unix.Close(parent)
	err = r.act(func() error { return unix.Mkdirat(parent, r.job.Name, 0o701) }) // as dockerd does
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, fmt.Errorf("making %s: %w", filepath.Dir(r.job.Tree), err)
	}
	return openTree(filepath.Dir(r.job.Tree))
}

// tidy removes what is left of the volume in data roots out of sight: a dockerd that
// came back to them would list it, without data.
func (r *remapper) tidy() error {
	for _, root := range r.job.Empty {
		dir := filepath.Join(root, volumes.Dir)
		parent, err := openTree(dir)
		if err != nil {
			return err
		}
		defer unix.Close(parent)
		// The file has no options in it, or the job would have been refused.
		err = errors.Join(r.unlink(parent, filepath.Join(r.job.Name, optionsFile), 0), r.unlink(parent, r.job.Name, unix.AT_REMOVEDIR))
		if err != nil {
			return fmt.Errorf("removing %s: %w", filepath.Join(dir, r.job.Name), err)
		}
	}
	return nil
}

func (r *remapper) unlink(dir int, name string, flags int) error {
	err := r.act(func() error { return unix.Unlinkat(dir, name, flags) })
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// forget has dockerd forget a volume whose data has gone out of its sight.
func (r *remapper) forget(store volumeStore) error {
	if !r.job.Forget {
		return nil
	}
	return r.act(func() error {
		forgotten, err := store.remove(r.ctx, r.job.Name)
		if err != nil {
			return fmt.Errorf("removing the empty volume: %w", err)
		}
		if !forgotten {
			r.tally.Notes = append(r.tally.Notes, "containers refer to the volume in dockerd's sight, which has no data any more: they can't start")
		}
		return nil
	})
}
