package firewall_test

import (
	"strings"
	"testing"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// set returns a value written on line 9.
func set[T any](v T) policy.Value[T] { return policy.Value[T]{V: v, Range: span(9), Set: true} }

func TestOptionsDecide(t *testing.T) {
	inactive := facts.UFW{Installed: true, Conf: "ENABLED=no\n", Defaults: denyDefault, Rules4: ruleFile("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"), Rules6: ruleFile()}
	fromShop := func(pkt firewall.Packet) firewall.Packet { return from(pkt, "172.18.0.2:40000", "br-0123456789ab") }
	tests := []struct {
		name    string
		options func(*policy.Firewall)
		ufw     facts.UFW
		packet  firewall.Packet
		want    firewall.Verdict
		why     string
	}{
		{"UFW inactive: shut", nil, inactive, tcp("203.0.113.1:8080"), firewall.Deny, "ufw is inactive"},
		{
			"UFW inactive, follow: open", func(p *policy.Firewall) { p.WhenUFWInactive = set("follow") },
			inactive, tcp("203.0.113.1:8080"), firewall.Allow, "policies.hcl:9",
		},
		{
			"UFW inactive, follow: a container's own address stays shut", func(p *policy.Firewall) { p.WhenUFWInactive = set("follow") },
			inactive, direct(tcp("203.0.113.1:8080")), firewall.Deny, "not a published port",
		},
		{
			"follow means nothing where UFW does not count", func(p *policy.Firewall) {
				p.WhenUFWInactive, p.PublishedPorts = set("follow"), set("closed")
			}, inactive, tcp("203.0.113.1:8080"), firewall.Deny, `published_ports = "closed"`,
		},
		{
			"a trusted interface reaches every published port", func(p *policy.Firewall) { p.TrustedInterfaces = set([]string{"wg0"}) },
			activeUFW(), from(tcp("203.0.113.1:8080"), "10.9.0.2:1234", "wg0"), firewall.Allow, "trusted_interfaces: wg0",
		},
		{
			"and nobody else does", func(p *policy.Firewall) { p.TrustedInterfaces = set([]string{"wg0"}) },
			activeUFW(), tcp("203.0.113.1:8080"), firewall.Deny, "deny incoming",
		},
		{
			"nor does it reach what is not published", func(p *policy.Firewall) { p.TrustedInterfaces = set([]string{"wg0"}) },
			activeUFW(), from(direct(tcp("203.0.113.1:8080")), "10.9.0.2:1234", "wg0"), firewall.Deny, "deny incoming",
		},
		{
			"nor a port published on loopback", func(p *policy.Firewall) { p.TrustedInterfaces = set([]string{"wg0"}) },
			activeUFW(), from(tcp("127.0.0.1:8081"), "10.9.0.2:1234", "wg0"), firewall.Deny, "this host only",
		},
		{
			"between networks Docker decides", nil, activeUFW(), fromShop(tcp("203.0.113.1:8080")), firewall.Docker, "sent by a container",
		},
		{
			"between networks UFW decides if asked to", func(p *policy.Firewall) { p.InterNetwork = set("ufw") },
			activeUFW(), fromShop(tcp("203.0.113.1:8080")), firewall.Deny, "deny incoming",
		},
		{
			"and lets in what it allows", func(p *policy.Firewall) { p.InterNetwork = set("ufw") },
			activeUFW("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in"), fromShop(tcp("203.0.113.1:8080")), firewall.Allow, "ufw: allow 8080/tcp",
		},
		{
			"a container's own way out stays Docker's", func(p *policy.Firewall) { p.InterNetwork = set("ufw") },
			activeUFW(), with(direct(fromShop(tcp("203.0.113.1:443"))), func(p *firewall.Packet) { p.Out = "eth0" }), firewall.Docker, "sent by a container",
		},
		{
			"so does what stays on one bridge", func(p *policy.Firewall) { p.InterNetwork = set("ufw") },
			activeUFW(), from(tcp("203.0.113.1:8080"), "172.17.0.3:40000", "docker0"), firewall.Docker, "within one bridge",
		},
		{
			"an extra bridge is filtered", func(p *policy.Firewall) { p.ExtraBridges = set([]string{"mybr0"}) },
			activeUFW(), with(tcp("203.0.113.1:8080"), func(p *firewall.Packet) { p.Out = "mybr0" }), firewall.Deny, "deny incoming",
		},
		{
			"a bridge that nobody names is not molo's", nil,
			activeUFW(), with(tcp("203.0.113.1:8080"), func(p *firewall.Packet) { p.Out = "mybr0" }), firewall.Pass, "not to a container",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := block("ufw")
			if tt.options != nil {
				tt.options(p)
			}
			got, why := compile(t, p, dockerHost(tt.ufw)).Decide(tt.packet)
			if got != tt.want || !strings.Contains(why, tt.why) {
				t.Errorf("got %s because of %q, want %s because of %q", got, why, tt.want, tt.why)
			}
		})
	}
}

