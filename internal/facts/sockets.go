package facts

import "net/netip"

// Surface is what packets from outside can be addressed to, besides the published
// ports in Docker.Containers.
type Surface struct {
	Sockets []Socket `json:"sockets,omitempty"`
	// OnTheWire holds the sockets of containers that have addresses of their own on a
	// link of the host (macvlan, ipvlan), in their own network namespaces.
	OnTheWire []Socket `json:"on_the_wire,omitempty"`
	// WithoutUFW names the address families, "ip" and "ip6", in which no chain of UFW's
	// is hooked into INPUT, whatever its files say.
	WithoutUFW []string `json:"without_ufw,omitempty"`
}

// Socket is a port on which a process of the host takes in packets: a TCP listener
// or an unconnected UDP socket.
type Socket struct {
	Protocol string     `json:"protocol"` // "tcp" or "udp"
	Address  netip.Addr `json:"address"`  // unspecified for all of its family
	Port     uint16     `json:"port"`
	Device   string     `json:"device,omitempty"` // the link it is bound to (SO_BINDTODEVICE)
	// PID, Process and Container are empty where the kernel does not tell us whose
	// socket it is: without root, or when it is the kernel's own.
	PID       int    `json:"pid,omitempty"`
	Process   string `json:"process,omitempty"`   // "sshd"; at most 15 bytes
	Container string `json:"container,omitempty"` // ID, if the process is in one
}
