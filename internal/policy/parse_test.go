package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"molo/internal/golden"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

func TestNamesOfADirectory(t *testing.T) {
	entries := []string{
		"20-sites.hcl", "10-docker.hcl", "30-more.hcl.json", "policies.hcl", ".hidden.hcl", ".#lock.hcl", "policies.hcl~",
		"#policies.hcl#", "policies.hcl.bak", "policies.hcl.dpkg-old", ".policies.hcl.swp", "~$policies.hcl", "#policies.hcl", "README.md", "facts.json", "hcl",
	}
	want := []string{"10-docker.hcl", "20-sites.hcl", "30-more.hcl.json", "policies.hcl"}
	if diff := cmp.Diff(want, Names(entries)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if entries[0] != "20-sites.hcl" {
		t.Error("the list of the caller was changed")
	}
}

func TestNoSourcesAskForNothing(t *testing.T) {
	p, diags := Parse(nil)
	// Defaults for sites are there even where no site is.
	want := &Policy{Nginx: Nginx{
		Confined: Value[bool]{V: true},
		Log:      NginxLog{Value[string]{V: "anonymous"}, Value[time.Duration]{V: 30 * 24 * time.Hour}},
	}}
	if diff := cmp.Diff(want, p); diff != "" || diags.Len() != 0 {
		t.Errorf("(-want +got):\n%s%d diagnostics", diff, diags.Len())
	}
}

func TestOneBadFileStopsAllFiles(t *testing.T) {
	good := Source{"10.hcl", []byte("docker {}\n")}
	for name, bad := range map[string]Source{
		"a half-typed line":      {"20.hcl", []byte("firewall {\n  published_ports =\n}\n")},
		"half-typed JSON":        {"20.hcl.json", []byte(`{"firewall": `)},
		"an empty JSON file":     {"20.hcl.json", nil},
		"JSON that is no object": {"20.hcl.json", []byte("1\n")},
		"another kind of file":   {"20.conf", []byte("")},
	} {
		t.Run(name, func(t *testing.T) {
			p, diags := Parse([]Source{good, bad})
			if p != nil || !diags.HasErrors() {
				t.Fatalf("accepted: %+v", p)
			}
			for _, d := range diags.Entries() {
				if d.Range == nil || d.Range.Filename != bad.Name {
					t.Errorf("diagnostic about another file: %+v", d)
				}
			}
		})
	}
}

func TestWhatNestsWithoutEndIsRefusedBeforeItOverflowsTheStack(t *testing.T) {
	const n = 100_000
	for name, source := range map[string]Source{
		"brackets":              {"p.hcl", []byte("a = " + strings.Repeat("[", n))},
		"mixed brackets":        {"p.hcl", []byte("a = " + strings.Repeat("[}", n))},
		"parentheses":           {"p.hcl", []byte("a = " + strings.Repeat("(", n))},
		"objects":               {"p.hcl", []byte("a = " + strings.Repeat("{a=", n))},
		"blocks":                {"p.hcl", []byte(strings.Repeat("a {\n", n))},
		"templates":             {"p.hcl", []byte("a = " + strings.Repeat(`"${`, n))},
		"signs":                 {"p.hcl", []byte("a = " + strings.Repeat("-", n) + "1")},
		"negations":             {"p.hcl", []byte("a = " + strings.Repeat("!", n) + "true")},
		"conditions":            {"p.hcl", []byte("a = " + strings.Repeat("true?1:", n) + "1")},
		"JSON arrays":           {"p.hcl.json", []byte(strings.Repeat("[", n))},
		"JSON objects":          {"p.hcl.json", []byte(strings.Repeat(`{"a":`, n))},
		"a template in JSON":    {"p.hcl.json", []byte(`{"docker":{"restart":"${` + strings.Repeat("[", n) + `"}}`)},
		"a hidden template":     {"p.hcl.json", []byte(`{"docker":{"restart":"$\u007B9e99999999}"}}`)},
		"products":              {"p.hcl", []byte("a = " + strings.Repeat("9e999*", n) + "1")},
		"a huge number":         {"p.hcl", []byte("docker {\n  log {\n    max_file = 9e9999999\n  }\n}\n")},
		"a tiny number":         {"p.hcl", []byte("docker {\n  log {\n    max_file = 9E-9999999\n  }\n}\n")},
		"a huge number as text": {"p.hcl", []byte("docker {\n  restart = \"${9e99999999}\"\n}\n")},
		"a huge number in JSON": {"p.hcl.json", []byte(`{"docker":{"log":{"max_file":9e9999999}}}`)},
		"a long number":         {"p.hcl", []byte("a = " + strings.Repeat("1", n))},
		"a file too big":        {"p.hcl", bytes.Repeat([]byte("#\n"), maxSource)},
	} {
		t.Run(name, func(t *testing.T) {
			p, diags := Parse([]Source{source})
			if p != nil || diags.Len() != 1 || diags.Entries()[0].Summary != "File out of bounds" {
				t.Errorf("%d diagnostics", diags.Len())
			}
		})
	}
}

func TestHCLIsBoundedNotTamed(t *testing.T) {
	parseOne(t, "p.hcl", []byte("docker {\n  settings = { quantum-tunnel = "+strings.Repeat("[", 90)+strings.Repeat("]", 90)+" }\n}\n"))
	parseOne(t, "p.hcl", []byte(strings.Repeat("# [ ( { - 9e99999\n", 5000)))
	parseOne(t, "p.hcl", manySites(5000))
	parseOne(t, "p.hcl.json", []byte(`{"docker": {"settings": {"quantum-tunnel": ["\u00e5=100\u00a7"]}}}`))
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ name, file, in, want string }{
		{"spaces become canonical", "p.hcl", "docker {\nicc=false\n   live_restore  =  true\n}\n", "docker {\n  icc          = false\n  live_restore = true\n}\n"},
		{"comments stay", "p.hcl", "docker { # why\n# and why\n}\n", "docker { # why\n  # and why\n}\n"},
		{"a policy of unknown names is formatted too", "p.hcl", "containers {\na=1\n}\n", "containers {\n  a = 1\n}\n"},
		{"JSON stays as it is", "p.hcl.json", `{"docker" : { }}`, `{"docker" : { }}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, diags := Format(Source{c.file, []byte(c.in)})
			if diff := cmp.Diff(c.want, string(got)); diff != "" || diags.Len() > 0 {
				t.Errorf("(-want +got):\n%s%s", diff, rendered(t, diags))
			}
		})
	}
}

func TestFormatLeavesAHalfTypedPolicyAlone(t *testing.T) {
	got, diags := Format(Source{"p.hcl", []byte("docker {\n  icc =\n}\n")})
	if got != nil || !diags.HasErrors() {
		t.Errorf("formatted as %q", got)
	}
	if text := string(rendered(t, diags)); !strings.Contains(text, "on p.hcl line 2, in docker:\n   2:   icc =\n") {
		t.Errorf("no snippet:\n%s", text)
	}
}

func TestTheExampleAtTheRootIsGoodAndFormatted(t *testing.T) {
	example := source(t, "../../policies.hcl")
	p := parseOne(t, example.Name, example.Data)
	if p.Docker == nil || p.Firewall == nil || len(p.Sites) != 1 {
		t.Errorf("a block is missing: %+v", p)
	}
	formatted, _ := Format(example)
	if diff := cmp.Diff(string(formatted), string(example.Data)); diff != "" {
		t.Errorf("(-formatted +written):\n%s", diff)
	}
}

// What the example shows in comments must be good too, when somebody takes the # away.
func TestTheExampleWithAllItsCommentsTurnedOnIsGood(t *testing.T) {
	example := source(t, "../../policies.hcl")
	var out strings.Builder
	for line := range strings.Lines(string(example.Data)) {
		code := strings.TrimPrefix(strings.TrimSpace(line), "# ")
		if strings.Contains(code, " = ") || strings.HasSuffix(code, " {") || strings.Trim(code, " }\n") == "" {
			line = code + "\n"
		}
		out.WriteString(line)
	}
	p := parseOne(t, "policies.hcl", []byte(out.String()))
	if !p.Docker.ICC.Set || len(p.Docker.Settings.V) == 0 || len(p.Firewall.Publish) == 0 || !p.Sites[0].Root.MaxBody.Set || p.Sites[0].TLS == nil {
		t.Errorf("a comment was not turned on:\n%s", out.String())
	}
}

func TestTheReferenceIsWhatTheTableSays(t *testing.T) {
	golden.Check(t, "../../docs/policy.md", string(Reference()), *update)
	for _, r := range rows() {
		if !r.label && !bytes.Contains(Reference(), []byte("- **`"+r.attr.name+"`**")) {
			t.Errorf("%s is not in the reference", r)
		}
	}
}

func TestTheReferencesSamplesAreGood(t *testing.T) {
	table().walk("", func(path string, b *block) {
		if path == "" {
			return
		}
		var src, closing strings.Builder
		at := table()
		names := strings.Split(path, ".")
		for i, name := range names[:len(names)-1] {
			at = at.inner(name)
			writeBlock(&src, at, "", nil, names[i+1:i+2])
			closing.WriteString("}\n")
		}
		src.Write(sample(b))
		parseOne(t, "sample.hcl", []byte(src.String()+closing.String()))
	})
}

func TestDiagnosticsNeitherSteerTheTerminalNorReorderIt(t *testing.T) {
	for name, source := range map[string]Source{
		"in a line that is shown":    {"p.hcl", []byte("docker {\n  restart = \"A\" # å \x1b[2J \u202e\u200b\n}\n")},
		"in a label":                 {"p.hcl", []byte("site \"å\\u001b\\u202e\" {\n  port = 0\n}\n")},
		"in a property's name":       {"p.hcl.json", []byte(`{"docker": {"å\u001b\u202e": {"icc": 1}}}`)},
		"in the name around a place": {"p.hcl.json", []byte(`{"firewall": {"publish": {"å\u001b\u202e": {"ports": 1}}}}`)},
		"in a name, raw":             {"p.hcl.json", []byte("{\"docker\": {\"å\u202e\": 1}}")},
		"in a key":                   {"p.hcl.json", []byte(`{"docker": {"settings": {"å\u001b\u202e": 1}}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := Parse([]Source{source})
			text := string(rendered(t, diags))
			if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), unprintable) {
				t.Errorf("control characters reach the terminal: %q", text)
			}
			if !strings.Contains(text, "å") {
				t.Errorf("letters outside ASCII are gone:\n%s", text)
			}
		})
	}
}

