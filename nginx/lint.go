package nginx

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Finding is one invariant that a configuration breaks.
type Finding struct {
	File string `json:"file"` // of the tree: "sites/app.example.no.conf"
	Line int    `json:"line"` // from 1
	Rule string `json:"rule"` // the invariant: "header-always"
	Text string `json:"text"` // what is wrong there
}

// String returns "FILE:LINE: RULE: TEXT".
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Text) }

// Lint reads the files of a tree, from http.conf through its includes, and
// returns where they break an invariant of molo's, in the order of the files.
// Compile returns no tree with findings, so on a host a finding means that
// somebody has edited the tree.
func Lint(files map[string][]byte) []Finding {
	trees := make(map[string][]directive, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		tree, err := parse(name, string(files[name]))
		if err != nil {
			return []Finding{unreadable(name, err)}
		}
		trees[name] = tree
	}
	return lint(trees)
}

// unreadable is the finding of a file that does not parse; the others are not looked at.
func unreadable(name string, err error) Finding {
	f := Finding{File: name, Line: 1, Rule: "syntax", Text: err.Error()}
	if at, ok := errors.AsType[*syntaxError](err); ok {
		f.Line, f.Text = at.line, at.what
	}
	return f
}

// lint checks parsed files against every rule.
func lint(files map[string][]directive) []Finding {
	in := includer{files: files, names: slices.Sorted(maps.Keys(files)), expanded: map[string][]directive{}}
	tree := in.expand(files["http.conf"])
	findings := in.findings
	for _, rule := range []func([]directive) []Finding{
		headerSets, headerAlways, taintedValues, proxyTargets, forbidden,
		defaultServers, serverNames, tokens, prefixes, wordLengths,
	} {
		findings = append(findings, rule(tree)...)
	}
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(findings) // an included file is read once for every include
}

// finding makes a Finding at a directive.
func (d directive) finding(rule, format string, args ...any) Finding {
	return Finding{File: d.file, Line: d.line, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// includer puts included files in the place of their include.
type includer struct {
	files    map[string][]directive
	names    []string               // of the files, sorted
	expanded map[string][]directive // nil while the file is being expanded
	findings []Finding
}

// expand returns the directives with all includes resolved.
func (in *includer) expand(tree []directive) []directive {
	out := make([]directive, 0, len(tree))
	for _, d := range tree {
		if d.name == "include" {
			out = append(out, in.included(d)...)
			continue
		}
		if d.block != nil {
			d.block = in.expand(d.block)
		}
		out = append(out, d)
	}
	return out
}

// included returns the directives of the files an include names. An include that
// leaves the tree is found: what it brings in, nobody has checked.
func (in *includer) included(d directive) []directive {
	pattern, inside := strings.CutPrefix(strings.Join(d.args, " "), Current+"/")
	if !inside {
		in.findings = append(in.findings, d.finding("include", "%s is outside %s", pattern, Current))
		return nil
	}
	matches := in.match(pattern)
	if len(matches) == 0 {
		in.findings = append(in.findings, d.finding("include", "there is no %s in the tree", pattern))
	}
	parts := make([][]directive, len(matches))
	for i, name := range matches {
		parts[i] = in.file(d, name)
	}
	if len(parts) == 1 { // nearly always, and twice in every server
		return parts[0]
	}
	return slices.Concat(parts...)
}

// file returns the directives of one file, for the include that asks for it.
func (in *includer) file(d directive, name string) []directive {
	tree, known := in.expanded[name]
	switch {
	case !known:
		in.expanded[name] = nil
		tree = in.expand(in.files[name])
		in.expanded[name] = tree
	case tree == nil:
		in.findings = append(in.findings, d.finding("include", "%s ends up including itself", name))
	}
	return tree
}

// match returns the files that a pattern of glob(7) names.
func (in *includer) match(pattern string) []string {
	if !strings.ContainsAny(pattern, `*?[\`) {
		if _, ok := in.files[pattern]; ok {
			return []string{pattern}
		}
		return nil
	}
	var out []string
	for _, name := range in.names {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			out = append(out, name)
		}
	}
	return out
}

// walk visits every directive, outermost first.
func walk(tree []directive, visit func(directive)) {
	for _, d := range tree {
		visit(d)
		walk(d.block, visit)
	}
}

// serversOf returns the server blocks of an expanded tree.
func serversOf(tree []directive) []directive {
	var out []directive
	for _, d := range tree {
		if d.name == "server" && d.block != nil {
			out = append(out, d)
		}
	}
	return out
}
