package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/provision"
)

// cut makes the kernel forget the connections to containers that may not be made
// again: their next packet counts as new and meets the rules.
func (h *Host) cut(_ context.Context, a provision.Activation) error {
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		ways, err := waysIn(family)
		if err != nil {
			return fmt.Errorf("cutting connections to ports that closed: %w", err)
		}
		judge := &judge{denies: a.Denies, links: map[netip.Addr]string{}, ways: ways}
		_, err = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, judge)
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
	ways   []way
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
	flow.Links = possible(j.ways, flow)
	return j.err == nil && flow.In != "lo" && j.denies(flow)
}

// way is a reason why a packet may come in on a link that does not lead back to its sender:
// the link has the address that it is for, or a route to the sender in some table.
type way struct {
	link string
	to   netip.Prefix // an address of the host, if own
	own  bool
}

// possible names the links on which a connection may have come in.
func possible(ways []way, flow facts.Flow) []string {
	var all []string
	for _, w := range ways {
		about := flow.Source.Addr()
		if w.own {
			about = flow.Original.Addr()
		}
		if about.IsValid() && w.to.Contains(about) && !slices.Contains(all, w.link) {
			all = append(all, w.link)
		}
	}
	return all
}

// waysIn lists the host's addresses and routes, of all tables but the local one.
func waysIn(family netlink.InetFamily) ([]way, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("listing network links: %w", err)
	}
	routes, err := netlink.RouteListFiltered(int(family), &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	names := map[int]string{}
	var all []way
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
		addresses, err := netlink.AddrList(l, int(family))
		if err != nil {
			return nil, fmt.Errorf("listing the addresses of %s: %w", l.Attrs().Name, err)
		}
		for _, a := range addresses {
			own := addrPort(a.IP, 0).Addr()
			all = append(all, way{l.Attrs().Name, netip.PrefixFrom(own, own.BitLen()), true})
		}
	}
	for _, r := range routes {
		to := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if family == unix.AF_INET6 {
			to = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if r.Dst != nil {
			ones, _ := r.Dst.Mask.Size()
			to = netip.PrefixFrom(addrPort(r.Dst.IP, 0).Addr(), ones)
		}
		if name := names[r.LinkIndex]; name != "" && name != "lo" && r.Table != unix.RT_TABLE_LOCAL {
			all = append(all, way{name, to, false})
		}
	}
	return all, nil
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
