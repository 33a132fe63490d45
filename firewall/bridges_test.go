package firewall_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// strange is a host with every link that is not what its name says.
func strange() facts.Facts {
	f := dockerHost(activeUFW())
	f.Lookalikes = []string{"br-lan.10", "br-ex"}
	f.Bridges = append(f.Bridges, "br0", "br-x+")
	f.Uplinked = []string{"br-lan", "br0"}
	f.Docker.Networks = append(f.Docker.Networks,
		facts.Network{Name: "lan", Driver: "bridge", Bridge: "br0"},
		facts.Network{Name: "odd", Driver: "bridge", Bridge: "my+"},
		facts.Network{Name: "space", Driver: "bridge", Bridge: "café0"})
	return f
}

func TestOnlyDockersOwnBridgesAreTrusted(t *testing.T) {
	published := tcp(host + ":8080")
	to := func(out string) func(*firewall.Packet) { return func(p *firewall.Packet) { p.Out = out } }
	inside := func(in string) firewall.Packet { return direct(from(published, "172.18.0.2:40000", in)) }
	tests := []struct {
		name string
		pkt  firewall.Packet
		want firewall.Verdict
		why  string
	}{
		{"a network of Docker's", from(published, "172.18.0.2:40000", "br-0123456789ab"), firewall.Docker, "sent by a container"},
		{"one that is younger than Docker's list, which has Docker's form", from(published, "172.18.0.2:40000", "br-ba9876543210"), firewall.Docker, "sent by a container"},
		{"a foreign bridge", from(published, "10.0.0.9:40000", "br-lan"), firewall.Deny, "default"},
		{"a VLAN on it", from(published, "10.0.0.9:40000", "br-lan.10"), firewall.Deny, "default"},
		{"a bridge of Open vSwitch", from(published, "10.0.0.9:40000", "br-ex"), firewall.Deny, "default"},
		{"what goes to them is not molo's", with(published, to("br-ex")), firewall.Pass, "not a bridge of Docker"},
		{"a link that came up after the run, to a published port", from(published, "10.0.0.9:40000", "br-wan"), firewall.Deny, "default"},
		{"and to a container's own address", inside("br-wan"), firewall.Deny, "default"},
		{"a network that was made after the run has its way out", with(inside("br-aaaaaaaaaaaa"), to("eth0")), firewall.Docker, "sent by a container"},
		{"and its containers talk to each other", with(inside("br-aaaaaaaaaaaa"), to("br-aaaaaaaaaaaa")), firewall.Docker, "sent by a container"},
		{"a bridge of Docker's with eth0 in it", from(published, "10.0.0.9:40000", "br0"), firewall.Deny, "default"},
		{"within it Docker decides", with(inside("br0"), to("br0")), firewall.Docker, "within one bridge"},
		{"what goes to it is filtered", with(published, to("br0")), firewall.Deny, "default"},
		{"what goes to a bridge that looks like a pattern is filtered", with(published, to("my+")), firewall.Deny, "default"},
		{"and what goes to one with a letter that iptables may not take", with(published, to("café0")), firewall.Deny, "default"},
		{"a foreign bridge that looks like a pattern counts as Docker's", with(published, to("br-x+")), firewall.Deny, "default"},
		{"and is not trusted", from(published, "10.0.0.9:40000", "br-x+"), firewall.Deny, "default"},
	}
	for _, network := range []string{"docker", "ufw"} {
		p := block("ufw")
		p.InterNetwork = set(network)
		program := compile(t, p, strange())
		for _, tt := range tests {
			want, why := tt.want, tt.why
			if network == "ufw" && want == firewall.Docker && tt.pkt.Original.IsValid() {
				want, why = firewall.Deny, "default"
			}
			if got, because := program.Decide(tt.pkt); got != want || !strings.Contains(because, why) {
				t.Errorf("%s, inter_network %s: got %s because of %q, want %s because of %q", tt.name, network, got, because, want, why)
			}
		}
	}
}

