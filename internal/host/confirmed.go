package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// confirmations hears of new connections from the kernel's table. One that is
// answered by nothing but a reset leaves the table at once, so that looking there
// comes too late (nf_conntrack_proto_tcp.c).
type confirmations struct {
	socket *nl.NetlinkSocket
	began  map[beginning]bool
}

// beginning is who began a connection: the number of the protocol, and the sender.
type beginning struct {
	protocol uint8
	from     netip.AddrPort
}

// newConnections is the multicast group NFNLGRP_CONNTRACK_NEW, which tells of
// connections when they are confirmed.
const newConnections = 1

func hearConfirmations() (*confirmations, error) {
	socket, err := nl.Subscribe(unix.NETLINK_NETFILTER, newConnections)
	if err != nil {
		return nil, fmt.Errorf("listening for new connections: %w", err)
	}
	return &confirmations{socket: socket, began: map[beginning]bool{}}, nil
}

func (c *confirmations) close() { c.socket.Close() }

// catchUp reads what has been told by now. On a busy host some of it may be lost;
// what still is in the table can be found there.
func (c *confirmations) catchUp() error {
	buffer := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(c.socket.GetFd(), buffer, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("listening for new connections: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return fmt.Errorf("listening for new connections: %w", err)
		}
		for _, m := range messages {
			if b, ok := readBeginning(m.Data); ok {
				c.began[b] = true
			}
		}
	}
}

// readBeginning reads who began the connection that an event is about.
func readBeginning(event []byte) (beginning, bool) {
	if len(event) < nl.SizeofNfgenmsg {
		return beginning{}, false
	}
	tuple := attribute(event[nl.SizeofNfgenmsg:], nl.CTA_TUPLE_ORIG)
	addresses, ports := attribute(tuple, nl.CTA_TUPLE_IP), attribute(tuple, nl.CTA_TUPLE_PROTO)
	source := attribute(addresses, nl.CTA_IP_V4_SRC)
	if source == nil {
		source = attribute(addresses, nl.CTA_IP_V6_SRC)
	}
	address, ok := netip.AddrFromSlice(source)
	protocol, port := attribute(ports, nl.CTA_PROTO_NUM), attribute(ports, nl.CTA_PROTO_SRC_PORT)
	if !ok || len(protocol) != 1 || len(port) != 2 {
		return beginning{}, false
	}
	return beginning{protocol[0], netip.AddrPortFrom(address, binary.BigEndian.Uint16(port))}, true
}

// attribute returns the value of the first attribute of a kind in a list of them;
// nil if it is not there. (nl.ParseRouteAttr panics where the last one is not padded.)
func attribute(list []byte, kind uint16) []byte {
	for len(list) >= unix.SizeofRtAttr {
		length := int(binary.NativeEndian.Uint16(list))
		if length < unix.SizeofRtAttr || length > len(list) {
			return nil
		}
		if binary.NativeEndian.Uint16(list[2:])&nl.NLA_TYPE_MASK == kind {
			return list[unix.SizeofRtAttr:length]
		}
		padded := (length + unix.RTA_ALIGNTO - 1) / unix.RTA_ALIGNTO * unix.RTA_ALIGNTO
		list = list[min(padded, len(list)):]
	}
	return nil
}
