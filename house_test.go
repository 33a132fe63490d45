// Package molo_test holds the rules of the house: which package may import which,
// who may touch the machine, and that every package says what it is for.
package molo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// below lists, for each package, the packages of molo that it may import.
func below() map[string][]string {
	data := []string{"internal/facts", "internal/policy", "internal/resource"}
	compilers := append([]string{"certificate", "firewall", "kernel", "nginx"}, data...)
	return map[string][]string{
		"internal/facts":         {},
		"internal/roff":          {},
		"internal/unitfile":      {},
		"internal/policy":        {"internal/daemonjson", "internal/roff"},
		"internal/resource":      {"internal/jsontext"},
		"internal/jsontext":      {},
		"internal/daemonjson":    {"internal/jsontext"},
		"internal/subid":         {},
		"internal/volumes":       {"internal/subid"},
		"templates":              {},
		"certificate":            data,
		"certificate/certtest":   {},
		"firewall":               data,
		"firewall/ufwtest":       {},
		"nginx":                  append([]string{"certificate", "templates"}, data...),
		"kernel":                 append([]string{"templates"}, data...),
		"internal/audit":         append([]string{"certificate", "firewall", "nginx"}, data...),
		"internal/audit/report":  {"internal/audit"},
		"internal/lint":          append([]string{"internal/audit"}, data...),
		"provision":              append([]string{"internal/daemonjson", "internal/jsontext", "internal/subid", "templates"}, compilers...),
		"internal/host":          {"certificate", "internal/audit", "internal/daemonjson", "internal/facts", "internal/jsontext", "internal/lint", "internal/policy", "internal/resource", "internal/subid", "internal/unitfile", "internal/volumes", "kernel", "nginx", "provision"},
		"internal/host/hosttest": {"certificate", "internal/facts", "internal/resource", "provision"},
		"cmd/agent":              {"certificate", "firewall", "internal/audit", "internal/audit/report", "internal/facts", "internal/host", "internal/lint", "internal/policy", "internal/roff", "internal/volumes", "nginx", "provision"},
		"internal/golden":        {},
		"internal/lab":           {},
		"internal/lab/server":    {},
		"internal/lab/killer":    {},
		"internal/lab/pebble":    {"certificate/certtest", "internal/lab"},
		"internal/lab/labtest":   {"internal/lab"},
		"cmd/lab":                {"internal/lab"},
	}
}

// outside lists the packages that may touch the machine.
func outside() []string {
	return []string{"internal/host", "cmd/agent", "internal/golden", "internal/lab", "internal/lab/server", "internal/lab/killer", "internal/lab/labtest", "internal/lab/pebble", "cmd/lab"}
}

// source is one Go file that is no test.
type source struct {
	pkg  string // directory from the root of the module
	file *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || len(name) > 1 && strings.HasPrefix(entry.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		all = append(all, source{path.Dir(filepath.ToSlash(name)), file, fset})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d source files: the walk looks in the wrong place", len(all))
	}
	return all
}

func TestImportsPointDownwards(t *testing.T) {
	allowed := below()
	for _, s := range sources(t) {
		may, known := allowed[s.pkg]
		if !known {
			t.Errorf("package %s has no place in the house: add it to below()", s.pkg)
		}
		for _, spec := range s.file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if inner, ours := strings.CutPrefix(name, "molo/"); ours && !slices.Contains(may, inner) {
				t.Errorf("%s: package %s must not import %s", s.fset.Position(spec.Pos()), s.pkg, inner)
			}
		}
	}
}

func TestOnlyHostTouchesTheMachine(t *testing.T) {
	machine := []string{"os", "os/exec", "net", "net/http", "syscall", "log/slog", "golang.org/x/sys/unix", "github.com/vishvananda/netlink"}
	for _, s := range sources(t) {
		if slices.Contains(outside(), s.pkg) {
			continue
		}
		for _, spec := range s.file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); slices.Contains(machine, name) {
				t.Errorf("%s: package %s is pure and must not import %s", s.fset.Position(spec.Pos()), s.pkg, name)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if x, isIdent := packageOf(call, ok); isIdent && x == "time" && (call.Sel.Name == "Now" || call.Sel.Name == "Sleep") {
				t.Errorf("%s: package %s is pure and has no clock", s.fset.Position(n.Pos()), s.pkg)
			}
			return true
		})
	}
}

func packageOf(call *ast.SelectorExpr, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	x, isIdent := call.X.(*ast.Ident)
	if !isIdent {
		return "", false
	}
	return x.Name, true
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	said := map[string]bool{}
	for _, s := range sources(t) {
		said[s.pkg] = said[s.pkg] || s.file.Doc != nil
	}
	for pkg, ok := range said {
		if !ok {
			t.Errorf("package %s has no doc comment", pkg)
		}
	}
}

// link finds where a Markdown text leads, outside of code.
var link = regexp.MustCompile("(?s)```.*?```|`[^`]*`|\\]\\(([^)\\s]+)\\)")

// Documents lead to files that exist, and tests and comments to documents that do.
func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	found := 0
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "testdata"):
			return fs.SkipDir
		}
		if entry.IsDir() || path.Ext(name) != ".md" && path.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, target := range leads(name, string(text)) {
			found++
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s leads to %s, which is not there", name, target)
			}
		}
		return nil
	})
	if err != nil || found < 20 {
		t.Errorf("%d links were found, %v", found, err)
	}
}

// document finds the name of a document in a program.
var document = regexp.MustCompile(`\bdocs/[a-z-]+\.md\b`)

// leads lists the files of the house that a document links to or a program names.
func leads(name, text string) []string {
	if path.Ext(name) == ".go" {
		return document.FindAllString(text, -1)
	}
	var out []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		target, _, _ := strings.Cut(m[1], "#")
		if target != "" && !strings.Contains(target, ":") {
			out = append(out, path.Join(path.Dir(name), target))
		}
	}
	return out
}

func TestNoInitAndNoMutablePackageState(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init() hides when things happen", s.fset.Position(f.Pos()))
			}
		}
	}
}