func TestColorMarksSeverityOnlyWhenAskedFor(t *testing.T) {
	_, diags := Parse([]Source{{"p.hcl", []byte("docker {\n  icc = 1\n}\n")}})
	for _, color := range []bool{true, false} {
		var out bytes.Buffer
		if err := diags.WriteText(&out, 0, color); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "\x1b[31m") != color {
			t.Errorf("color %v: %q", color, out.String())
		}
	}
}

func TestWriteTextReturnsTheErrorOfTheWriter(t *testing.T) {
	_, diags := Parse([]Source{{"p.hcl", []byte("docker {\n  icc = 1\n}\n")}})
	closed, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if err := diags.WriteText(closed, 0, false); err == nil {
		t.Error("no error")
	}
}

func TestNoDiagnosticsAreAnEmptyListAsJSON(t *testing.T) {
	got, err := json.Marshal(Diagnostics{})
	if err != nil || string(got) != "[]" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestAnErrorIsNeverTheEchoOfAWarning(t *testing.T) {
	at := start("p.hcl")
	diags := hcl.Diagnostics{invalid(fault{summary: "warning", warning: true}, at), invalid(fault{summary: "error"}, at)}
	if got := tidy(diags, nil); len(got) != 1 || got[0].Summary != "error" {
		t.Errorf("%v", got)
	}
}

func TestDiagnosticsFollowTheOrderOfTheSources(t *testing.T) {
	bad := []byte("docker {\n  icc = 1\n  live_restore = 1\n  nonsense = 1\n  rubbish = 1\n}\n")
	_, diags := Parse([]Source{{"b.hcl", bad}, {"a.hcl", []byte("firewall {\n  published_ports = 1\n}\n")}})
	var got []string
	for _, d := range diags.Entries() {
		got = append(got, d.Range.Filename+" "+d.Snippet.Code)
	}
	want := []string{"b.hcl   icc = 1", "b.hcl   live_restore = 1", "b.hcl   nonsense = 1", "b.hcl   rubbish = 1", "a.hcl   published_ports = 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnExemptionMayOnlyNameChecksThatThereAre(t *testing.T) {
	const text = "exempt \"x\" {\n  checks  = [%s]\n  reason  = \"r\"\n  expires = \"2027-01-31\"\n}\n"
	checks := []string{"container-privileged", "host-partition"}
	for name, c := range map[string]struct {
		written string
		known   []string
		hint    string // "": accepted
	}{
		"one that there is":              {`"host-partition"`, checks, ""},
		"a slip":                         {`"container-priviledged"`, checks, `did you mean "container-privileged"?`},
		"one that nobody has heard of":   {`"weather"`, checks, "molo audit --json names them all, and so does docs/audit.md"},
		"any, where the checks are open": {`"weather"`, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, diags := ParseChecked([]Source{{"x.hcl", fmt.Appendf(nil, text, c.written)}}, c.known)
			if c.hint == "" {
				if p == nil {
					t.Fatalf("refused:\n%s", rendered(t, diags))
				}
				return
			}
			wantHint(t, diags, c.hint)
			if at := diags.Entries()[0].Range; at.Start.Line != 2 {
				t.Errorf("reported at line %d, want 2", at.Start.Line)
			}
		})
	}
}
