package firewall

import (
	"slices"

	"molo/internal/facts"
	"molo/internal/resource"
)

// input is what decides on packets to the host itself, by family.
type input map[resource.Family][]Rule

// readInput lists UFW's rules for the host itself: those that Compile mirrors for
// published ports, on what the packet carries.
func readInput(f facts.Facts, without []string) (input, []Finding, error) {
	ufw, findings, err := ParseUFW(f.UFW)
	if err != nil {
		return nil, nil, err
	}
	lists := input{}
	for _, family := range []resource.Family{resource.IPv4, resource.IPv6} {
		if ufw.Active && slices.Contains(without, string(family)) && (family == resource.IPv4 || ufw.IPv6) {
			lists[family] = []Rule{{Verdict: Allow, Why: "ufw is enabled, but its rules are not loaded"}}
			findings = append(findings, Finding{
				Where: string(family) + "tables filter", Hint: "ufw disable && ufw enable, then molo apply",
				What: "ufw is enabled, but its rules are not loaded: every port of the host itself is open to everybody",
			})
			continue
		}
		lists[family] = incoming(ufw.rules(family))
		for i := range lists[family] {
			lists[family][i].Match.Published = false
		}
		lists[family] = append(lists[family], ufw.otherwise(f.UFW.Installed, family))
	}
	return lists, findings, nil
}

// otherwise is what becomes of packets to the host that no rule is about.
func (u UFW) otherwise(installed bool, family resource.Family) Rule {
	switch {
	case !installed:
		return Rule{Verdict: Allow, Why: "ufw is not installed"}
	case !u.Active:
		return Rule{Verdict: Allow, Why: "ufw is inactive"}
	case family == resource.IPv6 && !u.IPv6:
		// ufw-init then sets the policies of ip6tables to DROP.
		return Rule{Verdict: Deny, Why: "default: IPV6 is not yes in " + defaultsPath}
	case u.Input == DefaultAccept:
		return Rule{Verdict: Allow, Why: "default: allow incoming"}
	case u.Input == DefaultReject:
		return Rule{Verdict: Reject, Why: "default: reject incoming"}
	}
	return Rule{Verdict: Deny, Why: "default: deny incoming"}
}
