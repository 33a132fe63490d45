package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"molo/internal/policy"
	"molo/internal/resource"
)

// Loaded reads back the program that is in force from the chains that a host
// reports. A family of which neither the filter nor the guard is as molo left it has
// no rules in the program: what Docker publishes there counts as open. The findings
// say so.
func Loaded(have []resource.Rules, families []resource.Family) (*Program, []Finding) {
	program := &Program{}
	var findings []Finding
	for _, family := range families {
		inForce := false
		// The guard knows neither limits nor rejects, so it is asked last.
		for _, layout := range []layout{filterLayout(false), lastLayout(), guardLayout()} {
			rules, ok := standing(have, family, layout)
			if !ok {
				continue
			}
			lists, err := readBack(rules, layout)
			if err != nil {
				findings = append(findings, Finding{Where: tableOf(rules), What: err.Error(), Hint: "molo apply"})
				continue
			}
			program.Families = append(program.Families, lists)
			inForce = true
			findings = append(findings, lastFault(have, lists)...)
			break
		}
		findings = append(findings, faults(have, family, inForce)...)
	}
	return program, findings
}

func tableOf(r resource.Rules) string { return string(r.Family) + " " + r.Table }

// standing finds the chains of a layout where they are hooked and nobody has changed
// them.
func standing(have []resource.Rules, family resource.Family, l layout) (resource.Rules, bool) {
	for _, r := range have {
		if r.Family == family && r.Table == l.table && onThePath(r.Hooks, l.chain) && len(r.Drift) == 0 {
			return r, true
		}
	}
	return resource.Rules{}, false
}

// onThePath reports whether packets get from FORWARD to a chain.
func onThePath(hooks []resource.Hook, chain string) bool {
	return slices.ContainsFunc(hooks, func(h resource.Hook) bool {
		return h.To == chain && (h.From == "FORWARD" || onThePath(hooks, h.From))
	})
}

// faults says what is wrong with the chains of a family.
func faults(have []resource.Rules, family resource.Family, inForce bool) []Finding {
	var all []Finding
	if !inForce {
		all = append(all, Finding{
			Where: string(family) + "tables", Hint: "molo apply",
			What: "molo's rules are not in force: every port that Docker publishes is open to everybody",
		})
	}
	changed := false
	for _, r := range have {
		if r.Family == family && len(r.Drift) > 0 {
			changed = changed || r.Table == "filter"
			all = append(all, Finding{Where: tableOf(r), What: "somebody changed molo's rules: " + r.Drift[0], Hint: "molo apply"})
		}
	}
	if slices.ContainsFunc(have, func(r resource.Rules) bool { return r.Family == family && r.Elsewhere }) {
		all = append(all, Finding{
			Where: string(family) + "tables", Hint: "molo apply",
			What: "rules of molo's are left in the other flavour of iptables, which Docker does not use, and still drop",
		})
	}
	if _, filtered := standing(have, family, filterLayout(false)); inForce && !filtered && !changed {
		all = append(all, Finding{
			Where: string(family) + " filter", Hint: "molo apply",
			What: "nothing leads to molo's rules in the filter table: only the guards hold",
		})
	}
	if _, guarded := standing(have, family, guardLayout()); inForce && !guarded {
		all = append(all, Finding{
			Where: string(family) + " mangle", Hint: "molo apply",
			What: "the guard is not in force: published ports open for a moment when Docker restarts or ufw reloads",
		})
	}
	return all
}

// lastFault says that nothing stands behind the filter where something should.
func lastFault(have []resource.Rules, lists Family) []Finding {
	if _, ok := standing(have, lists.Family, lastLayout()); ok || !lists.needsLast() {
		return nil
	}
	return []Finding{{
		Where: string(lists.Family) + " security", Hint: "molo apply",
		What: "the second guard is not in force: ports that ufw rejects or limits open for a moment when Docker restarts or ufw reloads",
	}}
}

// readBack turns the chains of one table into the lists that they were made of.
func readBack(rules resource.Rules, l layout) (Family, error) {
	f := Family{Family: rules.Family}
	into := map[string]*[]Rule{l.chain: &f.From, l.chain + "-TO": &f.To, l.chain + "-IN": &f.In, hostChainName: &f.Host}
	chains, err := inOneList(rules.Chains, l)
	if err != nil {
		return Family{}, err
	}
	for _, c := range chains {
		list, known := into[c.Name]
		if !known {
			continue // what a Limit does
		}
		for _, r := range c.Rules {
			rule, err := parseSpec(r.Spec)
			if err != nil {
				return Family{}, fmt.Errorf("reading the chain %s: %w", c.Name, err)
			}
			if rule.Why = r.Why; rule.Why == "" {
				rule.Why = "rule in " + c.Name + ": " + r.Spec
			}
			if rule.Verdict == "" {
				continue // logs or counts
			}
			if c.Name == hostChainName && strings.HasSuffix(r.Spec, "-j RETURN") {
				rule.Verdict = Pass
			}
			if rule.Verdict == Allow && (c.Name == l.chain || c.Name == l.chain+"-TO") {
				rule.Verdict = Pass
				if m := rule.Match; m.In != "" && (m.Out == "" || m.Out == m.In) {
					rule.Verdict = Docker
				}
			}
			*list = append(*list, rule)
		}
	}
	if len(f.From) == 0 || len(f.To) == 0 || len(f.In) == 0 {
		return Family{}, fmt.Errorf("reading the chains of %s: some are missing", l.chain)
	}
	return f, nil
}

