package jsontext

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	blanks   = " \t\r\n" // RFC 8259 section 2
	maxDepth = 1000      // nested objects and arrays; encoding/json allows 10000
)

// scanner reads JSON text once, from left to right.
type scanner struct {
	text  string
	pos   int
	outer int   // how many objects stand around text
	open  []int // where the objects and arrays around pos begin
}

// scanValue reads text, which must be one value, to stand inside outer objects.
func scanValue(text string, outer int) (value, error) {
	s := &scanner{text: text, outer: outer}
	v, err := s.value()
	if err != nil {
		return value{}, err
	}
	s.blanks()
	if s.pos < len(text) {
		return value{}, s.failure(s.pos, "nothing may follow the value")
	}
	return v, nil
}

func (s *scanner) document() (*Document, error) {
	lead := s.blanks()
	if s.peek() != '{' {
		return nil, s.unexpected("the file must be one JSON object, { … }")
	}
	root, err := s.object()
	if err != nil {
		return nil, err
	}
	trail := s.blanks()
	if s.pos < len(s.text) {
		return nil, s.unexpected("nothing may follow the object")
	}
	return &Document{source: s.text, lead: lead, root: root, trail: trail}, nil
}

// value reads a value. It recurses as deep as begin lets it.
func (s *scanner) value() (value, error) {
	switch s.peek() {
	case '{':
		o, err := s.object()
		return value{object: o}, err
	case '[':
		o, err := s.array()
		return value{object: o}, err
	case '"':
		text, err := s.string()
		return value{text: text}, err
	}
	text, err := s.literal()
	return value{text: text}, err
}

func (s *scanner) object() (*object, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s.members(&object{head: s.blanks()}, '}', s.member)
}

// array reads an array; its elements are members without keys.
func (s *scanner) array() (*object, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s.members(&object{array: true, head: s.blanks()}, ']', s.element)
}

// members reads what is between the blanks after the opening bracket and the closing one.
func (s *scanner) members(o *object, bracket byte, read func(*object) (*member, error)) (*object, error) {
	if s.end(bracket) {
		return o, nil
	}
	var before, after string
	for {
		m, err := read(o)
		if err != nil {
			return nil, err
		}
		m.before, m.after = before, after
		o.add(m)
		before = s.blanks()
		if s.end(bracket) {
			o.tail = before
			return o, nil
		}
		if after, err = s.comma(bracket); err != nil {
			return nil, err
		}
	}
}

// element reads an element of an array.
func (s *scanner) element(*object) (*member, error) {
	m := &member{offset: s.pos}
	var err error
	if m.value, err = s.value(); err != nil {
		return nil, err
	}
	m.name = Element(json.RawMessage(m.value.String()))
	return m, nil
}

// member reads a key and its value, which are to join o.
func (s *scanner) member(o *object) (*member, error) {
	m := &member{offset: s.pos}
	if s.peek() != '"' {
		return nil, s.unexpected("a key in double quotes must stand here")
	}
	var err error
	if m.key, err = s.string(); err != nil {
		return nil, err
	}
	if m.name, err = unquote(m.key); err != nil {
		return nil, s.failure(m.offset, err.Error())
	}
	if twin := o.byName[m.name]; twin != nil {
		return nil, s.duplicate(m, twin)
	}
	start := s.pos
	s.blanks()
	if s.peek() != ':' {
		return nil, s.unexpected("a colon must stand between a key and its value")
	}
	s.pos++
	s.blanks()
	m.colon = s.text[start:s.pos]
	m.value, err = s.value()
	return m, err
}

// begin reads the bracket that an object or an array begins with.
func (s *scanner) begin() error {
	if s.outer+len(s.open) >= maxDepth {
		return s.failure(s.pos, fmt.Sprintf("objects and arrays are nested more than %d deep: make the file flatter", maxDepth))
	}
	s.open = append(s.open, s.pos)
	s.pos++
	return nil
}

// end reads the bracket that the innermost object or array ends with, if it is next.
func (s *scanner) end(bracket byte) bool {
	if s.peek() != bracket {
		return false
	}
	s.open = s.open[:len(s.open)-1]
	s.pos++
	return true
}

// comma reads the comma after a member or an element, which must not be the last
// before bracket, and returns the blanks after it.
func (s *scanner) comma(bracket byte) (after string, err error) {
	at := s.pos
	if s.peek() != ',' {
		return "", s.unexpected(fmt.Sprintf("a comma or %q must stand here", bracket))
	}
	s.pos++
	after = s.blanks()
	if s.peek() == bracket {
		return "", s.failure(at, fmt.Sprintf("JSON has no comma before %q, and dockerd would not start: remove it", bracket))
	}
	return after, nil
}

// blanks reads blanks.
func (s *scanner) blanks() string {
	start := s.pos
	for s.pos < len(s.text) && strings.IndexByte(blanks, s.text[s.pos]) >= 0 {
		s.pos++
	}
	return s.text[start:s.pos]
}

// peek returns the next byte, and 0 at the end: checkEncoding has ruled out others.
func (s *scanner) peek() byte {
	if s.pos == len(s.text) {
		return 0
	}
	return s.text[s.pos]
}

// unquote returns what a JSON string spells, as encoding/json reads it.
func unquote(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text[1 : len(text)-1], nil
	}
	var name string
	if err := json.Unmarshal([]byte(text), &name); err != nil {
		return "", fmt.Errorf("reading a key: %w", err)
	}
	return name, nil
}
