package firewall_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// exposedHost publishes ports on every kind of address, and runs processes and
// containers that listen themselves.
func exposedHost(ufw facts.UFW) (facts.Facts, facts.Surface) {
	f := dockerHost(ufw)
	f.Docker.Networks = append(f.Docker.Networks, facts.Network{Name: "lan", Driver: "macvlan"}, facts.Network{Name: "zoo", Driver: "bridge", Bridge: "br-ba9876543210"})
	publish := func(address string, port, container uint16, protocol string) facts.Publish {
		return facts.Publish{Address: netip.MustParseAddr(address), Port: port, Container: container, Protocol: protocol}
	}
	endpoint := func(network string, addresses ...string) facts.Endpoint {
		e := facts.Endpoint{Network: network}
		for _, a := range addresses {
			e.Addresses = append(e.Addresses, netip.MustParseAddr(a))
		}
		return e
	}
	f.Docker.Containers = []facts.Container{
		{ID: "web-id", Name: "web", Running: true, Network: "bridge", Endpoints: []facts.Endpoint{
			endpoint("shop", "172.18.0.9"), endpoint("bridge", web, webV6), endpoint("zoo", "172.19.0.9"),
		}, Published: []facts.Publish{
			publish("0.0.0.0", 8080, 80, "tcp"), publish("::", 8080, 80, "tcp"),
			publish("0.0.0.0", 5353, 53, "udp"), publish("127.0.0.1", 8081, 80, "tcp"), publish("203.0.113.2", 8443, 443, "tcp"),
		}},
		{ID: "old-id", Name: "old", Running: true, Network: "shop", Endpoints: []facts.Endpoint{endpoint("shop", "172.18.0.2")}, Published: []facts.Publish{publish("::", 9090, 80, "tcp")}},
		{ID: "gone-id", Name: "gone", Network: "bridge", Published: []facts.Publish{publish("0.0.0.0", 1, 1, "tcp")}},
		{ID: "cam-id", Name: "cam", Running: true, Network: "lan", Endpoints: []facts.Endpoint{endpoint("lan", "10.77.0.9")}},
		{ID: "dns-id", Name: "dns", Running: true, Network: "host"},
	}
	socket := func(protocol, address string, port uint16, process, container string) facts.Socket {
		return facts.Socket{Protocol: protocol, Address: netip.MustParseAddr(address), Port: port, Process: process, Container: container}
	}
	return f, facts.Surface{
		Sockets: []facts.Socket{
			socket("tcp", "0.0.0.0", 22, "sshd", ""), socket("tcp", "0.0.0.0", 22, "sshd", ""), socket("tcp", "::", 22, "sshd", ""),
			socket("tcp", "127.0.0.1", 5432, "postgres", ""), socket("udp", "0.0.0.0", 68, "dhclient", ""),
			socket("udp", "0.0.0.0", 53, "", "dns-id"), socket("tcp", "203.0.113.1", 7000, "", ""),
			socket("tcp", "0.0.0.0", 8080, "docker-proxy", ""), socket("tcp", "0.0.0.0", 9999, "docker-proxy", ""), socket("tcp", "::", 8080, "", ""), socket("tcp", "127.0.0.1", 8081, "", ""),
		},
		OnTheWire: []facts.Socket{socket("tcp", "0.0.0.0", 554, "rtsp", "cam-id"), socket("tcp", "127.0.0.1", 555, "rtsp", "cam-id"), socket("tcp", "::", 554, "rtsp", "cam-id")},
	}
}

// look shows a view as text: a line for each clause.
func look(t *testing.T, p *firewall.Program, f facts.Facts, s facts.Surface) string {
	t.Helper()
	v, err := firewall.Look(p, f, s)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range v.Exposures {
		fmt.Fprintf(&b, "%s/%s %s:", netip.AddrPortFrom(e.Address, e.Port), e.Protocol, e.What())
		if e.Note != "" {
			fmt.Fprintf(&b, " (%s)", e.Note)
		}
		b.WriteString("\n")
		for i, words := range e.Words() {
			fmt.Fprintf(&b, "  %s | %s\n", words, e.Reach[i].Why)
		}
	}
	for _, finding := range v.Findings {
		fmt.Fprintf(&b, "%s: %s\n", finding.Where, finding.What)
	}
	return b.String()
}