func TestContainersReachThePortsOfTheHostThatAreNamed(t *testing.T) {
	p := block("ufw")
	p.AllowFromContainers = set([]policy.HostPort{{Protocol: "tcp", Ports: policy.PortRange{First: 5432, Last: 5432}}})
	for _, r := range compile(t, p, dockerHost(activeUFW())).Rules() {
		hook := resource.Hook{From: "INPUT", To: "MOLO-HOST", Place: resource.BeforeUFW}
		if hooked := r.Hooks[len(r.Hooks)-1] == hook; hooked != (r.Table == "filter") {
			t.Errorf("%s: hooked into INPUT: %t", r.ID(), hooked)
		}
		if text := restoreText(r); r.Table == "filter" && !strings.Contains(text, "-A MOLO-HOST -i docker0 -p tcp --dport 5432 -j ACCEPT\n") {
			t.Errorf("%s:\n%s", r.ID(), text)
		}
	}
}

func TestWithoutLogNothingIsLogged(t *testing.T) {
	p := block("ufw")
	p.Log = set(false)
	for _, r := range compile(t, p, dockerHost(activeUFW("limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"))).Rules() {
		if text := restoreText(r); strings.Contains(text, "LOG") {
			t.Errorf("%s:\n%s", r.ID(), text)
		}
	}
}

func TestContainersPastEveryFirewallAreFindings(t *testing.T) {
	f := dockerHost(activeUFW())
	f.Docker.Networks = append(f.Docker.Networks, facts.Network{Name: "lan", Driver: "macvlan"})
	f.Docker.Containers = []facts.Container{
		{Name: "bare", Running: true, Endpoints: []facts.Endpoint{{Network: "lan"}}},
		{Name: "stopped", Endpoints: []facts.Endpoint{{Network: "lan"}}},
		{Name: "plain", Running: true, Endpoints: []facts.Endpoint{{Network: "bridge"}}},
	}
	for _, mode := range []string{"warn", "fail"} {
		p := block("ufw")
		p.Macvlan = set(mode)
		findings := compile(t, p, f).Findings
		if len(findings) != 1 || findings[0].Where != "container bare" || findings[0].Fails != (mode == "fail") {
			t.Errorf("macvlan = %q: got %+v, want one finding, about bare", mode, findings)
		}
	}
}

func TestKeepIsForAUFWThatDoesNotCount(t *testing.T) {
	p := block("ufw")
	p.WhenUFWInactive = set("keep")
	if !compile(t, p, dockerHost(facts.UFW{})).Keep {
		t.Error("without UFW the loaded rules do not stay")
	}
	if compile(t, p, dockerHost(activeUFW())).Keep {
		t.Error("with UFW active the loaded rules stay")
	}
}

func TestNamesOfInterfacesAreCheckedAgain(t *testing.T) {
	p := block("ufw")
	p.TrustedInterfaces = set([]string{"wg0 -j ACCEPT"})
	if _, err := firewall.Compile(p, dockerHost(activeUFW())); err == nil || !strings.Contains(err.Error(), "policies.hcl:9") {
		t.Errorf("got %v, want an error with the line", err)
	}
}
