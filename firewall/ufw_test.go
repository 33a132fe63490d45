package firewall_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"molo/firewall"
	"molo/firewall/ufwtest"
	"molo/internal/facts"
	"molo/internal/policy"
)

// comparable lets cmp look at prefixes.
func comparable() cmp.Options {
	return cmp.Options{cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty()}
}

func TestParseUFWReadsATuple(t *testing.T) {
	one := func(first, last uint16) []policy.PortRange { return []policy.PortRange{{First: first, Last: last}} }
	tests := []struct {
		name, tuple string
		want        firewall.UFWRule
	}{
		{"a port", "allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in",
			firewall.UFWRule{Action: "allow", Protocol: firewall.TCP, Ports: one(8080, 8080)}},
		{"a list with a range", "deny udp 80,7000:7010 0.0.0.0/0 any 0.0.0.0/0 in",
			firewall.UFWRule{Action: "deny", Protocol: firewall.UDP, Ports: append(one(80, 80), one(7000, 7010)...)}},
		{"both ends and their ports", "limit tcp 22 203.0.113.2 1024:2048 192.0.2.0/24 in",
			firewall.UFWRule{Action: "limit", Protocol: firewall.TCP, Ports: one(22, 22), SourcePorts: one(1024, 2048),
				Source: netip.MustParsePrefix("192.0.2.0/24"), Destination: netip.MustParsePrefix("203.0.113.2/32")}},
		{"the old format of six fields is incoming", "reject any any 0.0.0.0/0 any 198.51.100.9",
			firewall.UFWRule{Action: "reject", Source: netip.MustParsePrefix("198.51.100.9/32")}},
		{"an interface whose name has an underscore", "allow_log any any 0.0.0.0/0 any 0.0.0.0/0 in_my_lan0",
			firewall.UFWRule{Action: "allow", Log: true, In: "my_lan0"}},
		{"interfaces by pattern", "allow_log-all any any 0.0.0.0/0 any 0.0.0.0/0 in_wg+",
			firewall.UFWRule{Action: "allow", Log: true, In: "wg+"}},
		{"a rule about what the host sends", "deny tcp 25 0.0.0.0/0 any 0.0.0.0/0 out_eth0",
			firewall.UFWRule{Action: "deny", Protocol: firewall.TCP, Ports: one(25, 25), Outgoing: true, Out: "eth0"}},
		{"a route rule between two interfaces", "route:allow tcp 80 172.30.0.5 any 0.0.0.0/0 in_eth0!out_docker0",
			firewall.UFWRule{Action: "allow", Route: true, Protocol: firewall.TCP, Ports: one(80, 80), In: "eth0", Out: "docker0",
				Destination: netip.MustParsePrefix("172.30.0.5/32")}},
		{"a route rule that only names where packets leave", "route:deny any any 0.0.0.0/0 any 0.0.0.0/0 out_docker0",
			firewall.UFWRule{Action: "deny", Route: true, Out: "docker0"}},
		{"application profiles", "allow tcp 80,443 0.0.0.0/0 22 0.0.0.0/0 Nginx%20Full OpenSSH in",
			firewall.UFWRule{Action: "allow", Protocol: firewall.TCP, Ports: append(one(80, 80), one(443, 443)...), SourcePorts: one(22, 22),
				App: "Nginx Full", SourceApp: "OpenSSH"}},
		{"application profiles in the old format of eight fields", "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH -",
			firewall.UFWRule{Action: "allow", Protocol: firewall.TCP, Ports: one(22, 22), App: "OpenSSH"}},
		{"a comment", "allow udp 53 0.0.0.0/0 any 0.0.0.0/0 in comment=c3b8726574",
			firewall.UFWRule{Action: "allow", Protocol: firewall.UDP, Ports: one(53, 53), Comment: "øret"}},
		{"a comment with control characters is made harmless", "allow udp 53 0.0.0.0/0 any 0.0.0.0/0 in comment=610a1b5b306d62",
			firewall.UFWRule{Action: "allow", Protocol: firewall.UDP, Ports: one(53, 53), Comment: "a??[0mb"}},
		{"a comment that is no text is left out", "allow udp 53 0.0.0.0/0 any 0.0.0.0/0 in comment=ff",
			firewall.UFWRule{Action: "allow", Protocol: firewall.UDP, Ports: one(53, 53)}},
		{"a protocol without ports", "allow gre any 0.0.0.0/0 any 0.0.0.0/0 in",
			firewall.UFWRule{Action: "allow", Protocol: 47}},
		{"host bits of a network do not count", "allow any any 0.0.0.0/0 any 192.0.2.77/24 in",
			firewall.UFWRule{Action: "allow", Source: netip.MustParsePrefix("192.0.2.0/24")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ufw, findings, err := firewall.ParseUFW(activeUFW(tt.tuple))
			if err != nil || len(findings) > 0 {
				t.Fatal(findings, err)
			}
			tt.want.Line = 20
			if diff := cmp.Diff([]firewall.UFWRule{tt.want}, ufw.Rules4, comparable()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseUFWLeavesOutAnAllowItDoesNotUnderstand(t *testing.T) {
	tests := []struct{ name, tuple, what string }{
		{"a protocol that is new", "allow sctp 80 0.0.0.0/0 any 0.0.0.0/0 in", `unknown protocol "sctp"`},
		{"a mask that is no prefix", "allow tcp 80 0.0.0.0/0 any 10.0.0.0/255.0.255.0 in", `bad address "10.0.0.0/255.0.255.0"`},
		{"an address of the other family", "allow tcp 80 0.0.0.0/0 any 2001:db8:0:0:0:0:0:1 in", `bad address "2001:db8:0:0:0:0:0:1"`},
		{"port 0", "allow tcp 0 0.0.0.0/0 any 0.0.0.0/0 in", `bad ports "0"`},
		{"a port beyond 65535", "allow tcp 65536 0.0.0.0/0 any 0.0.0.0/0 in", `bad ports "65536"`},
		{"a range that runs backwards", "allow tcp 90:80 0.0.0.0/0 any 0.0.0.0/0 in", `bad ports "90:80"`},
		{"a list that ends in a comma", "allow tcp 80, 0.0.0.0/0 any 0.0.0.0/0 in", `bad ports "80,"`},
		{"a port of a protocol without ports", "allow gre 80 0.0.0.0/0 any 0.0.0.0/0 in", "protocol gre has no ports"},
		{"an interface that iptables would read as an option", "allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in_$(x)", `bad interface name "$(x)"`},
		{"an interface name of 16 bytes", "allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in_abcdefghijklmnop", `bad interface name "abcdefghijklmnop"`},
		{"a direction that is new", "allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 through", `unknown direction "through"`},
		{"two interfaces without route", "allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in_a!out_b", "two interfaces in a rule that is not for forwarded packets"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := activeUFW()
			u.Rules4 = ruleFile(tt.tuple, "allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in")
			ufw, findings, err := firewall.ParseUFW(u)
			if err != nil {
				t.Fatal(err)
			}
			if len(ufw.Rules4) != 1 || ufw.Rules4[0].Ports[0].First != 443 {
				t.Errorf("the rules that are left: %v", ufw.Rules4)
			}
			want := []firewall.Finding{{Where: "/etc/ufw/user.rules:20", What: "rule not understood, published ports that it opens stay shut: " + tt.what}}
			if diff := cmp.Diff(want, findings); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestARuleThatWasEditedOpensNothing changes what ufw-init loads and leaves what the ufw
// command reads.
func TestARuleThatWasEditedOpensNothing(t *testing.T) {
	whole := ruleFile("allow any 80 0.0.0.0/0 any 192.0.2.0/24 in")
	tests := map[string][2]string{
		"another port":       {"-p tcp --dport 80", "-p tcp --dport 81"},
		"another protocol":   {"-p tcp --dport 80", "-p udp --dport 80"},
		"a narrower source":  {"-p udp --dport 80 -s 192.0.2.0/24", "-p udp --dport 80 -s 192.0.2.1"},
		"a condition more":   {"-p tcp --dport 80", "-p tcp --dport 80 -i eth0"},
		"no rule for UDP":    {"-A ufw-user-input -p udp --dport 80 -s 192.0.2.0/24 -j ACCEPT\n", ""},
		"another chain":      {"-A ufw-user-input -p tcp", "-A ufw-user-output -p tcp"},
		"a match more":       {"-p tcp --dport 80", "-p tcp -m socket --dport 80"},
		"a match of its own": {"-p udp --dport 80", "-p udp -m limit --dport 80"},
		"a state":            {"-j ACCEPT", "-m conntrack --ctstate RELATED -j ACCEPT"},
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			u := activeUFW()
			u.Rules4 = strings.Replace(whole, edit[0], edit[1], 1)
			if u.Rules4 == whole {
				t.Fatal("nothing was edited")
			}
			ufw, findings, err := firewall.ParseUFW(u)
			if err != nil || len(ufw.Rules4) > 0 || len(findings) != 1 || findings[0].Where != "/etc/ufw/user.rules:20" {
				t.Errorf("got rules %v, findings %v, error %v; want one finding", ufw.Rules4, findings, err)
			}
		})
	}
}

func TestParseUFWRefuses(t *testing.T) {
	whole := ruleFile("allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in")
	tests := []struct {
		name   string
		change func(*facts.UFW)
		want   string
	}{
		{"a deny that it does not understand", func(u *facts.UFW) { u.Rules4 = ruleFile("deny sctp 80 0.0.0.0/0 any 0.0.0.0/0 in") },
			`reading /etc/ufw/user.rules:20: unknown protocol "sctp": leaving this rule out could open what it closes`},
		{"a reject that it does not understand", func(u *facts.UFW) { u.Rules6 = ufwtest.RuleFile(true, "reject tcp 80 ::/0 any bogus in") },
			`reading /etc/ufw/user6.rules:20: bad address "bogus": leaving`},
		{"a limit that it does not understand", func(u *facts.UFW) { u.Rules4 = ruleFile("limit tcp x 0.0.0.0/0 any 0.0.0.0/0 in") },
			`reading /etc/ufw/user.rules:20: bad ports "x"`},
		{"an action that is new", func(u *facts.UFW) { u.Rules4 = ruleFile("drop tcp 80 0.0.0.0/0 any 0.0.0.0/0 in") }, `unknown action "drop"`},
		{"a kind of logging that is new", func(u *facts.UFW) { u.Rules4 = ruleFile("deny_loud tcp 80 0.0.0.0/0 any 0.0.0.0/0 in") }, `unknown kind of logging "loud"`},
		{"a tuple that is too short", func(u *facts.UFW) { u.Rules4 = ruleFile("allow tcp 80 0.0.0.0/0") }, "4 fields instead of 6 to 9"},
		{"a tuple that is too long", func(u *facts.UFW) { u.Rules4 = ruleFile("allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 a b in x") }, "10 fields instead of 6 to 9"},
		{"a file without its end", func(u *facts.UFW) { u.Rules4 = whole[:strings.Index(whole, "### END")] }, "no complete list of rules"},
		{"a file that ends within the end mark", func(u *facts.UFW) { u.Rules4 = whole[:strings.Index(whole, " RULES ###\n\n### RATE")] }, "no complete list of rules"},
		{"an empty file", func(u *facts.UFW) { u.Rules6 = "" }, "reading /etc/ufw/user6.rules: no complete list of rules"},
		{"a second list of rules", func(u *facts.UFW) { u.Rules4 = whole + whole }, `reading /etc/ufw/user.rules:47: "### RULES ###" is not where it belongs`},
		{"a rule behind the end", func(u *facts.UFW) { u.Rules4 = whole + "### tuple ### deny any any 0.0.0.0/0 any 0.0.0.0/0 in\n" }, "reading /etc/ufw/user.rules:30: a line that ufw does not write outside the list"},
		{"a rule ahead of the list", func(u *facts.UFW) {
			u.Rules4 = strings.Replace(whole, "### RULES", "-A ufw-user-input -p tcp --dport 80 -j DROP\n### RULES", 1)
		},
			"reading /etc/ufw/user.rules:18: a line that ufw does not write outside the list"},
		{"a file that commits nothing", func(u *facts.UFW) { u.Rules4 = strings.Replace(whole, "COMMIT\n", "", 1) }, "no complete list of rules"},
		{"a deny whose iptables rule was edited", func(u *facts.UFW) {
			u.Rules4 = strings.Replace(ruleFile("deny tcp 80 0.0.0.0/0 any 0.0.0.0/0 in"), "--dport 80 ", "--dport 8080 ", 1)
		}, "reading /etc/ufw/user.rules:20: line 21 is not what ufw makes of the rule: somebody edited it: leaving"},
		{"a limit whose iptables rules are gone", func(u *facts.UFW) {
			u.Rules4 = strings.Replace(ruleFile("limit tcp 80 0.0.0.0/0 any 0.0.0.0/0 in"), "-A ufw-user-input -p tcp --dport 80 -j ufw-user-limit-accept\n", "", 1)
		}, "reading /etc/ufw/user.rules:20: the rules that ufw makes of it are not below it"},
		{"an allow with a deny below it", func(u *facts.UFW) {
			u.Rules4 = strings.Replace(whole, "-A ufw-user-input", "-A ufw-user-input -j DROP\n-A ufw-user-input", 1)
		}, "reading /etc/ufw/user.rules:20: line 21 is not what ufw makes of the rule"},
		{"an allow that was made a deny", func(u *facts.UFW) { u.Rules4 = strings.Replace(whole, "-j ACCEPT", "-j DROP", 1) }, "reading /etc/ufw/user.rules:20: line 21 is not"},
		{"a negation below an allow", func(u *facts.UFW) { u.Rules4 = strings.Replace(whole, "--dport 80", "! --dport 80", 1) }, "line 21 is not"},
		{"a deny below an allow that it does not understand", func(u *facts.UFW) {
			u.Rules4 = strings.Replace(ruleFile("allow tcp 80 0.0.0.0/0 any 10.0.0.0/255.0.255.0 in"), "-j ACCEPT", "-j DROP", 1)
		}, "line 21 is not"},
		{"a port twice below an allow", func(u *facts.UFW) { u.Rules4 = strings.Replace(whole, "--dport 80", "--dport 80 --dport 81", 1) }, "line 21 is not"},
		{"no interface name", func(u *facts.UFW) { u.Rules4 = ruleFile("allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in_") }, `bad interface name ""`},
		{"one interface twice", func(u *facts.UFW) { u.Rules4 = ruleFile("allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in_a!in_b") }, `direction "in_a!in_b" names two interfaces`},
		{"a drop where it should log", func(u *facts.UFW) {
			u.Rules4 = strings.Replace(ruleFile("allow_log tcp 80 0.0.0.0/0 any 0.0.0.0/0 in"), "-j RETURN", "-j DROP", 1)
		}, "line 22 is not"},
		{"a rule that somebody put in by hand", func(u *facts.UFW) {
			u.Rules4 = strings.Replace(whole, "### END", "-A ufw-user-input -s 192.0.2.1 -j DROP\n### END", 1)
		}, "reading /etc/ufw/user.rules:23: a line that ufw did not write"},
		{"a default policy that it does not know", func(u *facts.UFW) { u.Defaults = strings.Replace(denyDefault, `"DROP"`, `"drop"`, 1) },
			`reading /etc/default/ufw: DEFAULT_INPUT_POLICY is "drop", not ACCEPT, DROP or REJECT`},
		{"a missing default policy", func(u *facts.UFW) { u.Defaults = "IPV6=yes\n" }, "DEFAULT_FORWARD_POLICY is \"\""},
		{"MANAGE_BUILTINS", func(u *facts.UFW) { u.Defaults = strings.Replace(denyDefault, "BUILTINS=no", "BUILTINS=yes", 1) },
			"MANAGE_BUILTINS=yes makes UFW flush every rule of the host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := activeUFW()
			tt.change(&u)
			ufw, _, err := firewall.ParseUFW(u)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if diff := cmp.Diff(firewall.UFW{}, ufw, comparable()); diff != "" {
				t.Errorf("something came back along with the error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseUFWReadsTheSettings(t *testing.T) {
	active := firewall.UFW{Active: true, IPv6: true, Input: "DROP", Forward: "DROP"}
	tests := []struct {
		name   string
		change func(*facts.UFW)
		want   firewall.UFW
	}{
		{"an enabled ufw", func(*facts.UFW) {}, active},
		{"a disabled one", func(u *facts.UFW) { u.Conf = "ENABLED=no\n" }, firewall.UFW{IPv6: true}},
		{"one that the start-up script would not start", func(u *facts.UFW) { u.Conf = "ENABLED=Yes\n" }, firewall.UFW{IPv6: true}},
		{"one whose package is gone", func(u *facts.UFW) { u.Installed = false }, firewall.UFW{IPv6: true}},
		{"quotes and comments", func(u *facts.UFW) { u.Conf = "# ENABLED=no\nENABLED='yes' # since May\nLOGLEVEL=off # quiet\n" },
			firewall.UFW{Active: true, Quiet: true, IPv6: true, Input: "DROP", Forward: "DROP"}},
		{"the last assignment holds", func(u *facts.UFW) { u.Conf = "ENABLED=yes\nENABLED=no\n" }, firewall.UFW{IPv6: true}},
		{"ufw.conf overrules the defaults", func(u *facts.UFW) { u.Conf = enabledConf + "IPV6=no\n" },
			firewall.UFW{Active: true, Input: "DROP", Forward: "DROP"}},
		{"other default policies", func(u *facts.UFW) { u.Defaults = "DEFAULT_INPUT_POLICY=REJECT\nDEFAULT_FORWARD_POLICY=\"ACCEPT\"\n" },
			firewall.UFW{Active: true, Input: "REJECT", Forward: "ACCEPT"}},
		{"without IPv6 a broken user6.rules does not matter", func(u *facts.UFW) { u.Conf = enabledConf + "IPV6=no\n"; u.Rules6 = "" },
			firewall.UFW{Active: true, Input: "DROP", Forward: "DROP"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := activeUFW()
			tt.change(&u)
			got, _, err := firewall.ParseUFW(u)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, comparable()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUFWRulesReadAsTheCommandThatMadeThem(t *testing.T) {
	ufw, _, err := firewall.ParseUFW(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range append(ufw.Rules4, ufw.Rules6...) {
		b.WriteString(r.String() + "\n")
	}
	matches(t, "rules as ufw commands", b.String())
}
