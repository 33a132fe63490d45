package report

import (
	"encoding/xml"
	"fmt"
	"io"

	"molo/internal/audit"
)

// The types below are the form of JUnit's XML that continuous integration reads: there
// is no standard, but Jenkins and GitLab take this.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Hostname   string          `xml:"hostname,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Failure *junitResult `xml:"failure"`
		Error   *junitResult `xml:"error"`
		Skipped *junitResult `xml:"skipped"`
	}
	junitResult struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a suite for each area, with a case for each finding. What is unknown
// is an error, not a failure; what is exempt or does not apply is skipped.
func writeJUnit(w io.Writer, r audit.Report) error {
	all := junitSuites{Name: "molo audit"}
	for _, a := range audit.Areas() {
		if s := junitArea(r, a); s.Tests > 0 {
			all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, all.Skipped+s.Skipped
			all.Suites = append(all.Suites, s)
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// junitArea makes the suite of an area.
func junitArea(r audit.Report, a audit.Area) junitSuite {
	s := junitSuite{
		Name: string(a), Timestamp: r.Time.UTC().Format("2006-01-02T15:04:05"), Hostname: r.Hostname,
		Properties: []junitProperty{{"audit", r.ID}, {"molo", r.Molo}, {"docker", r.Docker}, {"policy", r.Policy}},
	}
	seen := map[string]int{}
	for _, f := range r.Findings {
		if f.Area != a {
			continue
		}
		s.add(f, seen)
		s.Tests++
	}
	return s
}

// add makes a case of a finding. Names of cases differ: programs that compare two runs
// go by them.
func (s *junitSuite) add(f audit.Finding, seen map[string]int) {
	name := f.Slug
	if f.Where != "" {
		name += " " + f.Where
	}
	if seen[name]++; seen[name] > 1 {
		name += fmt.Sprintf(" (%d)", seen[name])
	}
	one := junitCase{Class: "molo.audit." + string(f.Area), Name: name}
	switch f.Status {
	case audit.Fail:
		s.Failures++
		one.Failure = &junitResult{Type: string(f.Level), Message: title(f), Text: details(f)}
	case audit.Unknown:
		s.Errors++
		one.Error = &junitResult{Type: "unknown", Message: title(f)}
	case audit.Exempt, audit.NotApplicable:
		s.Skipped++
		one.Skipped = &junitResult{Message: f.Why}
	}
	s.Cases = append(s.Cases, one)
}

// details is all that a failure has to say, one thing a line.
func details(f audit.Finding) string {
	text := "want: " + f.Want + "\ngot: " + f.Got + "\n"
	for _, line := range [][2]string{{"where", f.Where}, {"why", f.Why}, {"fix", f.Fix}} {
		if line[1] != "" {
			text += line[0] + ": " + line[1] + "\n"
		}
	}
	for _, ref := range f.References {
		text += "see: " + ref.Benchmark + " " + ref.ID + "\n"
	}
	return text
}
