package firewall

import (
	"fmt"
	"net/netip"
	"strings"

	"molo/internal/policy"
)

// Protocol is an IP protocol number; 0 stands for any.
type Protocol uint8

// The protocols that have ports in UFW's rules.
const (
	TCP Protocol = 6
	UDP Protocol = 17
)

// SCTP is a protocol that Docker publishes and UFW has no name for.
const SCTP Protocol = 132

// PortProtocol reads the name of a protocol with ports, as Docker writes it: "tcp", "udp" or
// "sctp".
func PortProtocol(name string) Protocol {
	switch name {
	case "tcp":
		return TCP
	case "udp":
		return UDP
	}
	return SCTP
}

// protocols lists what UFW 0.36 knows by name (supported_protocols in its util.py).
func protocols() []Protocol { return []Protocol{0, TCP, UDP, 2, 41, 47, 50, 51, 112} }

// String returns the name that UFW gives the protocol, else its number.
func (p Protocol) String() string {
	switch p {
	case 0:
		return "any"
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case 2:
		return "igmp"
	case 41:
		return "ipv6"
	case 47:
		return "gre"
	case 50:
		return "esp"
	case 51:
		return "ah"
	case 112:
		return "vrrp"
	}
	return fmt.Sprint(uint8(p))
}

// parseProtocol reads the name that UFW writes.
func parseProtocol(name string) (Protocol, error) {
	for _, p := range protocols() {
		if name == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("unknown protocol %q", name)
}

// spec returns "tcp", "udp", or a number: iptables looks other names up in
// /etc/protocols, which may be missing.
func (p Protocol) spec() string {
	if p.hasPorts() {
		return p.String()
	}
	return fmt.Sprint(uint8(p))
}

// hasPorts reports whether iptables can match ports of the protocol.
func (p Protocol) hasPorts() bool { return p == TCP || p == UDP }

// State is what conntrack knows of a packet.
type State string

// The states. Established includes RELATED, such as the ICMP errors of a connection.
const (
	New         State = "new"
	Established State = "established"
	Invalid     State = "invalid"
	// Midway is of a TCP connection whose beginning conntrack has not seen, or has been
	// told to forget: NEW to it, but no SYN.
	Midway State = "midway"
)

// Match is a set of packets. A field with the zero value matches everything.
type Match struct {
	State       State
	In, Out     Interface
	Protocol    Protocol
	Source      netip.Prefix
	SourcePorts policy.PortRange
	// Published narrows the match to connections whose destination was translated.
	// Destination and Ports are then what the sender addressed, else what the
	// packet carries after translation.
	Published   bool
	Destination netip.Prefix
	Ports       policy.PortRange
}

// spec returns the match in the syntax of iptables-restore. Every word of it comes
// out of a type, never out of a file.
func (m Match) spec() string {
	var words []string
	add := func(w ...string) { words = append(words, w...) }
	if m.Source.IsValid() {
		add("-s", m.Source.String())
	}
	if m.Destination.IsValid() && !m.Published {
		add("-d", m.Destination.String())
	}
	if m.In != "" {
		add("-i", string(m.In))
	}
	if m.Out != "" {
		add("-o", string(m.Out))
	}
	if m.Protocol != 0 {
		add("-p", m.Protocol.spec())
	}
	if !anyPort(m.SourcePorts) {
		add("--sport", portSpec(m.SourcePorts))
	}
	if !anyPort(m.Ports) && !m.Published {
		add("--dport", portSpec(m.Ports))
	}
	return strings.Join(append(words, m.conntrack()...), " ")
}

// conntrack returns the words of the match that ask conntrack.
func (m Match) conntrack() []string {
	var words []string
	switch {
	case m.State == Established:
		return []string{"-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"}
	case m.State == Midway:
		return []string{"-m", "conntrack", "--ctstate", "NEW", "-m", "tcp", "!", "--syn"}
	case m.State != "":
		return []string{"-m", "conntrack", "--ctstate", strings.ToUpper(string(m.State))}
	case !m.Published:
		return nil
	}
	words = append(words, "-m", "conntrack", "--ctstate", "DNAT")
	if m.Destination.IsValid() {
		words = append(words, "--ctorigdst", m.Destination.String())
	}
	if !anyPort(m.Ports) {
		words = append(words, "--ctorigdstport", portSpec(m.Ports))
	}
	return words
}

func anyPort(r policy.PortRange) bool { return r == policy.PortRange{} }

// portSpec returns "80" or "7000:7010".
func portSpec(r policy.PortRange) string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d:%d", r.First, r.Last)
}
