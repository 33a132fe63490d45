package firewall_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"molo/firewall"
	"molo/internal/resource"
)

// TestPublishedPortsAreAsOpenAsTheHostsOwn loads the rules that ufw itself wrote,
// tries ports of the host, publishes the very same ports on a container and tries
// them again: the client must not be able to tell.
func TestPublishedPortsAreAsOpenAsTheHostsOwn(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		// Of the limited ports one is enough: a packet sent twice counts twice.
		ports := []uint16{22, 25, 53, 80, 443, 1812, 2222, 2223, 2224, 4000, 6005, 7005, 8025, 8080, 8081, 8443, 9100, 9999}
		w.runUFW(t, ports)
		w.ports = publishAll(ports...) // soon; until then the host answers itself
		program := compile(t, block("ufw"), dockerHost(sample(t)))
		own, container := w.everybody(ports, 1100), w.everybody(ports, 1200)
		for i, a := range container {
			verdict, _ := program.Decide(a.packet)
			a.want, own[i].want = expected(verdict), expected(verdict)
		}
		tryAll(own)
		w.publish(t)
		w.load(t, program)
		tryAll(container)
		seen := map[outcome]int{}
		for i, a := range container {
			verdict, why := program.Decide(a.packet)
			switch {
			case !a.saw(a.want):
				t.Errorf("%s: %s %v, but Decide says %s because of %q", a.name, a.got, a.err, verdict, why)
			case strings.HasPrefix(why, "ufw: route"), // which says nothing of the host's own ports
				strings.Contains(a.name, "ip tcp from OFFICE") && a.target.Port() == 4000: // the rule that is not understood
			case !a.saw(own[i].got):
				t.Errorf("%s: %s because of %q, but a port of the host is %s %v", a.name, a.got, why, own[i].got, own[i].err)
			default:
				seen[a.got]++
			}
		}
		if seen[open] < 20 || seen[refused] < 20 || seen[silent] < 20 {
			t.Errorf("the comparison says little: %v", seen)
		}
	})
}

// runUFW loads the sample's rules for the host's own ports, and listens on these.
func (w *world) runUFW(t *testing.T, ports []uint16) {
	t.Helper()
	u := sample(t)
	for family, rules := range map[resource.Family]string{resource.IPv4: u.Rules4, resource.IPv6: u.Rules6} {
		chain, icmp := "ufw-user-input", "icmp"
		if family == resource.IPv6 {
			chain, icmp = "ufw6-user-input", "icmpv6"
		}
		w.host.restore(t, w.tool(family, "restore"), rules)
		w.host.restore(t, w.tool(family, "restore"), "*filter\n:INPUT DROP [0:0]\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"+
			"-A INPUT -p "+icmp+" -j ACCEPT\n-A INPUT -j "+chain+"\nCOMMIT\n")
		for _, name := range []string{"HOST", "HOST2"} {
			for _, port := range ports {
				at := netip.AddrPortFrom(netip.MustParseAddr(addresses(family)[name]), port)
				serve(t, w.host, at, at)
			}
		}
	}
}

// everybody tries these ports from every neighbour. On UDP each attempt of a
// neighbour has a source port of its own, from low upwards, so that it is a new
// connection; one rule of the sample is about source ports 1024 to 2048.
func (w *world) everybody(ports []uint16, low uint16) []*attempt {
	var all []*attempt
	for _, family := range bothFamilies() {
		for _, from := range []string{"INTERNET", "EVIL", "LAN", "OFFICE", "REMOTE", "STATION"} {
			source := low
			for _, port := range ports {
				source++
				for i, host := range []string{"HOST", "HOST2"} {
					to := fmt.Sprintf("%s:%d", host, port)
					all = append(all, w.attempt(family, firewall.TCP, from, to, 0), w.attempt(family, firewall.UDP, from, to, source+uint16(i)*20000))
				}
			}
		}
	}
	return all
}

// TestDecideAgreesWithTheKernel compares the two on random rules and connections.
func TestDecideAgreesWithTheKernel(t *testing.T) {
	t.Parallel()
	for i, flavour := range append(flavours(), "nft", "nft", "legacy") {
		t.Run(fmt.Sprintf("%s, seed %d", flavour, i), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, flavour)
			w.publish(t, publishAll(8000, 8001, 8002, 8003, 8004, 8005, 8006, 8007)...)
			random := rand.New(rand.NewPCG(uint64(i), 58))
			sourcePort := uint16(10000)
			for round := range 3 {
				tuples := randomTuples(random, 12)
				u := activeUFW(tuplesFor(tuples...)...)
				if random.IntN(3) == 0 {
					u.Defaults = strings.Replace(u.Defaults, `"DROP"`, `"ACCEPT"`, 1)
				}
				program := compile(t, block("ufw"), dockerHost(u))
				w.load(t, program)
				var attempts []*attempt
				for range 120 {
					sourcePort++
					a := w.randomAttempt(random, sourcePort)
					verdict, _ := program.Decide(a.packet)
					a.want = expected(verdict)
					attempts = append(attempts, a)
				}
				check(t, attempts, program)
				if t.Failed() {
					t.Fatalf("round %d, rules:\n%s", round, strings.Join(tuples, "\n"))
				}
			}
		})
	}
}

