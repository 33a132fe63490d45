package facts

import "net/netip"

// Stranger is somebody outside the host, on a link of its own. The addresses of a
// family that the host does not have are invalid.
type Stranger struct {
	Link     string     `json:"link"` // the host's end
	Address4 netip.Addr `json:"address4,omitzero"`
	Host4    netip.Addr `json:"host4,omitzero"` // the host's address on the link
	Address6 netip.Addr `json:"address6,omitzero"`
	Host6    netip.Addr `json:"host6,omitzero"`
}

// Knock is one packet that a stranger sends to open a connection.
type Knock struct {
	Protocol string         `json:"protocol"` // "tcp" or "udp"
	To       netip.AddrPort `json:"to"`
	// Counted says that a rule counts connections: it has to be made to forget this
	// one before the next.
	Counted bool `json:"counted,omitempty"`
}

// Fate is what became of a Knock.
type Fate string

// The fates.
const (
	Passed  Fate = "passed"  // the kernel confirmed the connection, whoever answers it
	Refused Fate = "refused" // with a TCP reset or an ICMP error
	Dropped Fate = "dropped"
)
