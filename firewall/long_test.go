package firewall_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"molo/internal/facts"
	"molo/internal/resource"
)

// ufwOf returns a UFW with n rules in each family.
func ufwOf(n int, rule func(i int, anywhere string, source netip.Addr) string) facts.UFW {
	random := rand.New(rand.NewPCG(7, 58))
	var tuples []string
	for i := range n {
		r := random.Uint32()
		v4 := netip.AddrFrom4([4]byte{byte(1 + r>>24%200), byte(r >> 16), byte(r >> 8), byte(r)})
		v6 := netip.AddrFrom16([16]byte{0x20, 0x01, byte(r >> 24), byte(r >> 16), byte(r >> 8), byte(r), 15: 1})
		tuples = append(tuples, rule(i, "0.0.0.0/0", v4), rule(i, "::/0", v6))
	}
	return activeUFW(tuples...)
}

// portRules allow a port each.
func portRules(n int) facts.UFW {
	return ufwOf(n, func(i int, anywhere string, _ netip.Addr) string {
		return fmt.Sprintf("allow tcp %d %s any %s in", 10000+i, anywhere, anywhere)
	})
}

// bannedSources deny an address each, behind a rule for a port.
func bannedSources(n int) facts.UFW {
	return ufwOf(n, func(i int, anywhere string, source netip.Addr) string {
		if i%100 == 99 || i == n-1 {
			return fmt.Sprintf("allow tcp %d %s any %s in", 20000+i, anywhere, anywhere)
		}
		return fmt.Sprintf("deny any any %s any %s in", anywhere, source)
	})
}

// routeRules allow a port of containers each.
func routeRules(n int) facts.UFW {
	return ufwOf(n, func(i int, anywhere string, _ netip.Addr) string {
		return fmt.Sprintf("route:allow tcp %d %s any %s in", 10000+i, anywhere, anywhere)
	})
}

// longList is bannedSources with the rules for ports at the end, as owners of long
// lists have it.
func longList(n int) facts.UFW {
	return ufwOf(n, func(i int, anywhere string, source netip.Addr) string {
		if i >= n-n/10 {
			return fmt.Sprintf("allow tcp %d %s any %s in", 10000+i, anywhere, anywhere)
		}
		return fmt.Sprintf("deny any any %s any %s in", anywhere, source)
	})
}

// source is anywhere on the internet.
func source(random *rand.Rand, family resource.Family) netip.AddrPort {
	r := random.Uint32()
	if family == resource.IPv6 {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 0x01, byte(r >> 24), byte(r >> 16), byte(r >> 8), byte(r), 15: 1}), 50000)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(1 + r>>24%200), byte(r >> 16), byte(r >> 8), byte(r)}), 50000)
}
