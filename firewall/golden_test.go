package firewall_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/golden"
	"molo/internal/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRenderedRules(t *testing.T) {
	nftables := dockerHost(activeUFW("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in"))
	nftables.Docker.Effective.FirewallBackend = "nftables"
	stopped := dockerHost(activeUFW())
	stopped.Docker = facts.Docker{Installed: true, Config: "{}"}
	stopped.IPv6 = false
	custom := dockerHost(sample(t))
	custom.Docker.Networks = append(custom.Docker.Networks, facts.Network{Name: "mine", Driver: "bridge", Bridge: "mybr0"})
	tests := []struct {
		name   string // of the golden file, too
		policy *policy.Firewall
		facts  facts.Facts
	}{
		{"every kind of rule that ufw writes", block("ufw", publish(7, "metrics", "tcp", "9100 9200-9210", "192.0.2.0/24 2001:db8::/32")), custom},
		{"published ports closed but for two blocks", block("closed", publish(7, "web", "tcp", "443", ""), publish(12, "dns", "udp", "53", "10.0.0.0/8")), dockerHost(sample(t))},
		{"ufw is not installed", block("ufw"), dockerHost(facts.UFW{})},
		{"docker filters with nftables", block("ufw"), nftables},
		{"docker does not run and there is no ipv6", block("ufw"), stopped},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			matches(t, tt.name, show(compile(t, tt.policy, tt.facts)))
		})
	}
}

// show prints the findings and every table, as iptables-restore takes it.
func show(p *firewall.Program) string {
	var b strings.Builder
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "# %s: %s\n", f.Where, f.What)
		if f.Hint != "" {
			fmt.Fprintf(&b, "# hint: %s\n", f.Hint)
		}
	}
	return b.String() + restoreTexts(p.Rules(), "")
}

func matches(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-")+".rules")
	golden.Check(t, file, got, *update)
}
