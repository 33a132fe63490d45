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

// parseProtocol reads the name that UFW 0.36 writes (supported_protocols in its
// util.py).
func parseProtocol(name string) (Protocol, error) {
	switch name {
	case "any":
		return 0, nil
	case "tcp":
		return TCP, nil
	case "udp":
		return UDP, nil
	case "igmp":
		return 2, nil
	case "ipv6":
		return 41, nil
	case "gre":
		return 47, nil
	case "esp":
		return 50, nil
	case "ah":
		return 51, nil
	case "vrrp":
		return 112, nil
	}
	return 0, fmt.Errorf("unknown protocol %q", name)
}

// String returns "tcp", "udp", or the number, which iptables takes even where
// /etc/protocols is missing.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
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
		add("-p", m.Protocol.String())
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
