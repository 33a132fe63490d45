package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

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
	files, err := readFiles(filepath.Join(h.path(dir), filepath.Base(live)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // somebody took the generation away: as good as none
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return resource.Tree{Dir: dir, Files: files}, nil
}

// readFiles reads all files of a directory, by their paths in it.
func readFiles(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	return files, err
}

// writeTree writes the tree as a new generation and makes it the live one by
// renaming a link over the old one.
func (h *Host) writeTree(t resource.Tree) error {
	generation := generationPrefix + resource.Generation(t.Files)
	root := h.path(t.Dir)
	before, err := os.Readlink(filepath.Join(root, current))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing %s: %w", t.Dir, err)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", t.Dir, err)
	}
	if err := h.writeGeneration(filepath.Join(root, generation), t.Files); errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("writing %s: %w\nhint: what was served goes on; make room (df -h %s), then run molo again", t.Dir, err, t.Dir)
	} else if err != nil {
		return fmt.Errorf("writing %s: %w", t.Dir, err)
	}
	if before == generation {
		return nil
	}
	if err := pointTo(root, generation); err != nil {
		return fmt.Errorf("writing %s: %w", t.Dir, err)
	}
	if before != "" {
		keepEdited(filepath.Join(root, filepath.Base(before)))
	}
	return prune(root, generation)
}

// writeGeneration makes dir hold these files and no others. What was there, because
// somebody has edited the generation, is kept under the name that is its own.
func (h *Host) writeGeneration(dir string, files map[string][]byte) error {
	have, err := readFiles(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if maps.EqualFunc(have, files, bytes.Equal) && !missing {
		return nil // nothing to write: a full disk keeps nobody from going back
	}
	staged := dir + ".tmp"
	if err := stageGeneration(staged, files); err != nil {
		return errors.Join(err, os.RemoveAll(staged))
	}
	if missing {
		err = os.Rename(staged, dir)
	} else {
		err = takePlace(staged, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(staged))
	}
	return syncDir(filepath.Dir(dir))
}

// takePlace puts the staged generation in the place of one that was edited, in one
// step where the file system can.
func takePlace(staged, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, staged, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if err == nil {
		keepEdited(staged)
		return nil
	}
	keepEdited(dir)
	return os.Rename(staged, dir)
}

// keepEdited gives a generation that somebody has edited the name of what it holds
// now, so that the edit can still be looked at. Where that can't be done the edit is
// lost, as its owner was told it would be.
func keepEdited(dir string) {
	files, err := readFiles(dir)
	if err != nil {
		return
	}
	name := filepath.Join(filepath.Dir(dir), generationPrefix+resource.Generation(files))
	if name != dir && os.Rename(dir, name) != nil {
		os.RemoveAll(dir)
	}
}

// stageGeneration writes files into a new directory.
func stageGeneration(staged string, files map[string][]byte) error {
	if err := os.RemoveAll(staged); err != nil { // the half of a run that died
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
	return nil
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
	if err := discard(staged); err != nil {
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
