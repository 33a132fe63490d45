package daemonjson

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// value is a JSON value that keeps what a map would lose: the order of an object's
// members, and those that were written twice.
type value struct {
	kind    Kind   // Any for null
	literal string // a string decoded, anything else as it is written
	items   []value
	members []member
}

type member struct {
	name  string
	value value
}

// parse reads one JSON value, which encoding/json has found valid.
func parse(raw json.RawMessage) value {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return read(d)
}

// read takes a value from a decoder. It recurses as deep as encoding/json allows,
// which is 10,000 levels.
func read(d *json.Decoder) value {
	token, _ := d.Token() // valid, and all there
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			return readList(d)
		}
		return readObject(d)
	case string:
		return value{kind: String, literal: t}
	case json.Number:
		return value{kind: Int, literal: t.String()}
	case bool:
		return value{kind: Bool, literal: strconv.FormatBool(t)}
	}
	return value{}
}

func readList(d *json.Decoder) value {
	v := value{kind: List}
	for d.More() {
		v.items = append(v.items, read(d))
	}
	_, _ = d.Token() // the bracket
	return v
}

func readObject(d *json.Decoder) value {
	v := value{kind: Object}
	for d.More() {
		name, _ := d.Token()
		m := member{value: value{}}
		m.name, _ = name.(string)
		m.value = read(d)
		v.members = append(v.members, m)
	}
	_, _ = d.Token() // the brace
	return v
}

// null reports whether dockerd takes the value for one that was not written.
func (v value) null() bool { return v.kind == Any }

// get returns what dockerd makes of all members of that name: the last one that is
// not null, or of objects all of them together, because encoding/json decodes one
// after the other into the same place.
func (v value) get(name string) (value, bool) {
	return v.find(func(other string) bool { return other == name })
}

// field is get for names that dockerd takes in any case.
func (v value) field(name string) value {
	found, _ := v.find(func(other string) bool { return strings.EqualFold(other, name) })
	return found
}

// fieldExact is get without the question whether it is there.
func (v value) fieldExact(name string) value {
	found, _ := v.get(name)
	return found
}

func (v value) find(wanted func(string) bool) (found value, ok bool) {
	for _, m := range v.members {
		switch {
		case !wanted(m.name):
			continue
		case m.value.kind == Object && found.kind == Object:
			found.members = append(found.members[:len(found.members):len(found.members)], m.value.members...)
		case !m.value.null():
			found = m.value
		}
		ok = true
	}
	return found, ok
}

// names lists the names of the members, each once, in the order of their first.
func (v value) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, m := range v.members {
		if !seen[m.name] {
			seen[m.name] = true
			names = append(names, m.name)
		}
	}
	return names
}

// strings returns a list's strings; of anything else, which dockerd refuses anyway,
// none.
func (v value) strings() []string {
	var all []string
	for _, item := range v.items {
		all = append(all, item.literal)
	}
	return all
}