func TestTheOwnerHearsOfLinksThatAreNotWhatTheySeem(t *testing.T) {
	got := map[string]string{}
	for _, f := range compile(t, block("ufw"), strange()).Findings {
		got[f.Where] = f.What
	}
	view, err := firewall.Look(&firewall.Program{}, strange(), facts.Surface{})
	if err != nil || len(view.Findings) != 1 || view.Findings[0].Where != "interface br0" {
		t.Errorf("who looks at the exposure reads %+v, error %v", view, err)
	}
	want := map[string]string{
		"interface br0":   "this bridge of Docker's has a port that leads off the host: neighbours there reach every port of its containers, and what comes from it counts as from outside",
		"interface my+":   "iptables can't name this bridge of Docker's: new connections to every link called my+ are filtered",
		"interface café0": "iptables can't name this bridge of Docker's: new connections to every link called caf+ are filtered",
		"interface br-x+": "iptables can't name the bridge: it counts as Docker's, new connections to it are filtered",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// database is a service of the host that containers may reach.
func database() *policy.Firewall {
	p := block("ufw")
	p.AllowFromContainers = set([]policy.HostPort{{Protocol: "tcp", Ports: policy.PortRange{First: 5432, Last: 5432}}})
	return p
}

func TestPortsOfTheHostOpenToContainersOnly(t *testing.T) {
	for _, r := range compile(t, database(), strange()).Rules() {
		if r.Table != "filter" {
			continue
		}
		var got []string
		for _, c := range r.Chains {
			for _, rule := range c.Rules {
				if c.Name == "MOLO-HOST" {
					got = append(got, rule.Spec)
				}
			}
		}
		var want []string
		for _, link := range []string{"docker0", "docker_gwbridge", "br-0123456789ab", "br-ba9876543210"} {
			want = append(want, "-i "+link+" -p tcp --dport 5432 -j ACCEPT")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.Family, diff)
		}
	}
}

func TestTheViewShowsWhatContainersReachOfTheHost(t *testing.T) {
	f := dockerHost(activeUFW())
	surface := facts.Surface{Sockets: []facts.Socket{{Protocol: "tcp", Address: netip.IPv4Unspecified(), Port: 5432, Process: "postgres"}}}
	for name, program := range map[string]*firewall.Program{
		"planned": compile(t, database(), f),
		"loaded":  readBack(t, compile(t, database(), f)),
	} {
		view, err := firewall.Look(program, f, surface)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(view.Exposures[0].Words(), ", ")
		if want := "on docker0, on docker_gwbridge, on br-0123456789ab, on br-ba9876543210, nobody else"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// readBack returns the program as a host tells of it.
func readBack(t *testing.T, p *firewall.Program) *firewall.Program {
	t.Helper()
	loaded, findings := firewall.Loaded(p.Rules(), []resource.Family{resource.IPv4, resource.IPv6})
	if len(findings) > 0 {
		t.Fatalf("findings: %+v", findings)
	}
	return loaded
}

func TestBridgesAreRememberedAcrossABoot(t *testing.T) {
	rules := compile(t, block("ufw"), strange()).Rules()
	docker, untrusted := firewall.Bridges(rules[1])
	if diff := cmp.Diff([]string{"docker0", "docker_gwbridge", "br-0123456789ab", "br-ba9876543210"}, docker); diff != "" {
		t.Errorf("Docker's (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"br0", "caf+", "my+"}, untrusted); diff != "" {
		t.Errorf("not trusted (-want +got):\n%s", diff)
	}
	boot := dockerHost(activeUFW())
	boot.Bridges, boot.Uplinked = nil, untrusted
	boot.Docker = facts.Docker{Installed: true, Remembered: append(docker, untrusted...)}
	for _, program := range []*firewall.Program{compile(t, block("ufw"), boot), readBack(t, compile(t, block("ufw"), boot))} {
		for _, out := range []string{"br0", "my+", "café0", "br-aaaaaaaaaaaa"} {
			if got, why := program.Decide(with(tcp(host+":8080"), func(p *firewall.Packet) { p.Out = out })); got != firewall.Deny {
				t.Errorf("to %s: %s because of %q, want deny", out, got, why)
			}
		}
		for in, want := range map[string]firewall.Verdict{"br-0123456789ab": firewall.Docker, "br0": firewall.Deny} {
			if got, why := program.Decide(from(tcp(host+":8080"), "172.18.0.2:40000", in)); got != want {
				t.Errorf("from %s: %s because of %q, want %s", in, got, why, want)
			}
		}
	}
}
