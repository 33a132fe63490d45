package host

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/internal/policy"
)

// openUpstreams finds upstreams on loopback behind which there is a socket for all
// addresses of the host, whoever has it: a process, or a container on the host's network.
func openUpstreams(upstreams []policy.Address) (map[string]facts.Socket, error) {
	if !slices.ContainsFunc(upstreams, func(at policy.Address) bool { return at.Socket == "" && at.Local() }) {
		return nil, nil
	}
	_, byInode, err := openSockets(diagnosis{"tcp", unix.IPPROTO_TCP, listening})
	if err != nil {
		return nil, err
	}
	open := map[uint32][]facts.Socket{} // what is to be named
	inodes := map[string]uint32{}
	for _, at := range upstreams {
		if at.Socket != "" || !at.Local() {
			continue
		}
		if inode, found := openBehind(at.TCP, byInode); found {
			open[inode], inodes[at.String()] = byInode[inode], inode
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	if err := name(open); err != nil {
		return nil, err
	}
	out := map[string]facts.Socket{}
	for at, inode := range inodes {
		out[at] = open[inode][0]
	}
	return out, nil
}

// openBehind returns the socket on all addresses that takes connections to one. The kernel
// prefers a socket on the address itself.
func openBehind(at netip.AddrPort, byInode map[uint32][]facts.Socket) (inode uint32, found bool) {
	for i, sockets := range byInode {
		for _, s := range sockets {
			switch {
			case s.Port != at.Port() || s.Device != "":
			case s.Address == at.Addr():
				return 0, false
			case s.Address.IsUnspecified() && s.Address.Is4() == at.Addr().Is4():
				inode, found = i, true
			}
		}
	}
	return inode, found
}
