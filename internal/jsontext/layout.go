package jsontext

import "strings"

// layout writes a value in a style: objects, and arrays that hold containers, take
// a line for each member, unless all has to be on one line.
type layout struct {
	style
	out   strings.Builder
	lines []bool // for each open container: do its members take a line each?
}

// layout returns compact, valid text laid out in s.
func (s style) layout(text string) string {
	l := layout{style: s}
	for text != "" {
		n := tokenLength(text)
		l.add(text[:n], text)
		text = text[n:]
	}
	return l.out.String()
}

// add writes one token; rest is the text that begins with it.
func (l *layout) add(token, rest string) {
	switch token {
	case "{", "[":
		l.out.WriteString(token)
		l.lines = append(l.lines, l.breaks(rest))
		l.gap("")
	case "}", "]":
		broken := l.lines[len(l.lines)-1]
		l.lines = l.lines[:len(l.lines)-1]
		if broken {
			l.breakLine()
		}
		l.out.WriteString(token)
	case ",":
		l.out.WriteString(token)
		l.gap(afterColon(l.colon))
	case ":":
		l.out.WriteString(l.colon)
	default:
		l.out.WriteString(token)
	}
}

// gap writes what stands between two members of the innermost container: a line
// break, or on one line blank.
func (l *layout) gap(blank string) {
	if l.lines[len(l.lines)-1] {
		l.breakLine()
		return
	}
	l.out.WriteString(blank)
}

func (l *layout) breakLine() {
	l.out.WriteString(l.newline + l.indent + strings.Repeat(l.unit, len(l.lines)))
}

// breaks reports whether each member of the container that text begins with takes
// a line. It looks no further than the next container, which keeps layout linear.
func (s style) breaks(text string) bool {
	if s.oneLine || text[1] == '}' || text[1] == ']' {
		return false
	}
	if text[0] == '{' || s.spread {
		return true
	}
	for i := 1; text[i] != ']'; i += tokenLength(text[i:]) {
		if text[i] == '{' || text[i] == '[' {
			return true
		}
	}
	return false
}

// tokenLength returns the length of the token that compact, valid text begins with.
func tokenLength(text string) int {
	switch text[0] {
	case '{', '}', '[', ']', ',', ':':
		return 1
	case '"':
		return stringLength(text)
	}
	return literalLength(text)
}
