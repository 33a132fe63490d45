package firewall_test

import (
	"net/netip"
	"testing"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
)

// The ends of the packets in these tests. Docker publishes every port of the host
// on port 80 (TCP) or 53 (UDP) of a container.
const (
	client = "198.51.100.7:50000"
	host   = "203.0.113.1"
	web    = "172.17.0.2"
	webV6  = "2001:db8:d0c::2"
)

// toPort is a new connection from the internet to a published port of the host.
func toPort(protocol firewall.Protocol, original string) firewall.Packet {
	pkt := firewall.Packet{
		Protocol: protocol, Source: netip.MustParseAddrPort(client), Original: netip.MustParseAddrPort(original),
		Destination: netip.MustParseAddrPort(web + ":80"), In: "eth0", Out: "docker0",
	}
	if protocol == firewall.UDP {
		pkt.Destination = netip.MustParseAddrPort(web + ":53")
	}
	if pkt.Original.Addr().Is6() {
		pkt.Source = netip.MustParseAddrPort("[2001:db8:1::99]:50000")
		pkt.Destination = netip.AddrPortFrom(netip.MustParseAddr(webV6), pkt.Destination.Port())
	}
	return pkt
}

func tcp(original string) firewall.Packet { return toPort(firewall.TCP, original) }
func udp(original string) firewall.Packet { return toPort(firewall.UDP, original) }

func with(pkt firewall.Packet, change func(*firewall.Packet)) firewall.Packet {
	change(&pkt)
	return pkt
}

func from(pkt firewall.Packet, source, in string) firewall.Packet {
	pkt.Source, pkt.In = netip.MustParseAddrPort(source), in
	return pkt
}

// direct is a new connection to the address of a container itself.
func direct(pkt firewall.Packet) firewall.Packet {
	pkt.Original = netip.AddrPort{}
	return pkt
}

