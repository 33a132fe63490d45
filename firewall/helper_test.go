package firewall_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"molo/firewall"
	"molo/firewall/ufwtest"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// ruleFile returns a rule file of UFW with these tuples, short of what no reader
// looks at.
func ruleFile(tuples ...string) string {
	return ufwtest.RuleFile(false, tuples...)
}

const (
	enabledConf = "ENABLED=yes\nLOGLEVEL=low\n"
	denyDefault = "IPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_FORWARD_POLICY=\"DROP\"\nMANAGE_BUILTINS=no\n"
)

// activeUFW returns an enabled UFW that denies by default; tuples for IPv6 are
// those with a "::".
func activeUFW(tuples ...string) facts.UFW {
	var v4, v6 []string
	for _, tuple := range tuples {
		if strings.Contains(tuple, "::") {
			v6 = append(v6, tuple)
		} else {
			v4 = append(v4, tuple)
		}
	}
	return facts.UFW{Installed: true, Enabled: true, Conf: enabledConf, Defaults: denyDefault, Rules4: ruleFile(v4...), Rules6: ufwtest.RuleFile(true, v6...)}
}

// dockerHost returns a host with a running Docker and this UFW.
func dockerHost(ufw facts.UFW) facts.Facts {
	return facts.Facts{
		IPv6:    true,
		UFW:     ufw,
		Bridges: []string{"br-0123456789ab", "br-ba9876543210", "br-lan", "docker0", "lxdbr0"},
		Docker: facts.Docker{
			Installed: true, Running: true, Version: "28.5.2", Major: 28,
			Networks: []facts.Network{
				{Name: "bridge", Driver: "bridge", Bridge: "docker0"},
				{Name: "shop", Driver: "bridge", Bridge: "br-0123456789ab"},
				{Name: "host", Driver: "host"},
			},
		},
	}
}

// block returns a block firewall as line 3 and following of policies.hcl.
func block(mode string, publish ...policy.Publish) *policy.Firewall {
	return &policy.Firewall{
		Range:          span(3),
		PublishedPorts: policy.Value[string]{V: mode, Range: span(4), Set: true},
		Log:            policy.Value[bool]{V: true},
		Publish:        publish,
	}
}

func span(line int) hcl.Range {
	return hcl.Range{Filename: "/etc/molo/policies.hcl", Start: hcl.Pos{Line: line, Column: 1}}
}

// publish returns a block publish; ports and prefixes are separated by spaces.
func publish(line int, name, protocol, ports, from string) policy.Publish {
	p := policy.Publish{
		Name:     policy.Value[string]{V: name},
		Protocol: policy.Value[string]{V: protocol},
		Range:    span(line),
	}
	for port := range strings.FieldsSeq(ports) {
		var r policy.PortRange
		if n, _ := fmt.Sscanf(port, "%d-%d", &r.First, &r.Last); n == 1 {
			r.Last = r.First
		}
		p.Ports.V = append(p.Ports.V, r)
	}
	for prefix := range strings.FieldsSeq(from) {
		p.From.V = append(p.From.V, netip.MustParsePrefix(prefix))
	}
	return p
}

// sample returns the UFW whose files ufw itself made (testdata/ufw/commands.sh).
func sample(t testing.TB) facts.UFW {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("testdata", "ufw", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return facts.UFW{
		Installed: true, Enabled: true, Conf: read("ufw.conf"), Defaults: read("default"),
		Rules4: read("user.rules"), Rules6: read("user6.rules"),
	}
}

func compile(t testing.TB, p *policy.Firewall, f facts.Facts) *firewall.Program {
	t.Helper()
	program, err := firewall.Compile(p, f)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// restoreText returns what iptables-restore needs to load one table into a kernel
// that has DOCKER-USER at most; what each rule is for stands above it.
func restoreText(r resource.Rules) string {
	var b strings.Builder
	line := func(words ...string) { b.WriteString(strings.Join(words, " ") + "\n") }
	line("# family " + string(r.Family) + ", digest " + r.Digest)
	line("*" + r.Table)
	for _, name := range r.Names() {
		line(":"+name, "-", "[0:0]")
	}
	if r.Hooks[0].From != "FORWARD" {
		line(":"+r.Hooks[0].From, "-", "[0:0]")
	}
	for _, c := range r.Chains {
		why := ""
		for _, rule := range c.Rules {
			if rule.Why != why {
				why = rule.Why
				line("# " + why)
			}
			line("-A", c.Name, rule.Spec)
		}
	}
	for _, h := range r.Hooks {
		line("-I", h.From, "1 -j", h.To)
	}
	line("COMMIT")
	return b.String()
}

// restoreTexts joins the tables of one family, or of both if it is "".
func restoreTexts(rules []resource.Rules, family resource.Family) string {
	var b strings.Builder
	for _, r := range rules {
		if family == "" || r.Family == family {
			b.WriteString(restoreText(r))
		}
	}
	return b.String()
}
