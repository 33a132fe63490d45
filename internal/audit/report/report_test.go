package report

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/audit"
	"molo/internal/facts"
	"molo/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sampleReport is a report with a bit of everything, in which others have chosen one text.
func sampleReport(s string) audit.Report {
	cis := func(ids ...string) []audit.Reference {
		refs := []audit.Reference{}
		for _, id := range ids {
			refs = append(refs, audit.Reference{Benchmark: audit.CIS, ID: id})
		}
		return refs
	}
	privileged := audit.Finding{
		Slug: "container-privileged", Title: "No container has every right of the host", Area: audit.AreaContainers, Level: audit.Required,
		Status: audit.Fail, Want: "privileged = false", Got: "privileged", Where: s, Fix: "start it without --privileged", References: cis("5.5"),
	}
	other := privileged
	other.Where, other.References = "worker", cis("5.5", "5.4")
	memory := audit.Finding{
		Slug: "container-memory", Title: "Containers have a bound on their memory", Area: audit.AreaContainers, Level: audit.Recommended,
		Status: audit.Fail, Want: "a bound", Got: "no bound", Where: "web", Fix: "docker update --memory 512m CONTAINER", References: cis("5.11"),
	}
	icc := audit.Finding{
		Slug: "daemon-icc", Title: "Containers on the default bridge don't reach each other", Area: audit.AreaDaemon, Level: audit.Required,
		Status: audit.Fail, Want: "icc = false", Got: "icc = true", Where: "/etc/docker/daemon.json:2",
		Sides: &audit.Sides{Policy: "false", File: s, Effective: "true"}, Fix: "molo apply", Apply: true, References: cis("2.2"),
	}
	findings := []audit.Finding{
		icc, privileged, other, memory, memory,
		{Slug: "host-updates", Title: "Security updates are installed without anybody's doing", Area: audit.AreaHost, Level: audit.Recommended, Status: audit.Unknown, Want: s, Why: s, References: cis()},
		{Slug: "container-mounts", Title: "Containers don't see the host's own directories", Area: audit.AreaContainers, Level: audit.Required, Status: audit.Exempt, Got: s, Where: "web", Why: "exempt x until 2027-01-31: " + s, References: cis("5.6")},
		{Slug: "file-mode", Title: "Nobody else can write what Docker is controlled by", Area: audit.AreaFiles, Level: audit.Required, Status: audit.Pass, Got: s, References: cis("3.2", "3.4")},
		{Slug: "daemon-swarm", Title: "Swarm mode is off", Area: audit.AreaDaemon, Level: audit.Recommended, Status: audit.NotApplicable, Why: "no swarm", References: cis("5.1")},
	}
	r := audit.NewReport(facts.Audit{
		Read:  time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC),
		Facts: facts.Facts{Hostname: "demo", Kernel: "6.1.0", OS: facts.OS{ID: "debian", Version: "12", Codename: "bookworm"}, Docker: facts.Docker{Version: "20.10.24"}},
	}, findings, "1.0", "/etc/molo/policies.hcl")
	r.ID, r.Hostname, r.Docker, r.Policy = "20261124T070000.000Z-1", s, s, s
	gone := privileged
	gone.Where, gone.Got = "gone", s
	r.Since = audit.Compare(audit.Report{ID: "20261123T070000.000Z-1", Time: r.Time.AddDate(0, 0, -1), Molo: "0.9", Findings: []audit.Finding{gone, memory}}, r)
	return r
}

// written writes a report.
func written(t *testing.T, f Format, r audit.Report) string {
	t.Helper()
	var out strings.Builder
	if err := Write(&out, f, r); err != nil {
		t.Fatalf("%s: %v", f, err)
	}
	return out.String()
}

