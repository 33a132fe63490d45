package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// said lists findings as "slug where".
func said(all []Finding) []string {
	var out []string
	for _, f := range all {
		out = append(out, strings.TrimSpace(f.Slug+" "+f.Where+" "+f.Got))
	}
	return out
}

func TestWhatBecameOfFailures(t *testing.T) {
	fail := func(slug, where, got string) Finding {
		return Finding{Slug: slug, Where: where, Got: got, Status: Fail}
	}
	as := func(s Status, slug, where string) Finding { return Finding{Slug: slug, Where: where, Status: s} }
	for name, c := range map[string]struct {
		then, now                        []Finding
		fresh, fixed, open, exempt, hazy []string
	}{
		"nothing failed, nothing fails":      {},
		"a failure that was not there":       {then: []Finding{as(Pass, "a", "")}, now: []Finding{fail("a", "web", "")}, fresh: []string{"a web"}},
		"a failure of what was unknown":      {then: []Finding{as(Unknown, "a", "")}, now: []Finding{fail("a", "web", "")}, fresh: []string{"a web"}},
		"a failure that is gone":             {then: []Finding{fail("a", "web", "")}, now: []Finding{as(Pass, "a", "")}, fixed: []string{"a web"}},
		"a failure that applies no longer":   {then: []Finding{fail("a", "web", "")}, now: []Finding{as(NotApplicable, "a", "")}, fixed: []string{"a web"}},
		"the same failure":                   {then: []Finding{fail("a", "web", "x")}, now: []Finding{fail("a", "web", "x")}, open: []string{"a web x"}},
		"the same failure, said differently": {then: []Finding{fail("a", "web", "3")}, now: []Finding{fail("a", "web", "4")}, open: []string{"a web 4"}},
		"in a line that has moved":           {then: []Finding{fail("a", "/etc/docker/daemon.json:2", "")}, now: []Finding{fail("a", "/etc/docker/daemon.json:7", "")}, open: []string{"a /etc/docker/daemon.json:7"}},
		"in a line of the policy":            {then: []Finding{fail("a", "policies.hcl:2", "")}, now: []Finding{fail("a", "policies.hcl:7", "")}, open: []string{"a policies.hcl:7"}},
		"a setting that is in a file now": {
			then: []Finding{{Slug: "daemon-icc", Area: AreaDaemon, Status: Fail, Where: "dockerd"}},
			now:  []Finding{{Slug: "daemon-icc", Area: AreaDaemon, Status: Fail, Where: "/etc/docker/daemon.json:2"}}, open: []string{"daemon-icc /etc/docker/daemon.json:2"},
		},
		"another tag of an image":            {then: []Finding{fail("a", "web:1", "")}, now: []Finding{fail("a", "web:2", "")}, fresh: []string{"a web:2"}, fixed: []string{"a web:1"}},
		"one of two containers":              {then: []Finding{fail("a", "web", ""), fail("a", "db", "")}, now: []Finding{fail("a", "db", "")}, fixed: []string{"a web"}, open: []string{"a db"}},
		"one of two faults of one container": {then: []Finding{fail("a", "web", "/etc"), fail("a", "web", "/root")}, now: []Finding{fail("a", "web", "/root")}, fixed: []string{"a web /etc"}, open: []string{"a web /root"}},
		"two equal faults become one":        {then: []Finding{fail("a", "web", ""), fail("a", "web", "")}, now: []Finding{fail("a", "web", "")}, fixed: []string{"a web"}, open: []string{"a web"}},
		"accepted by the policy":             {then: []Finding{fail("a", "web", "x")}, now: []Finding{as(Exempt, "a", "web")}, exempt: []string{"a web"}},
		"can't be told for the whole check":  {then: []Finding{fail("a", "web", "")}, now: []Finding{as(Unknown, "a", "")}, hazy: []string{"a web"}},
		"can't be told for the container":    {then: []Finding{fail("a", "web", "")}, now: []Finding{as(Unknown, "a", "web")}, hazy: []string{"a web"}},
		"can't be told for another one":      {then: []Finding{fail("a", "web", "")}, now: []Finding{as(Unknown, "a", "db")}, fixed: []string{"a web"}},
		"a check that is gone":               {then: []Finding{fail("a", "web", "")}, now: []Finding{as(Pass, "b", "")}, hazy: []string{"a web"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := Compare(Report{Findings: c.then}, Report{Findings: c.now})
			got := [][]string{said(d.New), said(d.Fixed), said(d.Open), said(d.Exempt), said(d.Unclear)}
			if diff := cmp.Diff([][]string{c.fresh, c.fixed, c.open, c.exempt, c.hazy}, got); diff != "" {
				t.Errorf("new, fixed, open, exempt, unclear (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAComparisonIsShownAndKeepsToWhatIsAskedFor(t *testing.T) {
	now := troubled(t)
	then := Report{ID: "20261123T070000.000Z-1", Time: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), Findings: []Finding{
		{Slug: "container-privileged", Area: AreaContainers, Status: Fail, Where: "worker-0", Got: "privileged"},
		{Slug: "container-runtime-socket", Area: AreaContainers, Status: Fail, Where: "web"},
		{Slug: "daemon-log-driver", Area: AreaDaemon, Status: Fail, Where: "/etc/docker/daemon.json"},
		{Slug: "host-audit-rules", Area: AreaHost, Status: Fail, Where: "/etc/docker"},
	}}
	now.Since = Compare(then, now)
	const want = `since the audit of 2026-11-23 07:00:00 UTC: 13 new, 1 fixed, 1 still open, 1
  exempt now, 1 unknown now
  new:   host-docker-group: /etc/group
  new:   daemon-icc: /etc/docker/daemon.json:2
  new:   daemon-drift: /etc/docker/daemon.json:2
  new:   container-privileged: worker-1
  new:   container-memory: worker-0, worker-1, worker-2, worker-3, worker-4, and
          3 more
  new:   network-exposure: 0.0.0.0:8080/tcp
  fixed: daemon-log-driver: /etc/docker/daemon.json
`
	if text := textOf(t, now); !strings.Contains(text, want) {
		t.Errorf("want\n%s\nin\n%s", want, text)
	}
	view := NewView(now, []string{"daemon"})
	view.Since = Compare(NewView(then, []string{"daemon"}), view)
	got := [][]string{said(view.Since.New), said(view.Since.Fixed), said(view.Since.Exempt)}
	if diff := cmp.Diff([][]string{{"daemon-icc /etc/docker/daemon.json:2 icc = true", "daemon-drift /etc/docker/daemon.json:2 icc = true"}, {"daemon-log-driver /etc/docker/daemon.json"}, nil}, got); diff != "" {
		t.Errorf("of the daemon only (-want +got):\n%s", diff)
	}
}

func TestACheckCountsOnceByItsWorstFinding(t *testing.T) {
	of := func(slug string, a Area, l Level, s Status) Finding {
		return Finding{Slug: slug, Area: a, Level: l, Status: s}
	}
	got := Scores([]Finding{
		of("a", AreaContainers, Required, Fail), of("a", AreaContainers, Required, Fail), of("a", AreaContainers, Required, Exempt),
		of("b", AreaContainers, Info, Fail), of("c", AreaContainers, Info, Pass), of("d", AreaContainers, Info, NotApplicable),
		of("e", AreaHost, Info, Exempt), of("e", AreaHost, Info, Unknown), of("f", AreaHost, Info, Exempt), of("g", AreaSites, Info, NotApplicable),
	})
	want := []Score{{Area: AreaHost, Unknown: 1, Exempt: 1}, {Area: AreaContainers, Pass: 1, Failing: 1, Required: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if sum := Total(got); sum.Checks() != 5 {
		t.Errorf("%d checks, want 5", sum.Checks())
	}
}
