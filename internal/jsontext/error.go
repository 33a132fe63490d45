package jsontext

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a place in a file's text and what is wrong there.
type Error struct {
	Offset  int    // in bytes, from 0; the length of the text where something is missing at its end
	Line    int    // from 1
	Column  int    // in characters, from 1; a tab and a carriage return count one
	Message string // what is wrong, and what to do about it
}

// Error returns "line 3, column 5: message".
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

func newError(text string, offset int, message string) *Error {
	e := &Error{Offset: offset, Message: message}
	e.Line, e.Column = position(text, offset)
	return e
}

func position(text string, offset int) (line, column int) {
	before := text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[start:])
}

// checkEncoding reports what keeps text from being plain UTF-8. A byte order mark is
// refused because RFC 8259 section 8.1 forbids to write one and because it keeps
// Docker 20.10 from starting; Docker 26 ignores it.
func checkEncoding(text string) error {
	if strings.HasPrefix(text, "\ufeff") {
		return newError(text, 0, "the file begins with a byte order mark, and Docker 20.10 would not start: save it as UTF-8 without one")
	}
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return newError(text, 0, "the file is UTF-16: save it as UTF-8")
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return newError(text, i, "a NUL byte is no text: the file is damaged or UTF-16; save it as UTF-8")
	}
	if utf8.ValidString(text) {
		return nil
	}
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return newError(text, i, fmt.Sprintf("the byte 0x%02x is not UTF-8: save the file as UTF-8", text[i]))
		}
	}
	return nil
}

func (s *scanner) failure(offset int, message string) error {
	return newError(s.text, offset, message)
}

// duplicate says that m has the key of twin, which came before it.
func (s *scanner) duplicate(m, twin *member) error {
	line, column := position(s.text, twin.offset)
	return s.failure(m.offset, fmt.Sprintf("the key %s was there before, at line %d, column %d, and dockerd would silently take the last: remove one", m.key, line, column))
}

// unexpected says what is wrong with the text at pos, where only what rule says can
// stand.
func (s *scanner) unexpected(rule string) error {
	rest := s.text[s.pos:]
	if rest == "" {
		return s.cutShort()
	}
	for _, comment := range []string{"//", "/*", "#"} {
		if strings.HasPrefix(rest, comment) {
			return s.failure(s.pos, "JSON has no comments, and dockerd would not start: remove it")
		}
	}
	if rest[0] == '\'' {
		return s.failure(s.pos, "JSON has no single quotes: use double quotes")
	}
	found, _ := utf8.DecodeRuneInString(rest)
	return s.failure(s.pos, fmt.Sprintf("%s, not %q", rule, found))
}

// cutShort points behind the last character of text, which ends inside a container:
// whoever scans a text without any value has handled that before.
func (s *scanner) cutShort() error {
	end := len(strings.TrimRight(s.text, blanks))
	opener := s.open[len(s.open)-1]
	line, column := position(s.text, opener)
	return s.failure(end, fmt.Sprintf("the file ends here, but the %q at line %d, column %d is not closed: close it", s.text[opener], line, column))
}
