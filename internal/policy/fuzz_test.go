package policy

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seed adds the corpus of testdata to a fuzz target of file contents and syntax.
func seed(f *testing.F) {
	for _, dir := range []string{"bad", "good"} {
		for _, sources := range corpus(f, dir) {
			for _, s := range sources {
				f.Add(s.Data, bytes.HasSuffix([]byte(s.Name), []byte(".json")))
			}
		}
	}
	for _, s := range hostile() {
		f.Add([]byte("site \""+s+"\" {\n  upstream = \""+s+"\"\n}\n"), false)
	}
}

func nameOf(isJSON bool) string {
	if isJSON {
		return "policies.hcl.json"
	}
	return "policies.hcl"
}

// FuzzParse checks that nothing makes Parse panic, that there is a policy exactly
// when there is no error, that its strings are inert, and that diagnostics can be
// shown and come in one order.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		source := Source{nameOf(isJSON), data}
		p, diags := Parse([]Source{source})
		if (p == nil) != diags.HasErrors() {
			t.Fatalf("policy %v with %d diagnostics", p, diags.Len())
		}
		if p != nil {
			inert(t, p, string(data))
		}
		if err := diags.WriteText(io.Discard, 80, true); err != nil {
			t.Fatal(err)
		}
		again, diagsAgain := Parse([]Source{source})
		if diff := cmp.Diff(p, again, sameValues()); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
		if first, second := encoded(t, diags), encoded(t, diagsAgain); first != second {
			t.Errorf("first %s\nsecond %s", first, second)
		}
	})
}

func encoded(t *testing.T, diags Diagnostics) string {
	t.Helper()
	out, err := json.Marshal(diags)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// FuzzFormat checks that formatting twice is formatting once, and that it changes
// no value.
func FuzzFormat(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		once, diags := Format(Source{nameOf(isJSON), data})
		if diags.HasErrors() {
			return
		}
		twice, diags := Format(Source{nameOf(isJSON), once})
		if diags.HasErrors() {
			t.Fatalf("the formatted policy is not one:\n%s", rendered(t, diags))
		}
		if diff := cmp.Diff(string(once), string(twice)); diff != "" {
			t.Errorf("(-once +twice):\n%s", diff)
		}
		before, _ := Parse([]Source{{nameOf(isJSON), data}})
		after, _ := Parse([]Source{{nameOf(isJSON), once}})
		if diff := cmp.Diff(before, after, sameValues()); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
}
