package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"molo/internal/facts"
	"molo/internal/resource"
	"molo/internal/subid"
	"molo/provision"
)

// subIDs reads the files that say which ids of the host are whose. A file that is not
// there is empty.
func (h *Host) subIDs(unread func(path string, err error)) facts.SubIDs {
	read := func(path string) string {
		text, err := h.readOptional(path)
		if err != nil {
			unread(path, err)
		}
		return text
	}
	return facts.SubIDs{UIDs: read(subid.UIDFile), GIDs: read(subid.GIDFile), Users: read(subid.UsersFile), Groups: read(subid.GroupsFile)}
}

// readSubIDs reads the first range of a user in /etc/subuid or /etc/subgid.
func (h *Host) readSubIDs(where string) (resource.Resource, error) {
	file, user, _ := strings.Cut(where, "#")
	text, err := h.readOptional(file)
	if err != nil {
		return nil, err
	}
	for _, r := range subid.Parse(file, text).Ranges {
		if r.Owner == user {
			return resource.SubIDs{File: file, User: user, First: r.First, Count: r.Count}, nil
		}
	}
	return nil, nil
}

// writeSubIDs adds a user's range, or takes away the line that it has added.
func (h *Host) writeSubIDs(c provision.Change) error {
	file, _, _ := strings.Cut(c.ID.Where(), "#")
	old, err := os.ReadFile(h.path(file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if err := h.backup(file); err != nil {
		return err
	}
	text := string(old)
	if have, ok := c.Have.(resource.SubIDs); ok {
		text = withoutLine(text, have.String())
	}
	if want, ok := c.Want.(resource.SubIDs); ok {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		text += want.String() + "\n"
	}
	return replace(h.path(file), []byte(text), 0o644, true)
}

// withoutLine leaves out a line, and every other byte as it is.
func withoutLine(text, line string) string {
	var out strings.Builder
	for l := range strings.Lines(text) {
		if strings.TrimRight(l, "\n") != line {
			out.WriteString(l)
		}
	}
	return out.String()
}
