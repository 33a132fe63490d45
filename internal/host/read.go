package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/internal/jsontext"
	"molo/internal/resource"
	"molo/provision"
)

// reader reads resources, each file and each family's tables once.
type reader struct {
	host   *Host
	have   provision.Have
	docs   map[string]*jsontext.Document
	tables map[resource.Family]ruleset
}

// Read reads the states of resources. What is not allowed to be read is reported
// in Have, so that an unprivileged plan can say what it leaves out.
func (h *Host) Read(ctx context.Context, ids []resource.ID) (provision.Have, error) {
	r := reader{
		host: h, docs: map[string]*jsontext.Document{}, tables: map[resource.Family]ruleset{},
		have: provision.Have{State: map[resource.ID]resource.Resource{}, Depth: map[resource.ID]int{}, Blind: map[resource.ID]bool{}},
	}
	for _, id := range ids {
		state, err := r.read(ctx, id)
		switch {
		case errors.Is(err, fs.ErrPermission):
			r.blind(id, err)
		case err != nil:
			return provision.Have{}, err
		case state != nil:
			r.have.State[id] = state
		}
	}
	return r.have, nil
}

func (r *reader) blind(id resource.ID, err error) {
	r.have.Blind[id] = true
	what, _, _ := strings.Cut(id.Where(), "#")
	if family, _ := splitRules(id); id.Kind() == "rules" {
		what = "the " + string(family) + "tables rules"
	}
	unread := unreadable(what, provision.PartOf(id), err)
	for _, u := range r.have.Unread {
		if u == unread {
			return
		}
	}
	r.have.Unread = append(r.have.Unread, unread)
}

// unreadable says what could not be read and why, briefly where it is plain.
func unreadable(what, part string, err error) facts.Unread {
	if errors.Is(err, fs.ErrPermission) {
		err = fs.ErrPermission
	}
	return facts.Unread{What: what, Part: part, Why: err.Error()}
}

func (r *reader) read(ctx context.Context, id resource.ID) (resource.Resource, error) {
	switch id.Kind() {
	case "key":
		return r.readKey(id)
	case "file":
		return r.host.readFile(id.Where())
	case "link":
		return r.host.readLink(id.Where())
	case "tree":
		return r.host.readTree(id.Where())
	case "rules":
		return r.readRules(ctx, id)
	case "subid":
		return r.host.readSubIDs(id.Where())
	case "access":
		return r.host.readAccess(id.Where())
	case "sysctl":
		return r.host.readSysctl(id.Where())
	case "certificate":
		return r.host.readCertificate(id.Where())
	}
	return nil, fmt.Errorf("reading %s: unknown kind", id)
}

func (r *reader) readKey(id resource.ID) (resource.Resource, error) {
	file, path := resource.SplitKey(id)
	doc, ok := r.docs[file]
	if !ok {
		data, err := os.ReadFile(r.host.path(file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		if doc, err = jsontext.Parse(data); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		r.docs[file] = doc
	}
	raw, ok := doc.Get(path...)
	if !ok {
		r.have.Depth[id] = doc.Depth(path...)
		return nil, nil
	}
	return resource.Key{File: file, Path: path, Value: raw, Raw: true}, nil
}

func (h *Host) readFile(path string) (resource.Resource, error) {
	info, err := os.Stat(h.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	data, err := os.ReadFile(h.path(path))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return resource.File{Path: path, Mode: info.Mode().Perm(), Content: data}, nil
}

// notALink is the target of what stands where a link could be: something of the
// owner's, which equals no link that molo knows.
const notALink = "(not a link)"

func (h *Host) readLink(path string) (resource.Resource, error) {
	target, err := os.Readlink(h.path(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, unix.EINVAL):
		return resource.Link{Path: path, Target: notALink}, nil
	case err != nil:
		return nil, fmt.Errorf("reading the link %s: %w", path, err)
	}
	return resource.Link{Path: path, Target: target}, nil
}
