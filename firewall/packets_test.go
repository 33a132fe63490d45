package firewall_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"molo/firewall"
	"molo/internal/resource"
)

// flavours lists the two kinds of iptables. Docker uses what "iptables" is, which
// is nft on Debian unless the owner chose otherwise.
func flavours() []string { return []string{"nft", "legacy"} }

func bothFamilies() []resource.Family { return []resource.Family{resource.IPv4, resource.IPv6} }

// tuplesFor puts the addresses of both families for the names in tuples.
func tuplesFor(tuples ...string) []string {
	var all []string
	for _, family := range bothFamilies() {
		for _, tuple := range tuples {
			all = append(all, named(family, tuple))
		}
	}
	return all
}

// publishAll publishes ports of the host on the container web (or, past the word
// "other", on other): TCP on its port 80, UDP on 53.
func publishAll(ports ...uint16) []published {
	var all []published
	for _, family := range bothFamilies() {
		web := netip.MustParseAddr(addresses(family)["WEB"])
		for _, port := range ports {
			original := netip.AddrPortFrom(netip.Addr{}, port)
			all = append(all,
				published{firewall.TCP, original, netip.AddrPortFrom(web, 80)},
				published{firewall.UDP, original, netip.AddrPortFrom(web, 53)})
		}
	}
	return all
}

// matrix is who tries to reach what under the rules of matrixTuples.
func matrix() []struct {
	name     string
	protocol firewall.Protocol
	from, to string
	want     outcome
} {
	const tcp, udp = firewall.TCP, firewall.UDP
	return []struct {
		name     string
		protocol firewall.Protocol
		from, to string
		want     outcome
	}{
		{"a port that no rule names", tcp, "INTERNET", "HOST:8888", silent},
		{"a port that a rule allows", tcp, "INTERNET", "HOST:8080", open},
		{"a deny before the allow", tcp, "EVIL", "HOST:8080", silent},
		{"a deny behind the allow", tcp, "LATE", "HOST:8080", open},
		{"a deny of everything", tcp, "LATE", "HOST:7001", silent},
		{"published on port 80 of the container, while 80 is allowed on the host", tcp, "INTERNET", "HOST:9090", silent},
		{"port 80 of the host itself", tcp, "INTERNET", "HOST:80", open},
		{"a TCP port, allowed for UDP", tcp, "INTERNET", "HOST:5353", silent},
		{"a UDP port", udp, "INTERNET", "HOST:5353", open},
		{"a UDP port that no rule names", udp, "INTERNET", "HOST:8888", silent},
		{"a port of either protocol, TCP", tcp, "INTERNET", "HOST:53", open},
		{"a port of either protocol, UDP", udp, "INTERNET", "HOST:53", open},
		{"the first of a range", tcp, "INTERNET", "HOST:7000", open},
		{"the last of a range", tcp, "INTERNET", "HOST:7010", open},
		{"behind a range", tcp, "INTERNET", "HOST:7011", silent},
		{"in a list", tcp, "INTERNET", "HOST:8082", open},
		{"another address than the rule's", tcp, "INTERNET", "HOST:8443", silent},
		{"the address of the rule", tcp, "INTERNET", "HOST2:8443", open},
		{"a network, from within", tcp, "LAN", "HOST:9100", open},
		{"a network, from outside", tcp, "INTERNET", "HOST:9100", silent},
		{"an interface, the right one", tcp, "LAN", "HOST:8081", open},
		{"an interface, another one", tcp, "INTERNET", "HOST:8081", silent},
		{"a foreign bridge named like Docker's", tcp, "OFFICE", "HOST:8888", silent},
		{"a rule for that bridge", tcp, "OFFICE", "HOST:8083", open},
		{"a reject, TCP", tcp, "INTERNET", "HOST:25", refused},
		{"a reject, UDP", udp, "INTERNET", "HOST:25", refused},
		{"a publish block", tcp, "LAN", "HOST:9200", open},
		{"a publish block for others", tcp, "INTERNET", "HOST:9200", silent},
		{"a port published on loopback, from the link", tcp, "LAN", "LOOPBACK:8080", silent},
		{"a container itself, where its port is published", tcp, "INTERNET", "WEB:80", silent},
		{"a container itself, UDP", udp, "INTERNET", "WEB:53", silent},
		{"a container itself, from the LAN", tcp, "LAN", "OTHER:80", silent},
		{"a container itself, by a route rule", tcp, "FRIEND", "WEB:80", open},
		{"a published port, by a route rule", tcp, "FRIEND", "HOST:8888", open},
		{"another container, for which there is none", tcp, "FRIEND", "OTHER:80", silent},
		{"egress", tcp, "WEB", "INTERNET:80", open},
		{"egress, UDP", udp, "THIRD", "INTERNET:53", open},
		{"container to container", tcp, "WEB", "OTHER:80", open},
		{"container to container, UDP", udp, "OTHER", "WEB:53", open},
		{"network to network", tcp, "THIRD", "WEB:80", open},
		{"network to a published port of another network", tcp, "THIRD", "HOST:8888", open},
		{"a virtual machine", tcp, "INTERNET", "VM:80", open},
		{"a virtual machine behind a translated port", tcp, "INTERNET", "HOST:9999", open},
		{"through the host", tcp, "LAN", "INTERNET:80", open},
	}
}

