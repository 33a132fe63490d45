package firewall_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/resource"
)

// chance makes programs and packets out of few values, so that they often meet.
type chance struct {
	*rand.Rand
	narrow, ported, deny int // percent of rules that have a source, that have ports, that deny
}

func newChance(seed uint64) chance {
	c := chance{Rand: rand.New(rand.NewPCG(seed, 2026))}
	c.narrow, c.ported, c.deny = c.IntN(101), c.IntN(101), c.IntN(101)
	return c
}

func (c chance) percent(n int) bool { return c.IntN(100) < n }

// address is of one of 64 networks, in which few addresses are in use.
func (c chance) address(v6 bool) netip.Addr {
	a, b := byte(c.IntN(8)), byte(c.IntN(8))
	if v6 {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, a << 5, 0, b, 15: byte(c.IntN(4))})
	}
	return netip.AddrFrom4([4]byte{a << 5, b, 0, byte(c.IntN(4))})
}

func (c chance) prefix(v6 bool) netip.Prefix {
	a := c.address(v6)
	bits := a.BitLen()
	if c.percent(20) {
		bits = 1 + c.IntN(bits)
	}
	p, _ := a.Prefix(bits)
	return p
}

func (c chance) port() int {
	if c.percent(10) {
		return []int{1, 2, 80, 65534, 65535}[c.IntN(5)]
	}
	return 1 + c.IntN(2000)
}

func (c chance) ports() string {
	switch c.IntN(4) {
	case 0:
		first := c.port()
		return fmt.Sprintf("%d:%d", first, min(65535, first+c.IntN(1<<(1+c.IntN(16)))))
	case 1:
		return fmt.Sprintf("%d,%d", c.port(), c.port())
	}
	return fmt.Sprint(c.port())
}

// tuple is a rule as ufw writes it.
func (c chance) tuple(v6, route bool) string {
	anywhere := "0.0.0.0/0"
	if v6 {
		anywhere = "::/0"
	}
	action, protocol, ports, sourcePorts, source, target, direction := pick(c.Rand, "allow", "allow", "reject", "limit"), "any", "any", "any", anywhere, anywhere, "in"
	if c.percent(c.deny) {
		action = "deny"
	}
	if action += pick(c.Rand, "", "", "", "", "_log", "_log-all"); c.percent(c.narrow) {
		source = c.prefix(v6).String()
	}
	if c.percent(c.ported) {
		protocol, ports = pick(c.Rand, "tcp", "tcp", "udp", "any"), c.ports()
	} else if c.percent(30) {
		protocol = pick(c.Rand, "tcp", "udp", "esp")
	}
	if strings.ContainsAny(ports, ",:") && protocol == "any" {
		protocol = "udp" // as ufw asks
	}
	if c.percent(5) && (protocol == "tcp" || protocol == "udp") {
		sourcePorts = "1024:40000"
	}
	if c.percent(10) {
		target = c.prefix(v6).String()
	}
	if direction += pick(c.Rand, "", "", "", "", "", "", "_eth0", "_eth1"); route {
		action = "route:" + action
	}
	return strings.Join([]string{action, protocol, ports, target, sourcePorts, source, direction}, " ")
}

// program has some hundred rules in each family, and now and then a long run of denies.
func (c chance) program(t testing.TB) *firewall.Program {
	var tuples []string
	few := c
	few.narrow, few.ported = 50, 50
	for _, v6 := range []bool{false, true} {
		for range c.IntN(300) {
			tuples = append(tuples, c.tuple(v6, c.percent(10)))
		}
		if c.percent(50) {
			banned := chance{Rand: c.Rand, narrow: 98, ported: 5, deny: 100}
			for range c.IntN(300) {
				tuples = append(tuples, banned.tuple(v6, false))
			}
		}
		for range c.IntN(100) {
			tuples = append(tuples, few.tuple(v6, false))
		}
	}
	u := activeUFW(tuples...)
	if c.percent(30) {
		u.Defaults = strings.Replace(u.Defaults, `"DROP"`, pick(c.Rand, `"ACCEPT"`, `"REJECT"`), 1)
	}
	f := dockerHost(u)
	f.Docker.Effective.FirewallBackend = pick(c.Rand, "iptables", "nftables")
	p := block("ufw", publish(7, "shop", "tcp", "443 8000-8010", "0.0.0.0/1"), publish(9, "dns", "udp", "53", ""))
	if c.percent(30) {
		p.TrustedInterfaces = set([]string{"eth1"})
	}
	return compile(t, p, f)
}

