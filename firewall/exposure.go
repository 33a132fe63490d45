package firewall

import (
	"cmp"
	"net/netip"
	"slices"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Exposure is a port of the host to which packets can be addressed, and who
// reaches it.
type Exposure struct {
	Kind     Kind       `json:"kind"`
	Name     string     `json:"name,omitempty"` // of the container or the process; empty: unknown
	Protocol string     `json:"protocol"`       // "tcp", "udp" or "sctp"
	Address  netip.Addr `json:"address"`        // unspecified: all of its family
	Port     uint16     `json:"port"`
	// Reach is read from the top: the first clause that fits a sender decides. The
	// last one has no condition, it is about everybody else.
	Reach []Clause `json:"reach"`
	Note  string   `json:"note,omitempty"`

	target target
}

// Kind says what is behind a port.
type Kind string

// The kinds.
const (
	Published   Kind = "published"    // a port of a container that Docker publishes
	HostNetwork Kind = "host network" // a container without a network of its own
	OnTheWire   Kind = "on the wire"  // a container with an address of its own on a link (macvlan, ipvlan)
	Process     Kind = "process"
)

// Clause says what becomes of connections from some senders. Its zero conditions
// stand for any.
type Clause struct {
	Source      netip.Prefix     `json:"source,omitzero"`
	SourcePorts policy.PortRange `json:"source_ports,omitzero"`
	In          Interface        `json:"in,omitempty"`
	To          netip.Prefix     `json:"to,omitzero"` // of a port on all addresses, only these
	Verdict     Verdict          `json:"verdict"`     // Allow, Limit, Reject or Deny
	Why         string           `json:"why"`         // "ufw: allow 8080/tcp"
	// Local says that the host itself still reaches the port: it is bound to loopback.
	Local bool `json:"local,omitempty"`
}

// target is how the rules see what is sent to a port.
type target struct {
	protocol  Protocol
	bound     netip.AddrPort
	container netip.AddrPort // where the kernel sends it instead; invalid: to a socket of the host
	bridge    string
}

func (t target) translated() bool { return t.container.IsValid() }

func (t target) family() resource.Family {
	if t.bound.Addr().Is6() {
		return resource.IPv6
	}
	return resource.IPv4
}

// View is a host as a packet from outside finds it.
type View struct {
	Exposures []Exposure `json:"exposures"`
	Findings  []Finding  `json:"findings,omitempty"`

	program   *Program
	input     input
	endpoints []endpoint
	major     int // Docker's version
}

// Look says who reaches which port of a host. Packets that the kernel sends on to
// containers are judged by the program, which need not be the one that is loaded
// (see Loaded); packets to sockets of the host by UFW's rules.
func Look(p *Program, f facts.Facts, s facts.Surface) (*View, error) {
	input, findings, err := readInput(f, s.WithoutUFW)
	if err != nil {
		return nil, err
	}
	v := &View{program: p, input: input, endpoints: endpoints(f.Docker), major: f.Docker.Major}
	for _, e := range append(v.published(f.Docker), sockets(f.Docker, s.Sockets)...) {
		e.Reach = v.reach(e.target)
		v.Exposures = append(v.Exposures, e)
	}
	v.Exposures = append(v.Exposures, v.onTheWire(s.OnTheWire)...)
	slices.SortStableFunc(v.Exposures, func(a, b Exposure) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), a.Address.Compare(b.Address))
	})
	v.Findings = slices.Concat(findings, pastFirewalls(&policy.Firewall{}, f.Docker), v.routed())
	for _, n := range f.Docker.Networks {
		if n.Driver == "bridge" && slices.Contains(f.Uplinked, n.Bridge) {
			v.Findings = append(v.Findings, uplinked(n.Bridge))
		}
	}
	return v, nil
}

// reach says who reaches a port.
func (v *View) reach(t target) []Clause {
	loopback := t.bound.Addr().IsLoopback()
	rules := v.rules(t)
	switch {
	case loopback && (rules == nil || !t.translated()):
		return []Clause{{Verdict: Deny, Why: "bound to " + t.bound.Addr().String(), Local: true}}
	case rules == nil:
		return []Clause{{Verdict: Allow, Why: openByDocker}}
	}
	if !t.translated() {
		rules = slices.Concat(v.host(t), rules)
	}
	clauses := walk(rules, t)
	clauses[len(clauses)-1].Local = loopback
	return clauses
}

// openByDocker is why a published port is open where molo's rules are not loaded.
const openByDocker = "Docker opens what it publishes: no rules of molo's stand in the way"

// rules returns the list that decides on what is sent to a port; none if there is
// nothing in the way.
func (v *View) rules(t target) []Rule {
	if !t.translated() {
		return v.input[t.family()]
	}
	for _, f := range v.program.Families {
		if f.Family == t.family() {
			return f.In
		}
	}
	return nil
}

// walk goes down a list and collects what the rules say, up to the first one that
// decides on everybody who is left.
func walk(rules []Rule, t target) []Clause {
	var clauses []Clause
	for _, r := range rules {
		c, ok := t.clause(r)
		if !ok || c.Verdict == Pass {
			continue // what the host sends to itself
		}
		clauses = append(clauses, c)
		if c.unconditional() {
			return prune(clauses)
		}
	}
	return prune(append(clauses, Clause{Verdict: Deny, Why: "no rule"}))
}

// clause returns what a rule says of new connections to a port, as far as it does.
func (t target) clause(r Rule) (Clause, bool) {
	m := r.Match
	destination := t.bound
	if t.translated() && !m.Published {
		destination = t.container
	}
	applies := (m.State == "" || m.State == New) &&
		(m.Protocol == 0 || m.Protocol == t.protocol) &&
		m.Out.matches(t.bridge) && (!m.Published || t.translated()) &&
		within(netip.Prefix{}, m.Ports, destination)
	c := Clause{Source: m.Source, SourcePorts: m.SourcePorts, In: m.In, Verdict: r.Verdict, Why: r.Why}
	switch {
	case !applies:
		return c, false
	case !m.Destination.IsValid() || m.Destination.Contains(destination.Addr()):
		return c, true
	case destination.Addr().IsUnspecified() && !m.Destination.Addr().IsLoopback():
		c.To = m.Destination
		return c, true
	}
	return c, false
}

func (c Clause) unconditional() bool {
	return !c.Source.IsValid() && anyPort(c.SourcePorts) && c.In == "" && !c.To.IsValid()
}

// prune leaves out the clauses at the end that say no more than the last one.
func prune(clauses []Clause) []Clause {
	last := clauses[len(clauses)-1]
	rest := clauses[:len(clauses)-1]
	for len(rest) > 0 && rest[len(rest)-1].Verdict == last.Verdict {
		rest = rest[:len(rest)-1]
	}
	return append(rest, last)
}
