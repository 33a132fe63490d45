// Package roff writes manual pages in the language of man(7).
package roff

import (
	"bytes"
	"fmt"
	"strings"
)

// Page is a manual page that is being written.
type Page struct{ out bytes.Buffer }

// New begins the page name(section). manual is what stands above it, such as "Molo".
func New(name string, section int, manual, summary string) *Page {
	p := &Page{}
	fmt.Fprintf(&p.out, ".TH %s %d \"\" \"\" %s\n.nh\n.ad l\n", quote(strings.ToUpper(name)), section, quote(manual))
	p.Section("NAME")
	fmt.Fprintf(&p.out, "%s \\- %s\n", escape(oneLine(name)), escape(oneLine(summary)))
	return p
}

// Bytes returns the page.
func (p *Page) Bytes() []byte { return p.out.Bytes() }

// Section begins a section.
func (p *Page) Section(title string) { fmt.Fprintf(&p.out, ".SH %s\n", quote(title)) }

// Part begins a part of a section.
func (p *Page) Part(title string) { fmt.Fprintf(&p.out, ".SS %s\n", quote(title)) }

// Text adds paragraphs, which empty lines divide; one whose lines are indented is set as
// it stands.
func (p *Page) Text(text string) {
	for paragraph := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if strings.HasPrefix(paragraph, "  ") {
			p.Code(unindent(paragraph))
			continue
		}
		fmt.Fprintf(&p.out, ".PP\n%s\n", inline(paragraph))
	}
}

// Item adds an entry of a list: what it is about, in bold, and what there is to say.
func (p *Page) Item(tag, text string) {
	fmt.Fprintf(&p.out, ".TP\n\\fB%s\\fR\n%s\n", escape(oneLine(tag)), inline(text))
}

// Code adds lines as they stand.
func (p *Page) Code(text string) {
	fmt.Fprintf(&p.out, ".PP\n.RS 4\n.nf\n")
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(&p.out, "%s\n", guard(escape(line)))
	}
	fmt.Fprintf(&p.out, ".fi\n.RE\n")
}

func unindent(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "  "), "\n  ", "\n")
}

// inline sets text as one paragraph; what stands between backticks is bold.
func inline(text string) string {
	var out strings.Builder
	for i, part := range strings.Split(escape(oneLine(text)), "`") {
		if i > 0 {
			out.WriteString([]string{"\\fR", "\\fB"}[i%2])
		}
		out.WriteString(part)
	}
	return guard(out.String())
}

// escape keeps roff from reading its own language in a text, and readers from getting
// other characters than were written: hyphens and quotes that can be copied.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "…", "...").Replace(text)
}

// guard keeps a line from being read as a request.
func guard(line string) string {
	if strings.HasPrefix(line, ".") {
		return `\&` + line
	}
	return line
}

// quote writes an argument of a request.
func quote(text string) string {
	return `"` + strings.ReplaceAll(escape(oneLine(text)), `"`, `\(dq`) + `"`
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