func TestDecide(t *testing.T) {
	anywhere := "0.0.0.0/0 any 0.0.0.0/0 in"
	ports := []string{
		"deny tcp 8080 0.0.0.0/0 any 203.0.113.66 in",
		"allow tcp 8080 " + anywhere,
		"deny any any 0.0.0.0/0 any 203.0.113.67 in",
		"allow udp 5353 " + anywhere,
		"allow any 53 " + anywhere,
		"allow tcp 80,443,7000:7010 " + anywhere,
		"allow tcp 8443 203.0.113.2 any 0.0.0.0/0 in",
		"allow tcp 9100 0.0.0.0/0 any 10.77.0.0/24 in",
		"allow tcp 8081 0.0.0.0/0 any 0.0.0.0/0 in_eth1",
		"reject tcp 25 " + anywhere,
		"limit tcp 2222 " + anywhere,
		"allow tcp 6000 0.0.0.0/0 1024:2048 0.0.0.0/0 in",
		"deny tcp 25 0.0.0.0/0 any 0.0.0.0/0 out",
		"allow any any 0.0.0.0/0 any 192.0.2.9 in",
		"route:allow tcp 80 172.17.0.2 any 192.0.2.0/24 in",
		"route:deny any any 0.0.0.0/0 any 0.0.0.0/0 in_eth9",
		"allow tcp 8090 ::/0 any ::/0 in",
	}
	program := compile(t, block("ufw", publish(7, "metrics", "tcp", "9200", "10.77.0.0/24")), dockerHost(activeUFW(ports...)))
	sctp := firewall.Protocol(132)
	tests := []struct {
		name string
		pkt  firewall.Packet
		want firewall.Verdict
		why  string
	}{
		{"a published port that no rule names", tcp(host + ":8888"), firewall.Deny, "default: deny incoming"},
		{"a published port that a rule allows", tcp(host + ":8080"), firewall.Allow, "ufw: allow 8080/tcp"},
		{"a deny before the allow", from(tcp(host+":8080"), "203.0.113.66:1", "eth0"), firewall.Deny, "ufw: deny from 203.0.113.66 to any port 8080 proto tcp"},
		{"a deny behind the allow", from(tcp(host+":8080"), "203.0.113.67:1", "eth0"), firewall.Allow, "ufw: allow 8080/tcp"},
		{"the port in the container plays no part", tcp(host + ":9090"), firewall.Deny, "default: deny incoming"},
		{"the protocol has to be right", tcp(host + ":5353"), firewall.Deny, "default: deny incoming"},
		{"a UDP port", udp(host + ":5353"), firewall.Allow, "ufw: allow 5353/udp"},
		{"a port of either protocol, TCP", tcp(host + ":53"), firewall.Allow, "ufw: allow 53"},
		{"a port of either protocol, UDP", udp(host + ":53"), firewall.Allow, "ufw: allow 53"},
		{"a port of either protocol does not mean SCTP", toPort(sctp, host+":53"), firewall.Deny, "default: deny incoming"},
		{"the last port of a range", tcp(host + ":7010"), firewall.Allow, "ufw: allow 80,443,7000:7010/tcp"},
		{"a port behind a range", tcp(host + ":7011"), firewall.Deny, "default: deny incoming"},
		{"an allow for another address of the host", tcp(host + ":8443"), firewall.Deny, "default: deny incoming"},
		{"an allow for this address of the host", tcp("203.0.113.2:8443"), firewall.Allow, "ufw: allow to 203.0.113.2 port 8443 proto tcp"},
		{"an allow for a network, from within", from(tcp(host+":9100"), "10.77.0.9:1", "eth1"), firewall.Allow, "ufw: allow from 10.77.0.0/24 to any port 9100 proto tcp"},
		{"an allow for a network, from outside", tcp(host + ":9100"), firewall.Deny, "default: deny incoming"},
		{"private addresses are not trusted", from(tcp(host+":8888"), "10.77.0.9:1", "eth1"), firewall.Deny, "default: deny incoming"},
		{"an allow on an interface", from(tcp(host+":8081"), "10.77.0.9:1", "eth1"), firewall.Allow, "ufw: allow in on eth1 to any port 8081 proto tcp"},
		{"an allow on another interface", tcp(host + ":8081"), firewall.Deny, "default: deny incoming"},
		{"a reject", tcp(host + ":25"), firewall.Reject, "ufw: reject 25/tcp"},
		{"a limit", tcp(host + ":2222"), firewall.Limit, "ufw: limit 2222/tcp"},
		{"a source port in a range", from(tcp(host+":6000"), "198.51.100.7:2048", "eth0"), firewall.Allow, "ufw: allow from any port 1024:2048 to any port 6000 proto tcp"},
		{"a source port outside it", tcp(host + ":6000"), firewall.Deny, "default: deny incoming"},
		{"a source that may do anything, SCTP", from(toPort(sctp, host+":7"), "192.0.2.9:1", "eth0"), firewall.Allow, "ufw: allow from 192.0.2.9"},
		{"a publish block", from(tcp(host+":9200"), "10.77.0.9:1", "eth1"), firewall.Allow, `policies.hcl:7 publish "metrics"`},
		{"a publish block for others", tcp(host + ":9200"), firewall.Deny, "default: deny incoming"},
		{"a publish block has nothing to say about IPv6 without a prefix", tcp("[2001:db8:1::1]:9200"), firewall.Deny, "default: deny incoming"},
		{"IPv6 has rules of its own", tcp("[2001:db8:1::1]:8090"), firewall.Allow, "ufw: allow 8090/tcp"},
		{"an allow for IPv4 only", tcp("[2001:db8:1::1]:8080"), firewall.Deny, "default: deny incoming"},
		{"a port published on loopback, from the link", tcp("127.0.0.1:8080"), firewall.Deny, "published for this host only"},
		{"a port published on IPv6 loopback", tcp("[::1]:8090"), firewall.Deny, "published for this host only"},
		{"straight to a container's port", direct(tcp(host + ":8080")), firewall.Deny, "default: deny incoming"},
		{"straight to a container, from a source that may do anything on the host", from(direct(tcp(host+":8080")), "192.0.2.9:1", "eth0"), firewall.Allow, "ufw: route allow from 192.0.2.0/24 to 172.17.0.2 port 80 proto tcp"},
		{"a route rule also covers the published port", from(tcp(host+":8888"), "192.0.2.1:1", "eth0"), firewall.Allow, "ufw: route allow from 192.0.2.0/24 to 172.17.0.2 port 80 proto tcp"},
		{"a route deny comes before any allow", from(tcp(host+":8080"), "198.51.100.7:1", "eth9"), firewall.Deny, "ufw: route deny in on eth9"},
		{"straight to a container with UDP", direct(udp(host + ":53")), firewall.Deny, "default: deny incoming"},
		{"a connection that exists", with(tcp(host+":8888"), func(p *firewall.Packet) { p.State = firewall.Established }), firewall.Pass, "existing connection"},
		{"a packet of no connection", with(tcp(host+":8080"), func(p *firewall.Packet) { p.State = firewall.Invalid }), firewall.Deny, "invalid packet"},
		{"egress", firewall.Packet{Protocol: firewall.TCP, Source: netip.MustParseAddrPort(web + ":40000"), Destination: netip.MustParseAddrPort("198.51.100.7:443"), In: "docker0", Out: "eth0"}, firewall.Docker, "sent by a container"},
		{"container to container", from(direct(tcp(host+":1")), "172.17.0.3:1", "docker0"), firewall.Docker, "within one bridge"},
		{"network to network", from(direct(tcp(host+":1")), "172.18.0.3:1", "br-0123456789ab"), firewall.Docker, "sent by a container"},
		{"to a network younger than the last run", with(tcp(host+":8888"), func(p *firewall.Packet) { p.Out = "br-ba9876543210" }), firewall.Deny, "default: deny incoming"},
		{"to a virtual machine", with(tcp(host+":8888"), func(p *firewall.Packet) { p.Out = "lxdbr0" }), firewall.Pass, "not to a container"},
		{"to a bridge that is only named like Docker's", with(tcp(host+":8888"), func(p *firewall.Packet) { p.Out = "br-lan" }), firewall.Pass, "not a bridge of Docker"},
		{"from a bridge that is only named like Docker's", from(tcp(host+":8888"), "10.88.0.9:1", "br-lan"), firewall.Deny, "default: deny incoming"},
		{"through the host", with(direct(tcp(host+":1")), func(p *firewall.Packet) { p.Out = "wg0" }), firewall.Pass, "not to a container"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, why := program.Decide(tt.pkt); got != tt.want || why != tt.why {
				t.Errorf("got %s because of %q, want %s because of %q", got, why, tt.want, tt.why)
			}
		})
	}
}

