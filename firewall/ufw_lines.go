package firewall

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What ufw-init loads is the iptables rules below a tuple; the ufw command reads the
// tuple and writes the rules anew from it. Who edits one of them by hand has a firewall
// that is something else than "ufw status" says, so a tuple only counts where the
// rules below it are those that UFW makes of it (format_rule and
// _get_rules_from_formatted of UFW 0.36).

// options are those of one iptables rule, by name, without what says nothing about
// which packets it is for and what becomes of them.
type options map[string]string

// with returns the options with more of them.
func (o options) with(more options) options {
	all := maps.Clone(o)
	maps.Copy(all, more)
	return all
}

// editedError says that a rule below a tuple stops packets that UFW would not stop.
type editedError struct{ line int }

func (e *editedError) Error() string {
	return fmt.Sprintf("line %d is not what ufw makes of the rule: somebody edited it", e.line)
}

// checkLines reports a difference between a tuple and the rules below it.
func checkLines(tuple string, lines []line, v6 bool) error {
	want := linesOf(strings.Fields(tuple), v6)
	var odd error
	for _, l := range lines {
		got, ok := readLine(l.text)
		i := slices.IndexFunc(want, func(w options) bool { return maps.Equal(w, got) })
		switch {
		case ok && i >= 0:
			want = slices.Delete(want, i, i+1)
		case ok && got.accepts():
			odd = errors.Join(odd, errors.New((&editedError{l.number}).Error()))
		default:
			return &editedError{l.number}
		}
	}
	if odd == nil && len(want) > 0 {
		return errors.New("the rules that ufw makes of it are not below it")
	}
	return odd
}

// checkAccepting reports a rule that may stop packets.
func checkAccepting(lines []line) error {
	for _, l := range lines {
		o, ok := readLine(l.text)
		logs := o["-j"] == "LOG" || strings.Contains(o["-j"], "-user-logging-") || strings.Contains(o["-A"], "-user-logging-") && o["-j"] == "RETURN"
		if !ok || !o.accepts() && !logs {
			return &editedError{l.number}
		}
	}
	return nil
}

// accepts reports whether a rule can't but let packets through.
func (o options) accepts() bool {
	return o["-j"] == "ACCEPT" || strings.HasSuffix(o["-j"], "-user-limit-accept")
}

// linesOf returns the rules that UFW makes of the fields of a tuple.
func linesOf(f []string, v6 bool) []options {
	prefix := "ufw"
	if v6 {
		prefix = "ufw6"
	}
	action, route := strings.CutPrefix(f[0], "route:")
	action, logs, _ := strings.Cut(action, "_")
	match, suffix := options{}, "input"
	for part := range strings.SplitSeq(directionOf(f), "!") {
		switch way, name, named := strings.Cut(part, "_"); {
		case named && way == "in":
			match["-i"] = name
		case named:
			match["-o"] = name
			suffix = "output"
		case way == "out":
			suffix = "output"
		}
	}
	if route {
		suffix = "forward"
	}
	for option, value := range map[string]string{"-p": f[1], "--dport": f[2], "-d": f[3], "--sport": f[4], "-s": f[5]} {
		if value != "any" && value != "0.0.0.0/0" && value != "::/0" {
			match[option] = value
		}
	}
	if f[1] != "any" || f[2] == "any" && f[4] == "any" {
		return linesFor(match, prefix, suffix, action, logs)
	}
	tcp := linesFor(match.with(options{"-p": "tcp"}), prefix, suffix, action, logs)
	return append(tcp, linesFor(match.with(options{"-p": "udp"}), prefix, suffix, action, logs)...)
}

// directionOf returns the field about the direction. UFW before 0.29 wrote none: "in".
func directionOf(fields []string) string {
	if len(fields)%2 == 1 {
		return fields[len(fields)-1]
	}
	return "in"
}

// linesFor returns the rules for one protocol.
func linesFor(match options, prefix, suffix, action, logs string) []options {
	chain, logging := prefix+"-user-"+suffix, prefix+"-user-logging-"+suffix
	one := match.with(options{"-A": chain})
	var all []options
	if logs != "" {
		into := match.with(options{"-A": logging})
		log := into.with(options{"-j": "LOG", "--limit": "3/min", "--limit-burst": "10"})
		if logs == "log" {
			log["--ctstate"] = "NEW"
		}
		all = append(all, log, into.with(options{"-j": "RETURN"}), one.with(options{"-j": logging}))
	}
	switch action {
	case "allow":
		return append(all, one.with(options{"-j": "ACCEPT"}))
	case "reject":
		return append(all, one.with(options{"-j": "REJECT"}))
	case "limit":
		counted := one.with(options{"--ctstate": "NEW"})
		return append(all, counted.with(options{"--set": ""}),
			counted.with(options{"--update": "", "--seconds": "30", "--hitcount": "6", "-j": prefix + "-user-limit"}),
			one.with(options{"-j": prefix + "-user-limit-accept"}))
	}
	return append(all, one.with(options{"-j": "DROP"}))
}

// readLine reads a rule. One that is not like those that UFW writes is no rule.
func readLine(text string) (options, bool) {
	words, err := splitSpec(text)
	if err != nil {
		return nil, false
	}
	o, modules := options{}, []string{}
	for len(words) > 0 {
		if alone(words[0]) {
			o[words[0]], words = "", words[1:]
			continue
		}
		if len(words) == 1 || words[0][0] != '-' {
			return nil, false
		}
		name, value := words[0], words[1]
		words = words[2:]
		switch name {
		case "-m":
			modules = append(modules, value)
			continue
		case "--dports", "--sports": // of the match multiport
			name = strings.TrimSuffix(name, "s")
		case "--comment", "--reject-with", "--log-prefix":
			continue
		}
		if _, twice := o[name]; twice {
			return nil, false
		}
		o[name] = value
	}
	for _, module := range modules {
		if !o.uses(module) {
			o["-m "+module] = ""
		}
	}
	return o, true
}

// uses reports whether a match is one that only does what the options that UFW writes for
// it say: "-m socket" stops packets by itself, and so does "-m limit" without a number.
func (o options) uses(module string) bool {
	needs := map[string][]string{
		"comment": {}, "multiport": {"--dport", "--sport"}, "limit": {"--limit"}, "conntrack": {"--ctstate"}, "recent": {"--set", "--update"},
	}
	wanted, known := needs[module]
	return known && (len(wanted) == 0 || slices.ContainsFunc(wanted, func(option string) bool { _, ok := o[option]; return ok }))
}
