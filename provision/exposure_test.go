package provision_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall/ufwtest"
	"molo/internal/facts"
	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

// surfaced is a host whose ports can be listed.
type surfaced struct {
	hosttest.Host
	surface facts.Surface
}

func (s *surfaced) Surface(context.Context, facts.Docker) (facts.Surface, error) {
	return s.surface, nil
}

// shop is a host with an inactive molo: a web container on every address, another on
// loopback, and sshd.
func shop(rules ...string) *surfaced {
	ufwFile := func(v6 bool) string {
		tuples := slices.DeleteFunc(slices.Clone(rules), func(r string) bool { return strings.Contains(r, "::") != v6 })
		return ufwtest.RuleFile(v6, tuples...)
	}
	all, all6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	h := &surfaced{}
	h.Is = facts.Facts{
		IPv6: true,
		UFW: facts.UFW{
			Installed: true, Enabled: true, Conf: "ENABLED=yes\n", Rules4: ufwFile(false), Rules6: ufwFile(true),
			Defaults: "IPV6=yes\nDEFAULT_INPUT_POLICY=DROP\nDEFAULT_FORWARD_POLICY=DROP\n",
		},
		Docker: facts.Docker{
			Installed: true, Running: true, Major: 28,
			Networks: []facts.Network{{Name: "bridge", Driver: "bridge", Bridge: "docker0"}, {Name: "lan", Driver: "ipvlan"}},
			Containers: []facts.Container{
				{ID: "1", Name: "web", Running: true, Network: "bridge", Endpoints: []facts.Endpoint{
					{Network: "bridge", Addresses: []netip.Addr{netip.MustParseAddr("172.17.0.2"), netip.MustParseAddr("2001:db8:d0c::2")}},
				}, Published: []facts.Publish{
					{Address: all, Port: 8080, Container: 80, Protocol: "tcp"}, {Address: all6, Port: 8080, Container: 80, Protocol: "tcp"},
					{Address: all, Port: 53, Container: 53, Protocol: "udp"}, {Address: netip.MustParseAddr("127.0.0.1"), Port: 8081, Container: 80, Protocol: "tcp"},
				}},
				{ID: "2", Name: "cam", Running: true, Network: "lan", Endpoints: []facts.Endpoint{{Network: "lan"}}},
			},
		},
	}
	h.surface = facts.Surface{
		Sockets: []facts.Socket{{Protocol: "tcp", Address: all, Port: 22, Process: "sshd"}, {Protocol: "tcp", Address: all6, Port: 22, Process: "sshd"}, {Protocol: "udp", Address: all, Port: 68}},
	}
	return h
}

func firewallPolicy(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, diagnostics := policy.Parse([]policy.Source{{Name: "policies.hcl", Data: []byte(text)}})
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	return p
}