func TestDecideByDefault(t *testing.T) {
	allow := "allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in"
	allow6 := "allow tcp 8080 ::/0 any ::/0 in"
	route := "route:allow tcp 80 172.17.0.2 any 0.0.0.0/0 in"
	defaults := func(text string) facts.UFW {
		u := activeUFW(allow, allow6, route)
		u.Defaults = "DEFAULT_FORWARD_POLICY=ACCEPT\n" + text
		return u
	}
	inactive := activeUFW(allow, allow6, route)
	inactive.Conf, inactive.Enabled = "ENABLED=no\n", false
	opens := publish(7, "shop", "tcp", "9000", "")
	tests := []struct {
		name   string
		policy *policy.Firewall
		ufw    facts.UFW
		pkt    firewall.Packet
		want   firewall.Verdict
		why    string
	}{
		{"accept: a published port", block("ufw"), defaults("IPV6=yes\nDEFAULT_INPUT_POLICY=ACCEPT\n"), udp(host + ":8888"), firewall.Allow, "default: allow incoming"},
		{"accept: straight to a container, on a port without a route rule", block("ufw"), defaults("IPV6=yes\nDEFAULT_INPUT_POLICY=ACCEPT\n"), direct(udp(host + ":9")), firewall.Deny, "default: not a published port"},
		{"accept: a port published on loopback", block("ufw"), defaults("IPV6=yes\nDEFAULT_INPUT_POLICY=ACCEPT\n"), tcp("127.0.0.1:8080"), firewall.Deny, "published for this host only"},
		{"reject: a published port is dropped", block("ufw"), defaults("IPV6=yes\nDEFAULT_INPUT_POLICY=REJECT\n"), udp(host + ":8888"), firewall.Deny, "default: reject incoming"},
		{"IPV6=no: rules for IPv6 do not count", block("ufw"), defaults("IPV6=no\nDEFAULT_INPUT_POLICY=ACCEPT\n"), tcp("[2001:db8:1::1]:8080"), firewall.Deny, "default: IPV6 is not yes in /etc/default/ufw"},
		{"IPV6=no: a publish block does", block("ufw", opens), defaults("IPV6=no\nDEFAULT_INPUT_POLICY=DROP\n"), tcp("[2001:db8:1::1]:9000"), firewall.Allow, `policies.hcl:7 publish "shop"`},
		{"ufw inactive: rules do not count", block("ufw"), inactive, tcp(host + ":8080"), firewall.Deny, "default: ufw is inactive"},
		{"ufw inactive: a publish block does", block("ufw", opens), inactive, tcp(host + ":9000"), firewall.Allow, `policies.hcl:7 publish "shop"`},
		{"no ufw: all is shut", block("ufw"), facts.UFW{}, tcp(host + ":8080"), firewall.Deny, "default: ufw is not installed"},
		{"closed: rules do not count", block("closed"), activeUFW(allow, route), tcp(host + ":8080"), firewall.Deny, `policies.hcl:4 published_ports = "closed"`},
		{"closed: a publish block does", block("closed", opens), activeUFW(allow, route), tcp(host + ":9000"), firewall.Allow, `policies.hcl:7 publish "shop"`},
		{"closed: rules that nobody understands do not matter", block("closed"), facts.UFW{Installed: true, Conf: enabledConf, Rules4: "junk"}, tcp(host + ":8080"), firewall.Deny, `policies.hcl:4 published_ports = "closed"`},
		{"no block firewall: molo leaves it alone", nil, activeUFW(), tcp(host + ":8080"), firewall.Pass, "no rules for this address family"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program := compile(t, tt.policy, dockerHost(tt.ufw))
			if got, why := program.Decide(tt.pkt); got != tt.want || why != tt.why {
				t.Errorf("got %s because of %q, want %s because of %q", got, why, tt.want, tt.why)
			}
		})
	}
}

