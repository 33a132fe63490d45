package firewall_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"molo/firewall"
	"molo/internal/resource"
)

// table is one rendered table, read word by word as the kernel would take it. It
// shares no code with what renders it.
type table struct {
	chains map[string][]kernelRule
	first  string
}

// kernelRule is what one rule checks, and where it leads.
type kernelRule struct {
	checks []func(firewall.Packet) bool
	target string // "DROP", "RETURN", a chain; empty: none
	jump   bool   // a chain that comes back to the next rule
	text   string
}

func readTable(r resource.Rules) (*table, error) {
	t := &table{chains: map[string][]kernelRule{}, first: r.Chains[0].Name}
	for _, c := range r.Chains {
		t.chains[c.Name] = nil
	}
	for _, c := range r.Chains {
		for _, rule := range c.Rules {
			k, err := readRule(rule.Spec)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", rule.Spec, err)
			}
			if _, chain := t.chains[k.target]; !chain && strings.Contains(k.target, "MOLO") {
				return nil, fmt.Errorf("%s: no such chain", rule.Spec)
			}
			t.chains[c.Name] = append(t.chains[c.Name], k)
		}
	}
	return t, nil
}

func readRule(spec string) (kernelRule, error) {
	k := kernelRule{text: spec}
	words := strings.Fields(strings.ReplaceAll(spec, `"[UFW MOLO LIMIT BLOCK] "`, "x"))
	if strings.Contains(spec, "--log-prefix") {
		words = strings.Fields(spec[:strings.Index(spec, "--log-prefix")])
	}
	for i := 0; i < len(words); i++ {
		option, value := words[i], ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		i++
		switch option {
		case "-m", "--comment", "--limit", "--limit-burst", "--reject-with", "--name", "--seconds":
		case "!": // and "--syn"
			k.checks = append(k.checks, func(p firewall.Packet) bool { return p.State == firewall.Midway })
		case "--set": // counts, and matches
			i--
		case "--update":
			i--
		case "--hitcount": // Decide has no memory: never over the limit
			k.checks = append(k.checks, func(firewall.Packet) bool { return false })
		case "-j", "-g":
			k.target, k.jump = value, option == "-j"
		default:
			check, err := readCheck(option, value)
			if err != nil {
				return k, err
			}
			k.checks = append(k.checks, check)
		}
	}
	return k, nil
}

func readCheck(option, value string) (func(firewall.Packet) bool, error) {
	prefix, prefixErr := netip.ParsePrefix(value)
	low, high, isRange := strings.Cut(value, ":")
	if !isRange {
		high = low
	}
	first, err1 := strconv.ParseUint(low, 10, 16)
	last, err2 := strconv.ParseUint(high, 10, 16)
	within := func(p uint16) bool { return first <= uint64(p) && uint64(p) <= last }
	switch option {
	case "-s":
		return func(p firewall.Packet) bool { return prefix.Contains(p.Source.Addr()) }, prefixErr
	case "-d":
		return func(p firewall.Packet) bool { return prefix.Contains(p.Destination.Addr()) }, prefixErr
	case "--ctorigdst":
		return func(p firewall.Packet) bool { return prefix.Contains(original(p).Addr()) }, prefixErr
	case "--sport":
		return func(p firewall.Packet) bool { return within(p.Source.Port()) }, anyError(err1, err2)
	case "--dport":
		return func(p firewall.Packet) bool { return within(p.Destination.Port()) }, anyError(err1, err2)
	case "--ctorigdstport":
		return func(p firewall.Packet) bool { return within(original(p).Port()) }, anyError(err1, err2)
	case "-i":
		return func(p firewall.Packet) bool { return linkIs(value, p.In) }, nil
	case "-o":
		return func(p firewall.Packet) bool { return linkIs(value, p.Out) }, nil
	case "-p":
		number := map[string]firewall.Protocol{"tcp": 6, "udp": 17}[value]
		if number == 0 {
			number = firewall.Protocol(first)
		}
		return func(p firewall.Packet) bool { return p.Protocol == number }, nil
	case "--ctstate":
		return readState(value)
	}
	return nil, fmt.Errorf("unknown option %s", option)
}

func anyError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// original is what conntrack remembers: of a packet that nobody translated, what is
// on the packet.
func original(p firewall.Packet) netip.AddrPort {
	if p.Original.IsValid() {
		return p.Original
	}
	return p.Destination
}

func linkIs(pattern, link string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "+"); ok {
		return strings.HasPrefix(link, prefix)
	}
	return pattern == link
}

func readState(value string) (func(firewall.Packet) bool, error) {
	switch value {
	case "DNAT":
		return func(p firewall.Packet) bool { return p.Original.IsValid() }, nil
	case "NEW":
		return func(p firewall.Packet) bool { return p.State == firewall.New || p.State == firewall.Midway }, nil
	case "INVALID":
		return func(p firewall.Packet) bool { return p.State == firewall.Invalid }, nil
	case "RELATED,ESTABLISHED":
		return func(p firewall.Packet) bool { return p.State == firewall.Established }, nil
	}
	return nil, fmt.Errorf("unknown state %s", value)
}

// run sends a packet through the table and returns the last word on it, "DROP",
// "REJECT", "ACCEPT" or "RETURN", with the rules that match on the way and how many
// were looked at.
func (t *table) run(pkt firewall.Packet) (word string, matched []string, looked int) {
	var walk func(chain string) string
	walk = func(chain string) string {
		for _, k := range t.chains[chain] {
			looked++
			if !k.matches(pkt) {
				continue
			}
			if k.target == "DROP" || k.target == "REJECT" || k.target == "ACCEPT" {
				matched = append(matched, k.text)
				return k.target
			}
			if k.target == "RETURN" {
				matched = append(matched, k.text)
				return ""
			}
			if k.target == "LOG" || k.target == "" {
				matched = append(matched, k.text)
				continue
			}
			word := walk(k.target)
			if !k.jump || word != "" {
				return word
			}
		}
		return ""
	}
	if word = walk(t.first); word == "" {
		word = "RETURN"
	}
	return word, matched, looked
}

func (k kernelRule) matches(pkt firewall.Packet) bool {
	for _, check := range k.checks {
		if !check(pkt) {
			return false
		}
	}
	return true
}
