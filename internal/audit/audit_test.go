package audit

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
)

var update = flag.Bool("update", false, "rewrite the golden files and docs/audit.md")

// clean returns the facts of a host on which every check passes or does not apply.
func clean(t testing.TB) facts.Audit {
	t.Helper()
	data, err := os.ReadFile("testdata/clean.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	var f facts.Audit
	if err := decoder.Decode(&f); err != nil {
		t.Fatalf("testdata/clean.json: %v", err)
	}
	return f
}

// parse reads a policy; without a text there is none.
func parse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	if text == "" {
		return nil
	}
	p, diags := policy.ParseChecked([]policy.Source{{Name: "policies.hcl", Data: []byte(text)}}, Slugs())
	if p == nil {
		var out strings.Builder
		diags.WriteText(&out, 80, false)
		t.Fatalf("refused:\n%s", out.String())
	}
	return p
}

// bad lists the findings of the statuses that are not good, one a line: status, level,
// slug and where.
func bad(findings []Finding) []string {
	var all []string
	for _, f := range findings {
		if f.Status != Pass && f.Status != NotApplicable {
			all = append(all, strings.TrimSpace(string(f.Status)+" "+string(f.Level)+" "+f.Slug+" "+f.Where))
		}
	}
	slices.Sort(all)
	return all
}

// container returns the container web of the facts.
func container(f *facts.Audit) *facts.ContainerDetail { return &f.Engine.Containers[0] }

// engine returns what dockerd runs with.
func engine(f *facts.Audit) *facts.Effective { return &f.Facts.Docker.Effective }

// configure sets a key of daemon.json, in the first line of its own.
func configure(f *facts.Audit, member string) {
	f.Facts.Docker.Config = strings.Replace(f.Facts.Docker.Config, "{\n", "{\n  "+member+",\n", 1)
}

// drop takes a key's line out of daemon.json.
func drop(f *facts.Audit, key string) {
	lines := strings.SplitAfter(f.Facts.Docker.Config, "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, `"`+key+`":`) })
	text := strings.Join(lines, "")
	f.Facts.Docker.Config = strings.Replace(text, ",\n}", "\n}", 1)
}

func ptr[T any](v T) *T { return &v }

// file sets the owner, group and mode of the file with a role.
func file(f *facts.Audit, role facts.Role, owner, group string, mode uint32) {
	for i := range f.Files {
		if f.Files[i].Role == role {
			f.Files[i].Owner, f.Files[i].Group, f.Files[i].Mode = owner, group, mode
		}
	}
}

// mount gives the container one more bind mount.
func mount(source string, writable bool) func(*facts.Audit) {
	return func(f *facts.Audit) {
		c := container(f)
		c.Mounts = append(c.Mounts, facts.Mount{Type: "bind", Source: source, Destination: "/x", Writable: writable, Propagation: "rprivate"})
	}
}

func TestACleanHostHasNoFindings(t *testing.T) {
	for name, text := range map[string]string{
		"without a policy": "",
		"with the strictest policy": `docker {
  userns_remap = "default"
}
firewall {}
containers {
  owner_label = "no.example.owner"
}
host {
  regions = ["no-osl"]
}
` + siteWithFiles,
	} {
		t.Run(name, func(t *testing.T) {
			findings := Check(Input{Policy: parse(t, text), Facts: clean(t), Now: shut(), Promised: shut()})
			if got := bad(findings); got != nil {
				t.Errorf("findings:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

// shut is a published port that nobody outside reaches.
func shut() []firewall.Exposure {
	return []firewall.Exposure{{
		Kind: firewall.Published, Name: "web", Protocol: "tcp", Address: netip.MustParseAddr("0.0.0.0"), Port: 8080,
		Reach: []firewall.Clause{{Verdict: firewall.Deny, Why: "default"}},
	}}
}

// open is the same port, and everybody reaches it.
func opened() []firewall.Exposure {
	all := shut()
	all[0].Reach[0].Verdict = firewall.Allow
	return all
}

// violation is a host with one thing wrong.
type violation struct {
	name     string
	policy   string
	broken   func(*facts.Audit)
	now      []firewall.Exposure
	foreseen []Problem
	want     []string
}

func (v violation) check(t *testing.T) {
	t.Helper()
	in := Input{Policy: parse(t, v.policy), Facts: clean(t), Now: shut(), Promised: shut(), Foreseen: v.foreseen}
	if v.now != nil {
		in.Now = v.now
	}
	if v.broken != nil {
		v.broken(&in.Facts)
	}
	if diff := cmp.Diff(v.want, bad(Check(in))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEachViolationIsOneFinding(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range violations() {
		t.Run(v.name, v.check)
		for _, want := range v.want {
			if words := strings.Fields(want); words[0] == "fail" {
				seen[words[2]] = true
			}
		}
	}
	for _, slug := range Slugs() {
		if !seen[slug] {
			t.Errorf("no violation of %s: a check that can't fail", slug)
		}
	}
}

func TestEveryCheckIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range append(checks(), newView(Input{}).exemptions()) {
		if seen[c.slug] || !slices.Contains(Areas(), c.area) || !slices.Contains(Levels(), c.level) {
			t.Errorf("%s: stands twice, or has no area or level", c.slug)
		}
		if c.title == "" || strings.HasSuffix(c.title, ".") || c.judge == nil {
			t.Errorf("%s: needs a title without a full stop, and a judge", c.slug)
		}
		seen[c.slug] = true
	}
}

func TestEveryFailureSaysWhatWasWantedAndHowToFixIt(t *testing.T) {
	for _, v := range violations() {
		in := Input{Policy: parse(t, v.policy), Facts: clean(t), Now: shut(), Promised: shut(), Foreseen: v.foreseen}
		if v.now != nil {
			in.Now = v.now
		}
		if v.broken != nil {
			v.broken(&in.Facts)
		}
		for _, f := range Check(in) {
			if f.Status == Fail && (f.Want == "" || f.Got == "" || f.Fix == "") {
				t.Errorf("%s: incomplete: %+v", v.name, f)
			}
		}
	}
}
