package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics is everything Parse or Format has to say about some sources, in the
// order of the sources. Its zero value says nothing.
type Diagnostics struct {
	list  hcl.Diagnostics
	files map[string]*hcl.File // by name, for the snippets
}

// HasErrors reports whether one of them is an error and not only a warning.
func (d Diagnostics) HasErrors() bool { return d.list.HasErrors() }

// Len returns how many there are, warnings included.
func (d Diagnostics) Len() int { return len(d.list) }

// WriteText writes them for people: what, where with the lines of the source, why,
// and what to do. Details are wrapped at width columns, 0 for never; color marks
// with VT100 sequences. It returns the error of the writer.
func (d Diagnostics) WriteText(w io.Writer, width uint, color bool) error {
	files := make(map[string]*hcl.File, len(d.files))
	for name, file := range d.files {
		files[name] = &hcl.File{Bytes: displayable(file.Bytes), Nav: displayableNav{file.Nav}}
	}
	return hcl.NewDiagnosticTextWriter(w, files, width, color).WriteDiagnostics(d.list)
}

// displayableNav tells HCL's writer in which block a place is; in JSON that is the
// name of a property, which can hold anything.
type displayableNav struct{ nav any }

// ContextString returns the path of the block around a byte of the file.
func (n displayableNav) ContextString(offset int) string {
	nav, ok := n.nav.(interface{ ContextString(offset int) string })
	if !ok {
		return ""
	}
	return string(displayable([]byte(nav.ContextString(offset))))
}

// MarshalJSON gives a list of Diagnostic.
func (d Diagnostics) MarshalJSON() ([]byte, error) { return json.Marshal(d.Entries()) }

// Entries returns them for machines. The list is never nil, so its JSON is a list
// even when it is empty.
func (d Diagnostics) Entries() []Diagnostic {
	entries := make([]Diagnostic, 0, len(d.list))
	for _, diag := range d.list {
		entries = append(entries, d.entry(diag))
	}
	return entries
}

// Diagnostic is one diagnostic as JSON, in the shape of "terraform validate -json".
type Diagnostic struct {
	Severity string   `json:"severity"` // "error" or "warning"
	Summary  string   `json:"summary"`
	Detail   string   `json:"detail"`
	Range    *Range   `json:"range,omitempty"`
	Snippet  *Snippet `json:"snippet,omitempty"`
}

// Range is a piece of a source; its end is exclusive.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// Pos is a place in a source. Lines and columns count from 1, columns in
// user-perceived characters; bytes count from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Snippet is the lines of the source around a diagnostic.
type Snippet struct {
	Code                 string `json:"code"`
	StartLine            int    `json:"start_line"`
	HighlightStartOffset int    `json:"highlight_start_offset"` // bytes into Code
	HighlightEndOffset   int    `json:"highlight_end_offset"`   // bytes into Code, exclusive
}

func (d Diagnostics) entry(diag *hcl.Diagnostic) Diagnostic {
	entry := Diagnostic{Severity: "error", Summary: diag.Summary, Detail: diag.Detail}
	if diag.Severity == hcl.DiagWarning {
		entry.Severity = "warning"
	}
	if diag.Subject == nil {
		return entry
	}
	entry.Range = &Range{Filename: diag.Subject.Filename, Start: Pos(diag.Subject.Start), End: Pos(diag.Subject.End)}
	if file := d.files[diag.Subject.Filename]; file != nil {
		entry.Snippet = snippet(file.Bytes, diag)
	}
	return entry
}

// snippet cuts the whole lines out of src that a diagnostic is about.
func snippet(src []byte, diag *hcl.Diagnostic) *Snippet {
	around := *diag.Subject
	if diag.Context != nil {
		around = hcl.RangeOver(around, *diag.Context)
	}
	start, end := min(around.Start.Byte, len(src)), min(around.End.Byte, len(src))
	for start > 0 && src[start-1] != '\n' {
		start--
	}
	for end < len(src) && src[end] != '\n' && src[end] != '\r' {
		end++
	}
	within := func(offset int) int { return min(max(offset-start, 0), end-start) }
	return &Snippet{
		Code:                 string(src[start:end]),
		StartLine:            around.Start.Line,
		HighlightStartOffset: within(diag.Subject.Start.Byte),
		HighlightEndOffset:   within(diag.Subject.End.Byte),
	}
}

// displayable puts question marks in place of the bytes that would steer or
// reorder a terminal. The length stays, because ranges count bytes.
func displayable(src []byte) []byte {
	shown := slices.Clone(src)
	for at := 0; at < len(src); {
		r, size := utf8.DecodeRune(src[at:])
		if r == utf8.RuneError && size == 1 || unprintable(r) && !strings.ContainsRune("\n\r\t", r) {
			copy(shown[at:], strings.Repeat("?", size))
		}
		at += size
	}
	return shown
}

// invalid makes a diagnostic of a fault.
func invalid(f fault, subject hcl.Range) *hcl.Diagnostic {
	severity := hcl.DiagError
	if f.warning {
		severity = hcl.DiagWarning
	}
	return &hcl.Diagnostic{Severity: severity, Summary: f.summary, Detail: f.detail(), Subject: &subject}
}

// place names a line, as a plan does.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// tidy sorts diagnostics into the order of the sources and keeps one for each
// place: what else is said about it is mostly an echo of the first.
func tidy(diags hcl.Diagnostics, sources []Source) hcl.Diagnostics {
	order := map[string]int{}
	for i, source := range sources {
		order[source.Name] = i
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(
			cmp.Compare(order[a.Subject.Filename], order[b.Subject.Filename]),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
			cmp.Compare(a.Severity, b.Severity)) // an error is never the echo of a warning
	})
	seen := map[hcl.Range]bool{}
	return slices.DeleteFunc(diags, func(diag *hcl.Diagnostic) bool {
		echo := seen[*diag.Subject]
		seen[*diag.Subject] = true
		return echo
	})
}
