package firewall

import (
	"net/netip"

	"molo/internal/policy"
	"molo/internal/resource"
)

// Packet is a packet that the kernel is about to forward.
type Packet struct {
	State       State // "" counts as New
	Protocol    Protocol
	Source      netip.AddrPort // the port is 0 where the protocol has none
	Destination netip.AddrPort // after translation: the container
	Original    netip.AddrPort // what the sender addressed; invalid where nothing was translated
	In, Out     string         // links
}

// Decide says what the rules do to a packet, and which rule does it. It runs the
// program that Rules renders; a Limit has no memory here.
func (p *Program) Decide(pkt Packet) (Verdict, string) {
	for _, f := range p.Families {
		if (f.Family == resource.IPv6) != pkt.Destination.Addr().Is6() {
			continue
		}
		var r Rule
		for _, list := range [][]Rule{f.From, f.To, f.In} {
			if r = decide(list, pkt); r.Verdict != next {
				break
			}
		}
		return r.Verdict, r.Why
	}
	return Pass, "no rules for this address family"
}

// Ends reports whether a connection that exists has to end: made anew it would be refused,
// on whichever of the links it may have come in.
func (p *Program) Ends(pkt Packet, links []string) bool {
	for _, link := range append(links, pkt.In) {
		pkt.In = link
		if verdict, _ := p.Decide(pkt); verdict != Deny && verdict != Reject {
			return false
		}
	}
	return true
}

// decide returns the first rule that matches; the last one of a list always does.
func decide(list []Rule, pkt Packet) Rule {
	for _, r := range list {
		if r.Match.matches(pkt) {
			return r
		}
	}
	return Rule{Verdict: Deny, Why: "no rule"}
}

func (m Match) matches(pkt Packet) bool {
	if pkt.State == "" {
		pkt.State = New
	}
	destination := pkt.Destination
	if m.Published {
		destination = pkt.Original
	}
	return (m.State == "" || m.State == pkt.State) &&
		m.In.matches(pkt.In) && m.Out.matches(pkt.Out) &&
		(m.Protocol == 0 || m.Protocol == pkt.Protocol) &&
		(!m.Published || pkt.Original.IsValid()) &&
		within(m.Source, m.SourcePorts, pkt.Source) &&
		within(m.Destination, m.Ports, destination)
}

// within reports whether an address and port are in a prefix and a range.
func within(prefix netip.Prefix, ports policy.PortRange, at netip.AddrPort) bool {
	return (!prefix.IsValid() || prefix.Contains(at.Addr())) &&
		(anyPort(ports) || ports.First <= at.Port() && at.Port() <= ports.Last)
}
