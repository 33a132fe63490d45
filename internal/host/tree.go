package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"molo/internal/resource"
)

const (
	current          = "current"
	generationPrefix = "gen-"
	keptGenerations  = 3 // the live one and two before it
)

// readTree reads the live generation of a tree.
func (h *Host) readTree(dir string) (resource.Resource, error) {
	live, err := os.Readlink(h.path(filepath.Join(dir, current)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	root := filepath.Join(h.path(dir), filepath.Base(live))
	tree := resource.Tree{Dir: dir, Files: map[string][]byte{}}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		tree.Files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // somebody took the generation away: as good as none
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return tree, nil
}

// writeTree writes the tree as a new generation and makes it the live one by
// renaming a link over the old one.
func (h *Host) writeTree(t resource.Tree) error {
	generation := generationPrefix + resource.Generation(t.Files)
	root := h.path(t.Dir)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", t.Dir, err)
	}
	if err := h.writeGeneration(filepath.Join(root, generation), t.Files); err != nil {
		return fmt.Errorf("writing %s: %w", t.Dir, err)
	}
	if err := pointTo(root, generation); err != nil {
		return fmt.Errorf("writing %s: %w", t.Dir, err)
	}
	return prune(root, generation)
}

// writeGeneration replaces what is at dir: a generation of that name may have
// been edited by hand, or be the half of a run that died.
func (h *Host) writeGeneration(dir string, files map[string][]byte) error {
	staged := dir + ".tmp"
	if err := os.RemoveAll(staged); err != nil {
		return err
	}
	for name, data := range files {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%q leaves the tree", name)
		}
		path := filepath.Join(staged, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := writeSynced(path, data, 0o644); err != nil {
			return err
		}
	}
	if err := os.Rename(dir, dir+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(staged, dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir + ".old"); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func writeSynced(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// pointTo makes the generation the live one.
func pointTo(root, generation string) error {
	staged := filepath.Join(root, current+".tmp")
	if err := os.Remove(staged); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(generation, staged); err != nil {
		return err
	}
	if err := os.Rename(staged, filepath.Join(root, current)); err != nil {
		return err
	}
	return syncDir(root)
}

// prune removes all generations but the live one and the newest before it.
func prune(root, live string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("removing old generations: %w", err)
	}
	age := map[string]time.Time{}
	var old []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), generationPrefix) || e.Name() == live {
			continue
		}
		age[e.Name()] = info.ModTime()
		old = append(old, e.Name())
	}
	slices.SortFunc(old, func(a, b string) int { return age[b].Compare(age[a]) })
	for _, name := range old[min(len(old), keptGenerations-1):] {
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			return fmt.Errorf("removing old generations: %w", err)
		}
	}
	return nil
}

// removeTree takes the whole tree away.
func (h *Host) removeTree(dir string) error {
	if err := os.RemoveAll(h.path(dir)); err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return syncDir(filepath.Dir(h.path(dir)))
}
