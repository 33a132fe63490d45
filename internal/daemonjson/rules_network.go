package daemonjson

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

func networkRules() []func(*check) {
	return []func(*check){
		addresses, publishAddress, hostGateways, resolvers, searchDomains, bridgeOrAddress, bridgeIsThere, firewallOff,
		ip6tablesIsAnExperiment, mtu, userlandProxy, diagnosticPort, bridgeSubnet, bridgeSubnet6, fixedRange, fixedRange6, gateway, gateway6, pools,
	}
}

// addresses looks at the keys that dockerd decodes into an IP address.
func addresses(c *check) {
	for _, key := range []string{"ip", "default-gateway", "default-gateway-v6", "host-gateway-ip"} {
		if v, ok := c.value(key); ok && v.literal != "" && !isAddress(v.literal) {
			c.untyped[key] = true
			c.fatal(fmt.Sprintf("%q is not an IP address", v.literal), "write an address alone, without a prefix or a port; names are not looked up", key)
		}
	}
}

// isAddress reports whether net.ParseIP takes s.
func isAddress(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Zone() == ""
}

// publishAddress warns of an address that no port of docker0's containers could be
// published on.
func publishAddress(c *check) {
	addr, err := netip.ParseAddr(c.setting("ip"))
	if err != nil || addr.IsUnspecified() || addr.IsLoopback() || c.in.Host.Address == nil || c.in.Host.Address(addr) {
		return
	}
	c.warn(fmt.Sprintf("the host has no address %s, so no container that publishes a port can start", addr), "write 127.0.0.1, or an address that the host has", "ip")
}

// hostGateways looks at host-gateway-ips: one address a family, and not the older key
// besides.
func hostGateways(c *check) {
	_, old := c.value("host-gateway-ip")
	all := c.strings("host-gateway-ips")
	if _, both := c.value("host-gateway-ips"); both && old {
		c.fatal(`"host-gateway-ips" says the same, and dockerd refuses to be told twice`, "take it out", "host-gateway-ip")
	}
	count := map[bool]int{}
	for i, s := range all {
		addr, err := netip.ParseAddr(s)
		if err != nil && s != "" {
			c.fatal(fmt.Sprintf("%q is not an IP address", s), "write an address alone", "host-gateway-ips", strconv.Itoa(i))
		} else if count[addr.Is4()]++; count[addr.Is4()] == 2 {
			c.fatal("dockerd takes one IPv4 and one IPv6 address", "take one out", "host-gateway-ips", strconv.Itoa(i))
		}
	}
}

// resolvers looks at dns. An empty address passes since 25.0, and then no container
// starts.
func resolvers(c *check) {
	for i, s := range c.strings("dns") {
		at := []string{"dns", strconv.Itoa(i)}
		switch hint := "write an address alone"; {
		case s == "" && c.since(25, 0):
			c.unusable("the address is empty", hint, at...)
		case !isAddress(s):
			c.fatal(fmt.Sprintf("%q is not an IP address", s), hint, at...)
		}
	}
}

func searchDomains(c *check) {
	for i, s := range c.strings("dns-search") {
		name := strings.TrimSpace(s)
		if name != "." && (!isDomain(strings.TrimSuffix(name, ".")) || !strings.ContainsFunc(name, isLetter)) {
			c.fatal(fmt.Sprintf("%q is not a domain that dockerd takes", s), "write letters, digits, - and dots, or . for none", "dns-search", strconv.Itoa(i))
		}
	}
}

// isDomain reports whether s is labels of letters, digits and - between dots.
func isDomain(s string) bool {
	return regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`).MatchString(s)
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// bridgeOrAddress looks for an address for docker0 where docker0 is not used.
func bridgeOrAddress(c *check) {
	if c.setting("bridge") == "" {
		return
	}
	for _, key := range []string{"bip", "bip6"} {
		if c.setting(key) != "" {
			c.fatal(fmt.Sprintf("%q names a bridge of the host's own, to which dockerd gives no address", "bridge"), "take one of the two out", key)
		}
	}
}

func bridgeIsThere(c *check) {
	name := c.setting("bridge")
	if known := c.in.Host.Interface; name != "" && name != "none" && name != "docker0" && known != nil && !known(name) {
		c.fatal(fmt.Sprintf("the host has no bridge %q, and dockerd makes only docker0", name), "make the bridge before dockerd starts, or take the key out", "bridge")
	}
}

// firewallOff looks for icc = false without the firewall that would enforce it.
func firewallOff(c *check) {
	if c.on("icc") {
		return
	}
	if !c.on("iptables") {
		c.fatal(`"icc": false is enforced by rules that "iptables": false forbids`, `take "iptables" out`, "iptables")
	}
	if c.since(27, 0) && c.on("ipv6") && !c.on("ip6tables") {
		c.fatal(`"icc": false is enforced by rules that "ip6tables": false forbids`, `take "ip6tables" out`, "ip6tables")
	}
}

// ip6tablesIsAnExperiment holds until 27.0.
func ip6tablesIsAnExperiment(c *check) {
	if v, ok := c.value("ip6tables"); ok && v.literal == "true" && !c.since(27, 0) && !c.on("experimental") {
		c.fatal("before 27.0 this is an experimental feature", `write "experimental": true as well`, "ip6tables")
	}
}

// mtu looks for what the kernel does not give an interface. Since 25.0 that is found
// when docker0 is made, before when a container starts.
func mtu(c *check) {
	v, ok := c.value("mtu")
	if !ok {
		return
	}
	low, what := int64(68), "IPv4"
	if c.on("ipv6") {
		low, what = 1280, "IPv6"
	}
	switch size := v.int(); {
	case size < 0:
		c.fatal("an MTU is not negative", "write 1500, or less for a tunnel", "mtu")
	case size == 0 || size >= low && size <= 65535:
	case c.since(25, 0):
		c.fatal(fmt.Sprintf("no interface can have this MTU: %s needs %d to 65535", what, low), "write 1500, or less for a tunnel", "mtu")
	default:
		c.unusable(fmt.Sprintf("no interface can have this MTU: %s needs %d to 65535", what, low), "write 1500, or less for a tunnel", "mtu")
	}
}

func userlandProxy(c *check) {
	v, ok := c.value("userland-proxy-path")
	if !ok || v.literal == "" || !c.on("userland-proxy") || !c.since(25, 0) {
		return
	}
	if !strings.HasPrefix(v.literal, "/") || c.missing(v.literal) {
		c.fatal("there is no such program", "take the key out: dockerd finds docker-proxy itself", "userland-proxy-path")
	}
}

func diagnosticPort(c *check) {
	v, ok := c.value("network-diagnostic-port")
	if !ok || v.int() >= 0 && v.int() <= 65535 {
		return
	}
	const why, hint = "this is no port", "write 1 to 65535, or 0 for none"
	if c.since(28, 0) {
		c.fatal(why, hint, "network-diagnostic-port")
		return
	}
	c.warn(why+", and dockerd silently ignores it", hint, "network-diagnostic-port")
}
