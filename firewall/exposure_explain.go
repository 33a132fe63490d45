package firewall

import (
	"fmt"
	"net/netip"
	"slices"

	"molo/internal/facts"
)

// Question is about one new connection from outside.
type Question struct {
	Protocol string         `json:"protocol"`
	From     netip.Addr     `json:"from"`
	In       string         `json:"in"` // the link that it arrives on
	To       netip.AddrPort `json:"to"` // as the sender addresses it
}

// Answer says what becomes of the connection.
type Answer struct {
	Verdict Verdict `json:"verdict"`        // Allow, Limit, Reject or Deny; Docker or Pass: molo has no say
	Why     string  `json:"why"`            // the rule that decides
	What    string  `json:"what,omitempty"` // what is behind the port; empty: nothing
	Note    string  `json:"note,omitempty"`
	// Host says that the connection is to the host itself: UFW decides, not molo.
	Host bool `json:"host,omitempty"`
}

// ephemeral is a source port as clients have it (RFC 6335, section 6).
const ephemeral = 49152

// Explain says what becomes of a connection, and which rule decides on it.
func (v *View) Explain(q Question) Answer {
	if q.In == "lo" {
		return Answer{Verdict: Allow, Why: "from this host itself"}
	}
	switch e, ok := v.behind(q.To.Addr()); {
	case ok && e.onTheWire():
		return Answer{Verdict: Allow, Why: e.unfiltered(), What: "container " + e.container.Name}
	case ok:
		return v.direct(q, e)
	}
	if e, ok := v.find(q); ok {
		answer := v.decide(e.target, e.target.packet(q), e.What())
		answer.Note = e.Note
		return answer
	}
	t := target{protocol: PortProtocol(q.Protocol), bound: q.To}
	answer := v.decide(t, t.packet(q), "")
	answer.Note = "nothing listens there"
	return answer
}

// behind finds the container that has an address of its own.
func (v *View) behind(a netip.Addr) (endpoint, bool) {
	i := slices.IndexFunc(v.endpoints, func(e endpoint) bool {
		return (e.network.Driver == "bridge" || e.onTheWire()) && slices.Contains(e.Addresses, a)
	})
	if i < 0 {
		return endpoint{}, false
	}
	return v.endpoints[i], true
}

// direct is about a connection to a container's own address.
func (v *View) direct(q Question, e endpoint) Answer {
	what := "container " + e.container.Name
	t := target{protocol: PortProtocol(q.Protocol), bound: q.To, container: q.To, bridge: e.network.Bridge}
	if v.rules(t) == nil {
		return Answer{Verdict: Pass, Why: "no rules of molo's: what Docker and ufw have in FORWARD decides", What: what}
	}
	pkt := t.packet(q)
	pkt.Original = netip.AddrPort{}
	answer := v.decide(t, pkt, what)
	if v.major >= 28 && (answer.Verdict == Allow || answer.Verdict == Limit) {
		answer.Verdict = Docker
		answer.Note = "since version 28 Docker drops what outsiders send to a container's own address, unless its network is routed"
	}
	return answer
}

// routed names the rules that let senders in to containers' own addresses: what listens
// there is published or not, and is in no table.
func (v *View) routed() []Finding {
	var all []Finding
	for _, e := range v.endpoints {
		if e.network.Driver != "bridge" {
			continue
		}
		for _, a := range e.Addresses {
			t := target{bound: netip.AddrPortFrom(a, 0), container: netip.AddrPortFrom(a, 0), bridge: e.network.Bridge}
			for _, r := range v.rules(t) {
				m := r.Match
				within := m.Out.matches(t.bridge) && (!m.Destination.IsValid() || m.Destination.Contains(a))
				if m.Published || r.Verdict != Allow && r.Verdict != Limit || !within {
					continue
				}
				what := fmt.Sprintf("%q lets senders in to its own address %s, whether a port is published or not", r.Why, a)
				if v.major >= 28 {
					what += "; since version 28 Docker drops that unless the network is routed"
				}
				all = append(all, Finding{Where: "container " + e.container.Name, What: what})
			}
		}
	}
	return all
}

// find returns the port that takes a connection in. A socket on one address wins
// over one on all.
func (v *View) find(q Question) (Exposure, bool) {
	for _, address := range []netip.Addr{q.To.Addr(), unspecified(q.To.Addr())} {
		for _, e := range v.Exposures {
			if e.Protocol == q.Protocol && e.target.bound == netip.AddrPortFrom(address, q.To.Port()) {
				return e, true
			}
		}
	}
	return Exposure{}, false
}

func unspecified(a netip.Addr) netip.Addr {
	if a.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// packet returns the first packet of a connection to the port.
func (t target) packet(q Question) Packet {
	pkt := Packet{Protocol: t.protocol, Source: netip.AddrPortFrom(q.From, ephemeral), Destination: q.To, In: q.In}
	if t.translated() {
		pkt.Destination, pkt.Original, pkt.Out = t.container, q.To, t.bridge
	}
	return pkt
}

func (v *View) decide(t target, pkt Packet, what string) Answer {
	rules := v.rules(t)
	switch {
	case t.bound.Addr().IsLoopback() && (rules == nil || !t.translated()):
		// The kernel drops a loopback address that comes in on a link (RFC 1122, 3.2.1.3).
		return Answer{Verdict: Deny, Why: "bound to " + t.bound.Addr().String(), What: what}
	case rules == nil:
		return Answer{Verdict: Allow, Why: openByDocker, What: what}
	case t.translated():
		verdict, why := v.program.Decide(pkt)
		return Answer{Verdict: verdict, Why: why, What: what}
	}
	r := decide(slices.Concat(v.host(t), rules), pkt)
	return Answer{Verdict: r.Verdict, Why: r.Why, What: what, Host: true}
}

// host returns what decides on packets to the host itself ahead of UFW's rules.
func (v *View) host(t target) []Rule {
	for _, f := range v.program.Families {
		if f.Family == t.family() {
			return f.Host
		}
	}
	return nil
}

// Knocks lists the connections that prove what the view says of published ports, as
// made by a stranger on a link of this name, who addresses ports that are published
// on every address at the host's own address on that link.
func (v *View) Knocks(s facts.Stranger) []Question {
	var all []Question
	for _, e := range v.Exposures {
		// No packet for ::1 leaves a host (RFC 4291, 2.5.3); without rules of molo's,
		// what becomes of one for 127.0.0.1 is between Docker and the kernel.
		loopback := e.Address.IsLoopback() && (e.Address.Is6() || v.rules(e.target) == nil)
		if e.Kind != Published || PortProtocol(e.Protocol) == SCTP || loopback {
			continue
		}
		q := Question{Protocol: e.Protocol, From: s.Address4, In: s.Link, To: e.target.bound}
		host := s.Host4
		if e.Address.Is6() {
			q.From, host = s.Address6, s.Host6
		}
		if e.Address.IsUnspecified() {
			q.To = netip.AddrPortFrom(host, e.Port)
		}
		if q.From.IsValid() {
			all = append(all, q)
		}
	}
	return all
}
