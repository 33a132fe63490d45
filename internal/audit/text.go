package audit

import (
	"fmt"
	"io"
	"slices"
	"strings"

	cellwidth "golang.org/x/text/width"
)

// timeLayout shows a time to a person.
const timeLayout = "2006-01-02 15:04:05 MST"

// width is that of a terminal that reports are wrapped for, and most how many things
// with one fault are listed one by one.
const (
	width = 80
	most  = 5
)

// NewView returns the report with the findings of these areas and checks only.
func NewView(r Report, only []string) Report {
	all := Only(r.Findings, only)
	view := r
	view.Findings, view.Summary = all, summary(all)
	return view
}

// WriteText writes a report for a person: what is wrong first, by area, each with
// what was found and what to do; then what is unknown and what is exempt; and what
// holds in few words.
func (r Report) WriteText(w io.Writer) error {
	var out strings.Builder
	r.writeHead(&out)
	for _, s := range []Status{Fail, Unknown, Exempt} {
		for _, a := range Areas() {
			writeGroup(&out, s, a, slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Status != s || f.Area != a }))
		}
	}
	writePasses(&out, r.Findings)
	r.writeSince(&out)
	r.writeSum(&out)
	_, err := io.WriteString(w, out.String())
	return err
}

func (r Report) writeHead(out *strings.Builder) {
	head := fmt.Sprintf("%s: %s %s, kernel %s", r.Hostname, r.OS.ID, r.OS.Codename, r.Kernel)
	if r.Docker != "" {
		head += ", Docker " + r.Docker
	}
	wrap(out, "", "", head)
	judged := "judged by " + r.Policy
	if r.Policy == "" {
		judged = "no policy: judged by molo's defaults"
	}
	wrap(out, "", "", r.Time.Format(timeLayout)+", "+judged)
	out.WriteString("\n")
}

// signs are those of statuses that are shown one by one.
func sign(s Status) string { return map[Status]string{Fail: "x", Unknown: "?", Exempt: "-"}[s] }

// writeGroup writes the findings of one status and area, those of one check together.
func writeGroup(out *strings.Builder, s Status, a Area, findings []Finding) {
	if len(findings) == 0 {
		return
	}
	fmt.Fprintf(out, "%s: %s\n", a, map[Status]string{Fail: "fails", Unknown: "unknown", Exempt: "exempt"}[s])
	for len(findings) > 0 {
		first := findings[0]
		same := func(f Finding) bool { return f.Slug == first.Slug }
		var alike []Finding
		for _, f := range findings {
			if same(f) {
				alike = append(alike, f)
			}
		}
		findings = slices.DeleteFunc(findings, same)
		writeCheck(out, s, alike)
	}
	out.WriteString("\n")
}

// writeCheck writes what one check found.
func writeCheck(out *strings.Builder, s Status, alike []Finding) {
	first := alike[0]
	wrap(out, "  "+sign(s)+" ", "    ", fmt.Sprintf("%s (%s): %s", first.Slug, first.Level, first.Title))
	for _, line := range evidence(alike) {
		wrap(out, "      ", "        ", line)
	}
	if s == Fail {
		for _, f := range fixes(alike) {
			wrap(out, "      ", "        ", f)
		}
	}
}

// fixes says how to mend what one check found, a few ways of it at most.
func fixes(alike []Finding) []string {
	var all []string
	for _, f := range alike {
		fix := "fix: " + f.Fix
		if f.Apply && !strings.HasPrefix(f.Fix, "molo apply") {
			fix = "fix, then molo apply: " + f.Fix
		}
		if f.Fix != "" && !slices.Contains(all, fix) {
			all = append(all, fix)
		}
	}
	return all[:min(len(all), most)]
}

// evidence says what was found where, in one line for all of which the same is true.
func evidence(alike []Finding) []string {
	var lines []string
	places := map[string][]string{}
	var order []string
	for _, f := range alike {
		said := f.said()
		if _, known := places[said]; !known {
			order = append(order, said)
		}
		places[said] = append(places[said], f.Where)
	}
	for i, said := range order {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %d more", len(order)-most))
			break
		}
		line := said
		if where := few(places[said]); len(where) > 0 {
			line = strings.Join(where, ", ") + ": " + said
		}
		lines = append(lines, line)
	}
	return lines
}

// said is what a finding has to say, short of where and how to mend it.
func (f Finding) said() string {
	text := f.Got
	if f.Sides != nil {
		for _, side := range []struct{ name, value string }{{"policy", f.Sides.Policy}, {"file", f.Sides.File}, {"in force", f.Sides.Effective}} {
			if side.value != "" {
				text += fmt.Sprintf("; %s %s", side.name, side.value)
			}
		}
	}
	switch {
	case text == "":
		return f.Why
	case f.Why != "":
		return text + " (" + f.Why + ")"
	}
	return text
}

