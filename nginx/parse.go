package nginx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// directive is one directive as nginx reads it.
type directive struct {
	name  string
	args  []string
	block []directive // nil where there is none, else not nil even if empty
	file  string
	line  int // of the name, from 1
	raw   int // the length of the longest word in the file, bytes
}

// maxDepth bounds nested blocks; nginx's own contexts end at about five.
const maxDepth = 32

// parse reads a configuration file. It does not follow includes and does not
// know which directives there are. The error names file and line.
func parse(file, src string) ([]directive, error) {
	p := parser{file: file, lexer: lexer{src: src, line: 1}}
	tree, err := p.block(0)
	if err != nil {
		return nil, inFile(file, err)
	}
	return tree, nil
}

// syntaxError is a place where nginx would stop reading.
type syntaxError struct {
	file string
	line int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.what) }

// syntax returns a syntaxError whose file is yet to be told.
func syntax(line int, what string) error { return &syntaxError{line: line, what: what} }

// inFile tells a syntaxError its file.
func inFile(file string, err error) error {
	if at, ok := errors.AsType[*syntaxError](err); ok {
		at.file = file
	}
	return err
}

type parser struct {
	file  string
	lexer lexer
}

// block reads directives up to the end of the block, or of the file at depth 0.
func (p *parser) block(depth int) ([]directive, error) {
	tree := []directive{}
	for {
		first, err := p.lexer.next()
		if err != nil {
			return nil, err
		}
		switch {
		case first.kind == end && depth == 0, first.kind == closing && depth > 0:
			return tree, nil
		case first.kind != word:
			return nil, first.unexpected()
		}
		d, err := p.directive(first, depth)
		if err != nil {
			return nil, err
		}
		tree = append(tree, d)
	}
}

// directive reads what follows a directive's name.
func (p *parser) directive(name lexeme, depth int) (directive, error) {
	d := directive{name: name.text, file: p.file, line: name.line, raw: name.raw}
	for {
		next, err := p.lexer.next()
		if err != nil {
			return d, err
		}
		switch next.kind {
		case word:
			d.args = append(d.args, next.text)
			d.raw = max(d.raw, next.raw)
		case semicolon:
			return d, nil
		case opening:
			d.block, err = p.body(d.name, depth+1)
			return d, err
		default:
			return d, next.unexpected()
		}
	}
}

// body reads a directive's block.
func (p *parser) body(name string, depth int) ([]directive, error) {
	switch {
	case depth > maxDepth:
		return nil, syntax(p.lexer.line, "blocks are nested too deep")
	case strings.HasSuffix(name, "_by_lua_block"):
		return []directive{}, p.lexer.skipLua()
	}
	return p.block(depth)
}

// unexpected is the error of a lexeme that cannot stand where it stands.
func (l lexeme) unexpected() error {
	if l.kind == end {
		return syntax(l.line, "unexpected end of file")
	}
	return syntax(l.line, fmt.Sprintf("unexpected %q", l.text))
}

// equal reports whether two trees say the same on the same lines.
func equal(a, b []directive) bool {
	return slices.EqualFunc(a, b, func(a, b directive) bool {
		return a.name == b.name && a.line == b.line && slices.Equal(a.args, b.args) &&
			(a.block == nil) == (b.block == nil) && equal(a.block, b.block)
	})
}

// String returns "FILE:LINE".
func (d directive) String() string { return fmt.Sprintf("%s:%d", d.file, d.line) }
