package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"molo/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the golden files and docs/policy.md")

// corpus returns the policies of a directory of testdata by the path of their
// golden file without its extension: a file is a policy, and so is a directory.
func corpus(t testing.TB, dir string) map[string][]Source {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", dir))
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string][]Source{}
	for _, entry := range entries {
		path := filepath.Join("testdata", dir, entry.Name())
		switch {
		case entry.IsDir():
			policies[path] = sources(t, path)
		case len(Names([]string{entry.Name()})) == 1:
			policies[path] = []Source{source(t, path)}
		}
	}
	return policies
}

// sources reads a directory as the command does.
func sources(t testing.TB, dir string) []Source {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	var all []Source
	for _, name := range Names(names) {
		all = append(all, source(t, filepath.Join(dir, name)))
	}
	return all
}

func source(t testing.TB, path string) Source {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Source{Name: filepath.Base(path), Data: data}
}

// rendered is what a terminal of 100 columns shows, without the trailing blank line.
func rendered(t testing.TB, diags Diagnostics) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := diags.WriteText(&out, 100, false); err != nil {
		t.Fatal(err)
	}
	return append(bytes.TrimRight(out.Bytes(), "\n"), '\n')
}

func TestBadPoliciesAreRefusedWithPlaceReasonAndHint(t *testing.T) {
	policies := corpus(t, "bad")
	if len(policies) < 30 {
		t.Fatalf("only %d bad policies", len(policies))
	}
	for path, sources := range policies {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, diags := Parse(sources)
			if p != nil || !diags.HasErrors() {
				t.Fatalf("a bad policy was accepted: %+v", p)
			}
			golden.Check(t, path+".txt", string(rendered(t, diags)), *update)
		})
	}
}

func TestDiagnosticsAsJSONHaveTerraformsShape(t *testing.T) {
	_, diags := Parse([]Source{source(t, "testdata/bad/several_errors.hcl")})
	got, err := json.MarshalIndent(diags, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/bad/several_errors.hcl.diagnostics", string(append(got, '\n')), *update)
	for _, d := range diags.Entries() {
		if marked := d.Snippet.Code[d.Snippet.HighlightStartOffset:d.Snippet.HighlightEndOffset]; marked == "" || strings.Contains(marked, "\n") {
			t.Errorf("%s: the snippet marks %q", d.Summary, marked)
		}
	}
}

func TestGoodPoliciesDecodeToTheirDump(t *testing.T) {
	for path, sources := range corpus(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, diags := Parse(sources)
			if p == nil {
				t.Fatalf("a good policy was refused:\n%s", rendered(t, diags))
			}
			golden.Check(t, path+".dump", string(dump(t, p, strings.Contains(path, "ranges.hcl"))), *update)
			if diags.Len() > 0 {
				golden.Check(t, path+".txt", string(rendered(t, diags)), *update)
			}
		})
	}
}

// dump is the policy as JSON, with ranges in short or without any.
func dump(t testing.TB, p *Policy, ranges bool) []byte {
	t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(shorten(tree, ranges), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// shorten writes ranges as "file:line,column-line,column". Without them, it writes
// values as they are and marks defaults.
func shorten(tree any, ranges bool) any {
	switch tree := tree.(type) {
	case map[string]any:
		if set, isValue := tree["Set"]; isValue && !ranges {
			if set == true {
				return shorten(tree["V"], ranges)
			}
			return map[string]any{"default": tree["V"]}
		}
		for key, value := range tree {
			switch {
			case key != "Range":
				tree[key] = shorten(value, ranges)
			case ranges:
				tree[key] = short(value.(map[string]any))
			default:
				delete(tree, key)
			}
		}
	case []any:
		for i, value := range tree {
			tree[i] = shorten(value, ranges)
		}
	}
	return tree
}

func short(r map[string]any) string {
	pos := func(name string) string {
		p := r[name].(map[string]any)
		return p["Line"].(json.Number).String() + "," + p["Column"].(json.Number).String()
	}
	return r["Filename"].(string) + ":" + pos("Start") + "-" + pos("End")
}
