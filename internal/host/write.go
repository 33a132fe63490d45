package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"molo/internal/jsontext"
	"molo/internal/resource"
	"molo/provision"
)

// Write makes changes in their order; all keys of one file are one rename, all
// rules of one family one iptables-restore, at the place of the first of them. It
// stops at the first error, but for rules: one family is not left open because the
// other one could not be closed.
func (h *Host) Write(ctx context.Context, changes []provision.Change) error {
	done := map[string]bool{}
	var problems []error
	for _, c := range changes {
		group := groupOf(c.ID)
		if done[group] {
			continue
		}
		done[group] = true
		err := h.write(ctx, c, inGroup(changes, group))
		problems = append(problems, err)
		if err != nil && c.ID.Kind() != "rules" {
			break
		}
	}
	return errors.Join(problems...)
}

// groupOf names what has to be written at once.
func groupOf(id resource.ID) string {
	switch id.Kind() {
	case "key":
		file, _ := resource.SplitKey(id)
		return "key:" + file
	case "rules":
		family, _ := splitRules(id)
		return "rules:" + string(family)
	case "certificate":
		return "certificates"
	}
	return string(id)
}

func inGroup(changes []provision.Change, group string) []provision.Change {
	var all []provision.Change
	for _, c := range changes {
		if groupOf(c.ID) == group {
			all = append(all, c)
		}
	}
	return all
}

func (h *Host) write(ctx context.Context, c provision.Change, group []provision.Change) error {
	switch c.ID.Kind() {
	case "key":
		return h.writeKeys(group)
	case "rules":
		return h.writeRules(ctx, group)
	case "certificate":
		return h.writeCertificates(ctx, group)
	case "file":
		return h.writeFile(c)
	case "link":
		return h.writeLink(c)
	case "subid":
		return h.writeSubIDs(c)
	case "access":
		return h.writeAccess(c)
	case "sysctl":
		return h.writeSysctl(c)
	case "tree":
		if tree, ok := c.Want.(resource.Tree); ok {
			return h.writeTree(tree)
		}
		return h.removeTree(c.ID.Where())
	}
	return fmt.Errorf("writing %s: unknown kind", c.ID)
}

// writeKeys merges keys into a JSON file and leaves every other byte alone.
func (h *Host) writeKeys(changes []provision.Change) error {
	file, _ := resource.SplitKey(changes[0].ID)
	old, err := os.ReadFile(h.path(file))
	created := errors.Is(err, fs.ErrNotExist)
	if err != nil && !created {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	data, err := merge(old, changes)
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if h.emptied(file, data) {
		return remove(h.path(file))
	}
	if err := h.backup(file); err != nil {
		return err
	}
	if created {
		if err := os.MkdirAll(filepath.Dir(h.path(file)), 0o755); err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
	}
	return replace(h.path(file), data, 0o644, true)
}

// merge applies the changes of keys to the text of a JSON object.
func merge(old []byte, changes []provision.Change) ([]byte, error) {
	doc, err := jsontext.Parse(old)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		_, path := resource.SplitKey(c.ID)
		key, ok := c.Want.(resource.Key)
		switch {
		case !ok:
			doc.Prune(c.Keep, path...)
		case key.Raw:
			err = doc.Restore(key.Value, path...)
		default:
			err = doc.Set(key.Value, path...)
		}
		if err != nil {
			return nil, err
		}
	}
	return doc.Bytes(), nil
}

// emptied reports whether a file that was not there before molo holds nothing any more.
func (h *Host) emptied(file string, data []byte) bool {
	doc, err := jsontext.Parse(data)
	if err != nil || !doc.Empty() {
		return false
	}
	_, err = os.Lstat(h.path(filepath.Join(stateDir, "backup", file)))
	return errors.Is(err, fs.ErrNotExist)
}

func (h *Host) writeFile(c provision.Change) error {
	if err := h.backup(c.ID.Where()); err != nil {
		return err
	}
	file, ok := c.Want.(resource.File)
	if !ok {
		return remove(h.path(c.ID.Where()))
	}
	if err := os.MkdirAll(filepath.Dir(h.path(file.Path)), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", file.Path, err)
	}
	return replace(h.path(file.Path), file.Content, file.Mode, false)
}

func (h *Host) writeLink(c provision.Change) error {
	path := h.path(c.ID.Where())
	if have, err := h.readLink(c.ID.Where()); err != nil {
		return err
	} else if old, ok := have.(resource.Link); ok && old.Target == notALink {
		return fmt.Errorf("linking %s: there is something else, and it is not molo's", path)
	}
	link, _ := c.Want.(resource.Link)
	if link.Target == "" {
		return remove(path)
	}
	staged := path + ".molo"
	if err := discard(staged); err != nil {
		return fmt.Errorf("linking %s: %w", path, err)
	}
	if err := os.Symlink(link.Target, staged); err != nil {
		return fmt.Errorf("linking %s: %w", path, err)
	}
	if err := os.Rename(staged, path); err != nil {
		return fmt.Errorf("linking %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}
