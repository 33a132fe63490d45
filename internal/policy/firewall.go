package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// firewall makes a Firewall of its section.
func (d *decoder) firewall(s *section) *Firewall {
	if s == nil {
		return nil
	}
	f := &Firewall{
		Range:               s.header,
		PublishedPorts:      get[string](s, "published_ports"),
		WhenUFWInactive:     get[string](s, "when_ufw_inactive"),
		InterNetwork:        get[string](s, "inter_network"),
		TrustedInterfaces:   get[[]string](s, "trusted_interfaces"),
		AllowFromContainers: get[[]HostPort](s, "allow_from_containers"),
		ExtraBridges:        get[[]string](s, "extra_bridges"),
		Macvlan:             get[string](s, "macvlan"),
		Log:                 get[bool](s, "log"),
		CutEstablished:      get[bool](s, "cut_established"),
	}
	for _, p := range s.inner["publish"] {
		f.Publish = append(f.Publish, Publish{
			Name:     valueOf[string](p.label),
			Ports:    get[[]PortRange](p, "ports"),
			Protocol: get[string](p, "protocol"),
			From:     get[[]netip.Prefix](p, "from"),
			Range:    p.header,
		})
	}
	return f
}

// link reads one item of a list of network interfaces.
func link(before []string, n node) (string, []fault) {
	v, faults := text(parseLink)(n)
	if faults != nil {
		return "", faults
	}
	name := v.(string)
	if slices.Contains(before, name) {
		return name, []fault{{summary: "Interface listed twice", why: name + " is in the list already.", hint: "list each interface once", at: n.at}}
	}
	return name, nil
}

// parseLink checks the name of one link: at most 15 bytes, as the kernel has it
// (IFNAMSIZ), and no pattern.
func parseLink(s string) (string, *fault) {
	plain := func(r rune) bool { return r >= 'A' && r <= 'Z' || alphanumeric(r) || strings.ContainsRune("-._@", r) }
	odd := strings.ContainsFunc(s, func(r rune) bool { return !plain(r) })
	if s == "" || len(s) > 15 || odd || s == "." || s == ".." {
		return "", &fault{
			summary: "Invalid interface",
			why:     fmt.Sprintf("%q is not the name of a network interface: 1 to 15 letters, digits, '-', '.', '_' and '@'.", s),
			hint:    `write one as "ip link" shows it, such as "wg0"`,
		}
	}
	return s, nil
}

// hostPort reads one item of allow_from_containers: "5432/tcp", "8000-8010/udp".
func hostPort(before []HostPort, n node) (HostPort, []fault) {
	v, faults := text(parseHostPort)(n)
	if faults != nil {
		return HostPort{}, faults
	}
	p := v.(HostPort)
	if slices.Contains(before, p) {
		return p, []fault{{summary: "Port listed twice", why: n.text + " is in the list already.", hint: "list each port once", at: n.at}}
	}
	return p, nil
}

func parseHostPort(s string) (HostPort, *fault) {
	ports, protocol, _ := strings.Cut(s, "/")
	if protocol != "tcp" && protocol != "udp" {
		return HostPort{}, &fault{
			summary: "Invalid port", why: fmt.Sprintf("%q does not end in /tcp or /udp.", s), hint: `write the port and the protocol: "5432/tcp"`,
		}
	}
	if !strings.Contains(ports, "-") {
		ports += "-" + ports
	}
	r, f := parsePortRange(ports)
	if f != nil {
		f.why, f.hint = fmt.Sprintf("%q does not begin with a port from 1 to 65535, or with a range of them.", s), `write the port and the protocol: "5432/tcp"`
	}
	return HostPort{protocol, r}, f
}

// publishName reads the label of a block publish. It goes into comments of
// iptables rules, so it is shorter and plainer than they could be.
func publishName(s string) (string, *fault) {
	if word(s, 63, "._-") {
		return s, nil
	}
	return "", &fault{
		summary: "Invalid name",
		why:     fmt.Sprintf("%q is not a name of lower-case letters, digits, '.', '_' and '-' that starts with a letter or digit and has at most 63 of them.", s),
		hint:    `name what the opening is for, such as publish "metrics"`,
	}
}

