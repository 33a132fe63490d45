package firewall

import (
	"fmt"
	"strings"
)

// What returns "container web", "host-network container web", "sshd" or "unknown
// process".
func (e Exposure) What() string {
	switch e.Kind {
	case Published:
		return "container " + e.Name
	case OnTheWire:
		return "container " + e.Name + " (on the wire)"
	case HostNetwork:
		return "container " + e.Name + " (host network)"
	}
	if e.Name == "" {
		return "unknown process"
	}
	return e.Name
}

// Words says who reaches the port, one line for each clause: "192.0.2.0/24",
// "nobody else".
func (e Exposure) Words() []string {
	var lines []string
	for i, c := range e.Reach {
		lines = append(lines, c.words(i > 0))
	}
	return lines
}

// words says who is reached by the clause; others says that clauses stand before it.
func (c Clause) words(others bool) string {
	who := c.who()
	switch {
	case c.Local:
		return "this host only"
	case who == "" && others:
		who = "everybody else"
	case who == "":
		who = "everybody"
	}
	switch c.Verdict {
	case Limit:
		return who + ", 5 connections in 30 s"
	case Allow:
		return who
	}
	refused := ""
	if c.Verdict == Reject {
		refused = " (refused)"
	}
	if other, all := strings.CutPrefix(who, "everybody"); all {
		return "nobody" + other + refused
	}
	return "not " + who + refused
}

// who returns the conditions of a clause, "" if it has none.
func (c Clause) who() string {
	var words []string
	if c.Source.IsValid() {
		words = append(words, prefixWord(c.Source))
	}
	if !anyPort(c.SourcePorts) {
		words = append(words, "source port "+portSpec(c.SourcePorts))
	}
	if c.In != "" {
		words = append(words, fmt.Sprintf("on %s", c.In))
	}
	if c.To.IsValid() {
		words = append(words, "to "+prefixWord(c.To))
	}
	return strings.Join(words, " ")
}
