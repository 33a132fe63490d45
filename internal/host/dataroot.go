package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"molo/internal/subid"
	"molo/internal/volumes"
)

// Files that dockerd keeps (volume/local, volume/service and container of Docker
// 20.10 to 28.5).
const (
	optionsFile   = "opts.json"
	metadataFile  = "metadata.db"
	containerFile = "config.v2.json"
)

// rootsOf finds all data roots: dockerd's own first, then the one without mapping,
// then those of other mappings.
func rootsOf(own string, remapped bool, files subid.Files) ([]volumes.Root, error) {
	base := own
	var roots []volumes.Root
	if name := filepath.Base(own); remapped && volumes.IsRootName(name) {
		base = filepath.Dir(own)
		roots = append(roots, mappedRoot(own, files))
	} else if remapped {
		return nil, fmt.Errorf("dockerd runs with userns-remap, but its data root %s is not named after a mapping", own)
	}
	roots = append(roots, volumes.Root{Path: base})
	entries, err := os.ReadDir(base)
	if err != nil {
		return nil, fmt.Errorf("looking for data roots: %w", err)
	}
	for _, e := range entries {
		if path := filepath.Join(base, e.Name()); e.IsDir() && volumes.IsRootName(e.Name()) && path != own {
			roots = append(roots, mappedRoot(path, files))
		}
	}
	for i, r := range roots {
		dir := filepath.Join(r.Path, volumes.Dir)
		if roots[i].Mount, err = mountOf(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("looking at %s: %w", dir, err)
		}
	}
	return roots, nil
}

func mappedRoot(path string, files subid.Files) volumes.Root {
	r := volumes.Root{Path: path}
	m, err := files.At(filepath.Base(path))
	if err != nil {
		r.Unknown = err.Error()
	} else {
		r.Mapping = &m
	}
	return r
}

// mountOf identifies the mount and the file system that a directory is on. What has
// both in common can be renamed from one to the other, unless the file system itself
// has limits of its own.
func mountOf(path string) (string, error) {
	var stat unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &stat)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d/%d:%d", stat.Mnt_id, stat.Dev_major, stat.Dev_minor), nil
}

// copiesIn lists the volumes of a data root.
func copiesIn(root string) ([]volumes.Copy, error) {
	dir := filepath.Join(root, volumes.Dir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing volumes: %w", err)
	}
	var all []volumes.Copy
	for _, e := range entries {
		if !e.IsDir() || !volumes.IsName(e.Name()) {
			continue
		}
		c, err := copyIn(root, e.Name())
		if err != nil {
			return nil, fmt.Errorf("looking at volume %s in %s: %w", e.Name(), root, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func copyIn(root, name string) (volumes.Copy, error) {
	c := volumes.Copy{Name: name, Root: root}
	data := volumes.DataOf(root, name)
	switch info, err := os.Lstat(data); {
	case err == nil && info.IsDir():
		c.Data = true
		if c.Empty, err = isEmpty(data); err != nil {
			return c, err
		}
		if c.Mount, err = mountOf(data); err != nil {
			return c, err
		}
	case err == nil:
		return c, fmt.Errorf("%s is not a directory", data)
	case !errors.Is(err, fs.ErrNotExist):
		return c, err
	}
	options, err := os.ReadFile(filepath.Join(filepath.Dir(data), optionsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		c.Device, c.Quota, err = volumes.ParseOptions(options)
	}
	return c, err
}

func isEmpty(dir string) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

// containersIn lists the containers of a data root. One that is just being made has
// no file yet.
func containersIn(root string) ([]volumes.Container, error) {
	found, err := filepath.Glob(filepath.Join(root, "containers", "*", containerFile))
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	var all []volumes.Container
	for _, path := range found {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing containers: %w", err)
		}
		c, err := volumes.ParseContainer(data)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		c.Root = root
		all = append(all, c)
	}
	return all, nil
}

// labelsIn reads the labels of all volumes from the database of a data root that no
// dockerd uses: one that does holds a lock on it.
func labelsIn(root string) (map[string]map[string]string, error) {
	path := filepath.Join(root, volumes.Dir, metadataFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	db, err := bolt.Open(path, 0, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("another dockerd uses %s", root)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	labels := map[string]map[string]string{}
	err = db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket([]byte("volumes"))
		if bucket == nil {
			return nil
		}
		return bucket.ForEach(func(name, data []byte) error {
			labels[string(name)], err = volumes.ParseLabels(data)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return labels, nil
}
