package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"molo/internal/volumes"
)

// locateTrees finds out where paths really are, and who has mounted something there that
// Docker does not know of: containers of a dockerd that is no more, other engines,
// services with mounts of their own.
func (h *Host) locateTrees(s *volumes.State, paths []string) error {
	mounts, err := readMounts("self")
	if err != nil {
		return err
	}
	for _, p := range paths {
		t := volumes.Tree{Path: p}
		if t.Place, err = placeOf(mounts, p); err != nil {
			t.Wrong = err.Error()
		}
		s.Trees = append(s.Trees, t)
	}
	for i, g := range s.Guarded {
		place, err := placeOf(mounts, g.Path)
		if err == nil {
			s.Guarded[i].Place = place
		}
	}
	for i, c := range s.Copies {
		if !c.Data {
			continue
		}
		if s.Copies[i].Place, err = placeOf(mounts, volumes.DataOf(c.Root, c.Name)); err != nil {
			return err
		}
	}
	users, err := strangersMounts(mounts)
	s.Users = append(s.Users, users...)
	return err
}

func readMounts(process string) ([]volumes.Mount, error) {
	text, err := os.ReadFile(filepath.Join("/proc", process, "mountinfo"))
	if err != nil {
		return nil, err
	}
	return volumes.ParseMounts(string(text))
}

// placeOf asks the kernel which mount a path is on.
func placeOf(mounts []volumes.Mount, path string) (volumes.Place, error) {
	fd, err := openTree(path)
	if err != nil {
		return volumes.Place{}, err
	}
	defer unix.Close(fd)
	var stat unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &stat); err != nil {
		return volumes.Place{}, fmt.Errorf("looking at %s: %w", path, err)
	}
	place, err := volumes.Locate(mounts, strconv.FormatUint(stat.Mnt_id, 10), path)
	if err != nil {
		return volumes.Place{}, fmt.Errorf("looking for the mount of %s: %w", path, err)
	}
	return place, nil
}

// strangersMounts lists what is mounted in other mount namespaces only. Processes
// that end meanwhile have nothing mounted.
func strangersMounts(own []volumes.Mount) ([]volumes.User, error) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	seen := map[string]bool{}
	for _, known := range []string{"self", "1"} {
		if namespace, err := os.Readlink(filepath.Join("/proc", known, "ns/mnt")); err == nil {
			seen[namespace] = true
		}
	}
	var all []volumes.User
	for _, process := range processes {
		pid := filepath.Base(process)
		namespace, err := os.Readlink(filepath.Join(process, "ns/mnt"))
		if err != nil || seen[namespace] {
			continue
		}
		seen[namespace] = true
		mounts, err := readMounts(pid)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL):
			seen[namespace] = false // it has ended; another process may be in the same
			continue
		case err != nil:
			return nil, fmt.Errorf("reading the mounts of process %s: %w", pid, err)
		}
		for _, place := range volumes.Elsewhere(own, mounts) {
			all = append(all, volumes.User{Who: processName(pid), Place: place})
		}
	}
	return all, nil
}

func processName(pid string) string {
	name, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("process %s (%q)", pid, strings.TrimSpace(string(name))) // it chose its name itself
}