func text(t *testing.T, e *provision.Exposure, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := e.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// policyText opens one port whatever UFW says.
const policyText = "firewall {\n  publish \"dns\" {\n    ports = [53]\n    protocol = \"udp\"\n    from = [\"192.0.2.0/24\"]\n  }\n}\n"

func TestExposureNowAndPlanned(t *testing.T) {
	h := shop("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "limit tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in")
	now, err := provision.Exposed(t.Context(), h)
	want := `PORT      BEHIND IT        BOUND TO   REACHED BY      BECAUSE OF
22/tcp    sshd             0.0.0.0    everybody       ufw: allow 22/tcp
22/tcp    sshd             ::         nobody          default: deny incoming
53/udp    container web    0.0.0.0    everybody       Docker opens what it publishes: no rules of molo's stand in the way
68/udp    unknown process  0.0.0.0    nobody          default: deny incoming
8080/tcp  container web    0.0.0.0, ::  everybody     Docker opens what it publishes: no rules of molo's stand in the way
8081/tcp  container web    127.0.0.1  this host only  bound to 127.0.0.1
* 68/udp on 0.0.0.0: ufw's before.rules let in answers of DHCP servers
! iptables: molo's rules are not in force: every port that Docker publishes is open to everybody (molo apply)
! ip6tables: molo's rules are not in force: every port that Docker publishes is open to everybody (molo apply)
! container cam: it is on the ipvlan network lan, which passes every firewall of this host (use a bridge network, or filter where its packets arrive)
`
	compareTables(t, "now", want, text(t, now, err))

	planned, err := provision.PlannedExposure(t.Context(), h, firewallPolicy(t, policyText))
	want = `PORT      BEHIND IT        BOUND TO   REACHED BY                        BECAUSE OF
22/tcp    sshd             0.0.0.0    everybody                         ufw: allow 22/tcp
22/tcp    sshd             ::         nobody                            default: deny incoming
53/udp    container web    0.0.0.0    192.0.2.0/24                      policies.hcl:2 publish "dns"
                                      nobody else                       default: deny incoming
68/udp    unknown process  0.0.0.0    nobody                            default: deny incoming
8080/tcp  container web    0.0.0.0    everybody, 5 connections in 30 s  ufw: limit 8080/tcp
8080/tcp  container web    ::         nobody                            default: deny incoming
8081/tcp  container web    127.0.0.1  this host only                    published for this host only
* 68/udp on 0.0.0.0: ufw's before.rules let in answers of DHCP servers
! container cam: it is on the ipvlan network lan, which passes every firewall of this host (use a bridge network, or filter where its packets arrive)
`
	compareTables(t, "planned", want, text(t, planned, err))
}

// compareTables does not mind how wide columns are.
func compareTables(t *testing.T, name, want, got string) {
	t.Helper()
	words := func(s string) []string {
		var lines []string
		for line := range strings.Lines(s) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return lines
	}
	if diff := cmp.Diff(words(want), words(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestExposureGoesByWhatIsLoaded(t *testing.T) {
	ctx := t.Context()
	h := shop("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in")
	p := firewallPolicy(t, "firewall {\n  when_ufw_inactive = \"keep\"\n}\n")
	if _, err := provision.Apply(ctx, h, h, p, provision.Options{}); err != nil {
		t.Fatal(err)
	}
	reach := func(e *provision.Exposure, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range e.Exposures {
			if x.Port == 8080 && x.Address.Is4() {
				return x.Words()[0]
			}
		}
		return "gone"
	}
	h.Is.UFW = shop().Is.UFW // "ufw delete allow 8080/tcp", not applied yet
	if got := reach(provision.Exposed(ctx, h)); got != "everybody" {
		t.Errorf("now: %s, want everybody", got)
	}
	if got := reach(provision.PlannedExposure(ctx, h, p)); got != "nobody" {
		t.Errorf("planned: %s, want nobody", got)
	}
	h.Is.UFW.Conf = "ENABLED=no\n"
	if got := reach(provision.PlannedExposure(ctx, h, p)); got != "everybody" {
		t.Errorf("planned while the rules are kept: %s, want everybody", got)
	}
	for id, r := range h.State {
		if rules, ok := r.(resource.Rules); ok {
			rules.Drift = []string{"--A MOLO-IN -j DROP"}
			h.State[id] = rules
		}
	}
	e, err := provision.Exposed(ctx, h)
	if got := reach(e, err); got != "everybody" || !strings.Contains(text(t, e, nil), "somebody changed molo's rules: --A MOLO-IN -j DROP") {
		t.Errorf("after somebody changed the rules: %s\n%s", got, text(t, e, nil))
	}
}

func TestNoExposureIsGuessed(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*surfaced)
		want  string
	}{
		{"UFW's rules can't be read", func(h *surfaced) {
			h.Is.Unknown = []facts.Unread{{What: "/etc/ufw/user.rules", Part: "firewall", Why: "permission denied"}}
		}, "/etc/ufw/user.rules (permission denied)"},
		{"Docker can't be asked", func(h *surfaced) {
			h.Is.Docker.Blind = true
			h.Is.Unknown = []facts.Unread{{What: "the Docker Engine API", Part: "docker", Why: "permission denied"}}
		}, "the Docker Engine API"},
		{"the loaded rules can't be read", func(h *surfaced) {
			h.Unread = []facts.Unread{{What: "the iptables rules", Part: "firewall", Why: "permission denied"}}
		}, "the iptables rules"},
		{"the host is a directory", func(h *surfaced) { h.Is.Offline = true }, "files of an image"},
		{"a rule is not understood", func(h *surfaced) { h.Is.UFW.Rules4 = "### RULES ###\n" }, "user.rules"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := shop()
			test.spoil(h)
			if e, err := provision.Exposed(t.Context(), h); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v and error %v, want an error with %q", e, err, test.want)
			}
		})
	}
}

// stranger is one whose packets meet a fate by address.
type stranger struct {
	fates  map[string]facts.Fate // others are dropped
	later  map[string]facts.Fate // takes the place of fates after the first knocks
	knocks []facts.Knock
	err    error
}

func (s *stranger) Who() facts.Stranger {
	return facts.Stranger{
		Link: "molo-probe", Address4: netip.MustParseAddr("198.51.100.2"), Host4: netip.MustParseAddr("198.51.100.1"),
		Address6: netip.MustParseAddr("2001:db8:ffff::2"), Host6: netip.MustParseAddr("2001:db8:ffff::1"),
	}
}

func (s *stranger) Knock(_ context.Context, knocks []facts.Knock) ([]facts.Fate, error) {
	s.knocks = append(s.knocks, knocks...)
	var all []facts.Fate
	for _, k := range knocks {
		fate, ok := s.fates[k.To.String()]
		if !ok {
			fate = facts.Dropped
		}
		all = append(all, fate)
	}
	if s.later != nil {
		s.fates = s.later
	}
	return all, s.err
}

func TestTryComparesFatesWithRules(t *testing.T) {
	h := shop("limit tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in", "reject tcp 8080 ::/0 any ::/0 in")
	e, err := provision.PlannedExposure(t.Context(), h, firewallPolicy(t, policyText))
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]facts.Fate{"198.51.100.1:8080": facts.Passed, "[2001:db8:ffff::1]:8080": facts.Refused}
	tests := []struct {
		name   string
		change map[string]facts.Fate
		differ int
	}{
		{"all as it should be", nil, 0},
		{"an open port is dropped", map[string]facts.Fate{"198.51.100.1:8080": facts.Dropped}, 1},
		{"an open port is refused", map[string]facts.Fate{"198.51.100.1:8080": facts.Refused}, 1},
		{"a refused port is open", map[string]facts.Fate{"[2001:db8:ffff::1]:8080": facts.Passed}, 1},
		{"a refused port is dropped", map[string]facts.Fate{"[2001:db8:ffff::1]:8080": facts.Dropped}, 1},
		{"a closed port is open", map[string]facts.Fate{"198.51.100.1:53": facts.Passed}, 1},
		{"a loopback port is open", map[string]facts.Fate{"127.0.0.1:8081": facts.Passed}, 1},
		{"nothing is as it should be", map[string]facts.Fate{"198.51.100.1:8080": facts.Refused, "[2001:db8:ffff::1]:8080": facts.Passed, "198.51.100.1:53": facts.Refused, "127.0.0.1:8081": facts.Passed}, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &stranger{fates: map[string]facts.Fate{}}
			for _, fates := range []map[string]facts.Fate{good, test.change} {
				for to, fate := range fates {
					s.fates[to] = fate
				}
			}
			trials, err := provision.Try(t.Context(), e, s)
			if err != nil {
				t.Fatal(err)
			}
			if got := provision.Differences(trials); got != test.differ {
				t.Errorf("%d differences, want %d: %+v", got, test.differ, trials)
			}
			for _, k := range s.knocks {
				if k.Counted != (k.To.String() == "198.51.100.1:8080") {
					t.Errorf("%v: counted %t", k.To, k.Counted)
				}
			}
			var out strings.Builder
			if err := provision.WriteTrials(&out, s.Who(), trials); err != nil || strings.Count(out.String(), "\nx ") != test.differ {
				t.Errorf("error %v, text:\n%s", err, out.String())
			}
		})
	}
	broken := &stranger{err: errors.New("no link")}
	if _, err := provision.Try(t.Context(), e, broken); !errors.Is(err, broken.err) {
		t.Errorf("error %v, want %v", err, broken.err)
	}
}

