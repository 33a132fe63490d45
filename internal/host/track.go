package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// tracked asks the kernel's table of connections for one: a busy host has too many
// to list them all.
func tracked(protocol string, from, to netip.AddrPort) (bool, error) {
	_, err := conntrack(nl.IPCTNL_MSG_CT_GET, protocol, from, to)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// untrack makes the kernel forget a connection that it may know.
func untrack(protocol string, from, to netip.AddrPort) error {
	_, err := conntrack(nl.IPCTNL_MSG_CT_DELETE, protocol, from, to)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("forgetting a connection: %w", err)
	}
	return nil
}

// conntrack sends a request about the connection that began with these addresses
// (linux/netfilter/nfnetlink_conntrack.h).
func conntrack(message int, protocol string, from, to netip.AddrPort) ([][]byte, error) {
	family, source, destination := uint8(unix.AF_INET), nl.CTA_IP_V4_SRC, nl.CTA_IP_V4_DST
	if to.Addr().Is6() {
		family, source, destination = unix.AF_INET6, nl.CTA_IP_V6_SRC, nl.CTA_IP_V6_DST
	}
	tuple := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, nil)
	addresses := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_IP, nil)
	addresses.AddRtAttr(source, from.Addr().AsSlice())
	addresses.AddRtAttr(destination, to.Addr().AsSlice())
	ports := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil)
	ports.AddRtAttr(nl.CTA_PROTO_NUM, []byte{protocolNumber(protocol)})
	ports.AddRtAttr(nl.CTA_PROTO_SRC_PORT, binary.BigEndian.AppendUint16(nil, from.Port()))
	ports.AddRtAttr(nl.CTA_PROTO_DST_PORT, binary.BigEndian.AppendUint16(nil, to.Port()))

	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|message, unix.NLM_F_ACK)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	request.AddData(tuple)
	return request.Execute(unix.NETLINK_NETFILTER, 0)
}

func protocolNumber(name string) uint8 {
	if name == "udp" {
		return unix.IPPROTO_UDP
	}
	return unix.IPPROTO_TCP
}

// forget takes addresses off the lists on which limit rules count senders, UFW's
// and molo's. The files are those of the thread's namespace.
func forget(addresses ...netip.Addr) error {
	lists, err := filepath.Glob("/proc/thread-self/net/xt_recent/*")
	if err != nil {
		return fmt.Errorf("taking addresses off the lists of limit rules: %w", err)
	}
	for _, list := range lists {
		for _, a := range addresses {
			if !a.IsValid() {
				continue
			}
			if err := os.WriteFile(list, []byte("-"+a.String()+"\n"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("taking addresses off the lists of limit rules: %w", err)
			}
		}
	}
	return nil
}
