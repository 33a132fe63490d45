package nginx

import (
	"fmt"
	"strings"
)

// kind says what a lexeme is.
type kind int

const (
	word      kind = iota
	semicolon      // ";"
	opening        // "{"
	closing        // "}"
	end            // of the file
)

// lexeme is one lexical element of a configuration.
type lexeme struct {
	kind kind
	text string // of a word: without quotes and escapes, as nginx passes it on
	raw  int    // of a word: its length in the file, bytes
	line int    // where it begins, from 1
}

// lexer cuts a configuration the way nginx's own ngx_conf_read_token does (same
// in 1.18 to 1.31): quotes and "#" mean something only at the start of a word,
// "{" after "$" belongs to the word, "}" inside a word too, and after a closing
// quote a word has to end.
type lexer struct {
	src  string
	pos  int
	line int
}

// next returns the next lexeme. The error says what nginx would complain about.
func (l *lexer) next() (lexeme, error) {
	l.skipBlanks()
	if l.pos == len(l.src) {
		return lexeme{kind: end, line: l.line}, nil
	}
	mark := lexeme{text: l.src[l.pos : l.pos+1], line: l.line}
	switch l.src[l.pos] {
	case ';':
		mark.kind = semicolon
	case '{':
		mark.kind = opening
	case '}':
		mark.kind = closing
	case '"', '\'':
		return l.quoted(l.src[l.pos])
	default:
		return l.bare()
	}
	l.pos++
	return mark, nil
}

// skipBlanks goes past spaces, line ends and comments.
func (l *lexer) skipBlanks() {
	comment := false
	for ; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\n':
			l.line++
			comment = false
		case c == '#':
			comment = true
		case !comment && !blank(c):
			return
		}
	}
}

// blank reports whether nginx takes the byte for a space between words.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// bare reads a word without quotes.
func (l *lexer) bare() (lexeme, error) {
	start, line := l.pos, l.line
	dollar := false
	for ; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '{' && dollar:
			continue
		case blank(c) || c == ';' || c == '{':
			return l.word(start, l.pos, line, start), nil
		case c == '\\':
			l.escape()
			dollar = false
		default:
			dollar = c == '$'
		}
	}
	return lexeme{}, syntax(line, "a word never ends")
}

// quoted reads a word between quotes.
func (l *lexer) quoted(quote byte) (lexeme, error) {
	open, line := l.pos, l.line
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; c {
		case '\\':
			l.escape()
		case '\n':
			l.line++
		case quote:
			w := l.word(open+1, l.pos, line, open)
			l.pos++
			w.raw++
			return w, l.ended()
		}
	}
	return lexeme{}, syntax(line, "a quoted word never ends")
}

// escape steps onto the byte after a backslash.
func (l *lexer) escape() {
	if l.pos++; l.pos < len(l.src) && l.src[l.pos] == '\n' {
		l.line++
	}
}

// ended reports what stands after a closing quote, where only the end of the word may be.
func (l *lexer) ended() error {
	if l.pos == len(l.src) || blank(l.src[l.pos]) || strings.IndexByte(";{)", l.src[l.pos]) >= 0 {
		return nil
	}
	return syntax(l.line, fmt.Sprintf("unexpected %q after a quote", l.src[l.pos]))
}

// word returns the word between two positions, of a lexeme that begins at raw.
func (l *lexer) word(from, to, line, raw int) lexeme {
	return lexeme{kind: word, text: unescape(l.src[from:to]), raw: to - raw, line: line}
}

// unescape resolves the only escapes nginx knows; any other backslash stays.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return escapes.Replace(s)
}

var escapes = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\'`, `'`, `\t`, "\t", `\r`, "\r", `\n`, "\n")
