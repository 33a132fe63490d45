package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroup is a control group that belongs to one host. Its processes must be in it before they get their cgroup
// namespace, or the host's systemd would rearrange the machine's own groups.
type cgroup string

// commandGroup holds what the lab itself runs inside a host. It is below the host's root group because version 2 wants
// processes in leaves only.
const commandGroup = "lab"

func hostCgroup(name string) (cgroup, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", fmt.Errorf("looking for cgroup2: %w", err)
	}
	root := cgroup2Mount(string(mounts))
	if root == "" {
		return "", errors.New("no cgroup2 file system is mounted")
	}
	return cgroup(filepath.Join(root, "molo-lab-"+name)), nil
}

// cgroup2Mount returns where version 2 is mounted: the only hierarchy of a machine, or next to those of version 1.
func cgroup2Mount(mounts string) string {
	for line := range strings.Lines(mounts) {
		if f := strings.Fields(line); len(f) > 3 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	return ""
}

// make creates the group and, below it, the one for commands, which it returns open along with the group.
func (c cgroup) make() (group, commands *os.File, err error) {
	if err := os.Mkdir(string(c), 0o755); err != nil {
		return nil, nil, fmt.Errorf("making a cgroup: %w", err)
	}
	if err := os.Mkdir(filepath.Join(string(c), commandGroup), 0o755); err != nil {
		return nil, nil, fmt.Errorf("making a cgroup: %w", err)
	}
	if group, err = os.Open(string(c)); err != nil {
		return nil, nil, err
	}
	if commands, err = os.Open(filepath.Join(string(c), commandGroup)); err != nil {
		group.Close()
		return nil, nil, err
	}
	return group, commands, nil
}

// remove ends what is left in the group and takes the group away, the deepest first.
func (c cgroup) remove(ctx context.Context) error {
	if !exists(string(c)) {
		return nil
	}
	err := os.WriteFile(filepath.Join(string(c), "cgroup.kill"), []byte("1"), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // Linux before 5.14
		return fmt.Errorf("emptying cgroup %s: %w", c, err)
	}
	err = poll(ctx, 10*time.Millisecond, func() (bool, error) {
		events, err := os.ReadFile(filepath.Join(string(c), "cgroup.events"))
		return bytes.Contains(events, []byte("populated 0")), err
	})
	if err != nil {
		return fmt.Errorf("waiting for cgroup %s to empty: %w", c, err)
	}
	return poll(ctx, 10*time.Millisecond, c.rmdirs)
}

// rmdirs removes the groups one by one: the files in them go with them. It says false when one is still busy.
func (c cgroup) rmdirs() (bool, error) {
	var dirs []string
	err := filepath.WalkDir(string(c), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("listing cgroup %s: %w", c, err)
	}
	for _, dir := range slices.Backward(dirs) {
		err := unix.Rmdir(dir)
		if errors.Is(err, unix.EBUSY) {
			return false, nil
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return false, fmt.Errorf("removing cgroup %s: %w", dir, err)
		}
	}
	return true, nil
}
