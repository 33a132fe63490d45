package nginx

import "strings"

// skipLua goes past the block of a directive such as content_by_lua_block, up to
// and with its closing brace. Such a block is Lua, which OpenResty's module cuts
// into lexemes itself: braces count unless they stand in a string or a comment.
func (l *lexer) skipLua() error {
	line := l.line
	for depth := 1; l.pos < len(l.src); {
		rest := l.src[l.pos:]
		switch rest[0] {
		case '{':
			depth++
		case '}':
			depth--
		}
		l.advance(luaLength(rest))
		if depth == 0 {
			return nil
		}
	}
	return syntax(line, "a Lua block never ends")
}

// advance goes n bytes on and counts the lines passed.
func (l *lexer) advance(n int) {
	l.line += strings.Count(l.src[l.pos:l.pos+n], "\n")
	l.pos += n
}

// luaLength returns the length of the string or comment that the text begins
// with, else 1. (Lua 5.1 reference manual, section 2.1.)
func luaLength(text string) int {
	comment := strings.HasPrefix(text, "--")
	start := 0
	if comment {
		start = 2
	}
	if closing, ok := longBracket(text[start:]); ok {
		return upTo(text, start+len(closing), closing)
	}
	switch {
	case comment:
		return upTo(text, start, "\n")
	case text[0] == '"' || text[0] == '\'':
		return luaString(text)
	}
	return 1
}

// longBracket returns what closes the long bracket the text begins with: "]==]" for "[==[".
func longBracket(text string) (string, bool) {
	if !strings.HasPrefix(text, "[") {
		return "", false
	}
	level := len(text[1:]) - len(strings.TrimLeft(text[1:], "="))
	if !strings.HasPrefix(text[1+level:], "[") {
		return "", false
	}
	return "]" + strings.Repeat("=", level) + "]", true
}

// upTo returns the length of text up to and with the first mark at or after from.
func upTo(text string, from int, mark string) int {
	if i := strings.Index(text[from:], mark); i >= 0 {
		return from + i + len(mark)
	}
	return len(text)
}

// luaString returns the length of a string between single or double quotes.
func luaString(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}