func TestEveryFormat(t *testing.T) {
	files := map[Format]string{Table: "table.txt", JSON: "report.json", SARIF: "report.sarif", JUnit: "junit.xml", Prometheus: "molo-audit.prom", HTML: "page.html"}
	for _, f := range Formats() {
		t.Run(string(f), func(t *testing.T) {
			golden.Check(t, "testdata/"+files[f], written(t, f, sampleReport("web")), *update)
		})
	}
	if err := Write(&strings.Builder{}, "pdf", audit.Report{}); err == nil {
		t.Error("a format that does not exist is written")
	}
}

func TestAReportWithoutFindingsIsWholeInEveryFormat(t *testing.T) {
	r := audit.NewReport(facts.Audit{}, nil, "", "")
	readSARIF(t, written(t, SARIF, r))
	readJUnit(t, written(t, JUnit, r))
	readPrometheus(t, written(t, Prometheus, r))
	readPage(t, written(t, HTML, r))
}

// hostile lists what names, labels, tags and paths can hold. What an audit finds is
// cleaned before it gets into a report; the formats hold without that.
func hostile() map[string]string {
	return map[string]string{
		"markup":                     `"><script>alert(1)</script><img src=x onerror=alert(1)>`,
		"the end of a style sheet":   `</style></title><base href="//evil.example/">`,
		"a character reference":      `&lt;script&gt;&#x0;&amp;`,
		"the end of a CDATA":         `]]><failure/>`,
		"an entity":                  `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;`,
		"a template":                 `{{.Hostname}}{{template "changes" .}}`,
		"a sample of another metric": "x\"} 1\nmolo_audit_findings{level=\"required\",status=\"fail\"} 0 #",
		"backslashes":                `\n\"\`,
		"JSON":                       `","level":"none","x":"`,
		"an escape sequence":         "\x1b[2J\x1b]0;owned\x07",
		"line breaks":                "a\r\nb\u2028c\u0085d",
		"a NUL":                      "a\x00b",
		"bytes that are no UTF-8":    "a\xff\xfe\xc0\x80b",
		"half a surrogate":           "\xed\xa0\x80",
		"text from right to left":    "\u202egnp.exe",
		"a path that is no URI":      "/a b%zz?x#y:12",
		"a URI":                      "javascript:alert(1)",
		"100 kB":                     strings.Repeat("A", 100_000),
		"100 kB of markup":           strings.Repeat("<b>", 33_333),
		"100 kB of line breaks":      strings.Repeat("\n", 100_000),
	}
}

func TestNoTextBreaksAFormat(t *testing.T) {
	plain := sampleReport("web")
	page, junit := shape(readPage(t, written(t, HTML, plain))), readJUnit(t, written(t, JUnit, plain))
	samples := readPrometheus(t, written(t, Prometheus, plain))
	for name, s := range hostile() {
		t.Run(name, func(t *testing.T) {
			r := sampleReport(s)
			if diff := cmp.Diff(page, shape(readPage(t, written(t, HTML, r)))); diff != "" {
				t.Errorf("the page has other elements (-want +got):\n%s", diff)
			}
			if got := readJUnit(t, written(t, JUnit, r)); got.Tests != junit.Tests || got.Failures != junit.Failures || got.Errors != junit.Errors || got.Skipped != junit.Skipped {
				t.Errorf("JUnit counts %d, %d, %d, %d", got.Tests, got.Failures, got.Errors, got.Skipped)
			}
			if diff := cmp.Diff(samples, readPrometheus(t, written(t, Prometheus, r))); diff != "" {
				t.Errorf("the metrics differ (-want +got):\n%s", diff)
			}
			readSARIF(t, written(t, SARIF, r))
		})
	}
}

func FuzzNoTextBreaksAFormat(f *testing.F) {
	for _, s := range hostile() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := sampleReport(s)
		readPage(t, written(t, HTML, r))
		readJUnit(t, written(t, JUnit, r))
		readPrometheus(t, written(t, Prometheus, r))
		readSARIF(t, written(t, SARIF, r))
	})
}
