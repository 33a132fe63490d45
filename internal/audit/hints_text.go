package audit

import (
	"fmt"
	"io"
	"strings"
)

// WriteHints writes hints for people. Flags stand in lines of their own, to be copied.
func WriteHints(w io.Writer, hints []Hint) error {
	var out strings.Builder
	if len(hints) == 0 {
		out.WriteString("\nNo container needs to be started differently.\n")
	}
	for _, h := range hints {
		fmt.Fprintf(&out, "\n%s\n  fails: %s\n", h.Container, enumerate(h.Checks))
		section(&out, "first run", h.Before)
		section(&out, "add to docker run", h.Add)
		section(&out, "leave out of docker run", h.LeaveOut)
		if h.Image != "" {
			section(&out, "name as the image", []string{quoted(h.Image)})
		}
		if h.Override != "" {
			section(&out, "or put over its compose file (docker compose 2.24 or newer)", strings.Split(strings.TrimSpace(h.Override), "\n"))
		}
		section(&out, "what that can break", marked(h.Breaks))
		section(&out, "what is left to you", marked(h.Left))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func section(out *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(out, "  %s:\n", title)
	for _, line := range lines {
		fmt.Fprintf(out, "    %s\n", line)
	}
}

func marked(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, "- "+line)
	}
	return all
}