func TestOnlyAnswersThatDidNotComeAreAskedForAgain(t *testing.T) {
	h := shop("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in")
	e, err := provision.PlannedExposure(t.Context(), h, firewallPolicy(t, policyText))
	if err != nil {
		t.Fatal(err)
	}
	open := "198.51.100.1:8080"
	right := map[string]facts.Fate{open: facts.Passed}
	tests := []struct {
		name   string
		first  map[string]facts.Fate
		differ int
	}{
		{"an open port answers late", map[string]facts.Fate{}, 0},
		{"an open port refuses once", map[string]facts.Fate{open: facts.Refused}, 1},
		{"a closed port lets one packet through", map[string]facts.Fate{open: facts.Passed, "198.51.100.1:53": facts.Passed}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			trials, err := provision.Try(t.Context(), e, &stranger{fates: test.first, later: right})
			if err != nil {
				t.Fatal(err)
			}
			if got := provision.Differences(trials); got != test.differ {
				t.Errorf("%d differences, want %d: %+v", got, test.differ, trials)
			}
		})
	}
}

func TestAStrangerIsNotSentWhereNothingIsPromised(t *testing.T) {
	h := shop()
	e, err := provision.PlannedExposure(t.Context(), h, firewallPolicy(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{}
	if _, err := provision.Try(t.Context(), e, s); err != nil {
		t.Fatal(err)
	}
	for _, k := range s.knocks {
		if k.To.Addr().IsLoopback() {
			t.Errorf("without rules of molo's, %s is knocked at", k.To)
		}
	}
}

func TestAPlanSaysWhatBecomesOfPublishedPorts(t *testing.T) {
	ctx := t.Context()
	h := shop("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in")
	p := firewallPolicy(t, policyText)
	effects := func(p *policy.Policy) string {
		t.Helper()
		plan, _, err := provision.MakePlan(ctx, h, h, p, provision.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := provision.WriteText(&out, plan.Outcomes()); err != nil {
			t.Fatal(err)
		}
		var said []string
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, "->") && strings.Contains(line, "container") {
				said = append(said, strings.TrimSpace(line))
			}
		}
		return strings.Join(said, "\n")
	}
	first := `! 8080/tcp of container web over IPv6: everybody -> nobody (default: deny incoming)
! 53/udp of container web: everybody -> 192.0.2.0/24, nobody else (default: deny incoming)`
	if diff := cmp.Diff(first, effects(p)); diff != "" {
		t.Errorf("the first plan (-want +got):\n%s", diff)
	}
	if report, err := provision.Apply(ctx, h, h, p, provision.Options{}); err != nil || len(report.Parts[1].Effects) != 2 {
		t.Fatalf("error %v, report %+v", err, report.Parts[1].Effects)
	}
	if got := effects(p); got != "" {
		t.Errorf("a plan without changes says:\n%s", got)
	}
	h.Is.UFW = shop().Is.UFW
	if diff := cmp.Diff("! 8080/tcp of container web: everybody -> nobody (default: deny incoming)", effects(p)); diff != "" {
		t.Errorf("after a rule went (-want +got):\n%s", diff)
	}
	h.Is.UFW.Rules4 = "### RULES ###\n" // half a file
	if got := effects(&policy.Policy{}); got != "" {
		t.Errorf("an uninstall that can't know says:\n%s", got)
	}
}
