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

// hooked reports whether the hook's jumps are the first rules, and there only once.
func (t table) hooked(h resource.Hook) bool {
	if len(t.jumps(h.From, h.To)) != 1 || t.rules[h.From][0] != jump(h.From, h.To) {
		return false
	}
	return h.Parent == "" || t.precedesDocker(h.Parent, h.From)
}

// precedesDocker reports whether a jump comes before every rule of Docker's own that
// accepts. It need not be the first one: VPNs keep theirs on top, and Docker 26 puts
// its isolation chains there when it restarts, which only drop.
func (t table) precedesDocker(parent, to string) bool {
	for _, rule := range t.rules[parent] {
		switch {
		case rule == jump(parent, to):
			return true
		case strings.HasPrefix(rule, jump(parent, "DOCKER-ISOLATION")):
			continue
		case strings.Contains(rule, "DOCKER"), strings.Contains(rule, " docker0 "), strings.Contains(rule, " br-"):
			return false
		}
	}
	return false
}

// jumps returns every rule of a chain that leads to another.
func (t table) jumps(from, to string) []string {
	var all []string
	for _, rule := range t.rules[from] {
		if rule == jump(from, to) {
			all = append(all, rule)
		}
	}
	return all
}

// hook finds a jump into our chains that is the first rule of its chain.
func (t table) hook() resource.Hook {
	for _, from := range t.chains {
		if strings.HasPrefix(from, ours) || len(t.rules[from]) == 0 {
			continue
		}
		if to, ok := strings.CutPrefix(t.rules[from][0], "-A "+from+" -j "+ours); ok {
			return resource.Hook{From: from, To: ours + to}
		}
	}
	return resource.Hook{}
}

// restoreText is the input of iptables-restore --noflush that turns our part of a
// table into what is wanted. Declaring a chain empties it, so only our own are
// declared, and the shared one only where it is missing; every other rule stays.
// Without wanted rules everything of ours is taken away.
func restoreText(name string, t table, want resource.Rules) string {
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
	if want.Hook.From != "" && !builtin(want.Hook.From) && !t.has(want.Hook.From) {
		line(":"+want.Hook.From, "-", "[0:0]")
	}
	for _, c := range want.Chains {
		for _, r := range c.Rules {
			line("-A", c.Name, r.Spec)
		}
	}
	t.rehook(want.Hook, line)
	for _, c := range stale {
		line("-X", c.Name)
	}
	line("COMMIT")
	return out.String()
}

// rehook takes away jumps into our chains that are not where they should be, and
// puts the wanted ones first.
func (t table) rehook(want resource.Hook, line func(...string)) {
	if want.To != "" && t.hooked(want) {
		return
	}
	for _, from := range t.chains {
		for _, rule := range t.rules[from] {
			if !strings.HasPrefix(from, ours) && strings.HasPrefix(rule, "-A "+from+" -j "+ours) {
				line("-D", strings.TrimPrefix(rule, "-A "))
			}
		}
	}
	if want.To == "" {
		return
	}
	if want.Parent != "" {
		for range t.jumps(want.Parent, want.From) {
			line("-D", want.Parent, "-j", want.From)
		}
		line("-I", want.Parent, "1", "-j", want.From)
	}
	line("-I", want.From, "1", "-j", want.To)
}
