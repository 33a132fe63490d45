package jsontext

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// value is a JSON value: an object or an array, whose members can be edited, or the
// text of anything else. The zero value stands for one that is not known yet.
type value struct {
	text   string // as written; not used for an object
	object *object
}

// object is a JSON object or array in pieces: printed one after the other, with the
// brackets, colons and commas between them, they are its text.
type object struct {
	array   bool
	head    string // blanks after the opening bracket; all blanks of an empty object
	members []*member
	byName  map[string]*member
	tail    string // blanks before the closing bracket; none in an empty object
}

// member is a key and its value, or an element of an array.
type member struct {
	before, after string // blanks around the comma in front; none for the first member
	key           string // as written, with its quotes; none in an array
	name          string // what key spells; in an array, Element of the value
	colon         string // with the blanks around it; none in an array
	value         value
	offset        int // of the key in the text it was read from
}

// member returns the member of that name, nil when there is none or v is not an object.
func (v value) member(name string) *member {
	if v.object == nil {
		return nil
	}
	return v.object.byName[name]
}

// String returns v as written.
func (v value) String() string {
	if v.object == nil {
		return v.text
	}
	var out strings.Builder
	v.object.write(&out)
	return out.String()
}

// write recurses as deep as objects are nested, which is maxDepth at most.
func (o *object) write(out *strings.Builder) {
	open, end := "{", "}"
	if o.array {
		open, end = "[", "]"
	}
	out.WriteString(open + o.head)
	for i, m := range o.members {
		if i > 0 {
			out.WriteString(m.before + "," + m.after)
		}
		out.WriteString(m.key + m.colon)
		if m.value.object != nil {
			m.value.object.write(out)
		} else {
			out.WriteString(m.value.text)
		}
	}
	out.WriteString(o.tail + end)
}

// lead returns the blanks right before the key of m.
func (o *object) lead(m *member) string {
	if m == o.members[0] {
		return o.head
	}
	return m.after
}

func (o *object) last() *member { return o.members[len(o.members)-1] }

func (o *object) add(m *member) {
	if o.byName == nil {
		o.byName = map[string]*member{}
	}
	if o.byName[m.name] == nil { // an array may hold an element twice
		o.byName[m.name] = m
	}
	o.members = append(o.members, m)
}

// insert adds a member without a value at the end of o, in the style of its
// siblings, or in s, the style around o, where there are none.
func (o *object) insert(s style, name string) *member {
	m := &member{name: name}
	if !o.array {
		m.key, m.colon = quote(name), s.colon
	}
	if len(o.members) == 0 {
		s.oneLine = s.oneLine || o.array && !s.spread
		o.unfold(s)
	} else {
		if !o.array {
			m.colon = spacing(o.last().colon)
			s.colon = m.colon
		}
		m.before, m.after = o.separator(s)
	}
	o.add(m)
	return m
}

// unfold makes room for the first member. The blanks that the owner left in the
// empty object all stay where they are, in front of what is added, so that fold
// can tell them apart; this makes "{}", "{ }" and "{\n}" come back as they were.
func (o *object) unfold(s style) {
	owners := o.head
	if s.oneLine && !strings.Contains(owners, "\n") {
		o.tail = owners
		return
	}
	if strings.HasSuffix(owners, "\r") {
		s.newline = "\r\n" // else fold would take the owner's \r for a part of the line break
	}
	o.head = owners + s.newline + s.indent + s.unit
	o.tail = s.newline + s.indent
}

// fold takes away the room that the last remaining member had.
func (o *object) fold() {
	if newline, indent, ok := lineBreak(o.head); ok {
		o.head = o.head[:len(o.head)-len(newline)-len(indent)]
	}
	o.tail = ""
}

// separator returns the blanks around the comma in front of one more member.
func (o *object) separator(s style) (before, after string) {
	last := o.last()
	if strings.Contains(last.before+last.after, "\n") {
		return tidy(last.before), tidy(last.after)
	}
	if newline, indent, ok := lineBreak(o.head); ok {
		return "", newline + indent
	}
	if len(o.members) > 1 {
		return last.before, last.after
	}
	if o.head != "" {
		return "", " "
	}
	return "", afterColon(s.colon)
}

// remove takes m out of o, together with one comma and the blanks around it.
func (o *object) remove(m *member) {
	delete(o.byName, m.name)
	i := slices.Index(o.members, m)
	o.members = slices.Delete(o.members, i, i+1)
	if twin := slices.IndexFunc(o.members, func(o *member) bool { return o.name == m.name }); twin >= 0 {
		o.byName[m.name] = o.members[twin]
	}
	switch {
	case len(o.members) == 0:
		o.fold()
	case i == 0:
		o.members[0].before, o.members[0].after = "", ""
	}
}

// quote returns name as a JSON string. Unlike json.Marshal it leaves <, > and & alone.
func quote(name string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(name) // a string into memory: nothing can go wrong
	return strings.TrimSuffix(out.String(), "\n")
}