func pick(random *rand.Rand, from ...string) string { return from[random.IntN(len(from))] }

// randomTuples makes rules out of few words, so that they often hit. There is no
// limit among them: Decide has no memory.
func randomTuples(random *rand.Rand, n int) []string {
	var tuples []string
	for range n {
		action := pick(random, "allow", "allow", "allow", "deny", "reject", "allow_log", "deny_log-all")
		protocol := pick(random, "tcp", "udp", "any")
		ports := pick(random, "any", "8000", "8001,8003", "8002:8005", "8006", "8000:8007")
		sourcePorts := pick(random, "any", "any", "any", "10000:10200")
		source := pick(random, "ANY", "ANY", "INTERNET", "EVIL", "LANNET", "OFFICE", "REMOTE")
		target, direction := pick(random, "ANY", "ANY", "ANY", "HOST", "HOST2"), pick(random, "in", "in", "in", "in_eth0", "in_eth1", "in_br-lan", "in_eth+", "out")
		if random.IntN(4) == 0 {
			action = "route:" + action
			ports, target = pick(random, "any", "80", "53"), pick(random, "ANY", "WEB", "OTHER")
			direction = pick(random, "in", "in_eth0", "in_eth0!out_docker0", "out_br-0123456789ab")
		}
		tuples = append(tuples, fmt.Sprintf("%s %s %s %s %s %s %s", action, protocol, ports, target, sourcePorts, source, direction))
	}
	return tuples
}

func (w *world) randomAttempt(random *rand.Rand, sourcePort uint16) *attempt {
	family := bothFamilies()[random.IntN(2)]
	from := pick(random, "INTERNET", "INTERNET", "EVIL", "LAN", "OFFICE", "REMOTE", "THIRD")
	if random.IntN(5) == 0 {
		to := pick(random, "WEB", "OTHER", "THIRD", "VM")
		if random.IntN(2) == 0 && to != from {
			return w.attempt(family, firewall.UDP, from, to+":53", sourcePort)
		}
		return w.attempt(family, firewall.TCP, from, pick(random, "WEB", "OTHER", "VM")+":80", sourcePort)
	}
	to := fmt.Sprintf("%s:%d", pick(random, "HOST", "HOST2"), 8000+random.IntN(8))
	protocol := firewall.TCP
	if random.IntN(3) == 0 {
		protocol = firewall.UDP
	}
	return w.attempt(family, protocol, from, to, sourcePort)
}

func TestRenderedRulesLoadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	f := dockerHost(sample(t))
	first := compile(t, block("ufw", publish(7, "web", "tcp", "443", "")), f)
	second := compile(t, block("closed"), f)
	large := compile(t, block("ufw"), dockerHost(manyRules(1000)))
	for _, flavour := range flavours() {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			needSpaces(t, flavour)
			w := &world{flavour: flavour, host: newSpace(t)}
			w.load(t, first)
			before := w.saved(t, first)
			for _, r := range second.Rules() {
				broken := strings.Replace(restoreText(r), "-I "+r.Hooks[0].From, "-A MOLO -j NOWHERE\n-I "+r.Hooks[0].From, 1)
				if _, err := w.host.run(broken, w.tool(r.Family, "restore"), "--noflush", "-w", "30"); err == nil {
					t.Errorf("%s: a broken text was loaded", r.ID())
				}
			}
			if after := w.saved(t, first); after != before {
				t.Errorf("a broken text left something behind:\n%s", after)
			}
			w.load(t, second)
			w.saved(t, second)
			w.load(t, large)
			w.saved(t, large)
		})
	}
}

// saved returns what the kernel holds and checks that it is the program: the digest
// is there, and as many rules as were given.
func (w *world) saved(t *testing.T, p *firewall.Program) string {
	t.Helper()
	all := ""
	for _, r := range p.Rules() {
		text, err := w.host.run("", w.tool(r.Family, "save"), "-t", r.Table)
		if err != nil {
			t.Fatal(err)
		}
		var ours []string
		for l := range strings.Lines(text) {
			chain, _, _ := strings.Cut(strings.TrimPrefix(l, "-A "), " ")
			if slices.Contains(r.Names(), chain) {
				ours = append(ours, l)
			}
		}
		want := 0
		for _, c := range r.Chains {
			want += len(c.Rules)
		}
		if len(ours) != want || !strings.Contains(text, `--comment "molo:`+r.Digest+`"`) {
			t.Errorf("%s: %d rules instead of %d, or not digest %s", r.ID(), len(ours), want, r.Digest)
		}
		all += strings.Join(ours, "")
	}
	return all
}
