package provision

import (
	"fmt"
	"io"
	"strings"

	"molo/internal/resource"
)

// WriteText writes outcomes for a person: the changes with their signs, what asks
// for them, why, and what follows. Parts without anything to say are left out.
func WriteText(w io.Writer, outcomes []Outcome) error {
	var out strings.Builder
	for _, o := range outcomes {
		writeOutcome(&out, o)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func writeOutcome(out *strings.Builder, o Outcome) {
	if len(o.Changes)+len(o.Activate)+len(o.Waiting)+len(o.Unread)+len(o.Notes) == 0 && o.Err == nil {
		return
	}
	fmt.Fprintf(out, "%s\n", o.Part)
	group := ""
	for _, c := range o.Changes {
		group = writeChange(out, c, group)
	}
	for _, e := range o.Effects {
		fmt.Fprintf(out, "  ! %s\n", e)
	}
	for _, a := range o.Activate {
		fmt.Fprintf(out, "  ! %s %s%s\n", a.Verb, a.Unit, join(": ", a.Why, a.Consequence))
	}
	for _, a := range o.Waiting {
		fmt.Fprintf(out, "  . %s %s waits for %s%s\n", a.Verb, a.Unit, a.Waits, join(": ", a.Why, a.Consequence))
	}
	for _, u := range o.Unread {
		fmt.Fprintf(out, "  ? %s: %s\n", u.What, u.Why)
	}
	for _, n := range o.Notes {
		text, hint, _ := strings.Cut(n.Text, "\n")
		fmt.Fprintf(out, "  * %s%s%s\n", text, join(" ", aside(n.Where)), join("\n    ", hint))
	}
	if o.Err != nil {
		fmt.Fprintf(out, "  x %s\n", strings.ReplaceAll(o.Err.Error(), "\n", "\n    "))
	}
	out.WriteString("\n")
}

// writeChange writes one change; keys of one file stand together under its name.
func writeChange(out *strings.Builder, c Change, group string) string {
	lines := c.Lines()
	if rules, ok := either(c).(resource.Rules); ok && rules.Table != "filter" {
		lines = nil // a guard: the same program as in the filter table
	}
	if c.ID.Kind() != "key" {
		fmt.Fprintf(out, "  %s %s%s\n", c.Action().Sign(), c.Title(), join("  ", aside(c.because())))
		for i, l := range lines {
			if i == 0 || l.Rule == "" || l.Sign+l.Text != lines[i-1].Sign+lines[i-1].Text {
				fmt.Fprintf(out, "      %s %s\n", l.Sign, l.Text)
			}
		}
		return ""
	}
	file, _, _ := strings.Cut(c.ID.Where(), "#")
	if file != group {
		fmt.Fprintf(out, "  ~ %s\n", file)
	}
	for _, l := range lines {
		fmt.Fprintf(out, "      %s %-40s%s\n", l.Sign, l.Text, join("  ", aside(c.because())))
	}
	return file
}

// because says which line asks for the change, and why it is needed now.
func (c Change) because() string {
	return strings.TrimPrefix(join(", ", c.From.String(), string(c.Cause)), ", ")
}

func aside(text string) string {
	if text == "" {
		return ""
	}
	return "# " + text
}

// join puts the separator before every part that is not empty.
func join(separator string, parts ...string) string {
	var out strings.Builder
	for _, p := range parts {
		if p != "" {
			out.WriteString(separator + p)
		}
	}
	return out.String()
}

// Summary counts the changes of outcomes in one line, as in
// "3 to add, 1 to change, 0 to remove; restarts docker.service".
func Summary(outcomes []Outcome) string {
	counts := map[Action]int{}
	var then []string
	for _, o := range outcomes {
		for _, c := range o.Changes {
			counts[c.Action()]++
		}
		for _, a := range o.Activate {
			then = append(then, string(a.Verb)+"s "+a.Unit)
		}
	}
	return fmt.Sprintf("%d to add, %d to change, %d to remove%s",
		counts[Create], counts[Update], counts[Remove], join("; ", strings.Join(then, ", ")))
}