// writePasses names the checks that found nothing wrong.
func writePasses(out *strings.Builder, findings []Finding) {
	var names []string
	for _, f := range findings {
		if f.Status == Pass {
			names = append(names, f.Slug)
		}
	}
	if len(names) > 0 {
		wrap(out, "pass: ", "  ", strings.Join(names, ", "))
		out.WriteString("\n")
	}
}

// writeSince says what has changed since an earlier audit.
func (r Report) writeSince(out *strings.Builder) {
	d := r.Since
	if d == nil {
		return
	}
	text := fmt.Sprintf("since the audit of %s: %d new, %d fixed, %d still open", d.Time.Format(timeLayout), len(d.New), len(d.Fixed), len(d.Open))
	for _, more := range []struct {
		n    int
		what string
	}{{len(d.Exempt), "exempt now"}, {len(d.Unclear), "unknown now"}} {
		if more.n > 0 {
			text += fmt.Sprintf(", %d %s", more.n, more.what)
		}
	}
	wrap(out, "", "  ", text)
	writeChanged(out, "new:", d.New)
	writeChanged(out, "fixed:", d.Fixed)
	out.WriteString("\n")
}

// writeChanged names findings, those of one check in one line.
func writeChanged(out *strings.Builder, what string, findings []Finding) {
	places := map[string][]string{}
	var order []string
	for _, f := range findings {
		if _, known := places[f.Slug]; !known {
			order = append(order, f.Slug)
		}
		places[f.Slug] = append(places[f.Slug], f.Where)
	}
	for _, slug := range order {
		text := slug
		if where := few(places[slug]); len(where) > 0 {
			text += ": " + strings.Join(where, ", ")
		}
		wrap(out, fmt.Sprintf("  %-7s", what), "          ", text)
	}
}

// few names some places, and how many more there are.
func few(places []string) []string {
	where := slices.DeleteFunc(slices.Clone(places), func(w string) bool { return w == "" })
	if rest := len(where) - most; rest > 0 {
		return append(where[:most:most], fmt.Sprintf("and %d more", rest))
	}
	return where
}

func (r Report) writeSum(out *strings.Builder) {
	failing := fmt.Sprintf("%d fail", r.Summary[Fail])
	if r.Summary[Fail] > 0 {
		failing += fmt.Sprintf(" (%d required, %d recommended, %d info)", r.Failing(Required), r.Failing(Recommended), r.Failing(Info))
	}
	wrap(out, "", "  ", fmt.Sprintf("%s, %d unknown, %d exempt, %d pass, %d not applicable",
		failing, r.Summary[Unknown], r.Summary[Exempt], r.Summary[Pass], r.Summary[NotApplicable]))
}

// Failing counts the findings of a level that fail.
func (r Report) Failing(level Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == Fail && f.Level == level {
			n++
		}
	}
	return n
}

// wrap writes a text in lines of at most width columns: the first one after lead,
// the others after indent. A word that is longer than a line is broken.
func wrap(out *strings.Builder, lead, indent, text string) {
	line, used, empty := lead, columns(lead), true
	for _, word := range strings.Fields(text) {
		for _, part := range broken(word, width-max(columns(lead), columns(indent))) {
			n := columns(part)
			if !empty && used+1+n > width {
				out.WriteString(line + "\n")
				line, used, empty = indent, columns(indent), true
			}
			if !empty {
				line, used = line+" ", used+1
			}
			line, used, empty = line+part, used+n, false
		}
	}
	out.WriteString(line + "\n")
}

// broken takes a word apart into pieces of at most so many columns; all but the last
// fill them, so that each has a line to itself.
func broken(word string, most int) []string {
	var parts []string
	start, used := 0, 0
	for i, r := range word {
		n := cells(r)
		if used+n > most {
			parts = append(parts, word[start:i])
			start, used = i, 0
		}
		used += n
	}
	return append(parts, word[start:])
}

// columns returns how wide a text is on a terminal.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n += cells(r)
	}
	return n
}

// cells returns how many columns a character takes: two if it is a wide one of East Asia
// or an emoji (Unicode Standard Annex 11). One that joins the character before it counts
// as well: some terminals show it by itself.
func cells(r rune) int {
	if kind := cellwidth.LookupRune(r).Kind(); kind == cellwidth.EastAsianWide || kind == cellwidth.EastAsianFullwidth {
		return 2
	}
	return 1
}
