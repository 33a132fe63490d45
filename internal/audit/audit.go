// Package audit says what holds on a host and what does not: its machine, the Docker
// daemon, files, images, containers, networks and sites. It is given facts and a
// policy and gives findings; what is in force counts, not what a file says. A fact
// that could not be read makes a finding unknown, never one that passes.
package audit

import (
	"cmp"
	"slices"
	"time"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
)

// Finding is one thing that holds on the host or does not. A check that finds
// nothing wrong has one finding; otherwise it has one for each thing that is wrong
// or can't be known.
type Finding struct {
	Slug   string `json:"slug"`  // "container-privileged": stays the same for good
	Title  string `json:"title"` // what should hold
	Area   Area   `json:"area"`
	Level  Level  `json:"level"`
	Status Status `json:"status"`
	Want   string `json:"want"`
	Got    string `json:"got"`
	Where  string `json:"where"` // a file and its line, a container, an image, a site
	// Sides is there where the policy, the files and what is in force differ.
	Sides *Sides `json:"sides,omitempty"`
	// Why says why the status is unknown, exempt or not applicable, and which
	// exemption has expired.
	Why        string      `json:"why,omitempty"`
	Fix        string      `json:"fix,omitempty"`
	Apply      bool        `json:"apply"` // "molo apply" does it, where the policy asks for it
	References []Reference `json:"references"`
}

// Sides are the three values of a setting; an empty one is not known or not there.
type Sides struct {
	Policy    string `json:"policy,omitempty"`
	File      string `json:"file,omitempty"` // daemon.json, or a flag of the unit
	Effective string `json:"effective,omitempty"`
}

// Reference names the same recommendation in a benchmark.
type Reference struct {
	Benchmark string `json:"benchmark"`
	ID        string `json:"id"`
}

// CIS is the benchmark that references are to; its numbers changed between versions.
const CIS = "CIS Docker Benchmark 1.6.0"

// Area is what a check looks at.
type Area string

// The areas, in the order of a report.
const (
	AreaHost       Area = "host"
	AreaDaemon     Area = "daemon"
	AreaFiles      Area = "files"
	AreaImages     Area = "images"
	AreaContainers Area = "containers"
	AreaNetworks   Area = "networks"
	AreaSites      Area = "sites"
	AreaPolicy     Area = "policy"
)

// Areas lists the areas in the order of a report.
func Areas() []Area {
	return []Area{AreaHost, AreaDaemon, AreaFiles, AreaImages, AreaContainers, AreaNetworks, AreaSites, AreaPolicy}
}

// Level says how much a finding matters.
type Level string

// The levels. Required is what the policy asks for, and what lets somebody take the
// host over.
const (
	Required    Level = "required"
	Recommended Level = "recommended"
	Info        Level = "info"
)

// Levels lists the levels, the one that matters most first.
func Levels() []Level { return []Level{Required, Recommended, Info} }

// Status is how a finding turned out.
type Status string

// The statuses, in the order of a report.
const (
	Fail          Status = "fail"
	Unknown       Status = "unknown" // a fact could not be read
	Exempt        Status = "exempt"  // fails, and the policy accepts it
	Pass          Status = "pass"
	NotApplicable Status = "not applicable"
)

// Statuses lists the statuses in the order of a report.
func Statuses() []Status { return []Status{Fail, Unknown, Exempt, Pass, NotApplicable} }

// rank is the place of a status in the order of a report.
func rank(s Status) int { return slices.Index(Statuses(), s) }

// Input is what an audit judges, and by what.
type Input struct {
	Policy *policy.Policy // nil: there is none
	Facts  facts.Audit
	// Now says who reaches which port by the rules that are loaded, and Promised by
	// the policy, or by molo's defaults where it has no block firewall.
	Now, Promised []firewall.Exposure
	// Foreseen holds what would go wrong when dockerd starts with daemon.json as it is.
	Foreseen []Problem
}

// Problem is something in daemon.json that has to be changed.
type Problem struct {
	Key   string // at the top of the file; empty: the whole file
	What  string
	Fix   string
	Later bool // this release of Docker takes it, a later one does not
}

// Check judges a host. Findings come in the order of the report.
func Check(in Input) []Finding {
	v := newView(in)
	var all []Finding
	for _, c := range checks() {
		all = append(all, v.run(c)...)
	}
	all = append(all, v.run(v.exemptions())...)
	for i := range all {
		all[i].clean()
	}
	sortFindings(all)
	return all
}

func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(rank(a.Status), rank(b.Status)),
			cmp.Compare(slices.Index(Areas(), a.Area), slices.Index(Areas(), b.Area)),
			cmp.Compare(slices.Index(Levels(), a.Level), slices.Index(Levels(), b.Level)))
	})
}

// Slugs lists the names of all checks.
func Slugs() []string {
	var all []string
	for _, c := range checks() {
		all = append(all, c.slug)
	}
	return append(all, exemptionSlug)
}

// Only keeps the findings of these areas and checks; of all when there are none.
func Only(all []Finding, names []string) []Finding {
	if len(names) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool {
		return !slices.Contains(names, string(f.Area)) && !slices.Contains(names, f.Slug)
	})
}

// Promises is the policy by which ports are judged: that of the owner, with molo's
// defaults where it has no block firewall.
func Promises(p *policy.Policy) *policy.Policy {
	v := newView(Input{Policy: p})
	promised := *v.policy
	if promised.Firewall == nil {
		promised.Firewall = v.defaults.Firewall
	}
	return &promised
}

// Fails counts the findings that fail at a level or above it.
func Fails(all []Finding, level Level) int {
	n := 0
	for _, f := range all {
		if f.Status == Fail && slices.Index(Levels(), f.Level) <= slices.Index(Levels(), level) {
			n++
		}
	}
	return n
}

// Report is one audit of a host.
type Report struct {
	Version  int            `json:"version"`
	ID       string         `json:"id"`
	Molo     string         `json:"molo"`
	Time     time.Time      `json:"time"`
	Hostname string         `json:"hostname"`
	OS       facts.OS       `json:"os"`
	Kernel   string         `json:"kernel"`
	Docker   string         `json:"docker,omitempty"` // version
	Policy   string         `json:"policy,omitempty"` // path; empty: judged by the defaults
	Summary  map[Status]int `json:"summary"`          // findings by status
	// Since says what has changed since an earlier audit; nil where none was asked for.
	Since    *Difference `json:"since,omitempty"`
	Findings []Finding   `json:"findings"`
}

// ReportVersion is that of the format of Report.
const ReportVersion = 1

// NewReport makes the report of an audit by this version of molo, judged by the policy at
// this path.
func NewReport(f facts.Audit, findings []Finding, molo, policy string) Report {
	os := f.Facts.OS
	return Report{
		Version: ReportVersion, Molo: molo, Time: f.Read, Hostname: printable(f.Facts.Hostname),
		OS:     facts.OS{ID: printable(os.ID), Version: printable(os.Version), Codename: printable(os.Codename)},
		Kernel: printable(f.Facts.Kernel), Docker: printable(f.Facts.Docker.Version), Policy: printable(policy),
		Summary: summary(findings), Findings: findings,
	}
}

// summary counts findings by status.
func summary(findings []Finding) map[Status]int {
	counts := map[Status]int{}
	for _, s := range Statuses() {
		counts[s] = 0
	}
	for _, f := range findings {
		counts[f.Status]++
	}
	return counts
}