// port reads one item of ports: a number, or a string "first-last".
func port(before []PortRange, n node) (PortRange, []fault) {
	r, faults := portRange(n)
	if faults != nil {
		return r, faults
	}
	for _, other := range before {
		if r.First <= other.Last && other.First <= r.Last {
			return r, []fault{{
				summary: "Port listed twice",
				why:     fmt.Sprintf("%s and %s have ports in common.", r, other),
				hint:    "list each port once",
				at:      n.at,
			}}
		}
	}
	return r, nil
}

// String spells the range as a policy does: "80" or "8000-8010".
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

func portRange(n node) (PortRange, []fault) {
	if n.kind != isString {
		i, faults := whole(n, 1, 65535)
		return PortRange{uint16(i), uint16(i)}, faults
	}
	v, faults := text(parsePortRange)(n)
	if faults != nil {
		return PortRange{}, faults
	}
	return v.(PortRange), nil
}

func parsePortRange(s string) (PortRange, *fault) {
	bad := func(why, hint string) (PortRange, *fault) {
		return PortRange{}, &fault{summary: "Invalid port range", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	from, to, both := strings.Cut(s, "-")
	if !both && digits(s, 5) {
		return bad("is one port in quotes", "write the number without quotes")
	}
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	switch {
	case !both || !digits(from, 5) || !digits(to, 5):
		return bad("is not a range of ports", `write the first and the last one: "8000-8010"`)
	case err1 != nil || err2 != nil || first == 0:
		return bad("goes beyond the ports there are", "ports go from 1 to 65535")
	case first > last:
		return bad("ends before it starts", fmt.Sprintf(`write "%d-%d"`, last, first))
	}
	return PortRange{uint16(first), uint16(last)}, nil
}

// network reads one item of from: a network in CIDR notation or an address.
func network(before []netip.Prefix, n node) (netip.Prefix, []fault) {
	v, faults := text(parseNetwork)(n)
	if faults != nil {
		return netip.Prefix{}, faults
	}
	p := v.(netip.Prefix)
	if slices.Contains(before, p) {
		return p, []fault{{summary: "Network listed twice", why: fmt.Sprintf("%s is in the list already.", p), hint: "list each network once", at: n.at}}
	}
	return p, nil
}

// proxyNetwork reads one item of trusted_proxies.from. Everybody is no proxy.
func proxyNetwork(before []netip.Prefix, n node) (netip.Prefix, []fault) {
	p, faults := network(before, n)
	if faults == nil && p.Bits() == 0 {
		faults = []fault{{
			summary: "Everybody is no proxy", why: fmt.Sprintf("With %s every client could say that it is any other.", p),
			hint: "name the addresses of the proxies in front of this host", at: n.at,
		}}
	}
	return p, faults
}

func parseNetwork(s string) (netip.Prefix, *fault) {
	bad := func(why, hint string) (netip.Prefix, *fault) {
		return netip.Prefix{}, &fault{summary: "Invalid network", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	p, err := netip.ParsePrefix(s)
	if addr, addrErr := netip.ParseAddr(s); addrErr == nil {
		p, err = netip.PrefixFrom(addr.WithZone(""), addr.BitLen()), nil
		if addr.Zone() != "" {
			return bad("has a zone, which rules can't match", fmt.Sprintf("write %q", addr.WithZone("")))
		}
	}
	switch {
	case err != nil:
		return bad("is neither a network nor an address", `write one such as "192.0.2.0/24" or "2001:db8::1"; names are not looked up`)
	case p.Addr().Is4In6():
		return bad("is IPv4 mapped into IPv6, which no packet ever carries", "write the IPv4 network")
	case p.Masked() != p:
		return bad("has bits set behind its mask: it could mean the network or the one address", fmt.Sprintf("write %q or %q", p.Masked(), p.Addr()))
	}
	return p, nil
}