const (
	// rest is what no test changes.
	rest = `0.0.0.0:53/udp container dns (host network):
  nobody | default: deny incoming
0.0.0.0:68/udp dhclient: (ufw's before.rules let in answers of DHCP servers)
  nobody | default: deny incoming
10.77.0.9:554/tcp container cam (on the wire):
  everybody | its macvlan network lan passes every firewall of this host
127.0.0.1:5432/tcp postgres:
  this host only | bound to 127.0.0.1
`
	macvlan = "container cam: it is on the macvlan network lan, which passes every firewall of this host\n"
)

func TestExposures(t *testing.T) {
	const (
		ssh6 = "[::]:22/tcp sshd:\n  nobody | default: deny incoming\n"
		udp  = "0.0.0.0:5353/udp container web:\n  nobody | default: deny incoming\n"
		unk  = "203.0.113.1:7000/tcp unknown process:\n  nobody | default: deny incoming\n"
		v6   = "[::]:8080/tcp container web:\n  nobody | default: deny incoming\n"
		lo   = "127.0.0.1:8081/tcp container web:\n  this host only | published for this host only\n"
		one  = "203.0.113.2:8443/tcp container web:\n  nobody | default: deny incoming\n"
		old  = "[::]:9090/tcp container old: (taken in by docker-proxy: to the rules it is a port of the host itself)\n  nobody | default: deny incoming\n"
	)
	ssh := func(s string) string { return "0.0.0.0:22/tcp sshd:\n" + s }
	web := func(s string) string { return "0.0.0.0:8080/tcp container web:\n" + s }
	nobody := "  nobody | default: deny incoming\n"
	dns, dhcp, postgres := rest[:strings.Index(rest, "0.0.0.0:68")], rest[strings.Index(rest, "0.0.0.0:68"):strings.Index(rest, "127.")], rest[strings.Index(rest, "127."):]
	all := func(ssh, web, one string) string {
		return ssh + ssh6 + dns + dhcp + udp + postgres + unk + web + v6 + lo + one + old + macvlan
	}
	anywhere := " 0.0.0.0/0 any 0.0.0.0/0 in"
	tests := []struct {
		name   string
		tuples []string
		want   string
	}{
		{"without a rule nobody reaches anything", nil, all(ssh(nobody), web(nobody), one)},
		{"a rule on the host's port opens it", []string{"allow tcp 22" + anywhere, "allow tcp 8080" + anywhere},
			all(ssh("  everybody | ufw: allow 22/tcp\n"), web("  everybody | ufw: allow 8080/tcp\n"), one)},
		{"a rule on the container's port opens nothing", []string{"allow tcp 80" + anywhere}, all(ssh(nobody), web(nobody), one)},
		{"a source is named, then everybody else", []string{"allow tcp 8080 0.0.0.0/0 any 192.0.2.0/24 in"},
			all(ssh(nobody), web("  192.0.2.0/24 | ufw: allow from 192.0.2.0/24 to any port 8080 proto tcp\n  nobody else | default: deny incoming\n"), one)},
		{"a deny before an allow is an exception", []string{"deny any any 0.0.0.0/0 any 192.0.2.9 in", "allow tcp 8080" + anywhere},
			all(ssh(nobody), web("  not 192.0.2.9 | ufw: deny from 192.0.2.9\n  everybody else | ufw: allow 8080/tcp\n"), one)},
		{"a deny behind the allow says nothing", []string{"allow tcp 8080" + anywhere, "deny any any 0.0.0.0/0 any 192.0.2.9 in"},
			all(ssh(nobody), web("  everybody | ufw: allow 8080/tcp\n"), one)},
		{"limit and reject", []string{"limit tcp 22" + anywhere, "reject tcp 8080" + anywhere},
			all(ssh("  everybody, 5 connections in 30 s | ufw: limit 22/tcp\n"), web("  nobody (refused) | ufw: reject 8080/tcp\n"), one)},
		{"an interface is a condition", []string{"allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in_wg0"},
			all(ssh(nobody), web("  on wg0 | ufw: allow in on wg0 to any port 8080 proto tcp\n  nobody else | default: deny incoming\n"), one)},
		{"an address of the host opens the port there", []string{"allow tcp 22,8080,8443 203.0.113.2 any 0.0.0.0/0 in"}, all(
			ssh("  to 203.0.113.2 | ufw: allow to 203.0.113.2 port 22,8080,8443 proto tcp\n  nobody else | default: deny incoming\n"),
			web("  to 203.0.113.2 | ufw: allow to 203.0.113.2 port 22,8080,8443 proto tcp\n  nobody else | default: deny incoming\n"),
			strings.Replace(one, "nobody | default: deny incoming", "everybody | ufw: allow to 203.0.113.2 port 22,8080,8443 proto tcp", 1))},
		{"a route rule names the container", []string{"route:allow tcp 80 172.17.0.2 any 192.0.2.0/24 in"},
			all(ssh(nobody), web("  192.0.2.0/24 | ufw: route allow from 192.0.2.0/24 to 172.17.0.2 port 80 proto tcp\n  nobody else | default: deny incoming\n"), one) +
				"container web: \"ufw: route allow from 192.0.2.0/24 to 172.17.0.2 port 80 proto tcp\" lets senders in to its own address 172.17.0.2, whether a port is published or not; since version 28 Docker drops that unless the network is routed\n"},
		{"a route rule names the container's bridge", []string{"route:allow tcp 80 0.0.0.0/0 any 192.0.2.0/24 out_docker0"},
			all(ssh(nobody), web("  192.0.2.0/24 | ufw: route allow out on docker0 from 192.0.2.0/24 to any port 80 proto tcp\n  nobody else | default: deny incoming\n"), one) +
				"container web: \"ufw: route allow out on docker0 from 192.0.2.0/24 to any port 80 proto tcp\" lets senders in to its own address 172.17.0.2, whether a port is published or not; since version 28 Docker drops that unless the network is routed\n"},
		{"a route rule names another bridge", []string{"route:allow tcp 80 0.0.0.0/0 any 192.0.2.0/24 out_eth9"}, all(ssh(nobody), web(nobody), one)},
		{"a route rule names another container", []string{"route:allow tcp 80 172.17.0.3 any 192.0.2.0/24 in"}, all(ssh(nobody), web(nobody), one)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, s := exposedHost(activeUFW(test.tuples...))
			if diff := cmp.Diff(test.want, look(t, compile(t, block("ufw"), f), f, s)); diff != "" {
				t.Errorf("exposures (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithoutRulesOfMoloPublishedPortsAreOpen(t *testing.T) {
	f, s := exposedHost(activeUFW("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"))
	f.Docker.Major = 20 // no ip6tables unless asked for
	v, err := firewall.Look(&firewall.Program{}, f, s)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"0.0.0.0:8080": "everybody", "[::]:8080": "nobody", "[::]:9090": "nobody", "0.0.0.0:5353": "everybody",
		"127.0.0.1:8081": "this host only", "203.0.113.2:8443": "everybody",
		"0.0.0.0:22": "everybody", "[::]:22": "nobody", "0.0.0.0:53": "nobody", "0.0.0.0:68": "nobody", "127.0.0.1:5432": "this host only", "203.0.113.1:7000": "nobody",
		"10.77.0.9:554": "everybody",
	}
	got := map[string]string{}
	for _, e := range v.Exposures {
		got[netip.AddrPortFrom(e.Address, e.Port).String()] = strings.Join(e.Words(), ", ")
		if e.Port == 8081 && !strings.Contains(e.Note, "neighbours") {
			t.Errorf("the note on a loopback port is %q", e.Note)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

func TestTheHostItselfIsAsOpenAsUFWLeavesIt(t *testing.T) {
	reject := activeUFW()
	reject.Defaults = strings.Replace(denyDefault, `INPUT_POLICY="DROP"`, `INPUT_POLICY="REJECT"`, 1)
	accept := activeUFW()
	accept.Defaults = strings.Replace(denyDefault, `INPUT_POLICY="DROP"`, `INPUT_POLICY="ACCEPT"`, 1)
	only4 := activeUFW("allow tcp 22 ::/0 any ::/0 in")
	only4.Defaults = strings.Replace(denyDefault, "IPV6=yes", "IPV6=no", 1)
	inactive := activeUFW()
	inactive.Conf = "ENABLED=no\n"
	tests := []struct {
		name   string
		ufw    facts.UFW
		v4, v6 string
	}{
		{"it denies by default", activeUFW(), "nobody: default: deny incoming", "nobody: default: deny incoming"},
		{"it rejects by default", reject, "nobody (refused): default: reject incoming", "nobody (refused): default: reject incoming"},
		{"it allows by default", accept, "everybody: default: allow incoming", "everybody: default: allow incoming"},
		{"it has no IPv6", only4, "nobody: default: deny incoming", "nobody: default: IPV6 is not yes in /etc/default/ufw"},
		{"it is inactive", inactive, "everybody: ufw is inactive", "everybody: ufw is inactive"},
		{"it is not there", facts.UFW{}, "everybody: ufw is not installed", "everybody: ufw is not installed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, s := exposedHost(test.ufw)
			v, err := firewall.Look(compile(t, block("ufw"), f), f, s)
			if err != nil {
				t.Fatal(err)
			}
			got := map[bool]string{}
			for _, e := range v.Exposures {
				if e.Port == 22 {
					got[e.Address.Is6()] = e.Words()[0] + ": " + e.Reach[0].Why
				}
			}
			if diff := cmp.Diff(map[bool]string{false: test.v4, true: test.v6}, got); diff != "" {
				t.Errorf("sshd (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhereUFWIsNotLoadedTheHostIsOpen(t *testing.T) {
	f, s := exposedHost(sample(t))
	s.WithoutUFW = []string{"ip6"}
	v, err := firewall.Look(compile(t, block("ufw"), f), f, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range v.Exposures {
		if want := e.Address == netip.IPv6Unspecified(); e.Name == "sshd" && want != strings.Contains(e.Reach[0].Why, "not loaded") {
			t.Errorf("sshd on %s is reached by %s because of %s", e.Address, e.Words()[0], e.Reach[0].Why)
		}
	}
	if !slices.ContainsFunc(v.Findings, func(f firewall.Finding) bool { return f.Where == "ip6tables filter" }) {
		t.Errorf("the findings are %+v", v.Findings)
	}
}

func TestARuleFileThatIsNotUnderstoodIsNoView(t *testing.T) {
	f, s := exposedHost(activeUFW("deny nonsense"))
	if v, err := firewall.Look(&firewall.Program{}, f, s); err == nil {
		t.Errorf("got %v, want an error", v)
	}
}

func TestExplain(t *testing.T) {
	f, s := exposedHost(activeUFW("allow tcp 22,80 0.0.0.0/0 any 0.0.0.0/0 in", "allow tcp 8080 203.0.113.1 any 192.0.2.0/24 in", "allow tcp 9090 ::/0 any ::/0 in"))
	p := block("ufw")
	p.AllowFromContainers = policy.Value[[]policy.HostPort]{V: []policy.HostPort{{Ports: policy.PortRange{First: 7000, Last: 7000}, Protocol: "tcp"}}, Range: span(9)}
	program := compile(t, p, f)
	v, err := firewall.Look(program, f, s)
	if err != nil {
		t.Fatal(err)
	}
	allow := "ufw: allow from 192.0.2.0/24 to 203.0.113.1 port 8080 proto tcp"
	tests := []struct {
		name, protocol, from, in, to string
		want                         firewall.Answer
	}{
		{"an allowed source", "tcp", "192.0.2.9", "eth0", "203.0.113.1:8080", firewall.Answer{Verdict: firewall.Allow, Why: allow, What: "container web"}},
		{"the same at another address", "tcp", "192.0.2.9", "eth0", "203.0.113.2:8080", firewall.Answer{Verdict: firewall.Deny, Why: "default: deny incoming", What: "container web"}},
		{"another source", "tcp", "198.51.100.9", "eth0", "203.0.113.1:8080", firewall.Answer{Verdict: firewall.Deny, Why: "default: deny incoming", What: "container web"}},
		{"a loopback port from the link", "tcp", "192.0.2.9", "eth0", "127.0.0.1:8081", firewall.Answer{Verdict: firewall.Deny, Why: "published for this host only", What: "container web"}},
		{"a process's loopback port from the link", "tcp", "192.0.2.9", "eth0", "127.0.0.1:5432", firewall.Answer{Verdict: firewall.Deny, Why: "bound to 127.0.0.1", What: "postgres"}},
		{"the host itself", "tcp", "127.0.0.1", "lo", "127.0.0.1:8081", firewall.Answer{Verdict: firewall.Allow, Why: "from this host itself"}},
		{"sshd", "tcp", "198.51.100.9", "eth0", "203.0.113.1:22", firewall.Answer{Verdict: firewall.Allow, Why: "ufw: allow 22,80/tcp", What: "sshd", Host: true}},
		{"nobody there", "udp", "198.51.100.9", "eth0", "203.0.113.1:22", firewall.Answer{Verdict: firewall.Deny, Why: "default: deny incoming", Note: "nothing listens there", Host: true}},
		{"the container's own address", "tcp", "198.51.100.9", "eth0", "172.17.0.2:80", firewall.Answer{Verdict: firewall.Deny, Why: "default: deny incoming", What: "container web"}},
		{"a container asks another", "tcp", "172.17.0.5", "docker0", "172.17.0.2:80", firewall.Answer{Verdict: firewall.Docker, Why: "within one bridge", What: "container web"}},
		{"a container asks the host", "tcp", "172.17.0.5", "docker0", "203.0.113.1:7000", firewall.Answer{
			Verdict: firewall.Allow, Why: "policies.hcl:9 allow_from_containers: 7000/tcp", What: "unknown process", Host: true}},
		{"somebody else asks the host for that", "tcp", "192.0.2.9", "eth0", "203.0.113.1:7000", firewall.Answer{
			Verdict: firewall.Deny, Why: "default: deny incoming", What: "unknown process", Host: true}},
		{"IPv6 through docker-proxy", "tcp", "2001:db8:1::9", "eth0", "[2001:db8:1::1]:9090", firewall.Answer{
			Verdict: firewall.Allow, Why: "ufw: allow 9090/tcp", What: "container old", Note: "taken in by docker-proxy: to the rules it is a port of the host itself", Host: true}},
	}
	back, _ := firewall.Loaded(program.Rules(), []resource.Family{resource.IPv4, resource.IPv6})
	readBack, err := firewall.Look(back, f, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q := firewall.Question{Protocol: test.protocol, From: netip.MustParseAddr(test.from), In: test.in, To: netip.MustParseAddrPort(test.to)}
			if diff := cmp.Diff(test.want, readBack.Explain(q)); diff != "" {
				t.Errorf("answer by the loaded rules (-want +got):\n%s", diff)
			}
			got := v.Explain(q)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDockerProxyTakesInWhatDockerDoesNotTranslate(t *testing.T) {
	const v6, both = "docker-proxy: [::]:8080 [::]:9090", "docker-proxy: 0.0.0.0:5353 0.0.0.0:8080 [::]:8080 127.0.0.1:8081 203.0.113.2:8443 [::]:9090"
	const none = "docker-proxy: [::]:9090" // a container without IPv6
	tests := []struct {
		name   string
		major  int
		flags  []string
		config string
		want   string
	}{
		{"Docker 28", 28, nil, "", none},
		{"Docker 26", 26, nil, "", v6},
		{"Docker 26, told to translate IPv6", 26, nil, `{"ip6tables": true, "experimental": true}`, none},
		{"the same on the command line", 26, []string{"--experimental", "--ip6tables"}, "", none},
		{"Docker 28, told not to", 28, nil, `{"ip6tables": false}`, v6},
		{"the same on the command line", 28, []string{"--ip6tables=false"}, "", v6},
		{"Docker may not use iptables at all", 28, []string{"--iptables=false", "--ip6tables=false"}, "", both},
		{"daemon.json is not JSON", 28, nil, `{"ip6tables": fal`, none},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, s := exposedHost(activeUFW())
			f.Docker.Major, f.Docker.Flags, f.Docker.Config = test.major, test.flags, test.config
			v, err := firewall.Look(compile(t, block("ufw"), f), f, s)
			if err != nil {
				t.Fatal(err)
			}
			got := "docker-proxy:"
			for _, e := range v.Exposures {
				if strings.Contains(e.Note, "docker-proxy") {
					got += " " + netip.AddrPortFrom(e.Address, e.Port).String()
				}
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestKnocksProveWhatTheViewSays(t *testing.T) {
	f, s := exposedHost(activeUFW())
	f.Docker.Containers[0].Published = append(f.Docker.Containers[0].Published,
		facts.Publish{Address: netip.IPv6Loopback(), Port: 8081, Container: 80, Protocol: "tcp"},
		facts.Publish{Address: netip.IPv4Unspecified(), Port: 3868, Container: 3868, Protocol: "sctp"})
	who := facts.Stranger{
		Link: "molo-probe", Address4: netip.MustParseAddr("198.51.100.2"), Host4: netip.MustParseAddr("198.51.100.1"),
		Address6: netip.MustParseAddr("2001:db8:ffff::2"), Host6: netip.MustParseAddr("2001:db8:ffff::1"),
	}
	only4 := who
	only4.Address6, only4.Host6 = netip.Addr{}, netip.Addr{}
	tests := []struct {
		name    string
		program *firewall.Program
		who     facts.Stranger
		want    []string
	}{
		{"rules of molo's", compile(t, block("ufw"), f), who, []string{
			"198.51.100.1:5353/udp", "198.51.100.1:8080/tcp", "[2001:db8:ffff::1]:8080/tcp", "127.0.0.1:8081/tcp", "203.0.113.2:8443/tcp", "[2001:db8:ffff::1]:9090/tcp"}},
		{"none", &firewall.Program{}, who, []string{
			"198.51.100.1:5353/udp", "198.51.100.1:8080/tcp", "[2001:db8:ffff::1]:8080/tcp", "203.0.113.2:8443/tcp", "[2001:db8:ffff::1]:9090/tcp"}},
		{"a stranger without IPv6", &firewall.Program{}, only4, []string{"198.51.100.1:5353/udp", "198.51.100.1:8080/tcp", "203.0.113.2:8443/tcp"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v, err := firewall.Look(test.program, f, s)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, q := range v.Knocks(test.who) {
				got = append(got, q.To.String()+"/"+q.Protocol)
				if q.In != who.Link || q.From.Is6() != q.To.Addr().Is6() {
					t.Errorf("%+v", q)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("knocks (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzLoaded(f *testing.F) {
	host, _ := exposedHost(activeUFW("allow_log tcp 8080 0.0.0.0/0 any 192.0.2.0/24 in", "limit udp 53 0.0.0.0/0 1024:2048 0.0.0.0/0 in"))
	program, err := firewall.Compile(block("ufw"), host)
	if err != nil {
		f.Fatal(err)
	}
	for _, rules := range program.Rules() {
		for _, c := range rules.Chains {
			for _, r := range c.Rules {
				f.Add(r.Spec)
			}
		}
	}
	f.Add(`-j LOG --log-prefix "open`)
	f.Add(`! -s 10.0.0.0/8 -j RETURN`)
	f.Fuzz(func(t *testing.T, spec string) {
		rules := program.Rules()[:2]
		rules[1].Chains[2].Rules = []resource.Rule{{Spec: spec}, {Spec: "-j DROP"}}
		got, findings := firewall.Loaded(rules, []resource.Family{resource.IPv4})
		if len(got.Families) != 1 {
			t.Fatalf("%q: the guard does not count any more: %v", spec, findings)
		}
		got.Decide(tcp("203.0.113.1:8080"))
	})
}

func TestAViewAgreesWithDecide(t *testing.T) {
	f, s := exposedHost(sample(t))
	program := compile(t, block("ufw", publish(7, "metrics", "tcp", "8080", "10.77.0.0/24")), f)
	v, err := firewall.Look(program, f, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range v.Exposures {
		for _, source := range []string{"192.0.2.9", "10.77.0.9", "203.0.113.66", "2001:db8:1::9"} {
			from, to := netip.MustParseAddr(source), e.Address
			if from.Is6() != to.Is6() {
				continue
			}
			if to.IsUnspecified() {
				to = netip.MustParseAddr("203.0.113.1")
				if from.Is6() {
					to = netip.MustParseAddr("2001:db8:1::1")
				}
			}
			q := firewall.Question{Protocol: e.Protocol, From: from, In: "eth0", To: netip.AddrPortFrom(to, e.Port)}
			want := v.Explain(q)
			for _, c := range e.Reach {
				if (!c.Source.IsValid() || c.Source.Contains(from)) && (c.In == "" || c.In == "eth0") && (!c.To.IsValid() || c.To.Contains(to)) && c.SourcePorts.First == 0 {
					if c.Verdict != want.Verdict {
						t.Errorf("%v: the view says %s (%s), the rules %s (%s)", q, c.Verdict, c.Why, want.Verdict, want.Why)
					}
					break
				}
			}
		}
	}
}

func TestLoadedReadsBackWhatWasRendered(t *testing.T) {
	f, s := exposedHost(sample(t))
	for _, nft := range []bool{false, true} {
		f.Docker.Effective.FirewallBackend = map[bool]string{false: "iptables", true: "nftables"}[nft]
		program := compile(t, block("ufw", publish(7, "metrics", "tcp", "9100-9110", "10.77.0.0/24")), f)
		got, findings := firewall.Loaded(program.Rules(), []resource.Family{resource.IPv4, resource.IPv6})
		if len(findings) > 0 {
			t.Errorf("findings: %v", findings)
		}
		if diff := cmp.Diff(look(t, program, f, s), look(t, got, f, s)); diff != "" {
			t.Errorf("exposures (-rendered +read back):\n%s", diff)
		}
		for _, pkt := range []firewall.Packet{tcp("203.0.113.1:8080"), udp("203.0.113.1:53"), tcp("[2001:db8:1::1]:8090"), from(tcp("203.0.113.1:1"), "172.17.0.9:1", "docker0"), direct(tcp("203.0.113.1:1"))} {
			wantVerdict, wantWhy := program.Decide(pkt)
			if v, why := got.Decide(pkt); v != wantVerdict || why != wantWhy {
				t.Errorf("%v: %s (%s), want %s (%s)", pkt, v, why, wantVerdict, wantWhy)
			}
		}
	}
}

func TestLoadedCountsOnlyRulesThatAreInForce(t *testing.T) {
	f, s := exposedHost(activeUFW("limit tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in"))
	f.IPv6 = false
	rules := compile(t, block("ufw"), f).Rules()
	guard, filter, behind := rules[0], rules[1], rules[2]
	unhooked, drifted, broken, printed := filter, filter, filter, filter
	unhooked.Hooks = nil
	aside := filter
	aside.Hooks = filter.Hooks[:1] // DOCKER-USER -> MOLO
	drifted.Drift = []string{"--A MOLO-IN -j DROP"}
	broken.Chains = append([]resource.Chain{{Name: "MOLO-IN", Rules: []resource.Rule{{Spec: "-m set --match-set bad src -j DROP"}}}}, filter.Chains[:2]...)
	printed.Digest, printed.Chains = "", []resource.Chain{ // as iptables 1.8.9 prints
		{Name: "MOLO", Rules: []resource.Rule{{Spec: `-m comment --comment "molo:0123456789ab" -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN`}, {Spec: "-g MOLO-TO"}}},
		{Name: "MOLO-TO", Rules: []resource.Rule{{Spec: "-o docker0 -g MOLO-IN"}, {Spec: "-j RETURN"}}},
		{Name: "MOLO-IN", Rules: []resource.Rule{
			{Spec: `-p tcp -m conntrack --ctstate DNAT --ctorigdst 203.0.113.2 --ctorigdstport 8080 -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW MOLO ALLOW] "`},
			{Spec: "-p tcp -m conntrack --ctstate DNAT --ctorigdst 203.0.113.2 --ctorigdstport 8080 -m recent --update --seconds 30 --hitcount 6 --name MOLO --mask 255.255.255.255 --rsource -g MOLO-LIMIT"},
			{Spec: "-j DROP"}}},
	}
	const limit, open = "everybody, 5 connections in 30 s", "everybody"
	tests := []struct {
		name     string
		have     []resource.Rules
		want     string // on port 8080
		findings int
	}{
		{"all of it", rules, limit, 0},
		{"nothing", nil, open, 1},
		{"the filter without the guard", []resource.Rules{filter, behind}, limit, 1},
		{"the filter without what stands behind it", []resource.Rules{guard, filter}, limit, 1},
		{"only what stands behind the filter", []resource.Rules{behind}, limit, 2},
		{"the guard without the filter", []resource.Rules{guard}, open, 1},
		{"a filter to which nothing leads from FORWARD", []resource.Rules{guard, aside, behind}, limit, 1},
		{"a filter that nothing leads to", []resource.Rules{unhooked}, open, 1},
		{"a filter that somebody changed", []resource.Rules{drifted}, open, 2},
		{"a filter that somebody changed behind a guard", []resource.Rules{guard, drifted}, open, 1},
		{"a rule that is not molo's", []resource.Rules{broken}, open, 2},
		{"a filter that is not remembered", []resource.Rules{guard, printed}, "to 203.0.113.2, 5 connections in 30 s, nobody else", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			program, findings := firewall.Loaded(test.have, []resource.Family{resource.IPv4})
			if len(findings) != test.findings {
				t.Errorf("findings %v, want %d", findings, test.findings)
			}
			v, err := firewall.Look(program, f, s)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, e := range v.Exposures {
				if e.Port == 8080 && e.Address.Is4() {
					got = strings.Join(e.Words(), ", ")
				}
			}
			if got != test.want {
				t.Errorf("port 8080: %q, want %q", got, test.want)
			}
		})
	}
}

// TestWhatDockerProxyTakesInObeysThePolicy is about [::]:9090, whose container has no IPv6.
func TestWhatDockerProxyTakesInObeysThePolicy(t *testing.T) {
	inactive := facts.UFW{Installed: true, Conf: "ENABLED=no\n", Defaults: denyDefault}
	opens := publish(7, "shop", "tcp", "9090", "2001:db8:1::/64")
	tests := []struct {
		name   string
		policy *policy.Firewall
		ufw    facts.UFW
		want   string
	}{
		{"ufw inactive: shut", block("ufw"), inactive, "nobody"},
		{"ufw inactive: a publish block opens", block("ufw", opens), inactive, "2001:db8:1::/64, nobody else"},
		{"closed: ufw's rules do not count", block("closed"), activeUFW("allow tcp 9090 ::/0 any ::/0 in"), "nobody"},
		{"closed: a publish block opens", block("closed", opens), activeUFW(), "2001:db8:1::/64, nobody else"},
		{"ufw allows", block("ufw"), activeUFW("allow tcp 9090 ::/0 any ::/0 in"), "everybody"},
		{"a publish block opens beside ufw", block("ufw", opens), activeUFW(), "2001:db8:1::/64, nobody else"},
		{"ufw denies by default", block("ufw"), activeUFW(), "nobody"},
		{"a publish block for another port", block("ufw", publish(7, "shop", "tcp", "9091", "")), activeUFW(), "nobody"},
		{"or another protocol", block("ufw", publish(7, "shop", "udp", "9090", "")), activeUFW(), "nobody"},
		{"a trusted interface", amended(block("ufw"), func(p *policy.Firewall) { p.TrustedInterfaces = set([]string{"wg0"}) }), activeUFW(), "on wg0, nobody else"},
		{"ufw inactive, follow", amended(block("ufw"), func(p *policy.Firewall) { p.WhenUFWInactive = set("follow") }), inactive, "everybody"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, s := exposedHost(test.ufw)
			planned := compile(t, test.policy, f)
			loaded, _ := firewall.Loaded(planned.Rules(), bothFamilies())
			for name, program := range map[string]*firewall.Program{"planned": planned, "loaded": loaded} {
				v, err := firewall.Look(program, f, s)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				for _, e := range v.Exposures {
					if e.Port == 9090 {
						got = strings.Join(e.Words(), ", ")
					}
				}
				if got != test.want {
					t.Errorf("%s: %q, want %q", name, got, test.want)
				}
			}
		})
	}
}

func amended(p *policy.Firewall, change func(*policy.Firewall)) *policy.Firewall {
	change(p)
	return p
}

func TestAContainersOwnAddressIsDockersToOpenSinceVersion28(t *testing.T) {
	f, s := exposedHost(activeUFW("route:allow tcp 80 172.17.0.2 any 0.0.0.0/0 in"))
	for major, want := range map[int]firewall.Verdict{26: firewall.Allow, 28: firewall.Docker} {
		f.Docker.Major = major
		v, err := firewall.Look(compile(t, block("ufw"), f), f, s)
		if err != nil {
			t.Fatal(err)
		}
		q := firewall.Question{Protocol: "tcp", From: netip.MustParseAddr("192.0.2.9"), In: "eth0", To: netip.MustParseAddrPort("172.17.0.2:80")}
		if got := v.Explain(q); got.Verdict != want || (got.Note == "") != (major < 28) {
			t.Errorf("Docker %d: %+v, want %s", major, got, want)
		}
	}
}

// TestPortsArePublishedOnTheNetworkOfTheDefaultRoute connects a container to more networks.
func TestPortsArePublishedOnTheNetworkOfTheDefaultRoute(t *testing.T) {
	tests := []struct {
		name   string
		change func(*facts.Docker)
		want   string // who reaches 8080 by a rule for docker0
	}{
		{"the first by name", func(*facts.Docker) {}, "everybody"},
		{"one that comes before it", func(d *facts.Docker) { d.Networks[1].Name, d.Containers[0].Endpoints[0].Network = "alpha", "alpha" }, "nobody"},
		{"one that comes before it and is internal", func(d *facts.Docker) {
			d.Networks[1].Name, d.Containers[0].Endpoints[0].Network, d.Networks[1].Internal = "alpha", "alpha", true
		}, "everybody"},
		{"one with a priority", func(d *facts.Docker) { d.Containers[0].Endpoints[2].Priority = 1 }, "nobody"},
	}
	for _, test := range tests {
		f, s := exposedHost(activeUFW("route:allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 out_docker0"))
		test.change(&f.Docker)
		v, err := firewall.Look(compile(t, block("ufw"), f), f, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range v.Exposures {
			if got := strings.Join(e.Words(), ", "); e.Port == 8080 && e.Address.Is4() && got != test.want {
				t.Errorf("%s: %s, want %s", test.name, got, test.want)
			}
		}
	}
}
