package host

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"molo/internal/facts"
)

// strange picks addresses that no address or route of the host is about.
func strange() (facts.Stranger, error) {
	taken, err := known()
	if err != nil {
		return facts.Stranger{}, fmt.Errorf("looking for addresses that nobody uses: %w", err)
	}
	who := facts.Stranger{Link: strangerLink}
	who.Host4, who.Address4, err = free(taken, "198.51.100.0/30", "192.0.2.0/30", "203.0.113.0/30")
	if err == nil && hasIPv6() {
		who.Host6, who.Address6, err = free(taken, "2001:db8:ffff::/126", "2001:db8:fffe::/126")
	}
	return who, err
}

// known lists the networks that the host has addresses in or routes to, but for
// default routes.
func known() ([]netip.Prefix, error) {
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	var all []netip.Prefix
	for _, a := range addresses {
		all = append(all, prefix(a.IP, a.Mask))
	}
	for _, r := range routes {
		if r.Dst != nil {
			if p := prefix(r.Dst.IP, r.Dst.Mask); p.Bits() > 0 {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

func prefix(ip, mask []byte) netip.Prefix {
	addr, _ := netip.AddrFromSlice(ip)
	bits := 0
	for _, b := range mask {
		for ; b != 0; b <<= 1 {
			bits++
		}
	}
	return netip.PrefixFrom(addr.Unmap(), bits)
}

// free returns the first two addresses that hosts may have in the first network
// that nobody knows.
func free(taken []netip.Prefix, networks ...string) (first, second netip.Addr, err error) {
	for _, text := range networks {
		network := netip.MustParsePrefix(text)
		used := false
		for _, t := range taken {
			used = used || t.Overlaps(network)
		}
		if !used {
			first = network.Addr().Next()
			return first, first.Next(), nil
		}
	}
	return first, second, fmt.Errorf("a stranger needs addresses that this host does not know, and it has addresses in or routes to all of %q", networks)
}
