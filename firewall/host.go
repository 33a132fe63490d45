package firewall

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
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

// proxied makes the rules for published ports that docker-proxy takes in, such as one on
// IPv6 whose container has only IPv4: they are the host's own, so UFW decides; short of
// what the policy opens beyond UFW, and of what it shuts where UFW's rules do not count.
func (c *compiler) proxied(family resource.Family, d facts.Docker, opened []Rule) []Rule {
	var rules []Rule
	for _, t := range byProxy(d, family) {
		m := Match{Protocol: t.protocol, Ports: policy.PortRange{First: t.bound.Port(), Last: t.bound.Port()}}
		if a := t.bound.Addr(); !a.IsUnspecified() {
			m.Destination = netip.PrefixFrom(a, a.BitLen())
		}
		for _, r := range opened {
			if r.Match.Protocol != 0 && r.Match.Protocol != t.protocol || !within(netip.Prefix{}, r.Match.Ports, t.bound) {
				continue
			}
			one := m
			one.In, one.Source = r.Match.In, r.Match.Source
			rules = append(rules, Rule{Match: one, Verdict: Allow, Why: r.Why})
		}
		if c.shut != "" && !c.follows() {
			rules = append(rules, Rule{Match: m, Verdict: Deny, Why: c.shut})
		}
	}
	if len(rules) == 0 {
		return nil
	}
	return append([]Rule{
		{Match: Match{In: "lo"}, Verdict: Pass, Why: "from this host itself"},
		{Match: Match{State: Established}, Verdict: Pass, Why: "existing connection"},
	}, rules...)
}

// byProxy lists the published ports that docker-proxy takes in, as far as links reach them.
func byProxy(d facts.Docker, family resource.Family) []target {
	v := &View{endpoints: endpoints(d), program: &Program{}}
	var all []target
	for _, e := range v.published(d) {
		t := e.target
		if !t.translated() && t.protocol.hasPorts() && t.family() == family && !t.bound.Addr().IsLoopback() && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.bound.Port(), b.bound.Port()), cmp.Compare(a.protocol, b.protocol), a.bound.Addr().Compare(b.bound.Addr()))
	})
	return all
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
