// Package jsontext edits single members of a JSON object file at the level of its
// text. It exists for /etc/docker/daemon.json, which molo shares with the owner of
// the host: decoding such a file into maps and encoding it again sorts its keys,
// rounds 12345678901234567890, rewrites escapes and drops the layout. Here every
// edit is one splice: a value replaced, a member inserted or a member cut out; all
// other bytes stay.
//
// What an edit adds can be taken away again without a trace. Restore of the bytes
// that Get returned undoes Set of a member that was there; Prune, told the Depth
// the path had before, undoes Set of one that was not. Together, in any order for
// paths of which none contains another and in reverse order else, they give back
// the text Parse was given, byte for byte, whatever its layout, also when it was
// written to disk and parsed again in between. There are two limits. A file of
// nothing but blanks has no object to go back to: it becomes "{}" and keeps its
// blanks behind it. And a member that was deleted and is set again stands at the
// end of its object, because nothing in the text remembers its place.
package jsontext

import (
	"encoding/json"
	"slices"
	"strings"
)

// Document is the text of one JSON object, in pieces that can be edited. It holds
// nothing that its text does not say: after any edit it behaves as what Parse makes
// of its Bytes. It is not safe for concurrent use.
type Document struct {
	source string // the text given to Parse: what the owner sees
	lead   string // blanks before the object
	root   *object
	trail  string // blanks after it
	blank  bool   // source is nothing but blanks, and nothing was set so far
}

// Parse reads src, which must be one JSON object (RFC 8259) that can be edited and
// that every dockerd reads the same way; any other text is an *Error. That rules
// out what encoding/json lets pass: keys that occur twice in an object, of which
// dockerd silently takes the last, text that is not UTF-8, and more than 1000
// nested objects and arrays. An empty src, or one of nothing but blanks, counts as
// {}: Docker accepts that since 23.0, while 20.10 does not start with it; so the
// first Set writes a real object.
func Parse(src []byte) (*Document, error) {
	source := string(src)
	if err := checkEncoding(source); err != nil {
		return nil, err
	}
	if strings.Trim(source, blanks) == "" {
		return blankDocument(source), nil
	}
	s := &scanner{text: source}
	return s.document()
}

func blankDocument(source string) *Document {
	trail := source
	if trail == "" {
		trail = "\n"
	}
	return &Document{source: source, root: &object{}, trail: trail, blank: true}
}

// Bytes returns the text as it is now. Without an edit that changed something it
// is the text given to Parse.
func (d *Document) Bytes() []byte {
	if d.blank {
		return []byte(d.source)
	}
	var out strings.Builder
	out.WriteString(d.lead)
	d.root.write(&out)
	out.WriteString(d.trail)
	return []byte(out.String())
}

// Empty reports whether the object has no members, which is when a file that molo
// created has served its purpose.
func (d *Document) Empty() bool { return len(d.root.members) == 0 }

// Leaves returns the paths to all values in the document that are no objects with
// members, in its order. Lists are values.
func (d *Document) Leaves() [][]string { return d.root.leaves(nil) }

func (o *object) leaves(path []string) [][]string {
	var all [][]string
	for _, m := range o.members {
		at := append(slices.Clone(path), m.name)
		if inner := m.value.object; inner != nil && !inner.array && len(inner.members) > 0 {
			all = append(all, inner.leaves(at)...)
			continue
		}
		all = append(all, at)
	}
	return all
}

// Get returns the bytes of the value at path as they are written, and whether it is
// there. Path goes from the outermost object inwards; its elements are decoded keys,
// so "log-opts" finds "log\u002dopts", and they are compared exactly: dockerd takes
// "ICC" for another key than "icc". An empty path is the whole object.
func (d *Document) Get(path ...string) (json.RawMessage, bool) {
	v, depth := d.walk(path)
	if depth < len(path) {
		return nil, false
	}
	return json.RawMessage(v.String()), true
}

// Depth returns how many leading elements of path are there: len(path) when the
// member itself is, 1 for "log-opts", "max-size" when there is a log-opts without
// max-size. It is what Prune has to know to undo a Set.
func (d *Document) Depth(path ...string) int {
	_, depth := d.walk(path)
	return depth
}

// walk returns the value at the last element of path that is there, and how many are.
func (d *Document) walk(path []string) (v value, depth int) {
	v.object = d.root
	for depth, name := range path {
		m := v.member(name)
		if m == nil {
			return v, depth
		}
		v = m.value
	}
	return v, len(path)
}
