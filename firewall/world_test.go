package firewall_test

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"molo/firewall"
	"molo/internal/resource"
)

// world is a Docker host and its neighbours, in namespaces:
//
//	internet ── eth0 ───┐        ┌─ docker0 ─────────── web, other
//	lan ─────── eth1 ───┤  host  ├─ br-0123456789ab ─── third
//	office ──── br-lan ─┘        └─ lxdbr0 ──────────── vm
//
// in both families (addresses). The host translates as Docker does, but its FORWARD
// lets everything pass: what is shut, molo has shut.
type world struct {
	flavour string // of iptables: "nft" or "legacy"
	host    *space
	spaces  map[string]*space // by the link of the host, but for other: "docker0/other"
	ports   []published
}

// addresses names the addresses of the world in one family.
func addresses(family resource.Family) map[string]string {
	if family == resource.IPv6 {
		return map[string]string{
			"ANY": "::/0", "HOST": "2001:db8:1::1", "HOST2": "2001:db8:1::2",
			"INTERNET": "2001:db8:1::99", "EVIL": "2001:db8:1::66", "LATE": "2001:db8:1::67", "FRIEND": "2001:db8:1::9",
			"REMOTE": "2001:db8:a::99", "STATION": "2001:db8:9::5",
			"LAN": "2001:db8:77::9", "LANNET": "2001:db8:77::/64", "OFFICE": "2001:db8:88::9",
			"WEB": "2001:db8:d0c::2", "OTHER": "2001:db8:d0c::3", "THIRD": "2001:db8:d1c::2", "VM": "2001:db8:99::2",
		}
	}
	return map[string]string{
		"ANY": "0.0.0.0/0", "HOST": "203.0.113.1", "HOST2": "203.0.113.2", "LOOPBACK": "127.0.0.1",
		"INTERNET": "203.0.113.99", "EVIL": "203.0.113.66", "LATE": "203.0.113.67", "FRIEND": "203.0.113.9",
		"REMOTE": "198.51.100.99", "STATION": "192.0.2.7",
		"LAN": "10.77.0.9", "LANNET": "10.77.0.0/24", "OFFICE": "10.88.0.9",
		"WEB": "172.17.0.2", "OTHER": "172.17.0.3", "THIRD": "172.18.0.2", "VM": "10.99.0.2",
	}
}

// named puts addresses for names in a text such as "allow tcp 80 ANY any LANNET in".
func named(family resource.Family, text string) string {
	var pairs []string
	all := addresses(family)
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(all))) { // HOST2 before HOST
		pairs = append(pairs, name, all[name])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// published is a port that is published on a container: an address that is not
// valid stands for every address of the host.
type published struct {
	protocol  firewall.Protocol
	original  netip.AddrPort
	container netip.AddrPort
}

// eachWorld runs a test in a world of each flavour of iptables, all of them at once.
func eachWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, flavour := range flavours() {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, flavour))
		})
	}
}

