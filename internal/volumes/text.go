package volumes

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteText says what was done, or would be.
func (r *Report) WriteText(w io.Writer) error {
	var out strings.Builder
	for _, result := range r.Results {
		result.write(&out, r.Back)
	}
	if r.DryRun {
		out.WriteString("Nothing was changed: this was a dry run.\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (r Result) write(out *strings.Builder, back bool) {
	fmt.Fprintf(out, "%s: %s\n", r.Name, r.heading(back))
	t := r.Tally
	fmt.Fprintf(out, "  %s, %s", count(t.Entries), size(t.Bytes))
	if t.Changed > 0 {
		fmt.Fprintf(out, "; other owners for %s, %s%s", count(t.Changed), size(t.ChangedBytes), t.details())
	}
	out.WriteString("\n")
	for _, m := range t.Mounts {
		fmt.Fprintf(out, "  * %s: a mount, not entered\n", printable(m))
	}
	for _, n := range t.Notes {
		fmt.Fprintf(out, "  * %s\n", n)
	}
	for _, who := range r.InUse {
		fmt.Fprintf(out, "  ! mounted by %s, which has to stop first\n", who)
	}
	for _, l := range t.LeftList {
		fmt.Fprintf(out, "  x %s: left alone, %s\n", printable(l.Path), l.What)
	}
	if more := t.Left - uint64(len(t.LeftList)); more > 0 {
		fmt.Fprintf(out, "  x and %d more\n", more)
	}
	if r.Error != "" {
		fmt.Fprintf(out, "  x %s\n", strings.ReplaceAll(r.Error, "\n", "\n    "))
	}
}

// heading says what the job is and how it ended.
func (r Result) heading(back bool) string {
	what := "into the mapping"
	if back {
		what = "out of the mapping"
	}
	if r.Moves() {
		what += ", from " + r.From + " to " + r.To
	}
	switch r.Status {
	case Nothing:
		return "nothing to do"
	case Planned:
		return "would come " + what
	case Failed:
		return "failed to come " + what
	}
	return "came " + what
}

// details counts what takes care to keep.
func (t Tally) details() string {
	var all []string
	for _, d := range []struct {
		n    uint64
		what string
	}{{t.SetID, "set-id bits"}, {t.ACLs, "an ACL"}, {t.Capabilities, "capabilities"}} {
		if d.n > 0 {
			all = append(all, fmt.Sprintf("%d with %s", d.n, d.what))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

func count(n uint64) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.FormatUint(n, 10) + " entries"
}

// size says "1.5 GB".
func size(bytes uint64) string {
	if bytes < 1000 {
		return fmt.Sprintf("%d B", bytes)
	}
	n, unit := float64(bytes), 0
	for ; n >= 999.95; unit++ {
		n /= 1000
	}
	return fmt.Sprintf("%.1f %s", n, []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}[unit])
}

// printable quotes a name that would do something to a terminal: containers choose
// the names of their files.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted[1:len(quoted)-1] != name {
		return quoted
	}
	return name
}

// shellWord quotes what a shell would not take as one plain word.
func shellWord(arg string) string {
	if regexp.MustCompile(`^[a-zA-Z0-9/._-]+$`).MatchString(arg) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// WriteText writes tables, and below them what brings along what is out of sight.
func (l *Listing) WriteText(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "Docker keeps its data in %s.\n", l.DataRoot)
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) } //nolint:errcheck // a Builder takes all
	if len(l.Volumes) > 0 {
		row("VOLUME", "DATA ROOT", "SIZE", "MOUNTED BY")
	}
	for _, v := range l.Volumes {
		row(v.Name, v.where(), v.size(), orDash(strings.Join(v.MountedBy, ", ")))
	}
	if len(l.Directories) > 0 {
		row("DIRECTORY", "", "", "MOUNTED BY")
	}
	for _, d := range l.Directories {
		row(printable(d.Path), "", "", strings.Join(d.MountedBy, ", "))
	}
	table.Flush() //nolint:errcheck // a Builder takes all
	if hint := l.hint(); hint != "" {
		fmt.Fprintf(&out, "hint: %s\n", hint)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (v Listed) where() string {
	text := v.DataRoot
	if v.Device != "" {
		text = printable(v.Device)
	}
	if !v.InSight {
		text += " (out of sight)"
	}
	return text
}

func (v Listed) size() string {
	if v.Bytes == nil {
		return "-"
	}
	return size(*v.Bytes)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
