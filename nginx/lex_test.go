package nginx

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// The notation of a parsed file in tests: every word between Go's quotes, with
// the line of each directive.
func notation(tree []directive, indent string) string {
	var out strings.Builder
	for _, d := range tree {
		fmt.Fprintf(&out, "%s%d %q", indent, d.line, append([]string{d.name}, d.args...))
		if d.block != nil {
			out.WriteString(" {\n" + notation(d.block, indent+"  ") + indent + "}")
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestParseReadsWhatNginxReads(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"an empty file has no directives", " \t\r\n # only a comment", ""},
		{"words end at blanks", "a b\tc\r\nd;", `1 ["a" "b" "c" "d"]`},
		{"a directive is on the line of its name", "\n\na\n b\n;c;", "3 [\"a\" \"b\"]\n5 [\"c\"]"},
		{"a block is not a directive without one", "a {}\nb;", "1 [\"a\"] {\n}\n2 [\"b\"]"},
		{"blocks nest", "a b {c {d;}\ne;}", "1 [\"a\" \"b\"] {\n  1 [\"c\"] {\n    1 [\"d\"]\n  }\n  2 [\"e\"]\n}"},
		{"a block may follow its name at once", "a{b;}", "1 [\"a\"] {\n  1 [\"b\"]\n}"},
		{"quotes hold blanks and marks", `a "b; {c} # d" '}';`, `1 ["a" "b; {c} # d" "}"]`},
		{"a quoted word may span lines", "a \"b\nc\"; d;", "1 [\"a\" \"b\\nc\"]\n2 [\"d\"]"},
		{"quotes inside a word mean nothing", `a b"c'd;`, `1 ["a" "b\"c'd"]`},
		{"a hash inside a word is part of it", "a b#c; # d", `1 ["a" "b#c"]`},
		{"a brace may close inside a word", "a b}c;", `1 ["a" "b}c"]`},
		{"a variable may stand in braces", "a ${b}c $d{e;}", "1 [\"a\" \"${b}c\" \"$d\"] {\n  1 [\"e\"]\n}"},
		{"a brace after an escaped dollar opens a block", `a \${b;}`, "1 [\"a\" \"\\\\$\"] {\n  1 [\"b\"]\n}"},
		{"and so does one after an escape", `a $\x{b;}`, "1 [\"a\" \"$\\\\x\"] {\n  1 [\"b\"]\n}"},
		{"an empty word is a word", `a "" '';`, `1 ["a" "" ""]`},
		{"only six escapes mean something", `a "\"\'\\\t\r\n\d\$";`, `1 ["a" "\"'\\\t\r\n\\d\\$"]`},
		{"escapes hold outside quotes too", `a \"b\ c\;d \{;`, `1 ["a" "\"b\\ c\\;d" "\\{"]`},
		{"backslashes pair from the left", `a "\\" '\\\\n';`, `1 ["a" "\\" "\\\\n"]`},
		{"a bracket may follow a quote", `if ($a = "b") {c;}`, "1 [\"if\" \"($a\" \"=\" \"b\" \")\"] {\n  1 [\"c\"]\n}"},
		{"bytes that are not UTF-8 are kept", "a \xff;", `1 ["a" "\xff"]`},
		{"names may be quoted", `"~^a b$" c;`, `1 ["~^a b$" "c"]`},
		{"Lua is skipped", "a_by_lua_block { x = { '}' } -- }\n --[==[ } ]] ]==] y = \"\\\"}\" [[}]] z[1] }\nb;", "1 [\"a_by_lua_block\"] {\n}\n3 [\"b\"]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree, err := parse("x.conf", tc.src)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, strings.TrimSuffix(notation(tree, ""), "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseRefusesWhatNginxRefuses(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"a directive without an end", "a;\nb", "x.conf:2: a word never ends"},
		{"a directive without a semicolon", "a\n", "x.conf:2: unexpected end of file"},
		{"a block without an end", "a {\nb;\n", "x.conf:3: unexpected end of file"},
		{"a block closed twice", "a {}\n}", `x.conf:2: unexpected "}"`},
		{"a block closed in a directive", "a { b }", `x.conf:1: unexpected "}"`},
		{"a semicolon alone", "a;\n;", `x.conf:2: unexpected ";"`},
		{"a block without a name", "{}", `x.conf:1: unexpected "{"`},
		{"a quote without an end", "a 'b\nc;", "x.conf:1: a quoted word never ends"},
		{"a quote that ends in an escape", `a "b\`, "x.conf:1: a quoted word never ends"},
		{"a word that goes on after a quote", `a "b"c;`, `x.conf:1: unexpected 'c' after a quote`},
		{"blocks without a bottom", strings.Repeat("a{", 99), "x.conf:1: blocks are nested too deep"},
		{"Lua without an end", "a_by_lua_block {\n--[[ }\n", "x.conf:1: a Lua block never ends"},
		{"Lua that ends in a string", "a_by_lua_block { '}", "x.conf:1: a Lua block never ends"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree, err := parse("x.conf", tc.src)
			if err == nil || err.Error() != tc.want {
				t.Errorf("tree %v, error %v, want %q", tree, err, tc.want)
			}
		})
	}
}

// print writes directives so that they parse to the same again.
func print(tree []directive) string {
	var out strings.Builder
	for _, d := range tree {
		for _, w := range append([]string{d.name}, d.args...) {
			out.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `" `)
		}
		if d.block == nil {
			out.WriteString(";\n")
			continue
		}
		out.WriteString("{\n" + print(d.block) + "}\n")
	}
	return out.String()
}

// Whatever nginx could be given, parse does not panic, and what it read it reads again.
func FuzzParse(f *testing.F) {
	for _, src := range []string{"a b;", "a { b 'c'; }", `a "\\\"" ${b};`, "a_by_lua_block { [==[ }", "#\n", "a\xff\x00;", `""{}`} {
		f.Add(src)
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range txtar.Parse(data).Files {
			f.Add(string(part.Data))
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		tree, err := parse("x.conf", src)
		if err != nil {
			return
		}
		again, err := parse("x.conf", print(tree))
		if err != nil {
			t.Fatalf("%v\nof %s", err, print(tree))
		}
		if diff := cmp.Diff(print(tree), print(again)); diff != "" {
			t.Errorf("(-once +twice)\n%s", diff)
		}
	})
}
