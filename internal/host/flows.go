package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/provision"
)

// cut makes the kernel forget the connections to containers that may not be made
// again: their next packet counts as new and meets the rules.
func (h *Host) cut(_ context.Context, a provision.Activation) error {
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		judge := &judge{denies: a.Denies, links: map[netip.Addr]string{}}
		_, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, judge)
		if err = errors.Join(err, judge.err); err != nil {
			return fmt.Errorf("cutting connections to ports that closed: %w", err)
		}
	}
	return nil
}

// judge is a filter of connections: those that are denied.
type judge struct {
	denies func(facts.Flow) bool
	links  map[netip.Addr]string // by address, as the routes are asked only once
	err    error
}

// MatchConntrackFlow reports whether a connection has to end.
func (j *judge) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	flow, ok := flowOf(f)
	if !ok {
		return false
	}
	// What the host itself sends or takes in is never forwarded, and meets no rule of ours.
	if flow.Out = j.link(flow.Container.Addr()); flow.Out == "lo" {
		return false
	}
	flow.In = j.link(flow.Source.Addr())
	return j.err == nil && flow.In != "lo" && j.denies(flow)
}

// link returns the link that leads to an address, or "".
func (j *judge) link(to netip.Addr) string {
	name, ok := j.links[to]
	if ok || j.err != nil {
		return name
	}
	routes, err := netlink.RouteGet(to.AsSlice())
	if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
		routes, err = nil, nil // the container is gone, or the way back is
	}
	for _, r := range routes {
		var link netlink.Link
		if link, err = netlink.LinkByIndex(r.LinkIndex); err == nil {
			name = link.Attrs().Name
		}
	}
	if err != nil {
		j.err = fmt.Errorf("asking for the route to %s: %w", to, err)
	}
	j.links[to] = name
	return name
}

// flowOf returns a connection, as far as its protocol has ports. The destination of one to
// a published port was translated; to a container's own address it was not.
func flowOf(f *netlink.ConntrackFlow) (facts.Flow, bool) {
	protocol, known := map[uint8]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_SCTP: "sctp"}[f.Forward.Protocol]
	flow := facts.Flow{
		Protocol:  protocol,
		Source:    addrPort(f.Forward.SrcIP, f.Forward.SrcPort),
		Original:  addrPort(f.Forward.DstIP, f.Forward.DstPort),
		Container: addrPort(f.Reverse.SrcIP, f.Reverse.SrcPort),
	}
	if flow.Original == flow.Container {
		flow.Original = netip.AddrPort{}
	}
	return flow, known
}

func addrPort(ip net.IP, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), port)
}