func newWorld(t testing.TB, flavour string) *world {
	t.Helper()
	needSpaces(t, flavour)
	w := &world{flavour: flavour, host: newSpace(t), spaces: map[string]*space{}}
	w.host.sysctl(t, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.icmp_ratemask=0", "net.ipv6.icmp.ratemask=\n")
	w.neighbour(t, "eth0", "", "203.0.113.1/24 203.0.113.2/24 2001:db8:1::1/64 2001:db8:1::2/64",
		"203.0.113.99/24 203.0.113.66/24 203.0.113.67/24 203.0.113.9/24 2001:db8:1::99/64 2001:db8:1::66/64 2001:db8:1::67/64 2001:db8:1::9/64 "+
			"198.51.100.99/32 192.0.2.7/32 2001:db8:a::99/128 2001:db8:9::5/128")
	w.host.must(t, func() error {
		return route("198.51.100.99/32 203.0.113.99", "192.0.2.7/32 203.0.113.99", "2001:db8:a::99/128 2001:db8:1::99", "2001:db8:9::5/128 2001:db8:1::99")
	})
	w.neighbour(t, "eth1", "", "10.77.0.1/24 2001:db8:77::1/64", "10.77.0.9/24 2001:db8:77::9/64")
	w.neighbour(t, "br-lan", "lanport", "10.88.0.1/24 2001:db8:88::1/64", "10.88.0.9/24 2001:db8:88::9/64")
	w.neighbour(t, "docker0", "vethweb", "172.17.0.1/16 2001:db8:d0c::1/64", "172.17.0.2/16 2001:db8:d0c::2/64")
	w.spaces["docker0/web"] = w.spaces["docker0"]
	w.neighbour(t, "docker0", "vethother", "", "172.17.0.3/16 2001:db8:d0c::3/64")
	w.spaces["docker0/other"] = w.spaces["docker0"]
	w.neighbour(t, "br-0123456789ab", "veththird", "172.18.0.1/16 2001:db8:d1c::1/64", "172.18.0.2/16 2001:db8:d1c::2/64")
	w.neighbour(t, "lxdbr0", "vethvm", "10.99.0.1/24 2001:db8:99::1/64", "10.99.0.2/24 2001:db8:99::2/64")
	w.serveAndSettle(t)
	loopbackVia(t, w.spaces["eth1"], "10.77.0.1")
	return w
}

// neighbour makes a space with a cable to a link of the host: the cable itself, or,
// if the cable has a name, a bridge that it is plugged into.
func (w *world) neighbour(t testing.TB, link, cable, hostAddresses, addresses string) {
	t.Helper()
	n := newSpace(t)
	w.spaces[link] = n
	w.host.must(t, func() error {
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: cmp.Or(cable, link)}, PeerName: "eth0", PeerNamespace: netlink.NsFd(n.file.Fd())}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("cable to %s: %w", link, err)
		}
		if cable != "" {
			if err := plug(cable, link); err != nil {
				return err
			}
		}
		return address(link, strings.Fields(hostAddresses)...)
	})
	n.must(t, func() error {
		if err := address("eth0", strings.Fields(addresses)...); err != nil {
			return err
		}
		return route(gateways(strings.Fields(addresses))...)
	})
}

// serveAndSettle starts a service at each neighbour and waits until the host reaches
// it, so that no later packet is sent twice for want of a link-layer address.
func (w *world) serveAndSettle(t testing.TB) {
	t.Helper()
	for _, family := range bothFamilies() {
		for _, name := range []string{"INTERNET", "LAN", "OFFICE", "WEB", "OTHER", "THIRD", "VM"} {
			at := netip.MustParseAddr(addresses(family)[name])
			serve(t, w.spaces[linkOf(name)], netip.AddrPortFrom(at, 80), netip.AddrPortFrom(at, 53))
			if got, err := w.host.try(firewall.TCP, netip.AddrPort{}, netip.AddrPortFrom(at, 80), morePatience); got != open {
				t.Fatalf("%s is not there: %s %v", at, got, err)
			}
		}
	}
}

// loopbackVia makes a space send packets for 127.0.0.1 to a gateway, as a neighbour
// with bad intentions would.
func loopbackVia(t testing.TB, s *space, gateway string) {
	t.Helper()
	s.sysctl(t, "net.ipv4.conf.all.route_localnet=1")
	s.must(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		own, err := netlink.ParseAddr("127.0.0.1/8")
		if err != nil {
			return err
		}
		if err := netlink.AddrDel(lo, own); err != nil {
			return err
		}
		return route("127.0.0.1/32 " + gateway)
	})
}

// gateways returns default routes via the first address of the first network of
// each family.
func gateways(addresses []string) []string {
	var all []string
	seen := map[bool]bool{}
	for _, a := range addresses {
		p := netip.MustParsePrefix(a)
		if !seen[p.Addr().Is6()] {
			anywhere := netip.PrefixFrom(p.Addr(), 0).Masked()
			all = append(all, anywhere.String()+" "+p.Masked().Addr().Next().String())
		}
		seen[p.Addr().Is6()] = true
	}
	return all
}

// plug puts a link into a bridge, which is made if it is missing.
func plug(link, bridge string) error {
	if _, err := netlink.LinkByName(bridge); err != nil {
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}); err != nil {
			return fmt.Errorf("bridge %s: %w", bridge, err)
		}
	}
	master, err := netlink.LinkByName(bridge)
	if err != nil {
		return err
	}
	port, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMaster(port, master); err != nil {
		return err
	}
	return netlink.LinkSetUp(port)
}

