package policy

import (
	"fmt"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest string a policy may hold, in bytes; longer ones never
// mean anything and nginx reads at most 4096 bytes of one parameter.
const maxText = 2000

// boolean reads true or false.
func boolean() reader {
	return func(n node) (any, []fault) {
		if n.kind != isBool {
			return nil, wrongType(n, isBool, "write true or false, without quotes")
		}
		return n.boolean, nil
	}
}

// integer reads a whole number from low to high, both allowed.
func integer[T int | uint16](low, high int64) reader {
	return func(n node) (any, []fault) {
		i, faults := whole(n, low, high)
		if faults != nil {
			return nil, faults
		}
		return T(i), nil
	}
}

// whole reads a whole number from low to high, both allowed.
func whole(n node, low, high int64) (int64, []fault) {
	between := fmt.Sprintf("write a whole number from %d to %d", low, high)
	if n.kind != isNumber {
		return 0, wrongType(n, isNumber, between+", without quotes")
	}
	i, accuracy := n.number.Int64()
	if accuracy != big.Exact || i < low || i > high {
		return 0, []fault{{
			summary: "Invalid number",
			why:     fmt.Sprintf("%s is not possible here.", n.number.Text('g', 20)),
			hint:    between,
			at:      n.at,
		}}
	}
	return i, nil
}

// text reads a string of printable characters and hands it to parse.
func text[T any](parse func(string) (T, *fault)) reader {
	return func(n node) (any, []fault) {
		if n.kind != isString {
			return nil, wrongType(n, isString, "write it in quotes")
		}
		if f := plain(n.text); f != nil {
			return nil, []fault{f.in(n)}
		}
		v, f := parse(n.text)
		if f != nil {
			return nil, []fault{f.in(n)}
		}
		return v, nil
	}
}

// in places a fault at a node.
func (f fault) in(n node) fault {
	f.at = n.at
	return f
}

// list reads a list that is not empty, of which each item is read by item and
// appended to what came before it.
func list[T any](what string, item func(before []T, n node) (T, []fault)) reader {
	return func(n node) (any, []fault) {
		if n.kind != isList {
			return nil, wrongType(n, isList, fmt.Sprintf("write a list of %s in brackets: [ … ]", what))
		}
		if len(n.items) == 0 {
			return nil, []fault{{
				summary: "Empty list",
				why:     fmt.Sprintf("A list without %s could mean none or all of them.", what),
				hint:    "name at least one; an attribute that is not required can be left out instead",
			}}
		}
		var all []T
		var faults []fault
		for _, in := range n.items {
			v, bad := item(all, in)
			if bad == nil {
				all = append(all, v)
			}
			faults = append(faults, bad...)
		}
		return all, faults
	}
}

// wrongType says that a node is of another type than it should be.
func wrongType(n node, want kind, hint string) []fault {
	return []fault{{
		summary: "Wrong type",
		why:     fmt.Sprintf("This is %s, but %s is needed here.", n.kind, want),
		hint:    hint,
		at:      n.at,
	}}
}

// choose checks that a string is one of the allowed words.
func choose(allowed []string) func(string) (string, *fault) {
	return func(s string) (string, *fault) {
		for _, word := range allowed {
			if s == word {
				return s, nil
			}
		}
		return "", &fault{
			summary: "Unknown value",
			why:     fmt.Sprintf("%q is not one of %s.", s, quoted(allowed)),
			hint:    didYouMean(s, allowed, ""),
		}
	}
}

// word reports whether s has 1 to most characters, each a lower-case ASCII letter,
// a digit or one of punctuation, and the first a letter or a digit.
func word(s string, most int, punctuation string) bool {
	foreign := func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune(punctuation, r) }
	return s != "" && len(s) <= most && alphanumeric(rune(s[0])) && !strings.ContainsFunc(s, foreign)
}

func alphanumeric(r rune) bool { return r >= 'a' && r <= 'z' || digit(r) }

func digit(r rune) bool { return r >= '0' && r <= '9' }

// digits reports whether s has 1 to most characters, all of them digits.
func digits(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, "0123456789") == ""
}

// plain refuses a string that could mean something else to another program than
// what it looks like here: control characters end lines and directives, format
// characters reorder what people see, and nothing real is that long.
func plain(s string) *fault {
	if len(s) > maxText {
		return &fault{
			summary: "String too long",
			why:     fmt.Sprintf("The string has %d bytes; the most that molo takes is %d.", len(s), maxText),
			hint:    "shorten it",
		}
	}
	if !utf8.ValidString(s) {
		return &fault{summary: "Invalid UTF-8", why: "The string is not valid UTF-8.", hint: "save the file as UTF-8"}
	}
	if i := strings.IndexFunc(s, unprintable); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return &fault{
			summary: "Control character",
			why:     fmt.Sprintf("The string holds the invisible character %U, which could end a line or reorder the text in a file made from it.", r),
			hint:    "take it out; a line break can't be part of a value",
		}
	}
	return nil
}

// unprintable reports control and format characters (Unicode Cc, Cf, Zl, Zp), such
// as line breaks, NUL, and the bidirectional overrides.
func unprintable(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
