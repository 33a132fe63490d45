package firewall

import (
	"fmt"

	"molo/internal/facts"
	"molo/internal/policy"
)

// hostPorts makes the rules for what containers may reach of the host itself.
func hostPorts(p *policy.Firewall, links bridges) []Rule {
	var rules []Rule
	for _, port := range p.AllowFromContainers.V {
		protocol := TCP
		if port.Protocol == "udp" {
			protocol = UDP
		}
		why := fmt.Sprintf("%s allow_from_containers: %s/%s", place(p.AllowFromContainers.Range), port.Ports, port.Protocol)
		for _, i := range links.docker {
			rules = append(rules, Rule{Match: Match{In: i, Protocol: protocol, Ports: port.Ports}, Verdict: Allow, Why: why})
		}
	}
	return rules
}

// pastFirewalls names the containers on networks that pass every firewall of the host:
// their packets never meet its tables.
func pastFirewalls(p *policy.Firewall, d facts.Docker) []Finding {
	var all []Finding
	for _, e := range endpoints(d) {
		if !e.onTheWire() {
			continue
		}
		all = append(all, Finding{
			Where: "container " + e.container.Name,
			What:  fmt.Sprintf("it is on the %s network %s, which passes every firewall of this host", e.network.Driver, e.Network),
			Hint:  "use a bridge network, or filter where its packets arrive",
			Fails: p.Macvlan.V == "fail",
		})
	}
	return all
}
