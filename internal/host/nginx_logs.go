package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"molo/internal/facts"
	"molo/internal/resource"
	"molo/nginx"
	"molo/provision"
)

// logFacts looks at the logs of the sites, which nginx's workers write as a user.
func (h *Host) logFacts(user string) (facts.Logs, error) {
	var logs facts.Logs
	_, err := os.Stat(h.path("/usr/sbin/logrotate"))
	logs.Rotates = err == nil
	entries, err := os.ReadDir(h.path(nginx.LogDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return logs, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // rotated away just now
		}
		if err != nil {
			return logs, err
		}
		name := path.Join(nginx.LogDir, entry.Name())
		if !nginx.IsLog(name) || !info.Mode().IsRegular() {
			continue
		}
		logs.Files = append(logs.Files, facts.LogFile{Path: name, Size: info.Size(), Modified: info.ModTime()})
		if info.Mode().Perm()&^0o640 != 0 && logs.Problem == "" {
			logs.Problem = fmt.Sprintf("%s has mode %04o", name, info.Mode().Perm())
		}
	}
	if logs.Problem == "" {
		logs.Problem, err = h.unlikeMade(user)
	}
	logs.Barred = h.barred(user)
	return logs, err
}

// unlikeMade says what is not as systemd-tmpfiles makes it, if anything: the directory, where
// workers that can't get in go on writing into what was rotated away, or a live log.
func (h *Host) unlikeMade(user string) (string, error) {
	for _, want := range []resource.Access{
		{Path: nginx.LogDir, Owner: "root", Group: "adm", Mode: 0o755},
		{Path: nginx.AccessLog, Owner: user, Group: "adm", Mode: 0o640},
		{Path: nginx.ErrorLog, Owner: user, Group: "adm", Mode: 0o640},
	} {
		have, err := h.readAccess(want.Path)
		switch {
		case err != nil:
			return "", err
		case have == nil:
			return want.Path + " is not there", nil
		case have != want:
			return fmt.Sprintf("%s is %s, not %s", want.Path, have, want), nil
		}
	}
	return "", nil
}

// barred returns the first directory on the way to the logs that a user can't pass.
func (h *Host) barred(user string) string {
	uid, gids, err := h.identity(user)
	if err != nil {
		return "" // nginx does not start without its user, and says so
	}
	for _, dir := range []string{"/var", "/var/log", path.Dir(nginx.LogDir)} {
		if info, err := os.Stat(h.path(dir)); err == nil && !allowed(info, uid, gids, 1) {
			return dir
		}
	}
	return ""
}

// makeLogs has systemd-tmpfiles make the directory of the logs, and an nginx that runs
// open them: it may still write into files that somebody took away.
func (h *Host) makeLogs(ctx context.Context) error {
	if _, err := h.exec(ctx, nil, "systemd-tmpfiles", "--create", provision.LogTmpfiles); err != nil {
		return fmt.Errorf("making %s: %w", nginx.LogDir, err)
	}
	unit, err := h.unit(ctx, provision.NginxUnit)
	if err != nil || unit.Active != "active" {
		return err
	}
	if _, err := h.exec(ctx, nil, "systemctl", "kill", "--signal=USR1", "--kill-who=main", provision.NginxUnit); err != nil {
		return fmt.Errorf("having nginx open its logs anew: %w", err)
	}
	return nil
}

// deleteLogs takes logs away. One that nginx writes into is emptied: without its name it
// would go on growing where nobody sees it.
func (h *Host) deleteLogs(names []string) error {
	dir, err := os.OpenRoot(h.path(nginx.LogDir))
	if err != nil {
		return fmt.Errorf("deleting old logs: %w", err)
	}
	defer dir.Close() //nolint:errcheck // nothing was written through it
	for _, name := range names {
		if !nginx.IsLog(name) {
			return fmt.Errorf("deleting old logs: %s is none", name)
		}
		if nginx.IsLiveLog(name) {
			err = truncate(dir, path.Base(name))
		} else {
			err = dir.Remove(path.Base(name))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("deleting old logs: %w", err)
		}
	}
	return nil
}

func truncate(dir *os.Root, name string) error {
	file, err := dir.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	return file.Close()
}

// unconfined reports whether nginx was started before the drop-in that confines it was
// written.
func (h *Host) unconfined(unit unitState) bool {
	info, err := os.Stat(h.path(provision.Confinement))
	return err == nil && info.ModTime().After(unit.Started)
}
