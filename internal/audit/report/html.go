package report

import (
	_ "embed" // the page
	"html/template"
	"io"
	"slices"

	"molo/internal/audit"
)

// page is the page without its findings: one file, with no script, that loads nothing.
//
//go:embed page.html.tmpl
var page string

// pageData is what the page shows.
type pageData struct {
	audit.Report
	Total   audit.Score
	Areas   []areaData
	Groups  []groupData // what fails, is unknown or exempt
	Passing []checkData
	Apart   []checkData // what does not apply
}

// Count is how many findings have a status.
func (d pageData) Count(s audit.Status) int { return d.Summary[s] }

// Level is how many findings of a level fail.
func (d pageData) Level(l audit.Level) int { return d.Failing(l) }

// areaData is the score of an area, and what it was in the earlier audit.
type areaData struct {
	audit.Score
	Before *areaData
}

// Bar cuts a bar into what holds, is exempt, unknown and fails.
func (a areaData) Bar() []segment { return bar(a.Score) }

// segment is a part of a bar, in a thousand units.
type segment struct {
	Class    string
	From, To int
}

// Width is how long the segment is.
func (s segment) Width() int { return s.To - s.From }

// groupData holds the checks of an area with findings of one status.
type groupData struct {
	Status audit.Status
	Area   audit.Area
	Checks []checkData
}

// Heading says what the group is.
func (g groupData) Heading() string {
	return map[audit.Status]string{audit.Fail: "Fails: ", audit.Unknown: "Unknown: ", audit.Exempt: "Exempt: "}[g.Status] + string(g.Area)
}

// checkData is what one check found.
type checkData struct {
	audit.Finding // the first one
	Rows          []rowData
	Fixes         []string
	All           []audit.Reference // of all its findings
}

// Benchmarks names what benchmarks say about the same, each benchmark once.
func (c checkData) Benchmarks() []string {
	var out []string
	name := ""
	for _, ref := range c.All {
		if ref.Benchmark != name {
			name = ref.Benchmark
			out = append(out, name+": "+ref.ID)
			continue
		}
		out[len(out)-1] += ", " + ref.ID
	}
	return out
}

// Class is that of its colour.
func (c checkData) Class() string {
	switch {
	case c.Status == audit.Fail && c.Level == audit.Required:
		return "required"
	case c.Status == audit.Fail:
		return "fail"
	}
	return string(c.Status)
}

// rowData is one piece of evidence, and everywhere where it was found.
type rowData struct {
	audit.Finding
	Places []string
}

func writeHTML(w io.Writer, r audit.Report) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	scores := audit.Scores(r.Findings)
	data := pageData{Report: r, Total: audit.Total(scores), Areas: areas(r, scores)}
	for _, s := range []audit.Status{audit.Fail, audit.Unknown, audit.Exempt} {
		for _, a := range audit.Areas() {
			if found := checksOf(r.Findings, s, a); len(found) > 0 {
				data.Groups = append(data.Groups, groupData{s, a, found})
			}
		}
	}
	for _, a := range audit.Areas() {
		data.Passing = append(data.Passing, checksOf(r.Findings, audit.Pass, a)...)
		data.Apart = append(data.Apart, checksOf(r.Findings, audit.NotApplicable, a)...)
	}
	return t.Execute(w, data)
}

// areas lays the scores of all areas out, the sum at the end.
func areas(r audit.Report, scores []audit.Score) []areaData {
	var before []audit.Score
	if r.Since != nil {
		before = slices.Concat(r.Since.Scores, []audit.Score{audit.Total(r.Since.Scores)})
	}
	out := []areaData{}
	for _, s := range slices.Concat(scores, []audit.Score{audit.Total(scores)}) {
		one := areaData{Score: s}
		for _, b := range before {
			if b.Area == s.Area {
				one.Before = &areaData{Score: b}
			}
		}
		out = append(out, one)
	}
	return out
}

// bar lays a score out in segments.
func bar(s audit.Score) []segment {
	var out []segment
	at, n := 0, max(s.Checks(), 1)
	for _, part := range []struct {
		class string
		n     int
	}{{"pass", s.Pass}, {"exempt", s.Exempt}, {"unknown", s.Unknown}, {"fail", s.Failing}, {"required", s.Required}} {
		if part.n > 0 {
			out = append(out, segment{part.class, at * 1000 / n, (at + part.n) * 1000 / n})
		}
		at += part.n
	}
	return out
}

// checksOf collects the findings of one status and area by their checks.
func checksOf(all []audit.Finding, s audit.Status, a audit.Area) []checkData {
	index := map[string]int{}
	var out []checkData
	for _, f := range all {
		if f.Status != s || f.Area != a {
			continue
		}
		i, known := index[f.Slug]
		if !known {
			i = len(out)
			index[f.Slug] = i
			out = append(out, checkData{Finding: f})
		}
		out[i].add(f)
	}
	return out
}

// add adds a finding to those of its check. What was found in the same way in many
// places is one row.
func (c *checkData) add(f audit.Finding) {
	for _, ref := range f.References {
		if !slices.Contains(c.All, ref) {
			c.All = append(c.All, ref)
		}
	}
	fix := f.Fix
	if f.Apply && fix != "molo apply" {
		fix += " (then molo apply)"
	}
	if f.Status == audit.Fail && f.Fix != "" && !slices.Contains(c.Fixes, fix) {
		c.Fixes = append(c.Fixes, fix)
	}
	i := slices.IndexFunc(c.Rows, func(r rowData) bool {
		return r.Got == f.Got && r.Want == f.Want && r.Why == f.Why && sides(r.Sides) == sides(f.Sides)
	})
	if i < 0 {
		i = len(c.Rows)
		c.Rows = append(c.Rows, rowData{Finding: f})
	}
	if f.Where != "" {
		c.Rows[i].Places = append(c.Rows[i].Places, f.Where)
	}
}

func sides(s *audit.Sides) audit.Sides {
	if s == nil {
		return audit.Sides{}
	}
	return *s
}
