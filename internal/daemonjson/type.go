package daemonjson

import "strings"

// Kind is what a JSON value is.
type Kind int

// The kinds of values. Null is no kind: dockerd takes it for a value that is not
// written, whatever the key.
const (
	Any Kind = iota // dockerd looks into it only later, or not at all
	Bool
	Int // a number without a fraction or an exponent, of at most 64 bits
	String
	List
	Map    // an object whose keys are the owner's
	Object // an object whose keys dockerd knows
)

// Type is what dockerd's JSON decoder takes for a key.
type Type struct {
	Kind   Kind
	Elem   *Type   // of a List's elements and of a Map's values
	Fields []Field // of an Object; dockerd takes their names in any case, and ignores others
	Closed bool    // an Object in which dockerd does not ignore other names
}

// Field is a key of an Object.
type Field struct {
	Name string
	Type Type
}

// String says the type in words, without an article: "list of strings".
func (t Type) String() string {
	switch t.Kind {
	case Bool:
		return "boolean"
	case Int:
		return "whole number"
	case String:
		return "string"
	case List:
		return "list of " + t.Elem.plural()
	case Map:
		return "map of " + t.Elem.plural()
	case Object:
		names := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			names[i] = f.Name
		}
		return "object with " + strings.Join(names, ", ")
	}
	return "any value"
}

func (t Type) plural() string {
	before, after, _ := strings.Cut(t.String(), " ")
	switch t.Kind {
	case Int:
		return "whole numbers"
	case List, Map, Object:
		return before + "s " + after
	case Any:
		return "any values"
	}
	return before + "s"
}

// field finds the field of an Object as encoding/json does, in any case.
func (t Type) field(name string) (Type, bool) {
	for _, f := range t.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Type, true
		}
	}
	return Type{}, false
}

func boolean() Type { return Type{Kind: Bool} }
func whole() Type   { return Type{Kind: Int} }
func text() Type    { return Type{Kind: String} }

func list(elem Type) Type         { return Type{Kind: List, Elem: &elem} }
func mapOf(elem Type) Type        { return Type{Kind: Map, Elem: &elem} }
func object(fields ...Field) Type { return Type{Kind: Object, Fields: fields} }
func closed(fields ...Field) Type { return Type{Kind: Object, Fields: fields, Closed: true} }
