package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/lint"
)

// composeTree writes files below a directory beside one that is outside, and returns
// the path of its compose.yaml.
func composeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	for name, text := range files {
		path := filepath.Join(top, "in", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(top, "in", "compose.yaml")
}

const oneService = "services: {s: {image: x, pid: host}}\n"

func TestComposeFilesAreReadWithWhatBelongsToThem(t *testing.T) {
	path := composeTree(t, map[string]string{
		"compose.yaml": "include: [a/a.yaml, {path: [b.yaml, c.yaml]}]\nservices:\n  web:\n    extends: {file: d/d.yaml, service: base}\n    image: \"${IMAGE:-x}:${TAG}\"\n    env_file: none.env\n",
		"a/a.yaml":     "services:\n  a: {extends: {file: more.yaml, service: m}, image: x}\n",
		"a/more.yaml":  "services:\n  m:\n    uts: host\n",
		"b.yaml":       oneService,
		"c.yaml":       "services: {s: {ipc: host}}\n",
		"d/d.yaml":     "services:\n  base:\n    extends: {file: e.yaml, service: deep}\n    privileged: true\n",
		"d/e.yaml":     "services:\n\n  deep:\n    cgroup: host\n",
		".env":         "IMAGE=correct-horse\n",
		"a/.env":       "IMAGE=correct-horse\n",
	})
	files, err := ReadCompose(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, file := range files {
		for _, f := range lint.Compose(nil, file, time.Now()) {
			name, _ := filepath.Rel(filepath.Dir(path), f.File)
			if strings.Contains(f.Text, "correct-horse") {
				t.Errorf("what .env holds is shown: %s", f.Text)
			}
			if strings.HasPrefix(f.Rule, "container-host-") || f.Rule == "container-privileged" {
				got[fmt.Sprintf("%s:%d %s", name, f.Line, f.Rule)] = true
			}
		}
	}
	want := map[string]bool{
		"a/more.yaml:3 container-host-uts": true, "b.yaml:1 container-host-pid": true, "c.yaml:1 container-host-ipc": true,
		"d/d.yaml:4 container-privileged": true, "d/e.yaml:4 container-host-cgroup": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostileComposeFilesEndInAnError(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	many := map[string]string{"compose.yaml": "include: [f1.yaml]\n" + oneService}
	for i := range 80 {
		many[fmt.Sprintf("f%d.yaml", i+1)] = fmt.Sprintf("include: [f%d.yaml]\nservices: {s%d: {image: x}}\n", i+2, i)
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no file":                           {map[string]string{}, "no such file"},
		"no YAML":                           {map[string]string{"compose.yaml": "services: {"}, "reading"},
		"no services":                       {map[string]string{"compose.yaml": "services: [1]"}, "reading"},
		"an include outside":                {map[string]string{"compose.yaml": "include: [../out.yaml]\n" + oneService}, "outside"},
		"an absolute include":               {map[string]string{"compose.yaml": "include: [/etc/passwd]\n" + oneService}, "outside"},
		"an include by a link":              {map[string]string{"compose.yaml": "include: [link.yaml]\n" + oneService}, "outside"},
		"an include from another machine":   {map[string]string{"compose.yaml": "include: ['oci://example.no/x']\n" + oneService}, "not there"},
		"an include that is not decodable":  {map[string]string{"compose.yaml": "include: {a: b}\n" + oneService}, "include"},
		"an include of an included file":    {map[string]string{"compose.yaml": "include: [d/a.yaml]\n" + oneService, "d/a.yaml": "include: [../../out.yaml]\n" + oneService}, "outside"},
		"extends outside":                   {map[string]string{"compose.yaml": "services: {s: {extends: {file: ../out.yaml, service: s}}}\n"}, "outside"},
		"extends outside by an anchor":      {map[string]string{"compose.yaml": "x-a: &a {extends: {file: ../out.yaml, service: s}}\nservices: {s: {<<: *a}}\n"}, "outside"},
		"extends outside by a variable":     {map[string]string{"compose.yaml": "services: {s: {extends: {file: '${X:-../out.yaml}', service: s}}}\n"}, "outside"},
		"extends outside by an alias":       {map[string]string{"compose.yaml": "x-a: &a {file: ../out.yaml, service: s}\nservices: {s: {extends: *a}}\n"}, "outside"},
		"includes outside by a variable":    {map[string]string{"compose.yaml": "include: ['${X:-../out.yaml}']\n" + oneService}, "outside"},
		"extends outside of an extended":    {map[string]string{"compose.yaml": "services: {s: {extends: {file: d/a.yaml, service: s}}}\n", "d/a.yaml": "services: {s: {extends: {file: ../../out.yaml, service: s}}}\n"}, "outside"},
		"extends a device":                  {map[string]string{"compose.yaml": "services: {s: {extends: {file: pipe, service: s}}}\n"}, "no regular file"},
		"services that extend each other":   {map[string]string{"compose.yaml": "services: {a: {extends: b}, b: {extends: a}}\n"}, "ircular"},
		"more files than anybody has":       {many, "more than 64 files"},
		"aliases that multiply":             {map[string]string{"compose.yaml": bomb + "services: {s: {image: x, command: *a12}}\n"}, "reading"},
		"one that is too long":              {map[string]string{"compose.yaml": strings.Repeat("# x\n", 1<<18) + oneService}, "longer than 1 MiB"},
		"lists inside lists":                {map[string]string{"compose.yaml": "services: {s: {image: x, command: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}}\n"}, "reading"},
		"defaults inside defaults":          {map[string]string{"compose.yaml": "services: {s: {image: '" + strings.Repeat("${A:-", 20_000) + strings.Repeat("}", 20_000) + "'}}\n"}, "variables"},
		"an error that quotes a secret":     {map[string]string{"compose.yaml": "services: {s: {image: x, environment: {A: '${correct-horse'}}}\n"}, "reading"},
		"an error that quotes a wrong type": {map[string]string{"compose.yaml": "services: {s: {image: x, environment: [{A: correct-horse}]}}\n"}, "reading"},
	} {
		t.Run(name, func(t *testing.T) {
			path := composeTree(t, c.files)
			dir := filepath.Dir(path)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "..", "out.yaml"), []byte(oneService), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../out.yaml", filepath.Join(dir, "link.yaml")); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err := ReadCompose(context.Background(), path)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "correct-horse") {
				t.Errorf("the error shows a value: %v", err)
			}
			if took := time.Since(began); took > composeTimeout/2 {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestARequiredVariableStandsForSomething(t *testing.T) {
	for text, want := range map[string]string{"${A:?needed}": "1", "${A:-x}": "x", "$A": "", "${A?no}:${B:-2}": "1:1", "$$A": "$A"} {
		if got, err := substitute(text, nil); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}
