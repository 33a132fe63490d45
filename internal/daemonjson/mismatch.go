package daemonjson

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Mismatch says where a value is of another type than t.
type Mismatch struct {
	Path []string // from the value inwards; empty: the value itself
	Want Type
	Got  string // what is there, with an article: "a string"
}

// Mismatch looks for a part of raw, which must be JSON, that dockerd's decoder would
// refuse where it wants a t. It returns nil when there is none.
func (t Type) Mismatch(raw json.RawMessage) *Mismatch {
	if !json.Valid(raw) {
		return &Mismatch{Want: t, Got: "no JSON"}
	}
	return t.mismatch(parse(raw))
}

func (t Type) mismatch(v value) *Mismatch {
	if v.null() || t.Kind == Any {
		return nil
	}
	same := v.kind == t.Kind || t.Kind == Map && v.kind == Object
	if !same || t.Kind == Int && !v.integer() {
		return &Mismatch{Want: t, Got: v.article()}
	}
	switch t.Kind {
	case List:
		for i, item := range v.items {
			if m := t.Elem.mismatch(item); m != nil {
				return m.in(strconv.Itoa(i))
			}
		}
	case Map, Object:
		return t.mismatchIn(v)
	}
	return nil
}

// mismatchIn looks at all members, also at those that a later one of the same name
// replaces: dockerd decodes them all.
func (t Type) mismatchIn(v value) *Mismatch {
	for _, m := range v.members {
		elem := t.Elem
		if t.Kind == Object {
			field, known := t.field(m.name)
			if !known && t.Closed {
				return (&Mismatch{Want: t, Got: fmt.Sprintf("an object with %q", m.name)})
			}
			elem = &field // of kind Any where dockerd does not know the name
		}
		if bad := elem.mismatch(m.value); bad != nil {
			return bad.in(m.name)
		}
	}
	return nil
}

func (m *Mismatch) in(name string) *Mismatch {
	m.Path = append([]string{name}, m.Path...)
	return m
}

// Error says what is wrong, without the name of the key.
func (m *Mismatch) Error() string {
	return fmt.Sprintf("dockerd takes %s, not %s", m.Want.article(), m.Got)
}

// Hint says what to write instead.
func (m *Mismatch) Hint() string {
	switch m.Want.Kind {
	case String:
		return "write it in quotes"
	case Bool:
		return "write true or false, without quotes"
	case Int:
		return "write digits alone, without quotes"
	case List:
		return "write [ … ], also around a single element"
	}
	return "write { … }"
}

func (t Type) article() string {
	if t.Kind == Object {
		return "an " + t.String()
	}
	return "a " + t.String()
}

// integer reports whether a number is one that fits into 64 bits and is written with
// digits alone: Go's decoder takes neither 1e3 nor 1.0 for an integer.
func (v value) integer() bool {
	_, err := strconv.ParseInt(v.literal, 10, 64)
	return err == nil
}

func (v value) int() int64 {
	i, _ := strconv.ParseInt(v.literal, 10, 64) // checked by mismatch
	return i
}

func (v value) article() string {
	switch v.kind {
	case Bool:
		return "a boolean"
	case Int:
		return "the number " + v.literal
	case String:
		return "a string"
	case List:
		return "a list"
	}
	return "an object"
}
