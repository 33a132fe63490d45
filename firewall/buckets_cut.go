package firewall

import (
	"math/bits"
	"net/netip"
	"slices"

	"molo/internal/policy"
)

// cut names the packets of each part of a split.
type cut struct {
	matches []Match // no two of them have a packet in common
	covers  []Match // every packet of a cover is in one of the matches
}

// split hands each part the rules that can match its packets, in their order.
func (c cut) split(within Match, rules []*Rule) split {
	var s split
	for _, m := range c.matches {
		p := part{match: m, within: within.and(m)}
		for _, r := range rules {
			if m.overlaps(r.Match) {
				p.rules = append(p.rules, r)
			}
		}
		s.parts = append(s.parts, p)
	}
	covered := func(m Match) bool {
		return slices.ContainsFunc(c.covers, func(cover Match) bool { return cover.contains(m) })
	}
	if covered(within) {
		// Nothing is left, so the last part needs no check.
		last := len(s.parts) - 1
		s.parts, s.rest = s.parts[:last], s.parts[last]
		return s
	}
	s.rest.within = within
	for _, r := range rules {
		if !covered(r.Match) {
			s.rest.rules = append(s.rest.rules, r)
		}
	}
	return s
}

// The matches of a cut have a source or a protocol and ports, its covers a source or a
// protocol, and nothing else: what follows knows of no other fields of m.

// overlaps reports whether a packet may match both; where it can't tell, it may.
func (m Match) overlaps(o Match) bool {
	protocols := m.Protocol == 0 || o.Protocol == 0 || m.Protocol == o.Protocol
	sources := !m.Source.IsValid() || !o.Source.IsValid() || m.Source.Overlaps(o.Source)
	// The port that the sender addressed says nothing about the container's.
	ports := anyPort(m.Ports) || anyPort(o.Ports) || m.Published != o.Published ||
		m.Ports.First <= o.Ports.Last && o.Ports.First <= m.Ports.Last
	return protocols && sources && ports
}

// contains reports whether every packet that matches o certainly matches m.
func (m Match) contains(o Match) bool {
	protocols := m.Protocol == 0 || m.Protocol == o.Protocol
	sources := !m.Source.IsValid() || o.Source.IsValid() && m.Source.Bits() <= o.Source.Bits() && m.Source.Contains(o.Source.Addr())
	return protocols && sources && (!m.Published || o.Published)
}

// and returns what is known of packets that match both, as far as one match can say.
func (m Match) and(o Match) Match {
	if o.Source.IsValid() {
		m.Source = o.Source
	}
	if o.Protocol != 0 {
		m.Protocol, m.Published, m.Ports = o.Protocol, o.Published, o.Ports
	}
	return m
}

// cutPorts cuts at the ports of rules, so that each part begins about as many of them:
// those that senders address (published), or those of containers.
func cutPorts(published bool, within Match, rules []*Rule, ways int) cut {
	firsts := map[Protocol][]uint16{}
	n := 0
	for _, r := range rules {
		if m := r.Match; m.Published == published && m.Protocol.hasPorts() && !anyPort(m.Ports) {
			firsts[m.Protocol] = append(firsts[m.Protocol], m.Ports.First)
			n++
		}
	}
	span := policy.PortRange{First: 0, Last: 65535}
	if within.Published == published && !anyPort(within.Ports) {
		span = within.Ports
	}
	var c cut
	for _, protocol := range []Protocol{TCP, UDP} {
		if len(firsts[protocol]) == 0 {
			continue
		}
		c.covers = append(c.covers, Match{Published: published, Protocol: protocol})
		for _, ports := range tiles(span, firsts[protocol], max(1, ways*len(firsts[protocol])/n)) {
			c.matches = append(c.matches, Match{Published: published, Protocol: protocol, Ports: ports})
		}
	}
	return c
}

// tiles cuts a range into at most a number of ranges, which about as many of the
// ports are in. They begin with the span, even if that is port 0, on which nobody
// listens: packets to it exist.
func tiles(span policy.PortRange, ports []uint16, ways int) []policy.PortRange {
	slices.Sort(ports)
	var all []policy.PortRange
	first := span.First
	for i := 1; i < ways; i++ {
		// The range 0:0 would stand for any port.
		if port := ports[i*len(ports)/ways]; port > max(first, 1) && port <= span.Last {
			all = append(all, policy.PortRange{First: first, Last: port - 1})
			first = port
		}
	}
	if len(all) == 0 && span == (policy.PortRange{First: 0, Last: 65535}) {
		return []policy.PortRange{{}}
	}
	return append(all, policy.PortRange{First: first, Last: span.Last})
}

// crowd is a prefix and the sources of rules that are in it, sorted by address.
type crowd struct {
	prefix  netip.Prefix
	sources []netip.Prefix
}

// cutSources cuts at the sources of rules.
func cutSources(within Match, rules []*Rule, ways int) cut {
	var all crowd
	for _, r := range rules {
		if r.Match.Source.IsValid() {
			all.sources = append(all.sources, r.Match.Source)
		}
	}
	if len(all.sources) == 0 {
		return cut{}
	}
	slices.SortFunc(all.sources, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	if all.prefix = within.Source; !all.prefix.IsValid() {
		all.prefix = netip.PrefixFrom(all.sources[0].Addr(), 0).Masked()
	}
	var c cut
	for _, one := range all.divide(ways) {
		c.matches = append(c.matches, Match{Source: one.prefix})
	}
	c.covers = c.matches
	return c
}

// divide halves the crowd with the most sources again and again. A half without any
// is left out.
func (c crowd) divide(ways int) []crowd {
	crowds := []crowd{c}
	for len(crowds) < ways {
		i := largest(crowds)
		if len(crowds[i].sources) < 2 {
			break
		}
		halves := crowds[i].halves()
		if len(halves) == 0 {
			crowds[i].sources = nil // none is in a half alone: it stays whole
			continue
		}
		crowds = slices.Replace(crowds, i, i+1, halves...)
	}
	return crowds
}

func largest(crowds []crowd) int {
	best := 0
	for i, c := range crowds {
		if len(c.sources) > len(crowds[best].sources) {
			best = i
		}
	}
	return best
}

// halves returns the halves, those that are not empty, of the longest prefix that
// all sources of a crowd are in.
func (c crowd) halves() []crowd {
	low, high := c.sources[0].Addr(), c.sources[len(c.sources)-1].Addr()
	bits := 1 + commonBits(low, high)
	if bits > low.BitLen() {
		return nil
	}
	var all []crowd
	for _, addr := range []netip.Addr{low, high} {
		if half := c.half(netip.PrefixFrom(addr, bits).Masked()); len(half.sources) > 0 {
			all = append(all, half)
		}
	}
	return all
}

// commonBits counts the leading bits that two addresses have in common.
func commonBits(a, b netip.Addr) int {
	x, y := a.AsSlice(), b.AsSlice()
	for i := range x {
		if x[i] != y[i] {
			return 8*i + bits.LeadingZeros8(x[i]^y[i])
		}
	}
	return a.BitLen()
}

func (c crowd) half(prefix netip.Prefix) crowd {
	h := crowd{prefix: prefix}
	for _, s := range c.sources {
		if s.Bits() >= prefix.Bits() && prefix.Contains(s.Addr()) {
			h.sources = append(h.sources, s)
		}
	}
	return h
}