func matrixTuples() []string {
	return tuplesFor(
		"deny tcp 8080 ANY any EVIL in",
		"allow tcp 8080 ANY any ANY in",
		"deny any any ANY any LATE in",
		"allow tcp 80 ANY any ANY in",
		"allow udp 5353 ANY any ANY in",
		"allow any 53 ANY any ANY in",
		"allow tcp 7000:7010,8082 ANY any ANY in",
		"allow tcp 8443 HOST2 any ANY in",
		"allow tcp 9100 ANY any LANNET in",
		"allow tcp 8081 ANY any ANY in_eth1",
		"allow tcp 8083 ANY any ANY in_br-lan",
		"reject any 25 ANY any ANY in",
		"deny tcp 8888 ANY any ANY out",
		"route:allow tcp 80 WEB any FRIEND in",
	)
}

func (w *world) publishMatrix(t *testing.T) {
	t.Helper()
	ports := publishAll(8888, 8080, 9090, 80, 5353, 53, 7000, 7001, 7010, 7011, 8082, 8443, 9100, 8081, 8083, 25, 9200)
	ports = append(ports, published{firewall.TCP, netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParseAddrPort("172.17.0.3:80")})
	for _, family := range bothFamilies() {
		vm := netip.AddrPortFrom(netip.MustParseAddr(addresses(family)["VM"]), 80)
		ports = append(ports, published{firewall.TCP, netip.AddrPortFrom(netip.Addr{}, 9999), vm})
	}
	w.publish(t, ports...)
}

// attempts makes the matrix for both families.
func (w *world) attempts() []*attempt {
	var all []*attempt
	for _, family := range bothFamilies() {
		for _, m := range matrix() {
			// The kernel itself drops packets for ::1 that come from a link.
			if family == resource.IPv6 && strings.Contains(m.to, "LOOPBACK") {
				continue
			}
			a := w.attempt(family, m.protocol, m.from, m.to, 0)
			a.name, a.want = fmt.Sprintf("%s (%s)", m.name, a.name), m.want
			all = append(all, a)
		}
	}
	return all
}

// check makes the attempts and compares what comes of them with what is wanted and,
// if there is a program, with what it predicts.
func check(t *testing.T, attempts []*attempt, p *firewall.Program) {
	t.Helper()
	tryAll(attempts)
	for _, a := range attempts {
		if !a.saw(a.want) {
			t.Errorf("%s: %s %v, want %s", a.name, a.got, a.err, a.want)
		}
		if p == nil {
			continue
		}
		if verdict, why := p.Decide(a.packet); !a.saw(expected(verdict)) {
			t.Errorf("%s: %s, but Decide says %s because of %q", a.name, a.got, verdict, why)
		}
	}
}

func TestPackets(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.publishMatrix(t)
		program := compile(t, block("ufw", publish(7, "metrics", "tcp", "9200", "10.77.0.0/24 2001:db8:77::/64")), dockerHost(activeUFW(matrixTuples()...)))

		unguarded := w.attempts()
		for _, a := range unguarded {
			a.want = open // or else silence would prove nothing later on
		}
		check(t, unguarded, nil)

		w.load(t, program)
		check(t, w.attempts(), program)
		t.Run("rules of others in DOCKER-USER still hold", func(t *testing.T) { w.testOthers(t) })
		t.Run("the guards hold while the filter is off the path", func(t *testing.T) { w.testGuards(t) })
	})
}