func (c chance) packet() firewall.Packet {
	v6 := c.percent(50)
	pkt := firewall.Packet{
		State:    firewall.State(pick(c.Rand, "new", "new", "new", "new", "", "invalid", "established")),
		Protocol: []firewall.Protocol{6, 6, 6, 17, 17, 1, 50, 132}[c.IntN(8)],
		In:       pick(c.Rand, "eth0", "eth0", "eth1", "wg0", "docker0"), Out: pick(c.Rand, "docker0", "docker0", "docker0", "br-0123456789ab", "eth0"),
	}
	end := func() netip.AddrPort {
		port := c.port()
		if c.percent(3) {
			port = 0
		}
		return netip.AddrPortFrom(c.address(v6), uint16(port))
	}
	pkt.Source, pkt.Destination = end(), end()
	if c.percent(70) {
		if pkt.Original = end(); c.percent(2) && !v6 {
			pkt.Original = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), pkt.Original.Port())
		}
	}
	return pkt
}

// last is what becomes of a packet in a table under a verdict.
func last(r resource.Rules, v firewall.Verdict, nftables bool) string {
	switch {
	case v == firewall.Deny:
		return "DROP"
	case r.Table == "filter" && v == firewall.Reject:
		return "REJECT"
	case r.Table == "filter" && nftables && v != firewall.Pass:
		return "ACCEPT"
	}
	return "RETURN"
}

// sameInBuckets sends packets through a program and both of its renderings.
func sameInBuckets(t *testing.T, c chance, p *firewall.Program, buckets []resource.Rules) {
	t.Helper()
	var lists, trees []*table
	for i, r := range p.RulesInOneList() {
		list, err := readTable(r)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := readTable(buckets[i])
		if err != nil {
			t.Fatal(err)
		}
		lists, trees = append(lists, list), append(trees, tree)
	}
	for range 250 {
		pkt := c.packet()
		verdict, why := p.Decide(pkt)
		for i, r := range buckets {
			if (r.Family == resource.IPv6) != pkt.Destination.Addr().Is6() {
				continue
			}
			inList, byList, _ := lists[i].run(pkt)
			inTree, byTree, _ := trees[i].run(pkt)
			if want := last(r, verdict, p.Nftables); inList != want || inTree != want {
				t.Fatalf("%s: %+v: %s in one list, %s in buckets, but Decide says %s because of %q", r.ID(), pkt, inList, inTree, want, why)
			}
			if diff := cmp.Diff(unsealed(byList), unsealed(byTree)); diff != "" {
				t.Fatalf("%s: %+v: other rules match (-list +buckets):\n%s", r.ID(), pkt, diff)
			}
		}
	}
}

// unsealed leaves out the digest, which is another one for each rendering.
func unsealed(specs []string) []string {
	var all []string
	for _, s := range specs {
		if rest, ok := strings.CutPrefix(s, `-m comment --comment "molo:`); ok {
			s = rest[strings.IndexByte(rest, '"')+2:]
		}
		all = append(all, s)
	}
	return all
}