// tool names a program of the world's flavour: tool(IPv6, "restore") and so on.
func (w *world) tool(family resource.Family, verb string) string {
	return string(family) + "tables-" + w.flavour + "-" + verb
}

// publish makes the translations that Docker would make, as Docker makes them. A
// port of an address that is not valid is published on all.
func (w *world) publish(t testing.TB, ports ...published) {
	t.Helper()
	w.ports = append(w.ports, ports...)
	for _, family := range []resource.Family{resource.IPv4, resource.IPv6} {
		var b strings.Builder
		b.WriteString("*nat\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n")
		for _, p := range w.ports {
			if p.container.Addr().Is6() != (family == resource.IPv6) {
				continue
			}
			to := ""
			if p.original.Addr().IsValid() {
				to = "-d " + p.original.Addr().String() + " "
			}
			fmt.Fprintf(&b, "-A DOCKER %s! -i docker0 -p %s --dport %d -j DNAT --to-destination %s\n", to, p.protocol, p.original.Port(), p.container)
		}
		b.WriteString("-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\nCOMMIT\n")
		text := b.String()
		if family == resource.IPv6 {
			text = strings.ReplaceAll(text, "172.17.0.0/16", "2001:db8:d0c::/64")
		}
		w.host.restore(t, w.tool(family, "restore"), "*nat\n-F PREROUTING\n-F POSTROUTING\nCOMMIT\n")
		w.host.restore(t, w.tool(family, "restore"), text)
	}
}

// load puts a program into the host, in place of an earlier one.
func (w *world) load(t testing.TB, p *firewall.Program) {
	t.Helper()
	w.loadRules(t, p.Rules())
}

func (w *world) loadRules(t testing.TB, rules []resource.Rules) {
	t.Helper()
	for _, r := range rules {
		w.host.restore(t, w.tool(r.Family, "restore"), "*"+r.Table+"\n-F FORWARD\nCOMMIT\n")
	}
	for _, family := range []resource.Family{resource.IPv4, resource.IPv6} {
		w.host.restore(t, w.tool(family, "restore"), restoreTexts(rules, family))
	}
}

// attempt is a connection between two named addresses, "INTERNET" and "HOST:8080".
func (w *world) attempt(family resource.Family, protocol firewall.Protocol, from, to string, sourcePort uint16) *attempt {
	source := netip.MustParseAddr(named(family, from))
	name, port, _ := strings.Cut(to, ":")
	target := netip.MustParseAddrPort(net.JoinHostPort(named(family, name), port))
	a := &attempt{
		name: fmt.Sprintf("%s %s from %s to %s", family, protocol, from, to), from: w.spaces[linkOf(from)],
		source: netip.AddrPortFrom(source, sourcePort), target: target,
	}
	in, _, _ := strings.Cut(linkOf(from), "/")
	a.packet = firewall.Packet{Protocol: protocol, Source: a.source, Destination: target, In: in}
	for _, p := range w.ports {
		onAll := !p.original.Addr().IsValid() && strings.HasPrefix(name, "HOST")
		if p.protocol == protocol && p.original.Port() == target.Port() && p.container.Addr().Is6() == target.Addr().Is6() && (onAll || p.original.Addr() == target.Addr()) {
			a.packet.Original, a.packet.Destination = target, p.container
		}
	}
	a.packet.Out = linkTo(family, a.packet.Destination.Addr())
	return a
}

// linkOf names the space that an address belongs to.
func linkOf(name string) string {
	links := map[string]string{
		"LAN": "eth1", "OFFICE": "br-lan", "WEB": "docker0/web", "OTHER": "docker0/other", "THIRD": "br-0123456789ab", "VM": "lxdbr0",
	}
	return cmp.Or(links[name], "eth0")
}

// linkTo names the link on which the host sends a packet on.
func linkTo(family resource.Family, a netip.Addr) string {
	for name, address := range addresses(family) {
		if address == a.String() {
			link, _, _ := strings.Cut(linkOf(name), "/")
			return link
		}
	}
	return ""
}
