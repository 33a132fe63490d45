// Package ufwtest writes rule files as UFW 0.36 does, for tests.
package ufwtest

import (
	"fmt"
	"strings"
)

// RuleFile returns the user.rules, or the user6.rules, that UFW writes for tuples such
// as "allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in", short of the parts about logging.
func RuleFile(v6 bool, tuples ...string) string {
	prefix := "ufw"
	if v6 {
		prefix = "ufw6"
	}
	var b strings.Builder
	b.WriteString("*filter\n")
	for _, chain := range []string{
		"user-input", "user-output", "user-forward", "before-logging-input", "before-logging-output", "before-logging-forward",
		"user-logging-input", "user-logging-output", "user-logging-forward", "after-logging-input", "after-logging-output",
		"after-logging-forward", "logging-deny", "logging-allow", "user-limit", "user-limit-accept",
	} {
		fmt.Fprintf(&b, ":%s-%s - [0:0]\n", prefix, chain)
	}
	b.WriteString("### RULES ###\n")
	for _, tuple := range tuples {
		fmt.Fprintf(&b, "\n### tuple ### %s\n%s", tuple, Rules(prefix, tuple))
	}
	fmt.Fprintf(&b, "\n### END RULES ###\n\n### RATE LIMITING ###\n-A %[1]s-user-limit -j REJECT\n-A %[1]s-user-limit-accept -j ACCEPT\n### END RATE LIMITING ###\nCOMMIT\n", prefix)
	return b.String()
}

// Rules returns the iptables rules that UFW writes below a tuple. What is no tuple has none.
func Rules(prefix, tuple string) string {
	tuple, _, _ = strings.Cut(tuple, " comment=")
	f := strings.Fields(tuple)
	if len(f) < 6 || len(f) > 9 {
		return ""
	}
	action, route := strings.CutPrefix(f[0], "route:")
	action, log, _ := strings.Cut(action, "_")
	direction := "in"
	if len(f)%2 == 1 {
		direction = f[len(f)-1]
	}
	suffix := "input"
	switch {
	case route:
		suffix = "forward"
	case strings.HasPrefix(direction, "out"):
		suffix = "output"
	}
	if f[1] != "any" || f[2] == "any" && f[4] == "any" {
		return lines(prefix, suffix, action, log, f[1], f, direction)
	}
	return lines(prefix, suffix, action, log, "tcp", f, direction) + lines(prefix, suffix, action, log, "udp", f, direction)
}

// lines writes the rules for one protocol.
func lines(prefix, suffix, action, log, protocol string, f []string, direction string) string {
	match := links(direction) + ends(protocol, f)
	comment := apps(f)
	chain := prefix + "-user-" + suffix
	var b strings.Builder
	if log != "" {
		state, word := "", map[string]string{"allow": "ALLOW", "limit": "LIMIT"}[action]
		if log == "log" {
			state = " -m conntrack --ctstate NEW"
		}
		if word == "" {
			word = "BLOCK"
		}
		logging := prefix + "-user-logging-" + suffix
		// UFW 0.36 leaves a blank where the target was.
		fmt.Fprintf(&b, "-A %s%s%s -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW %s] \"\n", logging, match, state, word)
		fmt.Fprintf(&b, "-A %s%s -j RETURN%s\n-A %s%s -j %s%s\n", logging, match, comment, chain, match, logging, comment)
	}
	switch action {
	case "allow":
		fmt.Fprintf(&b, "-A %s%s -j ACCEPT%s\n", chain, match, comment)
	case "reject":
		reset := ""
		if protocol == "tcp" {
			reset = " --reject-with tcp-reset"
		}
		fmt.Fprintf(&b, "-A %s%s -j REJECT%s%s\n", chain, match, reset, comment)
	case "limit":
		fmt.Fprintf(&b, "-A %[1]s%[2]s -m conntrack --ctstate NEW -m recent --set%[3]s\n"+
			"-A %[1]s%[2]s -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 -j %[4]s-user-limit%[3]s\n"+
			"-A %[1]s%[2]s -j %[4]s-user-limit-accept%[3]s\n", chain, match, comment, prefix)
	default:
		fmt.Fprintf(&b, "-A %s%s -j DROP%s\n", chain, match, comment)
	}
	return b.String()
}

func links(direction string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(direction, "!") {
		if name, ok := strings.CutPrefix(part, "in_"); ok {
			b.WriteString(" -i " + name)
		}
		if name, ok := strings.CutPrefix(part, "out_"); ok {
			b.WriteString(" -o " + name)
		}
	}
	return b.String()
}

// ends writes the match of protocol, addresses and ports.
func ends(protocol string, f []string) string {
	var b strings.Builder
	if protocol != "any" {
		b.WriteString(" -p " + protocol)
	}
	multi := strings.ContainsAny(f[2]+f[4], ",:")
	port := func(option, ports string) {
		switch {
		case ports == "any":
		case multi:
			b.WriteString(" -m multiport " + option + "s " + ports)
		default:
			b.WriteString(" " + option + " " + ports)
		}
	}
	address := func(option, a string) {
		if a != "0.0.0.0/0" && a != "::/0" {
			b.WriteString(" " + option + " " + a)
		}
	}
	if multi {
		port("--dport", f[2])
		port("--sport", f[4])
		address("-d", f[3])
		address("-s", f[5])
		return b.String()
	}
	address("-d", f[3])
	port("--dport", f[2])
	address("-s", f[5])
	port("--sport", f[4])
	return b.String()
}

// apps names the application profiles in a comment.
func apps(f []string) string {
	if len(f) < 8 {
		return ""
	}
	var names []string
	if f[6] != "-" {
		names = append(names, "dapp_"+f[6])
	}
	if f[7] != "-" {
		names = append(names, "sapp_"+f[7])
	}
	return " -m comment --comment '" + strings.Join(names, ",") + "'"
}
