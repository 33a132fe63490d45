package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
)

// row is one attribute or label of the table and where it stands.
type row struct {
	path  string
	block *block
	attr  *attribute
	label bool
}

func (r row) String() string { return join(r.path, r.attr.name) }

// rows lists all attributes and labels of the table that may be written.
func rows() []row {
	var all []row
	table().walk("", func(path string, b *block) {
		if b.label != nil {
			all = append(all, row{path, b, b.label, true})
		}
		for i := range b.attrs {
			if b.attrs[i].refused == "" {
				all = append(all, row{path, b, &b.attrs[i], false})
			}
		}
	})
	return all
}

// policyWith returns the smallest policy in which the row has a value, which is an
// HCL expression; "" leaves the attribute out, or the example for what is required.
func policyWith(r row, value string) []byte {
	var out, closing strings.Builder
	at := table()
	names := strings.Split(r.path, ".")
	for i, name := range names {
		at = at.inner(name)
		written := map[string]string{}
		replaced := names[i+1 : min(i+2, len(names))] // the block inside this one
		if i == len(names)-1 && !r.label {
			if value != "" {
				written[r.attr.name] = value
				replaced = nil
			}
			if value != "" && value != "null" {
				replaced = []string{r.attr.name}
			}
			if needed := at.attr(r.attr.needs); needed != nil {
				written[needed.name] = needed.example
				replaced = append(replaced, needed.name)
			}
		}
		label := ""
		if i == len(names)-1 && r.label {
			label = value
		}
		writeBlock(&out, at, label, written, replaced)
		closing.WriteString("}\n")
	}
	return []byte(out.String() + closing.String())
}

// writeBlock writes a block's beginning with some attributes, and with those that
// are required and that nothing replaces.
func writeBlock(out *strings.Builder, at *block, label string, written map[string]string, replaced []string) {
	out.WriteString(at.name)
	if at.label != nil {
		if label == "" {
			label = at.label.example
		}
		fmt.Fprintf(out, " %s", label)
	}
	out.WriteString(" {\n")
	for _, a := range at.attrs {
		value := written[a.name]
		stands := func(name string) bool { return slices.Contains(replaced, name) }
		if value == "" && a.required && !slices.ContainsFunc(a.unless, stands) {
			value = a.example
		}
		if value != "" {
			fmt.Fprintf(out, "%s = %s\n", a.name, value)
		}
	}
}

// parseOne parses one source and fails the test when it is refused.
func parseOne(t testing.TB, name string, data []byte) *Policy {
	t.Helper()
	p, diags := Parse([]Source{{name, data}})
	if p == nil {
		t.Fatalf("refused:\n%s\n%s", data, rendered(t, diags))
	}
	return p
}

// sameValues compares policies without the places of their values.
func sameValues() cmp.Option {
	return cmp.Options{cmpopts.IgnoreTypes(hcl.Range{}), cmp.Comparer(func(a, b fmt.Stringer) bool { return a.String() == b.String() })}
}

func TestEveryRowOfTheTableIsWholeAndReadable(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	table().walk("", func(path string, b *block) {
		if path != "" && (!name.MatchString(b.name) || !strings.HasSuffix(b.doc, ".")) {
			t.Errorf("%s: a block needs a name in lower_snake_case and a text that ends with a full stop", path)
		}
	})
	for _, r := range rows() {
		a := r.attr
		if !name.MatchString(a.name) || !strings.HasSuffix(a.doc, ".") || a.kind == "" || a.example == "" {
			t.Errorf("%s: incomplete", r)
		}
		if a.required && a.fallback != "" || a.example == a.fallback {
			t.Errorf("%s: an attribute has a default or is required, and its example is not its default", r)
		}
		if a.read == nil && len(a.allowed) == 0 {
			t.Errorf("%s: nothing reads it", r)
		}
	}
}

func TestEveryExampleReachesThePolicy(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.String(), func(t *testing.T) {
			without := parseOne(t, "without.hcl", policyWith(r, ""))
			example := r.attr.example
			if r.attr.required || r.label {
				example = strings.NewReplacer("8081", "8091", "8082", "8092", "api", "ape", "192.0.2.10", "192.0.2.11", "9100", "9109", "app", "ape", "metrics", "matrix", "kid-1", "kid-2", "account", "other", "backup", "archive", "mounts", "user", "2027-01", "2028-01").Replace(example)
			}
			with := parseOne(t, "with.hcl", policyWith(r, example))
			if cmp.Equal(without, with, sameValues()) {
				t.Errorf("setting it to %s changes nothing", example)
			}
		})
	}
}

func TestWritingTheDefaultIsTheDefault(t *testing.T) {
	unset := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Set" }, cmp.Ignore())
	for _, r := range rows() {
		if r.attr.fallback == "" {
			continue
		}
		t.Run(r.String(), func(t *testing.T) {
			without := parseOne(t, "without.hcl", policyWith(r, ""))
			with := parseOne(t, "with.hcl", policyWith(r, r.attr.fallback))
			if diff := cmp.Diff(without, with, sameValues(), unset); diff != "" {
				t.Errorf("(-default +written):\n%s", diff)
			}
		})
	}
}

func TestEveryAllowedWordIsAcceptedAndASlipOfItIsExplained(t *testing.T) {
	for _, r := range rows() {
		for _, word := range r.attr.allowed {
			t.Run(r.String()+"="+word, func(t *testing.T) {
				parseOne(t, "good.hcl", policyWith(r, fmt.Sprintf("%q", word)))
				_, diags := Parse([]Source{{"bad.hcl", policyWith(r, fmt.Sprintf("%q", word+"#"))}})
				wantHint(t, diags, fmt.Sprintf("did you mean %q?", word))
			})
		}
	}
}

func TestASlipInAnyNameOfTheTableIsExplained(t *testing.T) {
	table().walk("", func(path string, b *block) {
		for _, name := range slices.Concat(b.attrNames(), b.blockNames()) {
			want := fmt.Sprintf("did you mean %q?", name)
			if got := b.whereIs(name+"x", "property"); got != want {
				t.Errorf("%s in %q: hint %q, want %q", name+"x", path, got, want)
			}
		}
	})
}

// wantHint checks that there is one diagnostic and that it ends with a hint.
func wantHint(t *testing.T, diags Diagnostics, hint string) {
	t.Helper()
	entries := diags.Entries()
	if len(entries) != 1 || !strings.HasSuffix(entries[0].Detail, "\nhint: "+hint) {
		t.Errorf("want one diagnostic with the hint %q, got:\n%s", hint, rendered(t, diags))
	}
}

func TestNullIsTheSameAsNotWritten(t *testing.T) {
	for _, r := range rows() {
		if r.label || r.attr.required {
			continue
		}
		without := parseOne(t, "without.hcl", policyWith(r, ""))
		with := parseOne(t, "with.hcl", policyWith(r, "null"))
		if diff := cmp.Diff(without, with, sameValues()); diff != "" {
			t.Errorf("%s (-without +null):\n%s", r, diff)
		}
	}
}

func TestRefusedNamesSayWhy(t *testing.T) {
	for _, a := range headerRows() {
		if a.refused == "" {
			continue
		}
		r := row{path: "site.headers", block: table().inner("site").inner("headers"), attr: &a}
		p, diags := Parse([]Source{{"bad.hcl", policyWith(r, `"x"`)}})
		if p != nil || !strings.HasPrefix(diags.Entries()[0].Detail, a.refused) {
			t.Errorf("%s:\n%s", a.name, rendered(t, diags))
		}
	}
}
