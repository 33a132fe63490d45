package firewall_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/resource"
)

// last is what becomes of a packet in a table under a verdict.
func last(r resource.Rules, v firewall.Verdict, nftables bool) string {
	switch {
	case v == firewall.Deny:
		return "DROP"
	case r.Table == "filter" && v == firewall.Reject:
		return "REJECT"
	case r.Table == "security" && v == firewall.Reject:
		return "DROP"
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

func TestRunsOfDeniesKeepTheirPlaces(t *testing.T) {
	denies := func(network int) []string {
		var tuples []string
		for i := range 150 {
			tuples = append(tuples, fmt.Sprintf("deny any any 0.0.0.0/0 any 10.%d.0.%d in", network, i))
		}
		return tuples
	}
	allow := func(source string) string { return "allow tcp 80 0.0.0.0/0 any " + source + " in" }
	tuples := slices.Concat([]string{allow("10.1.0.7")}, denies(1), []string{allow("10.1.0.8"), allow("10.2.0.7")}, denies(2), []string{allow("10.2.0.8")})
	program := compile(t, block("ufw"), dockerHost(activeUFW(tuples...)))
	rules := program.Rules()
	loaded, _ := firewall.Loaded(rules, bothFamilies())
	for _, r := range rules[:2] {
		calls := 0
		for _, rule := range r.Chains[2].Rules {
			if strings.HasPrefix(rule.Spec, "-j "+r.Chains[2].Name+"-") {
				calls++
			}
		}
		if calls != 2 {
			t.Errorf("%s: %d runs of denies have trees of their own, want 2", r.ID(), calls)
		}
	}
	for address, want := range map[string]firewall.Verdict{
		"10.1.0.7": firewall.Allow, "10.1.0.8": firewall.Deny, "10.2.0.7": firewall.Allow, "10.2.0.8": firewall.Deny, "10.3.0.1": firewall.Deny,
	} {
		pkt := from(tcp(host+":80"), address+":1", "eth0")
		if got, why := loaded.Decide(pkt); got != want {
			t.Errorf("read back, from %s: %s because of %q, want %s", address, got, why, want)
		}
		for _, r := range rules[:2] {
			tree, err := readTable(r)
			if err != nil {
				t.Fatal(err)
			}
			if got, _, _ := tree.run(pkt); got != last(r, want, false) {
				t.Errorf("%s, from %s: %s, want %s", r.ID(), address, got, want)
			}
		}
	}
}

func TestBucketsAsTheyAreLoaded(t *testing.T) {
	var tuples []string
	for i := range 4 {
		tuples = append(tuples, fmt.Sprintf("deny any any 0.0.0.0/0 any 10.%d.0.1 in", 64*i))
	}
	for i := range 4 {
		tuples = append(tuples, fmt.Sprintf("allow any %d 0.0.0.0/0 any 0.0.0.0/0 in", 8000+10*i))
	}
	f := dockerHost(activeUFW(append(tuples, "allow_log esp any 0.0.0.0/0 any 192.0.2.0/24 in")...))
	f.IPv6 = false
	matches(t, "a list in buckets", restoreTexts(compile(t, block("ufw"), f).RulesInBuckets(4, 3, 4, 3, 4), ""))
}

// TestRulesThatReachFurtherThanTheirBucketsHold cuts at sources and at ports that begin
// where a larger network and a larger range begin, too.
func TestRulesThatReachFurtherThanTheirBucketsHold(t *testing.T) {
	var tuples []string
	for i := range 300 {
		tuples = append(tuples, fmt.Sprintf("allow tcp 80 0.0.0.0/0 any 10.0.%d.%d in", i/200, i%200), fmt.Sprintf("allow tcp %d ::/0 any ::/0 in", 1000+2*i))
	}
	tuples = append(tuples, "allow udp 53 0.0.0.0/0 any 10.0.0.0/8 in", "reject tcp 1000:65535 ::/0 any ::/0 in")
	program := compile(t, block("ufw"), dockerHost(activeUFW(tuples...)))
	tests := []struct {
		name string
		pkt  firewall.Packet
		want string
	}{
		{"a source of a bucket", from(udp(host+":53"), "10.0.0.3:1", "eth0"), "RETURN"},
		{"a source of no bucket", from(udp(host+":53"), "10.200.0.1:1", "eth0"), "RETURN"},
		{"a source of no rule", from(udp(host+":53"), "11.0.0.3:1", "eth0"), "DROP"},
		{"a port of a bucket", tcp("[2001:db8:1::1]:1200"), "RETURN"},
		{"a port between two rules", tcp("[2001:db8:1::1]:1201"), "REJECT"},
		{"a port behind them", tcp("[2001:db8:1::1]:60000"), "REJECT"},
		{"a port before them", tcp("[2001:db8:1::1]:999"), "DROP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := program.Rules()[1]
			if tt.pkt.Destination.Addr().Is6() {
				r = program.Rules()[3]
			}
			tree, err := readTable(r)
			if err != nil {
				t.Fatal(err)
			}
			if got, _, _ := tree.run(tt.pkt); got != tt.want || len(r.Chains) < 10 {
				t.Errorf("%s in %d chains, want %s", got, len(r.Chains), tt.want)
			}
		})
	}
}

// TestWaysThroughBucketsAreShort holds the limit of nftables, NFT_JUMP_STACK_SIZE.
func TestWaysThroughBucketsAreShort(t *testing.T) {
	program := compile(t, block("ufw"), dockerHost(longList(3000)))
	for depth := 1; depth < 5; depth++ {
		for _, r := range program.RulesInBuckets(1, 1, 2, 5, depth) {
			tree, err := readTable(r)
			if err != nil {
				t.Fatal(err)
			}
			// To the lists To and In, to a called tree, through it, to a rule that logs.
			if got := tree.longestWay(tree.first); got > 2+1+depth+1 {
				t.Errorf("%s: a way of %d jumps, want %d at most", r.ID(), got, 2+1+depth+1)
			}
		}
	}
}

func (t *table) longestWay(chain string) int {
	longest := 0
	for _, k := range t.chains[chain] {
		if _, ok := t.chains[k.target]; ok {
			longest = max(longest, 1+t.longestWay(k.target))
		}
	}
	return longest
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

func TestLongListsAreShortForEachPacket(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		ufw  facts.UFW
		most int // rules that are looked at, on average
	}{
		{"rules with a port and a source each", manyRules(10000), 110}, // 4 of them for each of Docker's bridges
		{"rules with a port each", portRules(10000), 110},
		{"rules for ports of containers", routeRules(10000), 110},
		{"banned addresses, then rules with a port each", longList(10000), 140},
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