func TestAConnectionEndsWhereNoLinkWouldLetItIn(t *testing.T) {
	program := compile(t, block("ufw"), dockerHost(activeUFW("allow tcp 8081 0.0.0.0/0 any 0.0.0.0/0 in_eth1", "reject tcp 25 0.0.0.0/0 any 0.0.0.0/0 in")))
	tests := []struct {
		name  string
		pkt   firewall.Packet
		links []string
		want  bool
	}{
		{"a port that is shut", tcp(host + ":8080"), []string{"eth1"}, true},
		{"a port that is refused", tcp(host + ":25"), []string{"eth1"}, true},
		{"a port that is open on a link that it may have come in on", tcp(host + ":8081"), []string{"eth2", "eth1"}, false},
		{"a port that is open on another link", tcp(host + ":8081"), []string{"eth2"}, true},
		{"a port that is open", from(tcp(host+":8081"), client, "eth1"), nil, false},
		{"a container's own address", direct(tcp(host + ":80")), nil, true},
		{"a container's way out", with(direct(from(tcp(host+":80"), "172.17.0.2:40000", "docker0")), func(p *firewall.Packet) { p.Out = "eth0" }), nil, false},
		{"what is not to a container", with(direct(tcp(host+":80")), func(p *firewall.Packet) { p.Out = "eth1" }), nil, false},
	}
	for _, tt := range tests {
		if got := program.Ends(tt.pkt, tt.links); got != tt.want {
			t.Errorf("%s ends: %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestAContainerDoesNotGoOnWithAConnectionThatWasCut(t *testing.T) {
	program := readBack(t, compile(t, block("ufw"), strange()))
	reply := with(direct(from(tcp(host+":80"), "172.17.0.2:80", "docker0")), func(p *firewall.Packet) { p.Out, p.State = "eth0", firewall.Midway })
	for _, in := range []string{"docker0", "br-0123456789ab", "br0"} {
		if got, why := program.Decide(with(reply, func(p *firewall.Packet) { p.In = in })); got != firewall.Deny || why != "goes on with a connection that was cut" {
			t.Errorf("from %s: %s because of %q", in, got, why)
		}
	}
	within := with(reply, func(p *firewall.Packet) { p.Out = "docker0" })
	if got, why := program.Decide(within); got == firewall.Deny {
		t.Errorf("within one bridge: %s because of %q", got, why)
	}
}
