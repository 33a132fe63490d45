package host

import (
	"slices"
	"strings"

	"molo/internal/resource"
)

// saved is the output of iptables-save, by table.
type saved map[string]table

// table is one table: its chains in order and their rules.
type table struct {
	chains []string
	rules  map[string][]string // by chain, as printed: "-A CHAIN …"
}

// parseSave reads the output of iptables-save. Warnings about tables of the other
// flavour ("# Warning: …") and counters are left out.
func parseSave(text string) saved {
	tables := saved{}
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "*"):
			name = line[1:]
			tables[name] = table{rules: map[string][]string{}}
		case strings.HasPrefix(line, ":"):
			t := tables[name]
			chain, _, _ := strings.Cut(line[1:], " ")
			t.chains = append(t.chains, chain)
			tables[name] = t
		case strings.HasPrefix(line, "-A "):
			chain, _, _ := strings.Cut(line[len("-A "):], " ")
			tables[name].rules[chain] = append(tables[name].rules[chain], line)
		}
	}
	return tables
}

func (t table) has(chain string) bool { return slices.Contains(t.chains, chain) }

// own returns molo's chains as the kernel prints them.
func (t table) own() []resource.Chain {
	var all []resource.Chain
	for _, name := range t.chains {
		if !strings.HasPrefix(name, ours) {
			continue
		}
		chain := resource.Chain{Name: name}
		for _, rule := range t.rules[name] {
			chain.Rules = append(chain.Rules, resource.Rule{Spec: strings.TrimPrefix(rule, "-A "+name+" ")})
		}
		all = append(all, chain)
	}
	return all
}

// printed is the text of our chains; it stands for what the kernel holds.
func (t table) printed() string {
	var text strings.Builder
	for _, c := range t.own() {
		text.WriteString(":" + c.Name + "\n" + strings.Join(t.rules[c.Name], "\n") + "\n")
	}
	return text.String()
}

// builtin reports whether the kernel makes the chain.
func builtin(chain string) bool {
	return slices.Contains([]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}, chain)
}

func jump(from, to string) string { return "-A " + from + " -j " + to }

// hooked reports whether a jump is where it should be, and there only once.
func (t table) hooked(h resource.Hook) bool {
	seen := 0
	for _, rule := range t.rules[h.From] {
		switch {
		case rule == jump(h.From, h.To):
			seen++
		case seen == 0 && inTheWay(h, rule):
			return false
		}
	}
	return seen == 1
}

// inTheWay reports whether a jump must not stand behind a rule. Docker 26 puts its
// isolation chains in front when it restarts; they only drop.
func inTheWay(h resource.Hook, rule string) bool {
	switch h.Place {
	case resource.BeforeDocker:
		isolation := strings.HasPrefix(rule, jump(h.From, "DOCKER-ISOLATION"))
		docker := strings.Contains(rule, "DOCKER") || strings.Contains(rule, " docker0 ") || strings.Contains(rule, " br-")
		return docker && !isolation
	case resource.BeforeUFW:
		return strings.Contains(rule, " ufw")
	}
	return true
}

// restoreText is the input of iptables-restore --noflush that turns our part of a
// table into what is wanted. Declaring a chain empties it, so only our own are
// declared, and the shared one only where it is missing; every other rule stays.
// Without wanted rules everything of ours is taken away, shared chains that molo made
// too unless somebody uses them by now.
func restoreText(name string, t table, want resource.Rules, made []string) string {
	var out strings.Builder
	line := func(parts ...string) { out.WriteString(strings.Join(parts, " ") + "\n") }
	line("*" + name)
	stale := t.own()
	for _, c := range want.Chains {
		line(":"+c.Name, "-", "[0:0]")
		stale = slices.DeleteFunc(stale, func(s resource.Chain) bool { return s.Name == c.Name })
	}
	for _, c := range stale {
		line(":"+c.Name, "-", "[0:0]")
	}
	for _, chain := range t.missing(want.Hooks) {
		line(":"+chain, "-", "[0:0]")
	}
	for _, c := range want.Chains {
		for _, r := range c.Rules {
			line("-A", c.Name, r.Spec)
		}
	}
	t.rehook(want.Hooks, line)
	for _, c := range stale {
		line("-X", c.Name)
	}
	if len(want.Chains) == 0 {
		t.unmake(made, line)
	}
	line("COMMIT")
	return out.String()
}

// missing lists the shared chains that have to be made.
func (t table) missing(hooks []resource.Hook) []string {
	var all []string
	for _, h := range hooks {
		if !builtin(h.From) && !t.has(h.From) {
			all = append(all, h.From)
		}
	}
	return all
}

// unmake takes away shared chains that hold nothing but our jumps.
func (t table) unmake(chains []string, line func(...string)) {
	for _, chain := range chains {
		foreign := func(rule string) bool { return !strings.HasPrefix(rule, jump(chain, ours)) }
		if !t.has(chain) || slices.ContainsFunc(t.rules[chain], foreign) {
			continue
		}
		for _, from := range t.chains {
			for _, rule := range t.rules[from] {
				if rule == jump(from, chain) {
					line("-D", from, "-j", chain)
				}
			}
		}
		line("-X", chain)
	}
}

// rehook takes away jumps that are not where they should be, and those into our
// chains that nobody wants, and puts the wanted ones first.
func (t table) rehook(want []resource.Hook, line func(...string)) {
	settled := func(from, to string) bool {
		return slices.ContainsFunc(want, func(h resource.Hook) bool { return h.From == from && h.To == to && t.hooked(h) })
	}
	for _, from := range t.chains {
		for _, rule := range t.rules[from] {
			to, ok := strings.CutPrefix(rule, "-A "+from+" -j "+ours)
			if ok && !strings.HasPrefix(from, ours) && !settled(from, ours+to) {
				line("-D", strings.TrimPrefix(rule, "-A "))
			}
		}
	}
	for _, h := range want {
		if settled(h.From, h.To) {
			continue
		}
		for _, rule := range t.rules[h.From] {
			if rule == jump(h.From, h.To) && !strings.HasPrefix(h.To, ours) {
				line("-D", h.From, "-j", h.To)
			}
		}
		line("-I", h.From, "1", "-j", h.To)
	}
}