func TestBucketsDecideAsTheListDoes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		c := newChance(seed)
		p := c.program(t)
		sameInBuckets(t, c, p, p.RulesInBuckets(1+c.IntN(100), 1+c.IntN(40), 2+c.IntN(15), 1+c.IntN(5), 1+c.IntN(5)))
		sameInBuckets(t, c, p, p.Rules())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzBuckets(f *testing.F) {
	f.Add(uint64(1), uint8(1), uint8(1), uint8(2), uint8(1), uint8(1))
	f.Add(uint64(2), uint8(20), uint8(8), uint8(16), uint8(3), uint8(4))
	f.Fuzz(func(t *testing.T, seed uint64, from, leaf, ways, grows, depth uint8) {
		c := newChance(seed)
		p := c.program(t)
		rules := p.RulesInBuckets(1+int(from), 1+int(leaf), 2+int(ways), 1+int(grows), int(depth)%16)
		checkRules(t, rules)
		sameInBuckets(t, c, p, rules)
		checkReadBack(t, c, p, rules)
	})
}

// checkReadBack compares a program with the one that is read out of its rules.
func checkReadBack(t *testing.T, c chance, p *firewall.Program, rules []resource.Rules) {
	t.Helper()
	got, findings := firewall.Loaded(rules, bothFamilies())
	if len(findings) > 0 {
		t.Fatalf("findings: %v", findings)
	}
	for range 200 {
		pkt := c.packet()
		wantVerdict, wantWhy := p.Decide(pkt)
		if verdict, why := got.Decide(pkt); verdict != wantVerdict || why != wantWhy {
			t.Fatalf("%+v: read back %s (%s), want %s (%s)", pkt, verdict, why, wantVerdict, wantWhy)
		}
	}
}

func TestBucketsAreReadBackAsOneList(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		c := newChance(1000 + seed)
		p := c.program(t)
		checkReadBack(t, c, p, p.Rules())
		checkReadBack(t, c, p, p.RulesInBuckets(20, 4, 6, 3, 4))
	}
}

func TestBucketsThatContradictEachOtherAreNotReadBack(t *testing.T) {
	rules := compile(t, block("ufw"), dockerHost(portRules(1000))).Rules()
	for i := range rules {
		for j, c := range rules[i].Chains {
			if strings.HasSuffix(c.Name, "-IN-2") {
				first, last := c.Rules[0], c.Rules[len(c.Rules)-1]
				rules[i].Chains[j].Rules = append([]resource.Rule{last}, c.Rules...)
				rules[i].Chains[j+1].Rules = append([]resource.Rule{first}, rules[i].Chains[j+1].Rules...)
			}
		}
	}
	if _, findings := firewall.Loaded(rules, bothFamilies()); len(findings) == 0 {
		t.Error("nothing was found")
	}
}

// count returns how many rules a rendering has, and how many of them log.
func count(r resource.Rules) (all, logs int) {
	for _, c := range r.Chains {
		for _, rule := range c.Rules {
			if all++; strings.Contains(rule.Spec, "-j LOG") {
				logs++
			}
		}
	}
	return all, logs
}

func TestBucketsLogNoMoreThanTheListAndAreNotMuchLarger(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		c := newChance(seed)
		p := c.program(t)
		lists := p.RulesInOneList()
		for i, r := range p.RulesInBuckets(1, 1+c.IntN(20), 2+c.IntN(15), 3, 1+c.IntN(5)) {
			listed, listedLogs := count(lists[i])
			rules, logs := count(r)
			if logs != listedLogs {
				t.Errorf("seed %d, %s: %d rules that log instead of %d", seed, r.ID(), logs, listedLogs)
			}
			// A rule is up to four of the kernel's; each bucket adds one that leads to it.
			if rules > 4*3*listed+len(r.Chains) {
				t.Errorf("seed %d, %s: %d rules instead of %d", seed, r.ID(), rules, listed)
			}
		}
	}
}

func TestRenderingIsTheSameEveryTime(t *testing.T) {
	program := compile(t, block("ufw"), dockerHost(manyRules(2000)))
	want := restoreTexts(program.Rules(), "")
	for range 3 {
		if restoreTexts(program.Rules(), "") != want {
			t.Fatal("the same program is rendered in another way")
		}
	}
}

