package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/golden"
)

// find returns the findings of a check.
func find(all []Finding, slug string) []Finding {
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return f.Slug != slug })
}

func TestAFindingShowsPolicyFileAndWhatIsInForceSideBySide(t *testing.T) {
	f := clean(t)
	engine(&f).ICC = ptr(true)
	got := find(Check(Input{Policy: parse(t, "docker {}\n"), Facts: f}), "daemon-icc")
	want := []Finding{{
		Slug: "daemon-icc", Title: "Containers on the default bridge don't reach each other", Area: AreaDaemon, Level: Required, Status: Fail,
		Want: "icc = false", Got: "icc = true", Where: "/etc/docker/daemon.json:2", Sides: &Sides{Policy: "false", File: "false", Effective: "true"},
		Fix: "molo apply", Apply: true, References: []Reference{{CIS, "2.2"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnExemptionSaysWhoseItIsAndUntilWhen(t *testing.T) {
	const text = "exempt \"backup\" {\n  checks = [\"container-privileged\"]\n  container = \"web\"\n  reason = \"needs the disk\"\n  expires = \"%s\"\n}\n"
	for expires, want := range map[string]string{
		"2027-01-31": "exempt backup at policies.hcl:1 until 2027-01-31: needs the disk",
		"2026-11-23": "exempt backup at policies.hcl:1 expired on 2026-11-23",
	} {
		f := clean(t)
		container(&f).Privileged = true
		got := find(Check(Input{Policy: parse(t, fmt.Sprintf(text, expires)), Facts: f}), "container-privileged")
		if len(got) != 1 || got[0].Why != want {
			t.Errorf("expires %s: %+v, want the reason %q", expires, got, want)
		}
	}
}

func TestWhatCouldNotBeReadIsUnknownAndNeverPasses(t *testing.T) {
	sources := []facts.Source{
		facts.FromEngine, facts.FromSurface, facts.FromMachine, facts.FromUpdates, facts.FromAuditRules, facts.FromUnits,
		facts.FromDaemonJSON, facts.FromUFW, facts.FromFirewall, facts.FromTLS, facts.FromSites, facts.FromNginx,
	}
	for _, source := range sources {
		t.Run(string(source), func(t *testing.T) {
			f := clean(t)
			f.Unread = map[facts.Source]string{source: "no answer within 10s"}
			unknown := 0
			findings := Check(Input{Facts: f, Now: shut(), Promised: shut()})
			for _, c := range checks() {
				if !slices.Contains(c.needs, source) {
					continue
				}
				unknown++
				got := find(findings, c.slug)
				if len(got) != 1 || got[0].Status != Unknown || got[0].Why != string(source)+": no answer within 10s" {
					t.Errorf("%s: %+v, want unknown and why", c.slug, got)
				}
			}
			if unknown == 0 {
				t.Error("no check needs it")
			}
		})
	}
}

func TestWithoutDockerItsChecksDoNotApply(t *testing.T) {
	f := clean(t)
	f.Facts.Docker, f.Engine = facts.Docker{}, facts.Engine{}
	f.Unread = map[facts.Source]string{facts.FromEngine: "Docker is not installed"}
	for _, slug := range []string{"daemon-icc", "container-privileged", "image-secrets"} {
		if got := find(Check(Input{Facts: f}), slug); len(got) != 1 || got[0].Status != NotApplicable {
			t.Errorf("%s: %+v, want not applicable", slug, got)
		}
	}
}

func TestAContainerThatCannotBeInspectedIsUnknownAndTheOthersAreJudged(t *testing.T) {
	f := clean(t)
	broken := facts.ContainerDetail{ID: "bbbb", Name: "broken", Image: "web:1", Unread: "context deadline exceeded"}
	f.Engine.Containers = append(f.Engine.Containers, broken)
	container(&f).Privileged = true
	var got []string
	for _, one := range find(Check(Input{Facts: f}), "container-privileged") {
		got = append(got, string(one.Status)+" "+one.Where)
	}
	if diff := cmp.Diff([]string{"fail web", "unknown broken"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyKeepsAreasAndChecks(t *testing.T) {
	all := []Finding{{Slug: "a", Area: AreaHost}, {Slug: "b", Area: AreaDaemon}, {Slug: "c", Area: AreaDaemon}}
	for name, c := range map[string]struct {
		only []string
		want []string
	}{
		"nothing is asked for": {nil, []string{"a", "b", "c"}},
		"an area":              {[]string{"daemon"}, []string{"b", "c"}},
		"a check and an area":  {[]string{"c", "host"}, []string{"a", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range Only(all, c.only) {
				got = append(got, f.Slug)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailsCountsALevelAndThoseAboveIt(t *testing.T) {
	all := []Finding{{Level: Required, Status: Fail}, {Level: Recommended, Status: Fail}, {Level: Info, Status: Fail}, {Level: Required, Status: Exempt}, {Level: Required, Status: Unknown}}
	for level, want := range map[Level]int{Required: 1, Recommended: 2, Info: 3} {
		if got := Fails(all, level); got != want {
			t.Errorf("%s: %d, want %d", level, got, want)
		}
	}
}

// troubled is a host with a bit of everything: failures of one check in several
// containers, something unknown, something exempt.
func troubled(t *testing.T) Report {
	f := clean(t)
	engine(&f).ICC = ptr(true)
	f.Machine.DockerGroup = []string{"eve"}
	for i := range 8 {
		c := f.Engine.Containers[0]
		c.ID, c.Name, c.Memory = fmt.Sprint(i), fmt.Sprintf("worker-%d", i), 0
		f.Engine.Containers = append(f.Engine.Containers, c)
	}
	container(&f).Mounts = append(container(&f).Mounts, facts.Mount{Type: "bind", Source: "/var/run/docker.sock", Destination: "/x", Writable: true})
	f.Engine.Containers[1].Privileged, f.Engine.Containers[2].Privileged = true, true
	f.Unread = map[facts.Source]string{facts.FromAuditRules: "permission denied"}
	p := parse(t, "docker {}\nexempt \"proxy\" {\n  checks    = [\"container-runtime-socket\"]\n  container = \"web\"\n  reason    = \"reads labels only\"\n  expires   = \"2027-01-31\"\n}\n")
	return NewReport(f, Check(Input{Policy: p, Facts: f, Now: opened(), Promised: shut()}), "", "/etc/molo/policies.hcl")
}

func TestTheReportReadsWellAt80Columns(t *testing.T) {
	var out strings.Builder
	if err := troubled(t).WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := wide(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	golden.Check(t, "testdata/report.txt", out.String(), *update)
}

func TestTheReportAsJSON(t *testing.T) {
	r := NewView(troubled(t), []string{"daemon-icc", "host-audit-rules", "container-runtime-socket", "host-region"})
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/report.json", string(text)+"\n", *update)
}

// hostile lists what names, labels, tags and paths of containers can hold.
func hostile() map[string]string {
	return map[string]string{
		"an escape sequence":         "\x1b[2J\x1b]0;owned\x07",
		"a control sequence in C1":   "\u009b31m",
		"markup":                     `<script>alert(1)</script>`,
		"line breaks":                "a\nfail  everything\r\nb",
		"the end of a table's line":  "a\tb\v\f",
		"text from right to left":    "\u202egnp.exe",
		"something of no width":      "we\u200bb\ufeff",
		"a NUL":                      "a\x00b",
		"bytes that are no UTF-8":    "a\xff\xfeb",
		"wide characters":            strings.Repeat("港", 60),
		"wide characters and others": strings.Repeat("a港🚢", 30),
		"a long word":                strings.Repeat("A", 150),
		"100 kB":                     strings.Repeat("A", 100_000),
		"100 kB of line breaks":      strings.Repeat("\n", 100_000),
		"100 kB without a character": strings.Repeat("\u0301", 50_000),
	}
}

// poisoned is a host that fails in as many ways as can be, with a text wherever others
// choose one.
func poisoned(t *testing.T, s string) Report {
	f := clean(t)
	f.Facts.Hostname, f.Facts.Kernel, f.Facts.Docker.Version, f.Facts.OS.Codename = s, s, s, s
	c := container(&f)
	*c = facts.ContainerDetail{
		ID: "aaaa", Name: s, Image: s, ImageID: s, Labels: map[string]string{s: s}, User: s, CapAdd: []string{s}, SecurityOpt: []string{s}, AppArmorProfile: "unconfined",
		Network: s, Devices: []string{s}, CgroupParent: s, Restart: s, LogDriver: s,
		Mounts:    []facts.Mount{{Type: "bind", Source: "/etc/" + s, Destination: s, Propagation: "shared"}},
		Published: []facts.Publish{{Port: 80, Protocol: s}},
	}
	f.Facts.Docker.Containers[0].Name = s
	f.Facts.Docker.Containers = append(f.Facts.Docker.Containers, facts.Container{ID: "cccc", Name: s})
	f.Engine.Images = []facts.Image{{ID: s, Tags: []string{s}, Environment: []string{s + "_PASSWORD"}}, {ID: s, Unread: s}}
	f.Engine.Networks = []facts.NetworkDetail{{Name: s, Driver: "bridge", Containers: 2, Options: map[string]string{bindingOption: s}}}
	f.Machine.DockerGroup, f.Machine.Boot = []string{s}, facts.Boot{Asked: true, Required: []string{s}}
	f.Updates.Packages[0].Candidate = s
	f.Sites = map[string]facts.SiteAnswer{"app.example.no": {Headers: map[string][]string{"Set-Cookie": {s + "=1"}, "Access-Control-Allow-Origin": {s}}, Plain: true, Leads: s}}
	f.NginxConfiguration = "server_name " + s + ";"
	f.Unread = map[facts.Source]string{facts.FromAuditRules: s}
	now := opened()
	now[0].Name = s
	in := Input{Policy: parse(t, siteWithFiles), Facts: f, Now: now, Foreseen: []Problem{{Key: s, What: s, Fix: s}, {What: s, Fix: s, Later: true}}}
	return NewReport(f, Check(in), "1.0", s)
}

func TestNoNameBreaksTheTableOrTheJSON(t *testing.T) {
	plain := poisoned(t, "plain")
	for name, s := range hostile() {
		t.Run(name, func(t *testing.T) {
			r := poisoned(t, s)
			if len(r.Findings) != len(plain.Findings) {
				t.Errorf("%d findings, want %d as for a plain name", len(r.Findings), len(plain.Findings))
			}
			var out strings.Builder
			if err := r.WriteText(&out); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for what, shown := range map[string]string{"table": out.String(), "JSON": string(text)} {
				if !utf8.ValidString(shown) || strings.ContainsFunc(shown, func(r rune) bool { return r != '\n' && !safe(r) }) {
					t.Errorf("the %s holds something that a terminal obeys", what)
				}
				if len(shown) > 200_000 {
					t.Errorf("the %s has %d bytes", what, len(shown))
				}
			}
			for line := range strings.Lines(out.String()) {
				if n := wide(strings.TrimRight(line, "\n")); n > 80 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			if lines, most := strings.Count(out.String(), "\n"), 6*strings.Count(textOf(t, plain), "\n"); lines > most {
				t.Errorf("%d lines, want at most %d", lines, most)
			}
		})
	}
}

// wide is how many columns a text takes: all that hostile texts hold of wide characters
// is from these blocks.
func wide(text string) int {
	n := utf8.RuneCountInString(text)
	for _, r := range text {
		if r >= 0x3000 && r < 0xa000 || r >= 0x1f300 && r < 0x1f700 {
			n++
		}
	}
	return n
}

// safe is what may reach a terminal, said in another way than the code does.
func safe(r rune) bool {
	return r >= 0x20 && r != 0x7f && (r < 0x80 || r > 0x9f) && r != 0x200b && r != 0x202e && r != 0xfeff && r != 0x2028 && r != 0x2029
}

func textOf(t *testing.T, r Report) string {
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func FuzzPrintable(f *testing.F) {
	for _, s := range hostile() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		if !plain(got) || utf8.RuneCountInString(got) > 12*maxText {
			t.Errorf("%q became %q", s, got)
		}
		if plain(s) && len(s) <= maxText && got != s {
			t.Errorf("%q is plain and became %q", s, got)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{0, 20, 300} {
		f := clean(b)
		web := f.Engine.Containers[0]
		f.Engine.Containers = nil
		for i := range n {
			web.Name, web.Privileged = fmt.Sprint("web-", i), i%2 == 0
			f.Engine.Containers = append(f.Engine.Containers, web)
		}
		b.Run(fmt.Sprintf("%d containers", n), func(b *testing.B) {
			for b.Loop() {
				Check(Input{Facts: f, Now: shut(), Promised: shut()})
			}
		})
	}
}
