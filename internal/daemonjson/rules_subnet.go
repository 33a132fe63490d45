package daemonjson

import (
	"fmt"
	"net/netip"
)

// prefix reads the value of a key as a network, or says that it is none.
func (c *check) prefix(key string) (netip.Prefix, bool) {
	v, ok := c.value(key)
	if !ok || v.literal == "" {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(v.literal)
	if err != nil {
		c.untyped[key] = true
		c.fatal(fmt.Sprintf("%q is not an address with a prefix length", v.literal), `write one such as "192.0.2.1/24"`, key)
	}
	return p, err == nil
}

// bridgeSubnet looks at the address of docker0, and what it leaves for containers.
func bridgeSubnet(c *check) {
	p, ok := c.prefix("bip")
	if !ok {
		return
	}
	const hint = `write the address of docker0 in its network, such as "172.30.0.1/16"`
	switch {
	case !p.Addr().Is4():
		c.fatal("docker0 needs an IPv4 address here", hint, "bip")
	case p.Bits() == 31 && !c.since(23, 0), p.Bits() == 32 && !c.since(23, 0):
		c.fatal("before 23.0 dockerd finds no address for docker0 in so small a network", hint, "bip")
	case p.Bits() == 32:
		c.unusable("a network of one address, docker0's, has none left for a container", hint, "bip")
	case p.Bits() < 31 && p.Addr() == p.Masked().Addr():
		c.fatal("this is the address of the network, not one in it", hint, "bip")
	case p.Bits() < 31 && p.Addr() == last(p):
		c.fatal("this is the broadcast address of the network", hint, "bip")
	}
}

// last returns the last address of an IPv4 network.
func last(p netip.Prefix) netip.Addr {
	raw := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		raw[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(raw)
}

// bridgeSubnet6 looks at IPv6 on docker0. Until 27.0 dockerd has no network of its own
// for it.
func bridgeSubnet6(c *check) {
	if !c.on("ipv6") {
		return
	}
	if p, ok := c.prefix("bip6"); ok && !p.Addr().Is6() {
		c.fatal("docker0 needs an IPv6 address here", `write one such as "2001:db8:1::1/64"`, "bip6")
	}
	if c.setting("fixed-cidr-v6") == "" && !c.since(27, 0) && c.setting("bridge") == "" {
		c.fatal("before 27.0 dockerd has no IPv6 network for docker0", `write "fixed-cidr-v6" as well, such as "2001:db8:1::/64"`, "ipv6")
	}
}

// fixedRange looks at the part of docker0's network that containers get addresses of.
func fixedRange(c *check) {
	p, ok := c.prefix("fixed-cidr")
	if !ok || !c.since(28, 0) {
		return
	}
	bip, err := netip.ParsePrefix(c.setting("bip"))
	switch {
	case err == nil && !bip.Overlaps(p):
		c.unusable(fmt.Sprintf("the range lies outside of docker0's network %s", bip.Masked()), `write a part of the network of "bip"`, "fixed-cidr")
	case err != nil && p.Bits() == 32:
		c.unusable("a network of one address, docker0's, has none left for a container", "write a larger network", "fixed-cidr")
	}
}

// fixedRange6 looks at the same for IPv6, which dockerd reads also where IPv6 is off.
func fixedRange6(c *check) {
	p, ok := c.prefix("fixed-cidr-v6")
	const hint = `write an IPv6 network, such as "2001:db8:1::/64"`
	switch {
	case !ok:
	case p.Addr().Is4() && c.since(25, 0):
		c.fatal("this is an IPv4 network", hint, "fixed-cidr-v6")
	case !c.on("ipv6"):
	case p.Addr().Is4():
		c.unusable("this is an IPv4 network", hint, "fixed-cidr-v6")
	case p.Bits() == 128 && !c.since(27, 0):
		c.fatal("a network of one address has none for docker0", hint, "fixed-cidr-v6")
	case p.Bits() == 128:
		c.unusable("a network of one address, docker0's, has none left for a container", hint, "fixed-cidr-v6")
	}
}

// gateway looks at docker0's default route, which must lead into its own network.
func gateway(c *check) {
	addr, err := netip.ParseAddr(c.setting("default-gateway"))
	if _, ok := c.value("default-gateway"); !ok || err != nil || c.setting("bridge") != "" {
		return
	}
	network, err := netip.ParsePrefix(c.setting("bip"))
	_, pools := c.value("default-address-pools")
	if err != nil && (c.setting("fixed-cidr") != "" || pools) {
		return
	}
	if err != nil {
		network = netip.MustParsePrefix("172.17.0.0/16") // where docker0 is by default
	}
	if !network.Contains(addr) {
		c.fatal(fmt.Sprintf("%s is not in docker0's network %s", addr, network.Masked()), `write an address of the network of "bip"`, "default-gateway")
	}
}

func gateway6(c *check) {
	addr, err := netip.ParseAddr(c.setting("default-gateway-v6"))
	network, networkErr := netip.ParsePrefix(c.setting("fixed-cidr-v6"))
	if _, ok := c.value("default-gateway-v6"); !ok || err != nil || networkErr != nil || !c.on("ipv6") || network.Contains(addr) {
		return
	}
	c.fatal(fmt.Sprintf("%s is not in docker0's network %s", addr, network.Masked()), `write an address of the network of "fixed-cidr-v6"`, "default-gateway-v6")
}
