package provision

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"molo/firewall"
)

// WriteAnswer writes what becomes of one connection.
func WriteAnswer(w io.Writer, q Question, answer Answer) error {
	text := fmt.Sprintf("%s to %s/%s on %s: %s\n  because of  %s", q.From, q.To, q.Protocol, q.In, answer.Verdict, answer.Why)
	if answer.What != "" {
		text += "\n  reaches     " + answer.What
	}
	if answer.Note != "" {
		text += "\n  note        " + answer.Note
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// WriteText writes a table, below it notes and findings.
func (v *Exposure) WriteText(w io.Writer) error {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")) } //nolint:errcheck // a Builder takes all
	row("PORT", "BEHIND IT", "BOUND TO", "REACHED BY", "BECAUSE OF")
	var notes []string
	for _, group := range alike(v.Exposures) {
		e := group[0]
		port := fmt.Sprintf("%d/%s", e.Port, e.Protocol)
		for i, words := range e.Words() {
			if i == 0 {
				row(port, e.What(), bound(group), words, e.Reach[i].Why)
			} else {
				row("", "", "", words, e.Reach[i].Why)
			}
		}
		if e.Note != "" {
			notes = append(notes, fmt.Sprintf("* %s on %s: %s\n", port, bound(group), e.Note))
		}
	}
	table.Flush() //nolint:errcheck // a Builder takes all
	for _, n := range notes {
		out.WriteString(n)
	}
	for _, f := range v.Findings {
		out.WriteString("! " + f.Where + ": " + f.What)
		if f.Hint != "" {
			out.WriteString(" (" + f.Hint + ")")
		}
		out.WriteString("\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// alike puts the addresses of a port together where the same is true of them.
func alike(all []firewall.Exposure) [][]firewall.Exposure {
	var groups [][]firewall.Exposure
	for _, e := range all {
		i := slices.IndexFunc(groups, func(g []firewall.Exposure) bool {
			o := g[0]
			return o.Port == e.Port && o.Protocol == e.Protocol && o.What() == e.What() && o.Note == e.Note && slices.Equal(o.Reach, e.Reach)
		})
		if i < 0 {
			groups = append(groups, []firewall.Exposure{e})
		} else {
			groups[i] = append(groups[i], e)
		}
	}
	return groups
}

func bound(group []firewall.Exposure) string {
	var all []string
	for _, e := range group {
		all = append(all, e.Address.String())
	}
	return strings.Join(all, ", ")
}