// testOthers appends a rule to DOCKER-USER, as fail2ban and owners do.
func (w *world) testOthers(t *testing.T) {
	var attempts []*attempt
	for _, family := range bothFamilies() {
		ban := named(family, "-A DOCKER-USER -s EVIL -j DROP")
		w.host.restore(t, w.tool(family, "restore"), "*filter\n"+ban+"\nCOMMIT\n")
		banned, free := w.attempt(family, firewall.TCP, "EVIL", "HOST:7000", 0), w.attempt(family, firewall.TCP, "INTERNET", "HOST:7000", 0)
		banned.want, free.want = silent, open
		attempts = append(attempts, banned, free)
	}
	check(t, attempts, nil)
	for _, family := range bothFamilies() {
		w.host.restore(t, w.tool(family, "restore"), "*filter\n"+named(family, "-D DOCKER-USER -s EVIL -j DROP")+"\nCOMMIT\n")
	}
}

// testGuardAlone takes DOCKER-USER off the path, as dockerd does while it restarts.
// testGuards takes the filter off the path, as dockerd 28 does when it restarts.
func (w *world) testGuards(t *testing.T) {
	w.withoutFilter(t)
	attempts := w.attempts()
	for _, a := range attempts {
		if a.want == refused {
			a.want = silent // REJECT takes the filter
		}
	}
	check(t, attempts, nil)
}

func (w *world) withoutFilter(t *testing.T) {
	t.Helper()
	for _, family := range bothFamilies() {
		w.host.restore(t, w.tool(family, "restore"), "*filter\n-D FORWARD -j DOCKER-USER\nCOMMIT\n")
	}
}

func TestPacketsWithDockersNftables(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.publishMatrix(t)
		f := dockerHost(activeUFW(matrixTuples()...))
		f.Docker.Effective.FirewallBackend = "nftables"
		program := compile(t, block("ufw", publish(7, "metrics", "tcp", "9200", "10.77.0.0/24 2001:db8:77::/64")), f)
		w.load(t, program)
		// UFW's part in FORWARD: what exists passes, nothing else does.
		for _, family := range bothFamilies() {
			w.host.restore(t, w.tool(family, "restore"), "*filter\n:FORWARD DROP [0:0]\n"+
				"-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-I FORWARD 1 -j MOLO\nCOMMIT\n")
		}
		attempts := w.attempts()
		for _, a := range attempts {
			if verdict, _ := program.Decide(a.packet); verdict == firewall.Pass {
				a.want = silent // not molo's business: UFW decides
			}
		}
		check(t, attempts, nil)
	})
}

func TestALimitHoldsWhileTheFilterIsOffThePath(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.publish(t, publishAll(2222)...)
		w.load(t, compile(t, block("ufw"), dockerHost(activeUFW(tuplesFor("limit any 2222 ANY any ANY in")...))))
		w.withoutFilter(t)
		for _, family := range bothFamilies() {
			for i := range 7 {
				a := w.attempt(family, firewall.TCP, "INTERNET", "HOST:2222", 0)
				if a.want = open; i >= 5 {
					a.want = silent
				}
				a.name = fmt.Sprintf("connection %d, %s", i+1, a.name)
				check(t, []*attempt{a}, nil)
			}
		}
	})
}

func TestLimitRefusesTheSixthConnection(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.publish(t, publishAll(2222)...)
		program := compile(t, block("ufw"), dockerHost(activeUFW(tuplesFor("limit any 2222 ANY any ANY in")...)))
		w.load(t, program)
		for _, family := range bothFamilies() {
			for i := range 7 {
				if i == 3 {
					w.load(t, program) // the count outlives a reload
				}
				a := w.attempt(family, firewall.TCP, "INTERNET", "HOST:2222", 0)
				if a.want = open; i >= 5 {
					a.want = refused
				}
				a.name = fmt.Sprintf("connection %d, %s", i+1, a.name)
				check(t, []*attempt{a}, nil)
			}
			other := w.attempt(family, firewall.TCP, "LAN", "HOST:2222", 0)
			other.want = open
			check(t, []*attempt{other}, program)
		}
	})
}
