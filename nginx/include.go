package nginx

import (
	"path"
	"slices"
	"strings"
)

// Root is the file that nginx reads first.
const Root = confDir + "/nginx.conf"

// confDir is what nginx resolves relative includes against.
const confDir = "/etc/nginx"

// Includes returns what the file of this text includes, as absolute patterns of
// glob(7), wherever in it they stand. The error names file and line.
func Includes(file, text string) ([]string, error) {
	tree, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	var patterns []string
	walk(tree, func(d directive) {
		if d.name == "include" {
			patterns = append(patterns, pattern(d))
		}
	})
	return patterns, nil
}

// pattern returns the absolute pattern of an include.
func pattern(d directive) string {
	p := strings.Join(d.args, " ")
	if !path.IsAbs(p) {
		p = path.Join(confDir, p)
	}
	return p
}

// includer puts included files in the place of their include.
type includer struct {
	files    map[string][]directive // by absolute path
	names    []string               // of the files, sorted
	inside   string                 // the directory that includes must not leave; "" for none
	expanded map[string][]directive // nil while the file is being expanded
	total    int                    // of directives that includes have brought in
	findings []Finding
}

// maxIncluded bounds the directives that includes bring in: thirty files that
// each include the next one twice are a thousand million. 600 sites are 150,000.
const maxIncluded = 1 << 22

// newIncluder returns an includer of files by their absolute paths.
func newIncluder(files map[string][]directive, inside string) *includer {
	in := &includer{files: files, inside: inside, expanded: map[string][]directive{}}
	for name := range files {
		in.names = append(in.names, name)
	}
	slices.Sort(in.names)
	return in
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
// leaves the directory is found: what it brings in, nobody has checked.
func (in *includer) included(d directive) []directive {
	p := pattern(d)
	if in.inside != "" && !strings.HasPrefix(p, in.inside+"/") {
		in.findings = append(in.findings, d.finding("include", "%s is outside %s", p, in.inside))
		return nil
	}
	matches := in.match(p)
	if len(matches) == 0 && (in.inside != "" || !isGlob(p)) {
		in.findings = append(in.findings, d.finding("include", "there is no %s", p))
	}
	parts := make([][]directive, len(matches))
	for i, name := range matches {
		parts[i] = in.file(d, name)
		if in.total += len(parts[i]); in.total > maxIncluded {
			in.findings = append(in.findings, d.finding("include", "includes bring in more than %d directives", maxIncluded))
			return nil
		}
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

// match returns the files that a pattern names.
func (in *includer) match(pattern string) []string {
	if !isGlob(pattern) {
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

// isGlob reports whether nginx takes the name of an include for a pattern.
func isGlob(pattern string) bool { return strings.ContainsAny(pattern, `*?[`) }

// walk visits every directive, outermost first.
func walk(tree []directive, visit func(directive)) {
	for _, d := range tree {
		visit(d)
		walk(d.block, visit)
	}
}

// serversOf returns the server blocks of what stands in an http block.
func serversOf(tree []directive) []directive {
	var out []directive
	for _, d := range tree {
		if d.name == "server" && d.block != nil {
			out = append(out, d)
		}
	}
	return out
}
