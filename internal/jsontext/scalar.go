package jsontext

import (
	"encoding/json"
	"fmt"
	"strings"
)

// string reads a string and returns it as written, with its quotes.
func (s *scanner) string() (string, error) {
	start := s.pos
	n := stringLength(s.text[start:])
	if n < 0 {
		return "", s.failure(start, "this text has no closing quote: add it")
	}
	text := s.text[start : start+n]
	for i := 1; i < n-1; i++ {
		switch {
		case text[i] == '\n' || text[i] == '\r':
			return "", s.failure(start, "this text has no closing quote on its line: add it, or write line breaks as \\n")
		case text[i] < ' ':
			return "", s.failure(start+i, fmt.Sprintf("a control character inside a text: write it as \\u%04x", text[i]))
		case text[i] == '\\':
			size := escapeLength(text[i:])
			if size == 0 {
				return "", s.failure(start+i, "this is no JSON escape: a backslash itself is written \\\\")
			}
			i += size - 1
		}
	}
	s.pos += n
	return text, nil
}

// stringLength returns the length of the string that text begins with, with its
// quotes, and -1 when it is not closed.
func stringLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// escapeLength returns the length of the escape sequence that text begins with, and
// 0 when RFC 8259 section 7 has no such escape.
func escapeLength(text string) int {
	if strings.IndexByte(`"\/bfnrt`, text[1]) >= 0 {
		return 2
	}
	const digits = "0123456789abcdefABCDEF"
	if text[1] == 'u' && len(text) > 6 && strings.Trim(text[2:6], digits) == "" {
		return 6
	}
	return 0
}

// literal reads a number, true, false or null.
func (s *scanner) literal() (string, error) {
	text := s.text[s.pos : s.pos+literalLength(s.text[s.pos:])]
	if text == "" {
		return "", s.unexpected("a value must stand here")
	}
	if !json.Valid([]byte(text)) {
		return "", s.unexpectedLiteral(text)
	}
	s.pos += len(text)
	return text, nil
}

// literalLength returns how far text goes on without a blank or a character that
// has a meaning in JSON.
func literalLength(text string) int {
	if n := strings.IndexAny(text, blanks+`{}[],:"'/#`); n >= 0 {
		return n
	}
	return len(text)
}

// unexpectedLiteral names the usual slips: YAML's and Python's words, bare words,
// quotes that a word processor has bent, numbers such as .5, 010 and 10m.
func (s *scanner) unexpectedLiteral(text string) error {
	const shown = 40
	if runes := []rune(text); len(runes) > shown {
		text = string(runes[:shown]) + "…"
	}
	return s.failure(s.pos, fmt.Sprintf("%q is not a JSON value: write true, false, null or a number, and text in straight double quotes", text))
}
