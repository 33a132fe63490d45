package jsontext

import "strings"

// style is how the text around some place is laid out.
type style struct {
	newline string // "\n" or "\r\n"
	indent  string // of the line that the innermost object or member begins on
	unit    string // what one more level adds to it
	colon   string // ":" with its blanks
	oneLine bool   // the place is in the middle of a line; what is added stays on it
	spread  bool   // arrays of scalars take a line for each element, too
}

// style returns the style around the outermost object.
func (d *Document) style() style {
	s := style{newline: "\n", indent: d.lead, unit: "  ", colon: ": "}
	for _, b := range []string{d.trail, d.root.tail, d.root.head} {
		if newline, _, ok := lineBreak(b); ok {
			s.newline = newline
		}
	}
	if _, indent, ok := lineBreak(d.lead); ok {
		s.indent = indent
	}
	return s
}

// into returns the style around the value of m, given s, the style around o.
func (s style) into(o *object, m *member) style {
	newline, indent, ok := lineBreak(o.lead(m))
	s.oneLine = !ok
	if !ok {
		newline, indent, ok = lineBreak(o.head)
	}
	if ok {
		if unit, deeper := strings.CutPrefix(indent, s.indent); deeper {
			s.unit = unit
		}
		s.newline, s.indent = newline, indent
	}
	if !o.array {
		s.colon = spacing(m.colon)
	}
	return s
}

// like returns s for a value that replaces old: on one line or on several, as old
// is. Scalars and empty containers, which are on one line in any style, do not count.
func (s style) like(old string) style {
	if len(old) < 2 || old[0] != '{' && old[0] != '[' || strings.Trim(old[1:len(old)-1], blanks) == "" {
		return s
	}
	s.oneLine = !strings.Contains(old, "\n")
	s.spread = old[0] == '['
	return s
}

// lineBreak returns the last line break in blanks and the indentation after it.
func lineBreak(blanks string) (newline, indent string, ok bool) {
	i := strings.LastIndexByte(blanks, '\n')
	if i < 0 {
		return "", "", false
	}
	if i > 0 && blanks[i-1] == '\r' {
		return "\r\n", blanks[i+1:], true
	}
	return "\n", blanks[i+1:], true
}

// tidy returns blanks without empty lines and without blanks at the end of a line.
func tidy(blanks string) string {
	if newline, indent, ok := lineBreak(blanks); ok {
		return newline + indent
	}
	return blanks
}

// spacing returns colon with one blank at most on either side: members whose values
// stand in a column do not say how far away the next one has to be.
func spacing(colon string) string {
	before, _, _ := strings.Cut(colon, ":")
	return oneBlank(before) + ":" + afterColon(colon)
}

// afterColon returns the blank after colon, if any. What stands on one line has the
// same after its commas.
func afterColon(colon string) string {
	_, after, _ := strings.Cut(colon, ":")
	return oneBlank(after)
}

func oneBlank(blanks string) string {
	if blanks == "" {
		return ""
	}
	return " "
}
