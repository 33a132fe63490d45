package firewall_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

func TestCompileTellsTheOwner(t *testing.T) {
	inactive := facts.UFW{Installed: true, Conf: "ENABLED=no\n"}
	rejecting := activeUFW("allow tcp 80 ::/0 any ::/0 in")
	rejecting.Defaults = "IPV6=no\nDEFAULT_INPUT_POLICY=\"REJECT\"\nDEFAULT_FORWARD_POLICY=\"DROP\"\n"
	stopped := dockerHost(activeUFW())
	stopped.Docker.Running, stopped.Docker.Networks = false, nil
	none := stopped
	none.Docker = facts.Docker{}
	tests := []struct {
		name string
		mode string
		f    facts.Facts
		want []firewall.Finding
	}{
		{"nothing about a host in order", "ufw", dockerHost(activeUFW()), nil},
		{"that ufw is not installed", "ufw", dockerHost(facts.UFW{}), []firewall.Finding{{
			Where: "policies.hcl:4", What: "ufw is not installed: published ports are shut but for publish blocks",
			Hint: `apt-get install ufw, or published_ports = "closed"`}}},
		{"that ufw is inactive", "ufw", dockerHost(inactive), []firewall.Finding{{
			Where: "/etc/ufw/ufw.conf", What: "ufw is inactive: published ports are shut but for publish blocks",
			Hint: `ufw allow OpenSSH && ufw enable, or published_ports = "closed"`}}},
		{"nothing about ufw where its rules do not count", "closed", dockerHost(inactive), nil},
		{"that rules for IPv6 have no effect, and that nothing is refused by default", "ufw", dockerHost(rejecting), []firewall.Finding{
			{Where: "/etc/default/ufw", What: "IPV6 is not yes: the rules in /etc/ufw/user6.rules have no effect, ports published on IPv6 are shut"},
			{Where: "/etc/default/ufw", What: "ufw rejects by default; published ports that no rule opens are dropped instead, so that they stay shut while Docker restarts"}}},
		{"which bridges are in doubt", "ufw", stopped, []firewall.Finding{
			{Where: "interface br-lan", What: "Docker does not run and can't say whether bridge br-lan is its own; it counts as Docker's until it does: new connections to it are filtered", Hint: "start Docker and apply again"},
			{Where: "interface lxdbr0", What: "Docker does not run and can't say whether bridge lxdbr0 is its own; it is not covered until it does, if it is Docker's", Hint: "start Docker and apply again"}}},
		{"no doubts where there is no Docker", "ufw", none, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, compile(t, block(tt.mode), tt.f).Findings); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	builtins := activeUFW()
	builtins.Defaults += "MANAGE_BUILTINS=yes\n"
	half := activeUFW()
	half.Rules4 = half.Rules4[:40]
	tests := []struct {
		name   string
		policy *policy.Firewall
		f      facts.Facts
		want   string
	}{
		{"half a rule file", block("ufw"), dockerHost(half), "reading /etc/ufw/user.rules: no complete list of rules"},
		{"MANAGE_BUILTINS, for ufw", block("ufw"), dockerHost(builtins), "reading /etc/default/ufw: MANAGE_BUILTINS=yes"},
		{"MANAGE_BUILTINS, for closed, since it would flush that as well", block("closed"), dockerHost(builtins), "reading /etc/default/ufw: MANAGE_BUILTINS=yes"},
		{"a mode that it does not know", block("open"), dockerHost(activeUFW()), `policies.hcl:4: published_ports is "open"`},
		{"a publish block without ports to match", block("ufw", publish(7, "x", "gre", "1", "")), dockerHost(activeUFW()), `policies.hcl:7 publish "x": protocol is "gre"`},
		{"a publish block of a protocol that it does not know", block("ufw", publish(7, "x", "sctp", "1", "")), dockerHost(activeUFW()), `policies.hcl:7 publish "x": protocol is "sctp"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program, err := firewall.Compile(tt.policy, tt.f)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if program != nil {
				t.Error("a program came back along with the error")
			}
		})
	}
}

func TestShutNeedsNothingOfUFW(t *testing.T) {
	builtins := activeUFW()
	builtins.Defaults += "MANAGE_BUILTINS=yes\n"
	for name, ufw := range map[string]facts.UFW{"MANAGE_BUILTINS": builtins, "junk": {Installed: true, Conf: enabledConf, Rules4: "junk"}, "nothing": {}} {
		f := strange()
		f.UFW = ufw
		program, err := firewall.Shut(block("ufw", publish(7, "shop", "tcp", "9000", "")), f, "unreadable")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, why := program.Decide(tcp(host + ":8080")); got != firewall.Deny || why != "default: unreadable" {
			t.Errorf("%s: got %s because of %q", name, got, why)
		}
		if got, why := program.Decide(tcp(host + ":9000")); got != firewall.Allow {
			t.Errorf("%s: a publish block: got %s because of %q", name, got, why)
		}
	}
}

func TestFirewalldIsAFinding(t *testing.T) {
	f := dockerHost(activeUFW())
	for _, firewalld := range []bool{false, true} {
		f.Docker.Effective.Firewalld = firewalld
		findings := compile(t, block("ufw"), f).Findings
		if found := len(findings) == 1 && strings.Contains(findings[0].What, "firewalld"); found != firewalld {
			t.Errorf("with firewalld %t the findings are %+v", firewalld, findings)
		}
	}
}

func TestCompileKnowsDockersBackend(t *testing.T) {
	tests := []struct {
		name   string
		docker facts.Docker
		want   string // where the filter is hooked
	}{
		{"an engine that does not tell", facts.Docker{}, "DOCKER-USER"},
		{"an engine that tells iptables, whatever its file says", facts.Docker{Effective: facts.Effective{FirewallBackend: "iptables"}, Config: `{"firewall-backend":"nftables"}`}, "DOCKER-USER"},
		{"an engine that tells nftables", facts.Docker{Effective: facts.Effective{FirewallBackend: "nftables"}}, "FORWARD"},
		{"a stopped engine with a flag", facts.Docker{Flags: []string{"-H", "fd://", "--firewall-backend=nftables"}}, "FORWARD"},
		{"a stopped engine with a flag in two words", facts.Docker{Flags: []string{"--firewall-backend", "nftables"}}, "FORWARD"},
		{"a stopped engine with a flag that lacks its value", facts.Docker{Flags: []string{"--firewall-backend"}}, "DOCKER-USER"},
		{"a stopped engine with a file", facts.Docker{Config: `{"icc":false,"firewall-backend":"nftables"}`}, "FORWARD"},
		{"a stopped engine with a broken file", facts.Docker{Config: `{"firewall-backend":"nftables"`}, "DOCKER-USER"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program := compile(t, block("ufw"), facts.Facts{UFW: activeUFW(), Docker: tt.docker})
			if got := program.Rules()[1].Hooks[0].From; got != tt.want {
				t.Errorf("the filter is hooked into %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRulesComeInTheOrderOfCommits(t *testing.T) {
	f := dockerHost(activeUFW())
	ids := func(p *firewall.Program) []resource.ID {
		var all []resource.ID
		for _, r := range p.Rules() {
			all = append(all, r.ID())
		}
		return all
	}
	want := []resource.ID{"rules:ip/mangle", "rules:ip/filter", "rules:ip6/mangle", "rules:ip6/filter"}
	if diff := cmp.Diff(want, ids(compile(t, block("ufw"), f))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.IPv6 = false
	if diff := cmp.Diff(want[:2], ids(compile(t, block("ufw"), f))); diff != "" {
		t.Errorf("without IPv6 (-want +got):\n%s", diff)
	}
	if got := compile(t, nil, f).Rules(); got != nil {
		t.Errorf("without a policy there are rules: %v", got)
	}
}

func TestWhatUFWRefusesStandsBehindTheFilterAsWell(t *testing.T) {
	for tuple, want := range map[string]bool{
		"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in": false, "deny tcp 22 0.0.0.0/0 any 0.0.0.0/0 in": false,
		"reject tcp 22 0.0.0.0/0 any 0.0.0.0/0 in": true, "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in": true,
		"route:reject tcp 22 0.0.0.0/0 any 0.0.0.0/0 in": true,
	} {
		got := slices.ContainsFunc(compile(t, block("ufw"), dockerHost(activeUFW(tuple))).Rules(), func(r resource.Rules) bool { return r.ID() == "rules:ip/security" })
		if got != want {
			t.Errorf("%s: %t, want %t", tuple, got, want)
		}
	}
}

func TestTheFirstRuleCarriesTheDigest(t *testing.T) {
	seal := regexp.MustCompile(`--comment "molo:([0-9a-f]{12})"`)
	for _, r := range compile(t, block("ufw"), dockerHost(sample(t))).Rules() {
		first := &r.Chains[0].Rules[0]
		found := seal.FindStringSubmatch(first.Spec)
		if found == nil || found[1] != r.Digest {
			t.Errorf("%s: digest %s, first rule %s", r.ID(), r.Digest, first.Spec)
			continue
		}
		first.Spec = strings.Replace(first.Spec, r.Digest, "000000000000", 1)
		if got := resource.Digest(r.Chains); got != r.Digest {
			t.Errorf("%s: digest %s, computed anew %s", r.ID(), r.Digest, got)
		}
	}
}

func TestDigestsFollowTheRules(t *testing.T) {
	digests := func(tuples ...string) []string {
		var all []string
		for _, r := range compile(t, block("ufw"), dockerHost(activeUFW(tuples...))).Rules() {
			all = append(all, r.Digest)
		}
		return all
	}
	plain := digests("allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in")
	commented := digests("allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in comment=61")
	if !slices.Equal(plain, commented) {
		t.Errorf("a comment changes the digests from %v to %v", plain, commented)
	}
	other := digests("allow tcp 81 0.0.0.0/0 any 0.0.0.0/0 in")
	if plain[0] == other[0] || plain[1] == other[1] || plain[2] != other[2] || plain[3] != other[3] {
		t.Errorf("another IPv4 port changes the digests from %v to %v", plain, other)
	}
}

// checkRules finds what must hold of every rendering.
func checkRules(t *testing.T, rules []resource.Rules) {
	t.Helper()
	word := regexp.MustCompile(`^([-A-Za-z0-9_.,:/+=%@]+|!)$`)
	quoted := regexp.MustCompile(`"(molo:[0-9a-f]{12}|\[UFW MOLO (ALLOW|BLOCK|LIMIT|LIMIT BLOCK)\] )"`)
	for _, r := range rules {
		for _, c := range r.Chains {
			if !strings.HasPrefix(c.Name, "MOLO") || len(c.Name) > 28 {
				t.Errorf("%s: bad chain name %s", r.ID(), c.Name)
			}
			for _, rule := range c.Rules {
				if rule.Why == "" {
					t.Errorf("%s: nothing explains %s", r.ID(), rule.Spec)
				}
				for w := range strings.FieldsSeq(quoted.ReplaceAllString(rule.Spec, "x")) {
					if !word.MatchString(w) {
						t.Errorf("%s: the word %q of %s comes from outside", r.ID(), w, rule.Spec)
					}
				}
				if r.Table == "mangle" && (strings.Contains(rule.Spec, "REJECT") || strings.Contains(rule.Spec, "recent")) {
					t.Errorf("the guard must leave this to the filter: %s", rule.Spec)
				}
			}
		}
	}
}

func TestRenderedRulesAreSafeToLoad(t *testing.T) {
	f := dockerHost(sample(t))
	for _, backend := range []string{"iptables", "nftables"} {
		f.Docker.Effective.FirewallBackend = backend
		checkRules(t, compile(t, block("ufw", publish(7, `"; -j ACCEPT`, "udp", "1-65535", "::/0")), f).Rules())
	}
}

func TestQuietMeansNoLogOfBlockedPackets(t *testing.T) {
	u := activeUFW("allow_log tcp 80 0.0.0.0/0 any 0.0.0.0/0 in", "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in")
	u.Conf = "ENABLED=yes\nLOGLEVEL=off\n"
	text := restoreTexts(compile(t, block("ufw"), dockerHost(u)).Rules(), resource.IPv4)
	if strings.Contains(text, "BLOCK]") {
		t.Errorf("blocked packets are logged:\n%s", text)
	}
	if !strings.Contains(text, "[UFW MOLO ALLOW]") {
		t.Errorf("a rule that asks for it is not logged:\n%s", text)
	}
}
