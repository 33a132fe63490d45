package main

import (
	"fmt"
	"strings"
	"time"

	"molo/provision"
)

// text fits on one screen, and begins with what needs somebody.
func (s statusJSON) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s %s, kernel %s", s.Hostname, s.OS.ID, s.OS.Codename, s.Kernel)
	if s.Docker != "" {
		fmt.Fprintf(&out, ", Docker %s", s.Docker)
	}
	out.WriteString("\n")
	for _, line := range s.attention() {
		fmt.Fprintf(&out, "! %s\n", strings.ReplaceAll(line, "\n", "\n    "))
	}
	for _, o := range s.Parts {
		fmt.Fprintf(&out, "  %-12s %s\n", o.Part, standing(o))
		for _, n := range o.Notes {
			fmt.Fprintf(&out, "               * %s\n", strings.ReplaceAll(n.Text, "\n", "\n                 "))
		}
	}
	for _, c := range s.Certificates {
		fmt.Fprintf(&out, "               %s: %s\n", c.Site, strings.ReplaceAll(c.Text(s.Time), "\n", "\n                 "))
	}
	fmt.Fprintf(&out, "  last run     %s\n", s.lastRun())
	fmt.Fprintf(&out, "  runs         %s\n", s.runs())
	return out.String()
}

// attention lists what does not go away by itself.
func (s statusJSON) attention() []string {
	var all []string
	if u := s.Unconfirmed; u != nil {
		all = append(all, fmt.Sprintf("run %s is taken back at %s unless you run molo confirm", u.Run, u.Deadline.Local().Format(time.TimeOnly)))
	}
	if s.Paused != nil {
		all = append(all, pausedText(s.Paused))
	}
	for _, o := range s.Parts {
		if o.Err != nil {
			all = append(all, fmt.Sprintf("%s: %v", o.Part, o.Err))
		}
		for _, a := range o.Waiting {
			all = append(all, fmt.Sprintf("a %s of %s is due, and waits for %s", a.Verb, a.Unit, a.Waits))
		}
	}
	if s.LastRun != nil && s.LastRun.Status == provision.Failed {
		all = append(all, "the last run failed"+failures(s.LastRun.Error, s.lastErrors()))
	}
	return all
}

// lastErrors lists what failed in the last run, part by part.
func (s statusJSON) lastErrors() []string {
	var all []string
	for _, p := range s.LastRun.Parts {
		if first, _, _ := strings.Cut(p.Error, "\n"); first != "" {
			all = append(all, p.Part+": "+first)
		}
	}
	return all
}

func failures(whole string, parts []string) string {
	if first, _, _ := strings.Cut(whole, "\n"); first != "" {
		parts = append([]string{first}, parts...)
	}
	return strings.Join(append([]string{""}, parts...), "\n")
}

func standing(o provision.Outcome) string {
	switch o.Status {
	case provision.Planned:
		return "differs from the policy: " + provision.Summary([]provision.Outcome{o}) + " (see molo plan)"
	case provision.Unknown:
		return "unknown: " + o.Unread[0].What + " could not be read"
	case provision.Failed:
		return "failed: see above"
	}
	return "as the policy wants it"
}

// runs says what has molo run.
func (s statusJSON) runs() string {
	switch {
	case s.ByItself == nil:
		return "not known: systemd could not be asked"
	case *s.ByItself:
		return "by itself (molo.target)"
	}
	return "only when it is told to (systemctl enable --now molo.target)"
}

func (s statusJSON) lastRun() string {
	if s.LastRun == nil {
		return "none that can be read"
	}
	return fmt.Sprintf("%s, %s", s.LastRun.Ended.Local().Format(time.DateTime), s.LastRun.Status)
}
