package firewall

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Effect is what a change of the rules means for published ports: who reaches them
// before and after it.
type Effect struct {
	Container string            `json:"container"`
	Protocol  string            `json:"protocol"`
	Ports     policy.PortRange  `json:"ports"`
	Families  []resource.Family `json:"families"`
	Before    string            `json:"before"` // "everybody"
	After     string            `json:"after"`  // "192.0.2.0/24, nobody else"
	Why       string            `json:"why"`    // the rule that decides on everybody else after it
}

// String returns "8080/tcp of container web: everybody -> nobody (default: deny incoming)".
func (e Effect) String() string {
	family := ""
	if len(e.Families) == 1 && e.Families[0] == resource.IPv6 {
		family = " over IPv6"
	}
	return fmt.Sprintf("%s/%s of container %s%s: %s -> %s (%s)", portSpec(e.Ports), e.Protocol, e.Container, family, e.Before, e.After, e.Why)
}

// Effects compares who reaches published ports under two programs.
func Effects(before, after *Program, f facts.Facts) ([]Effect, error) {
	was, err := Look(before, f, facts.Surface{})
	if err != nil {
		return nil, err
	}
	will, err := Look(after, f, facts.Surface{})
	if err != nil {
		return nil, err
	}
	var all []Effect
	for i, old := range was.Exposures { // both views list the same ports in the same order
		e := will.Exposures[i]
		effect := Effect{
			Container: e.Name, Protocol: e.Protocol, Ports: policy.PortRange{First: e.Port, Last: e.Port}, Families: []resource.Family{e.target.family()},
			Before: strings.Join(old.Words(), ", "), After: strings.Join(e.Words(), ", "), Why: e.Reach[len(e.Reach)-1].Why,
		}
		if effect.Before != effect.After {
			all = append(all, effect)
		}
	}
	return joinPorts(joinFamilies(all)), nil
}

// joinFamilies makes one effect of those that are alike but for the family or the address.
func joinFamilies(all []Effect) []Effect {
	var joined []Effect
	for _, e := range all {
		i := slices.IndexFunc(joined, func(o Effect) bool { return o.alike(e) && o.Ports == e.Ports })
		if i < 0 {
			joined = append(joined, e)
		} else if !slices.Contains(joined[i].Families, e.Families[0]) {
			joined[i].Families = append(joined[i].Families, e.Families[0])
		}
	}
	return joined
}

// joinPorts makes one effect of those on ports that follow each other.
func joinPorts(all []Effect) []Effect {
	slices.SortStableFunc(all, func(a, b Effect) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Ports.First, b.Ports.First))
	})
	var joined []Effect
	for _, e := range all {
		last := len(joined) - 1
		if last >= 0 && joined[last].alike(e) && slices.Equal(joined[last].Families, e.Families) && joined[last].Ports.Last+1 == e.Ports.First {
			joined[last].Ports.Last = e.Ports.Last
			continue
		}
		joined = append(joined, e)
	}
	return joined
}

func (e Effect) alike(o Effect) bool {
	return e.Container == o.Container && e.Protocol == o.Protocol && e.Before == o.Before && e.After == o.After
}
