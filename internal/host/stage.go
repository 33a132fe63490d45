package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/nginx"
	"molo/provision"
)

const (
	nginxDir    = "/etc/nginx"
	nginxBinary = "/usr/sbin/nginx"
)

// checkNginx runs "nginx -t" on a copy of /etc/nginx with the changes made in it.
// The copy is mounted over /etc/nginx in a mount namespace of its own, so that the
// paths tested are the final ones; nginx's logs, its temporary files and what else it
// makes are out of sight there, because "nginx -t" creates its pid file and every log
// file as root.
func (h *Host) checkNginx(ctx context.Context, changes []provision.Change) error {
	stage, err := h.scratch("nginx-")
	if err != nil {
		return fmt.Errorf("testing the nginx configuration: %w", err)
	}
	defer os.RemoveAll(stage)
	staged := filepath.Join(stage, nginxDir)
	if err := copyTree(h.path(nginxDir), staged); err != nil {
		return fmt.Errorf("testing the nginx configuration: %w", err)
	}
	copied := &Host{root: stage, log: h.log}
	if err := copied.Write(ctx, changes); err != nil {
		return fmt.Errorf("testing the nginx configuration: %w", err)
	}
	if err := h.inNamespace(staged, func() error { return h.testNginx(ctx) }); err != nil {
		return fmt.Errorf("testing the nginx configuration: %w", err)
	}
	return nil
}

// testNginx runs "nginx -t", whose warnings pass unless they say that nginx will
// not do what the files ask for.
func (h *Host) testNginx(ctx context.Context) error {
	_, said, err := h.execBoth(ctx, nil, nginxBinary, "-t", "-q")
	if err != nil {
		return fmt.Errorf("%w\nhint: nothing was changed; mend what nginx names, then run molo again", err)
	}
	if refused := nginx.Refusals(said); len(refused) > 0 {
		return fmt.Errorf("nginx would start, but not do what its files say%s\nhint: nothing was changed; mend what nginx names, then run molo again", quoted("nginx warns", strings.Join(refused, "\n")))
	}
	for line := range strings.Lines(said) {
		h.log.Warn("nginx -t", "said", strings.TrimSpace(line))
	}
	return nil
}

// scratch makes a directory that only root can look into.
func (h *Host) scratch(prefix string) (string, error) {
	if err := os.MkdirAll(h.path(runDir), 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(h.path(runDir), prefix)
}

// copyTree copies files and links. Sockets and the like have no place in a
// configuration and are left out.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(to, name), entry)
	})
}

func copyEntry(from, to string, entry fs.DirEntry) error {
	switch {
	case entry.IsDir():
		return os.MkdirAll(to, 0o755)
	case entry.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case entry.Type().IsRegular():
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, info.Mode().Perm())
	}
	return nil
}

// inNamespace calls do on a thread whose mount namespace is its own and shows the
// staged tree at /etc/nginx. The thread is never used again: it ends with the
// goroutine, since it stays locked.
func (h *Host) inNamespace(staged string, do func() error) error {
	files, err := h.foreignSites()
	if err != nil {
		return err
	}
	made := nginx.Makes(facts.Nginx{Foreign: files})
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := mountStage(staged, made); err != nil {
			result <- err
			return
		}
		result <- do()
	}()
	return <-result
}

func mountStage(staged string, made []string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount(staged, nginxDir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the staged configuration: %w", err)
	}
	for _, dir := range []string{"/var/log/nginx", "/var/lib/nginx"} {
		if err := hide(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := mirror("/run", made); err != nil {
		return err
	}
	if err := os.MkdirAll(nginx.LogDir, 0o755); err != nil { // in what hides the real one
		return fmt.Errorf("making a place for logs: %w", err)
	}
	return nil
}

// checkDocker runs "dockerd --validate" on daemon.json as it would be, together
// with the flags of the unit. Engines before 23.0 lack the flag. userns-remap is
// left out: to validate it, dockerd creates its user and ranges.
func (h *Host) checkDocker(ctx context.Context, c provision.DockerConfig, changes []provision.Change) error {
	old, err := h.readOptional(provision.DaemonJSON)
	if err != nil {
		return err
	}
	data, err := merge([]byte(old), withoutUserns(changes))
	if err != nil {
		return fmt.Errorf("merging %s: %w", provision.DaemonJSON, err)
	}
	dir, err := h.scratch("docker-")
	if err != nil {
		return fmt.Errorf("testing %s: %w", provision.DaemonJSON, err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "daemon.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("testing %s: %w", provision.DaemonJSON, err)
	}
	args := append([]string{"--validate", "--config-file", file}, c.Flags...)
	if _, err := h.exec(ctx, nil, h.dockerd(), args...); err != nil {
		return fmt.Errorf("dockerd would not start with the new %s: %w", provision.DaemonJSON, err)
	}
	return nil
}

func withoutUserns(changes []provision.Change) []provision.Change {
	var all []provision.Change
	for _, c := range changes {
		if !strings.HasSuffix(string(c.ID), "#userns-remap") {
			all = append(all, c)
		}
	}
	return all
}