// ufwOf returns a UFW with n rules in each family.
func ufwOf(n int, rule func(i int, anywhere string, source netip.Addr) string) facts.UFW {
	random := rand.New(rand.NewPCG(7, 58))
	var tuples []string
	for i := range n {
		r := random.Uint32()
		v4 := netip.AddrFrom4([4]byte{byte(1 + r>>24%200), byte(r >> 16), byte(r >> 8), byte(r)})
		v6 := netip.AddrFrom16([16]byte{0x20, 0x01, byte(r >> 24), byte(r >> 16), byte(r >> 8), byte(r), 15: 1})
		tuples = append(tuples, rule(i, "0.0.0.0/0", v4), rule(i, "::/0", v6))
	}
	return activeUFW(tuples...)
}

// portRules allow a port each.
func portRules(n int) facts.UFW {
	return ufwOf(n, func(i int, anywhere string, _ netip.Addr) string {
		return fmt.Sprintf("allow tcp %d %s any %s in", 10000+i, anywhere, anywhere)
	})
}

// bannedSources deny an address each, behind a rule for a port.
func bannedSources(n int) facts.UFW {
	return ufwOf(n, func(i int, anywhere string, source netip.Addr) string {
		if i%100 == 99 {
			return fmt.Sprintf("allow tcp %d %s any %s in", 20000+i, anywhere, anywhere)
		}
		return fmt.Sprintf("deny any any %s any %s in", anywhere, source)
	})
}

// routeRules allow a port of containers each.
func routeRules(n int) facts.UFW {
	return ufwOf(n, func(i int, anywhere string, _ netip.Addr) string {
		return fmt.Sprintf("route:allow tcp %d %s any %s in", 10000+i, anywhere, anywhere)
	})
}

// longList is bannedSources with the rules for ports at the end, as owners of long
// lists have it.
func longList(n int) facts.UFW {
	return ufwOf(n, func(i int, anywhere string, source netip.Addr) string {
		if i >= n-n/10 {
			return fmt.Sprintf("allow tcp %d %s any %s in", 10000+i, anywhere, anywhere)
		}
		return fmt.Sprintf("deny any any %s any %s in", anywhere, source)
	})
}

func TestLongListsAreShortForEachPacket(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		ufw  facts.UFW
		most int // rules that are looked at, on average
	}{
		{"rules with a port and a source each", manyRules(10000), 80},
		{"rules with a port each", portRules(10000), 80},
		{"rules for ports of containers", routeRules(10000), 80},
		{"banned addresses, then rules with a port each", longList(10000), 120},
		{"a rule with a port behind each 99 banned addresses", bannedSources(10000), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, block("ufw", publish(7, "web", "tcp", "443", "")), dockerHost(tt.ufw))
			random := rand.New(rand.NewPCG(1, 2))
			for i, r := range p.Rules() {
				tree, err := readTable(r)
				if err != nil {
					t.Fatal(err)
				}
				sum, rounds := 0, 300
				for range rounds {
					pkt := firewall.Packet{Protocol: firewall.TCP, In: "eth0", Out: "docker0", Source: source(random, r.Family),
						Original:    netip.AddrPortFrom(netip.MustParseAddr(addresses(r.Family)["HOST"]), uint16(1+random.IntN(65535))),
						Destination: netip.AddrPortFrom(netip.MustParseAddr(addresses(r.Family)["WEB"]), 80)}
					_, _, looked := tree.run(pkt)
					sum += looked
				}
				listed, _ := count(p.RulesInOneList()[i])
				rules, _ := count(r)
				t.Logf("%s: %d rules in %d chains for %d, %d looked at", r.ID(), rules, len(r.Chains), listed, sum/rounds)
				if sum/rounds > tt.most {
					t.Errorf("%s: %d rules are looked at, want %d at most", r.ID(), sum/rounds, tt.most)
				}
			}
		})
	}
}

// source is anywhere on the internet.
func source(random *rand.Rand, family resource.Family) netip.AddrPort {
	r := random.Uint32()
	if family == resource.IPv6 {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 0x01, byte(r >> 24), byte(r >> 16), byte(r >> 8), byte(r), 15: 1}), 50000)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(1 + r>>24%200), byte(r >> 16), byte(r >> 8), byte(r)}), 50000)
}
