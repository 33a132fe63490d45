package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// elementMark begins the last part of a path to an element of an array.
const elementMark = "[]"

// Element returns the last part of the path to an element of an array: the element is
// found by its value, wherever it stands, and added at the end. No key that dockerd
// knows is spelled like it.
func Element(value json.RawMessage) string {
	v, valid := decode(value)
	if !valid {
		return elementMark + string(value)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return elementMark + string(value)
	}
	return elementMark + strings.TrimSuffix(out.String(), "\n")
}

// IsElement reports whether a part of a path is an Element.
func IsElement(part string) bool { return strings.HasPrefix(part, elementMark) }

// Set gives the member at path this value, creating it and the objects around it
// where they are missing. A value equal to what is there, however it is spelled,
// changes not one byte. Else the new value takes the place of the old one's bytes,
// or a new member comes last in its object, laid out as its surroundings are; keys,
// numbers and texts stay spelled as they are in value.
//
// The last part of path may be an Element, which is then a member of an array; value
// must be what it was made of.
//
// Where a part of path is there but is no object, or no array, Set returns an *Error that
// points at it in the text given to Parse. Any other error is about value or path.
// After an error the document is as before.
func (d *Document) Set(value json.RawMessage, path ...string) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return fmt.Errorf("setting %s: reading the value: %w", dotted(path), err)
	}
	return d.put(compact.String(), path, func(s style, old, text string) string {
		if Equal(json.RawMessage(old), json.RawMessage(text)) {
			return old
		}
		return s.like(old).layout(text)
	})
}

// Restore is Set for a value that Get returned earlier: raw is written byte for
// byte, without regard to layout or to what an equal value looks like now.
func (d *Document) Restore(raw json.RawMessage, path ...string) error {
	text := strings.Trim(string(raw), blanks)
	return d.put(text, path, func(style, string, string) string { return text })
}

// put sets the member at path to what spell makes of text, given the style around
// the member and the text of its old value, which is "" for a new member.
func (d *Document) put(text string, path []string, spell func(s style, old, text string) string) error {
	if err := checkMember(text, path); err != nil {
		return fmt.Errorf("setting %s: %w", dotted(path), err)
	}
	o, s := d.root, d.style()
	parents, name := path[:len(path)-1], path[len(path)-1]
	for i, parent := range parents {
		m := o.byName[parent]
		array := IsElement(path[i+1])
		if m == nil {
			m = o.insert(s, parent)
			m.value.object = &object{array: array}
		}
		if m.value.object == nil || m.value.object.array != array {
			return d.notA(array, path[:i+1])
		}
		o, s = m.value.object, s.into(o, m)
	}
	m := o.byName[name]
	if m == nil {
		m = o.insert(s, name)
	}
	if o.array {
		text, _ = strings.CutPrefix(name, elementMark)
	}
	d.blank = false
	spelled := spell(s.into(o, m), m.value.String(), text)
	var err error
	m.value, err = scanValue(spelled, len(path))
	return err
}

func dotted(path []string) string { return strconv.Quote(strings.Join(path, ".")) }

// checkMember reports what is wrong with a value that is to stand at path. Its
// position in the value is no position in the file, so it is no *Error any more.
func checkMember(text string, path []string) error {
	if len(path) == 0 {
		return errors.New("the path is empty")
	}
	if text == "" {
		return errors.New("the value is empty")
	}
	if len(path) > maxDepth {
		return fmt.Errorf("the path is longer than %d keys", maxDepth)
	}
	if !utf8.ValidString(strings.Join(path, "")) {
		return errors.New("the path is not UTF-8")
	}
	if err := checkEncoding(text); err != nil {
		return fmt.Errorf("reading the value: %v", err) //nolint:errorlint // its position is one in the value, not in the file
	}
	if _, err := scanValue(text, len(path)); err != nil {
		return fmt.Errorf("reading the value: %v", err) //nolint:errorlint // its position is one in the value, not in the file
	}
	return nil
}

// notA points at path in the text given to Parse, which is what is on disk while the
// caller reads the error, and not in the text as edited so far.
func (d *Document) notA(array bool, path []string) error {
	message := dotted(path) + " is not an object, so nothing can be set in it: make it one, { }, or remove it"
	if array {
		message = dotted(path) + " is not a list, so nothing can be added to it: make it one, [ ], or remove it"
	}
	original, err := Parse([]byte(d.source))
	if err != nil {
		return err
	}
	v := value{object: original.root}
	offset := 0
	for _, name := range path {
		m := v.member(name)
		if m == nil {
			return errors.New(message) // set since Parse: there is no place to point at
		}
		v, offset = m.value, m.offset
	}
	return newError(d.source, offset, message)
}

// Delete takes away the member at path and reports whether it was there. Objects
// around it stay, even when this leaves them empty.
func (d *Document) Delete(path ...string) bool {
	return d.Prune(len(path)-1, path...)
}

// Prune takes away the member at path and reports whether it was there. The objects
// around it go too where this leaves them empty, except for those at the first keep
// elements of path: Prune(0, path...) keeps none, Prune(depth, path...) undoes a Set
// when depth is what Depth returned for path before it.
func (d *Document) Prune(keep int, path ...string) bool {
	if len(path) == 0 || d.Depth(path...) < len(path) {
		return false
	}
	objects := []*object{d.root} // the objects along path
	for _, name := range path[:len(path)-1] {
		objects = append(objects, objects[len(objects)-1].byName[name].value.object)
	}
	for i := len(path) - 1; i >= 0; i-- {
		o := objects[i]
		o.remove(o.byName[path[i]])
		if len(o.members) > 0 || i <= keep {
			break
		}
	}
	return true
}

// Equal reports whether two JSON values mean the same to dockerd: the order of keys,
// escapes and blanks do not count. Numbers are compared as written, because Go reads
// 1000 into an integer and refuses 1e3 and 1000.0.
func Equal(a, b json.RawMessage) bool {
	x, validX := decode(a)
	y, validY := decode(b)
	return validX && validY && reflect.DeepEqual(x, y)
}

func decode(raw json.RawMessage) (v any, valid bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	valid = json.Valid(raw) && decoder.Decode(&v) == nil
	return v, valid
}
