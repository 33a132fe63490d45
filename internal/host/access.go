package host

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"molo/internal/resource"
	"molo/provision"
)

// permissions are the bits of a mode that chmod(2) sets.
const permissions = 0o7777

// readAccess reads who owns what a path leads to, and its mode.
func (h *Host) readAccess(name string) (resource.Resource, error) {
	p, err := h.locate(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer p.close()
	owner, group, err := h.names(p.stat)
	if err != nil {
		return nil, err
	}
	return resource.Access{Path: name, Owner: owner, Group: group, Mode: p.stat.Mode & permissions}, nil
}

// names returns the names of an owner and a group, or their numbers.
func (h *Host) names(stat unix.Stat_t) (owner, group string, err error) {
	users, err := h.readOptional("/etc/passwd")
	if err != nil {
		return "", "", err
	}
	groups, err := h.readOptional("/etc/group")
	if err != nil {
		return "", "", err
	}
	return nameIn(users, stat.Uid), nameIn(groups, stat.Gid), nil
}

// nameIn looks a number up in passwd(5) or group(5). 0 is root wherever nobody says
// otherwise.
func nameIn(text string, id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	for line := range strings.Lines(text) {
		if f := strings.Split(line, ":"); len(f) > 3 && f[2] == number {
			return f[0]
		}
	}
	if id == 0 {
		return "root"
	}
	return number
}

// idIn looks a name up in passwd(5) or group(5); a number stands for itself.
func idIn(text, name string) (int, error) {
	for line := range strings.Lines(text) {
		if f := strings.Split(line, ":"); len(f) > 3 && f[0] == name {
			return strconv.Atoi(f[2])
		}
	}
	if name == "root" {
		return 0, nil
	}
	id, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("there is no user or group %q", name)
	}
	return int(id), nil
}

// writeAccess sets owner, group and mode of what a path leads to. What is gone has none.
func (h *Host) writeAccess(c provision.Change) error {
	a, ok := c.Want.(resource.Access)
	if !ok {
		return fmt.Errorf("changing who may use %s: no owner and mode are known", c.ID.Where())
	}
	p, err := h.locate(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.close()
	if len(p.loose) > 0 {
		return fmt.Errorf("changing who may use %s: %w: %s %s", a.Path, errLoose, p.loose[0].Path, p.loose[0].Why)
	}
	if err := h.grant(p, a); err != nil {
		return fmt.Errorf("changing who may use %s: %w", a.Path, err)
	}
	return nil
}

// grant works on the open place: chown takes setuid and setgid away, so it comes first.
// fchmod(2) does not take a descriptor opened with O_PATH; its link in /proc leads to the
// same file.
func (h *Host) grant(p place, a resource.Access) error {
	users, err := h.readOptional("/etc/passwd")
	if err != nil {
		return err
	}
	groups, err := h.readOptional("/etc/group")
	if err != nil {
		return err
	}
	uid, err := idIn(users, a.Owner)
	if err != nil {
		return err
	}
	gid, err := idIn(groups, a.Group)
	if err != nil {
		return err
	}
	if err := unix.Fchownat(p.fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("making it %s's: %w", a.Owner, err)
	}
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(p.fd), a.Mode); err != nil {
		return fmt.Errorf("setting its mode to %04o: %w", a.Mode, err)
	}
	return nil
}
