package nginx

import (
	"regexp"
	"slices"
	"strings"
)

// variable finds the names of variables in a word.
var variable = regexp.MustCompile(`\$\{?([A-Za-z0-9_]+)`)

// capture matches what a group of a regular expression is called by number.
var capture = regexp.MustCompile(`^[0-9]`)

// tainted matches variables that hold what the client sent: the decoded path in
// $uri may have line ends that split a response in two, $http_host names any host.
var tainted = regexp.MustCompile(`^(uri|document_uri|http_host|arg_.*|args|query_string)$`)

// named finds where a group of a regular expression gets a name.
var named = regexp.MustCompile(`\(\?P?[<']([A-Za-z_][A-Za-z0-9_]*)[>']`)

// variables returns the names of the variables in a directive's arguments.
func variables(d directive) []string { return variablesIn(d.args) }

func variablesIn(words []string) []string {
	var out []string
	for _, word := range words {
		if !strings.Contains(word, "$") {
			continue
		}
		for _, m := range variable.FindAllStringSubmatch(word, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// taintedValues finds client input in what goes to the client or to an
// application, and numbered captures anywhere: which they are depends on the
// regular expression that ran last.
func taintedValues(tree []directive) []Finding {
	known := taint{}
	for before := -1; before < len(known); { // until nothing is handed on any more
		before = len(known)
		walk(tree, known.flow)
	}
	var out []Finding
	walk(tree, func(d directive) {
		for _, name := range variables(d) {
			if capture.MatchString(name) || sink(d) && known.holds(name) {
				out = append(out, d.finding("tainted-value", "%s uses $%s, which the client chooses", d.name, name))
			}
		}
	})
	return out
}

// sink reports whether what a directive is given goes to the client or to an application.
func sink(d directive) bool {
	switch d.name {
	case "return", "add_header", "proxy_pass", "proxy_set_header", "proxy_redirect", "grpc_pass", "grpc_set_header":
		return true
	case "rewrite": // to another place, not to another location
		return len(d.args) > 2 && (d.args[2] == "redirect" || d.args[2] == "permanent") || len(d.args) > 1 && elsewhereTo(d.args[1])
	}
	return false
}

// elsewhereTo reports whether nginx answers a rewrite to a target with a redirect.
func elsewhereTo(target string) bool {
	for _, scheme := range []string{"http://", "https://", "$scheme"} {
		if strings.HasPrefix(target, scheme) {
			return true
		}
	}
	return false
}

// taint holds the variables that others have handed the client's input to.
type taint map[string]bool

func (t taint) holds(name string) bool { return t[name] || tainted.MatchString(name) }

func (t taint) any(words []string) bool { return slices.ContainsFunc(variablesIn(words), t.holds) }

// flow notes which variables a directive hands the client's input to.
func (t taint) flow(d directive) {
	switch {
	case len(d.args) == 0:
	case d.name == "set" && t.any(d.args[1:]):
		t[strings.TrimPrefix(d.args[0], "$")] = true
	case d.name == "map" && len(d.args) == 2:
		for _, entry := range d.block {
			if t.any(entry.args) {
				t[strings.TrimPrefix(d.args[1], "$")] = true
			}
			if t.any(d.args[:1]) && strings.HasPrefix(entry.name, "~") {
				t.match(entry.name)
			}
		}
	case d.name == "location" && strings.HasPrefix(d.args[0], "~"), d.name == "if" && len(d.args) > 2 && t.any(d.args[:1]):
		t.match(strings.Join(d.args, " "))
	case d.name == "rewrite":
		t.match(d.args[0])
	}
}

// match notes the named groups of a regular expression that is held against the
// client's input, as long as more than some letters get into them.
func (t taint) match(expression string) {
	for _, m := range named.FindAllStringSubmatchIndex(expression, -1) {
		if takesMore(expression[m[1]:]) {
			t[expression[m[2]:m[3]]] = true
		}
	}
}

// takesMore reports whether the group that an expression begins inside of takes more than
// what it lists: "." and "[^/]" take control characters too.
func takesMore(rest string) bool {
	for depth, i := 1, 0; i < len(rest) && depth > 0; i++ {
		switch rest[i] {
		case '.':
			return true
		case '(':
			depth++
		case ')':
			depth--
		case '\\':
			if i++; i < len(rest) && strings.IndexByte("sSDWNRXCHVpP", rest[i]) >= 0 {
				return true
			}
		case '[':
			end := strings.IndexByte(rest[i+1:], ']')
			if end < 0 || strings.HasPrefix(rest[i+1:], "^") || strings.ContainsAny(classes.FindString(rest[i+1:i+1+end]), "sSDW") {
				return true
			}
			i += 1 + end
		}
	}
	return false
}

// classes finds a class of characters in a list of them.
var classes = regexp.MustCompile(`\\[sSDW]`)
