package nginx

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/resource"
)

func TestProbesAskEveryPortForTheGeneration(t *testing.T) {
	tree := treeOf(t, compile(t, newSites(t, twoSites+"site three.example.no 127.0.0.1:8082 8000 1"), facts.Nginx{}))
	got, err := Probes(tree)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(got[0].Want) {
		t.Errorf("generation %q is none", got[0].Want)
	}
	want := []Probe{
		{Port: 80, Host: "generation.molo.invalid", Path: "/", Want: got[0].Want},
		{Port: 8000, Host: "generation.molo.invalid", Path: "/", Want: got[0].Want},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A change anywhere in the tree has to be a new generation, or a reload that did
// not happen would go unnoticed.
func TestEveryChangeOfTheTreeIsANewGeneration(t *testing.T) {
	seen := map[string]string{}
	for name, sites := range map[string]string{
		"two sites":         twoSites,
		"one site":          "site app.example.no 127.0.0.1:8080 80 1048576",
		"another name":      "site bpp.example.no 127.0.0.1:8080 80 1048576",
		"another upstream":  "site app.example.no 127.0.0.1:8081 80 1048576",
		"another port":      "site app.example.no 127.0.0.1:8080 81 1048576",
		"another body size": "site app.example.no 127.0.0.1:8080 80 1048577",
		"a header":          "site app.example.no 127.0.0.1:8080 80 1048576\n X-A: 1",
		"another value":     "site app.example.no 127.0.0.1:8080 80 1048576\n X-A: 2",
	} {
		probes, err := Probes(treeOf(t, compile(t, newSites(t, sites), facts.Nginx{})))
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[probes[0].Want]; ok {
			t.Errorf("%s and %s are one generation", name, other)
		}
		seen[probes[0].Want] = name
	}
}

// The generation is the digest of the files with none in it, so that anyone can
// compute it again.
func TestGenerationStandsForAllFiles(t *testing.T) {
	tree := treeOf(t, compile(t, newSites(t, twoSites), facts.Nginx{}))
	probes, err := Probes(tree)
	if err != nil {
		t.Fatal(err)
	}
	files := maps.Clone(tree.Files)
	files["http.conf"] = regexp.MustCompile(`return 200 "[0-9a-f]*"`).ReplaceAll(files["http.conf"], []byte(`return 200 ""`))
	if want := resource.Generation(files); probes[0].Want != want {
		t.Errorf("generation %s, want %s", probes[0].Want, want)
	}
}

func TestAnEditShowsInTheTreeItself(t *testing.T) {
	tree := treeOf(t, compile(t, newSites(t, twoSites), facts.Nginx{}))
	if Edited(tree) {
		t.Error("what Compile made counts as edited")
	}
	for name, edit := range map[string]func(map[string][]byte){
		"a byte more":   func(f map[string][]byte) { f["server.conf"] = append(slices.Clone(f["server.conf"]), '\n') },
		"a file less":   func(f map[string][]byte) { delete(f, "proxy.conf") },
		"a file more":   func(f map[string][]byte) { f["sites/x.conf"] = nil },
		"no generation": func(f map[string][]byte) { f["http.conf"] = nil },
		"another number": func(f map[string][]byte) {
			f["http.conf"] = bytes.Replace(f["http.conf"], []byte(`return 200 "`), []byte(`return 200 "0`), 1)
		},
	} {
		files := maps.Clone(tree.Files)
		edit(files)
		if !Edited(resource.Tree{Dir: tree.Dir, Files: files}) {
			t.Errorf("%s is no edit", name)
		}
	}
}

func TestProbesNeedAServerToAsk(t *testing.T) {
	for _, tc := range []struct{ name, http string }{
		{"no file", ""},
		{"no such server", "server { listen 80; server_name app.example.no; }"},
		{"a file nginx cannot read", "server {"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree := resource.Tree{Dir: Dir, Files: map[string][]byte{"http.conf": []byte(tc.http)}}
			if probes, err := Probes(tree); err == nil {
				t.Errorf("probes %v", probes)
			}
		})
	}
}

func TestExpectationsAreTheHeadersThatAreOn(t *testing.T) {
	got := Expectations(newSites(t, "site a.no 127.0.0.1:1 80 1\n X-A: 1\n X-B:\n X-C: 3\nsite b.no 127.0.0.1:1 8080 1"), facts.TLS{})
	want := []Expectation{
		{Site: "a.no", Port: 80, Headers: map[string]string{"X-A": "1", "X-C": "3"}},
		{Site: "b.no", Port: 8080, Headers: map[string]string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