// parseSpec reads a rule as this package writes it or as iptables prints it. A rule
// that only logs or counts has no verdict.
func parseSpec(spec string) (Rule, error) {
	var r Rule
	words, err := splitSpec(spec)
	if err != nil {
		return r, err
	}
	counted := slices.Contains(words, "--update")
	words, midway := withoutSYN(words)
	for len(words) > 0 {
		if len(words) == 1 && !alone(words[0]) {
			return r, fmt.Errorf("rule not understood: %s", spec)
		}
		if alone(words[0]) {
			words = words[1:]
			continue
		}
		if err := r.take(words[0], words[1]); err != nil {
			return r, fmt.Errorf("rule not understood: %s: %w", spec, err)
		}
		words = words[2:]
	}
	if counted {
		r.Verdict = Limit
	}
	if midway {
		r.Match.State = Midway
	}
	return r, nil
}

// withoutSYN takes out the match of packets that begin no connection, as it is written or
// as iptables prints it.
func withoutSYN(words []string) ([]string, bool) {
	for _, match := range [][]string{{"!", "--syn"}, {"!", "--tcp-flags", "FIN,SYN,RST,ACK", "SYN"}} {
		for i := range words {
			if rest, ok := cutPrefix(words[i:], match); ok {
				return slices.Concat(words[:i], rest), true
			}
		}
	}
	return words, false
}

func cutPrefix(words, prefix []string) ([]string, bool) {
	if len(words) < len(prefix) || !slices.Equal(words[:len(prefix)], prefix) {
		return nil, false
	}
	return words[len(prefix):], true
}

// splitSpec splits at spaces; a word in quotes may have some.
func splitSpec(spec string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(spec); rest != ""; rest = strings.TrimLeft(rest, " ") {
		word := rest
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			word = quoted
		} else if end := strings.IndexByte(rest, ' '); end >= 0 {
			word = rest[:end]
		}
		if strings.HasPrefix(word, `"`) && (len(word) < 2 || !strings.HasSuffix(word, `"`)) {
			return nil, fmt.Errorf("rule not understood: %s: a quote is open", spec)
		}
		words = append(words, word)
		rest = rest[len(word):]
	}
	return words, nil
}

// alone reports whether an option has no value.
func alone(option string) bool {
	return option == "--set" || option == "--update" || option == "--rsource"
}

// take reads one option.
func (r *Rule) take(option, value string) error {
	m := &r.Match
	var err error
	switch option {
	case "-s":
		m.Source, err = parseNet(value)
	case "-d", "--ctorigdst":
		m.Destination, err = parseNet(value)
	case "-i":
		m.In, err = parseInterface(value)
	case "-o":
		m.Out, err = parseInterface(value)
	case "-p":
		m.Protocol, err = parseNumber(value)
	case "--sport":
		m.SourcePorts, err = parseRange(value)
	case "--dport", "--ctorigdstport":
		m.Ports, err = parseRange(value)
	case "--ctstate":
		err = m.takeState(value)
	case "-j", "-g":
		r.Verdict, err = parseTarget(value)
	case "-m", "--comment", "--limit", "--limit-burst", "--log-prefix", "--reject-with", "--name", "--seconds", "--hitcount", "--mask":
	default:
		err = fmt.Errorf("unknown option %s", option)
	}
	return err
}

func (m *Match) takeState(value string) error {
	switch value {
	case "DNAT":
		m.Published = true
	case "INVALID":
		m.State = Invalid
	case "NEW":
		m.State = New
	case "RELATED,ESTABLISHED":
		m.State = Established
	default:
		return fmt.Errorf("unknown state %s", value)
	}
	return nil
}

func parseTarget(value string) (Verdict, error) {
	switch {
	case value == "RETURN" || value == "ACCEPT":
		return Allow, nil
	case value == "DROP":
		return Deny, nil
	case value == "REJECT":
		return Reject, nil
	case value == "LOG":
		return "", nil
	case strings.HasSuffix(value, "-LIMIT"):
		return Limit, nil
	case strings.HasSuffix(value, "-TO") || strings.HasSuffix(value, "-IN"):
		return next, nil
	}
	return "", fmt.Errorf("unknown target %s", value)
}

func parseNet(value string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(value); err == nil {
		return a.Prefix(a.BitLen())
	}
	return netip.ParsePrefix(value)
}

// parseNumber reads "tcp", "udp", another name that iptables prints, or a number.
func parseNumber(value string) (Protocol, error) {
	if n, err := strconv.ParseUint(value, 10, 8); err == nil {
		return Protocol(n), nil
	}
	return parseProtocol(value)
}

func parseRange(value string) (policy.PortRange, error) {
	ranges, err := parsePorts(value)
	if err != nil || len(ranges) != 1 {
		return policy.PortRange{}, fmt.Errorf("bad ports %q", value)
	}
	return ranges[0], nil
}
