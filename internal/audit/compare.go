package audit

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Difference is what became of the failures of an earlier audit.
type Difference struct {
	ID      string         `json:"id"` // of the earlier audit
	Time    time.Time      `json:"time"`
	Molo    string         `json:"molo"`
	Summary map[Status]int `json:"summary"`
	Scores  []Score        `json:"scores"`
	New     []Finding      `json:"new"`   // fail now, and did not then
	Fixed   []Finding      `json:"fixed"` // failed then; their checks have been asked again and find them no more
	Open    []Finding      `json:"open"`  // failed then and now
	// Exempt failed then, and the policy accepts them now. Unclear failed then, and
	// whether they do now is not known.
	Exempt  []Finding `json:"exempt"`
	Unclear []Finding `json:"unclear"`
}

// Compare says what has changed since an earlier audit of the same areas and checks.
func Compare(then, now Report) *Difference {
	d := &Difference{ID: then.ID, Time: then.Time, Molo: then.Molo, Summary: summary(then.Findings), Scores: Scores(then.Findings)}
	failed, fails := withStatus(then.Findings, Fail), withStatus(now.Findings, Fail)
	same, failed, fails := pair(failed, fails, identity)
	moved, failed, fresh := pair(failed, fails, SubjectOf)
	accepted, failed, _ := pair(failed, withStatus(now.Findings, Exempt), SubjectOf)
	d.New, d.Exempt = list(fresh), list(accepted)
	d.Open = list(append(same, moved...))
	sortFindings(d.Open)
	d.Fixed, d.Unclear = []Finding{}, []Finding{}
	for _, f := range failed {
		if answered(f, now.Findings) {
			d.Fixed = append(d.Fixed, f)
		} else {
			d.Unclear = append(d.Unclear, f)
		}
	}
	return d
}

// list makes JSON say [], not null.
func list(all []Finding) []Finding { return append([]Finding{}, all...) }

// withStatus keeps the findings of one status.
func withStatus(all []Finding, s Status) []Finding {
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return f.Status != s })
}

// identity tells findings of one audit from each other, as far as they can be.
func identity(f Finding) string { return SubjectOf(f) + "\x00" + f.Got }

// SubjectOf names what a finding is about, so that it is found again in another audit:
// its check and its place, without the line. A setting of dockerd is the same one whether
// a file says it or not.
func SubjectOf(f Finding) string {
	if f.Area == AreaDaemon {
		return f.Slug
	}
	return f.Slug + "\x00" + withoutLine(f.Where)
}

// lineNumber ends the place of a finding in a file.
var lineNumber = regexp.MustCompile(`:\d+$`)

// withoutLine takes the line off a place in a file: lines move. What ends in a number
// besides are tags of images and ports.
func withoutLine(where string) string {
	if cut := lineNumber.ReplaceAllString(where, ""); strings.HasPrefix(cut, "/") || strings.HasSuffix(cut, ".hcl") {
		return cut
	}
	return where
}

// pair returns those findings of now that are among then as well, by a key, and the rest
// of both.
func pair(then, now []Finding, key func(Finding) string) (both, restThen, restNow []Finding) {
	open, met := map[string]int{}, map[string]int{}
	for _, f := range then {
		open[key(f)]++
	}
	for _, f := range now {
		k := key(f)
		if met[k] == open[k] {
			restNow = append(restNow, f)
			continue
		}
		met[k]++
		both = append(both, f)
	}
	for _, f := range then {
		if k := key(f); met[k] > 0 {
			met[k]--
			continue
		}
		restThen = append(restThen, f)
	}
	return both, restThen, restNow
}

// answered reports whether the check of a finding has been asked again, about the same
// thing, and could be answered.
func answered(f Finding, now []Finding) bool {
	asked := false
	for _, other := range now {
		if other.Slug != f.Slug {
			continue
		}
		if asked = true; other.Status == Unknown && (other.Where == "" || withoutLine(other.Where) == withoutLine(f.Where)) {
			return false
		}
	}
	return asked
}
