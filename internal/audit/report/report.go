// Package report writes the report of an audit in the formats that other programs and
// people read. It is pure: it takes a report and writes text.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"molo/internal/audit"
)

// Format is one way to write a report.
type Format string

// The formats.
const (
	Table      Format = "table"
	JSON       Format = "json"
	SARIF      Format = "sarif"
	JUnit      Format = "junit"
	Prometheus Format = "prometheus"
	HTML       Format = "html"
)

// Formats lists the formats.
func Formats() []Format { return []Format{Table, JSON, SARIF, JUnit, Prometheus, HTML} }

// Write writes a report in a format.
func Write(w io.Writer, f Format, r audit.Report) error {
	switch f {
	case Table:
		return r.WriteText(w)
	case JSON:
		return writeJSON(w, r)
	case SARIF:
		return writeJSON(w, sarif(r))
	case JUnit:
		return writeJUnit(w, r)
	case Prometheus:
		return writePrometheus(w, r)
	case HTML:
		return writeHTML(w, r)
	}
	return fmt.Errorf("there is no format %q", f)
}

// writeJSON writes one document, with markup as it is: it is read by programs.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// title is a finding in one line: what should hold, and what was found where.
func title(f audit.Finding) string {
	text := f.Title
	if f.Where != "" {
		text += ": " + f.Where
	}
	for _, more := range []string{f.Got, f.Why} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

// checks returns one finding of each check, in the order of the report.
func checks(all []audit.Finding) []audit.Finding {
	seen := map[string]bool{}
	var out []audit.Finding
	for _, f := range all {
		if !seen[f.Slug] {
			seen[f.Slug] = true
			out = append(out, f)
		}
	}
	return out
}

// references lists what benchmarks say about a check. Its findings may each have numbers
// of their own.
func references(all []audit.Finding, slug string) []audit.Reference {
	var out []audit.Reference
	for _, f := range all {
		for _, ref := range f.References {
			if f.Slug == slug && !slices.Contains(out, ref) {
				out = append(out, ref)
			}
		}
	}
	return out
}
