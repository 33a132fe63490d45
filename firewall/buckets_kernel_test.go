package firewall_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"molo/firewall"
	"molo/internal/resource"
)

// TestLongListsDecideInTheKernel loads some thousand random rules, in buckets, and
// compares the kernel with Decide on random connections.
func TestLongListsDecideInTheKernel(t *testing.T) {
	t.Parallel()
	for i, flavour := range flavours() {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, flavour)
			random := rand.New(rand.NewPCG(uint64(i), 2027))
			var ports []uint16
			for len(ports) < 60 {
				ports = append(ports, uint16(8000+50*len(ports)+random.IntN(50)))
			}
			w.publish(t, publishAll(ports...)...)
			var tuples []string
			for _, family := range bothFamilies() {
				tuples = append(tuples, bannedTuples(random, family, 600)...)
				tuples = append(tuples, longTuples(random, family, 2500, ports)...)
			}
			program := compile(t, block("ufw"), dockerHost(activeUFW(tuples...)))
			w.load(t, program)
			w.saved(t, program)

			attempts := w.randomAttempts(random, 700, ports)
			seen := map[outcome]int{}
			for _, a := range attempts {
				verdict, _ := program.Decide(a.packet)
				a.want = expected(verdict)
				seen[a.want]++
			}
			if seen[open] < 50 || seen[refused] < 20 || seen[silent] < 50 {
				t.Errorf("the comparison says little: %v", seen)
			}
			check(t, attempts, program)
		})
	}
}

// bannedTuples deny addresses; few of them are neighbours.
func bannedTuples(random *rand.Rand, family resource.Family, n int) []string {
	var tuples []string
	for i := range n {
		address := source(random, family).Addr().String()
		if i%200 == 7 {
			address = pick(random, "EVIL", "STATION")
		}
		tuples = append(tuples, named(family, "deny any any ANY any "+address+" in"))
	}
	return tuples
}

// longTuples are about ports of published and other ports, and now and then about a
// container's own.
func longTuples(random *rand.Rand, family resource.Family, n int, ports []uint16) []string {
	var tuples []string
	for range n {
		action := pick(random, "allow", "allow", "deny", "reject", "allow_log", "deny_log")
		protocol, direction := pick(random, "tcp", "tcp", "udp", "any"), pick(random, "in", "in", "in", "in_eth0", "in_eth1", "in_br-lan")
		address := pick(random, "ANY", "INTERNET", "LATE", "LANNET", "OFFICE", "REMOTE", source(random, family).Addr().String())
		target, port := pick(random, "ANY", "ANY", "HOST", "HOST2"), 8000+random.IntN(3000)
		if random.IntN(4) == 0 {
			port = int(ports[random.IntN(len(ports))])
		}
		list := fmt.Sprint(port)
		switch random.IntN(40) {
		case 0:
			protocol, list = "tcp", fmt.Sprintf("%d:%d", port, port+random.IntN(60))
		case 1:
			action, target, list = "route:"+action, pick(random, "WEB", "OTHER"), pick(random, "53", "80", "1:70", fmt.Sprint(port))
			address, protocol = pick(random, "INTERNET", "LATE", "OFFICE", "LANNET"), pick(random, "tcp", "udp")
		}
		tuples = append(tuples, named(family, strings.Join([]string{action, protocol, list, target, "any", address, direction}, " ")))
	}
	return tuples
}

func (w *world) randomAttempts(random *rand.Rand, n int, ports []uint16) []*attempt {
	var all []*attempt
	for i := range n {
		family := bothFamilies()[random.IntN(2)]
		from := pick(random, "INTERNET", "INTERNET", "EVIL", "LATE", "LAN", "OFFICE", "REMOTE", "STATION")
		sourcePort := uint16(20000 + i)
		protocol := []firewall.Protocol{firewall.TCP, firewall.TCP, firewall.UDP}[random.IntN(3)]
		to := fmt.Sprintf("%s:%d", pick(random, "HOST", "HOST2"), ports[random.IntN(len(ports))])
		if random.IntN(6) == 0 {
			to = pick(random, "WEB", "OTHER") + map[firewall.Protocol]string{firewall.TCP: ":80", firewall.UDP: ":53"}[protocol]
		}
		all = append(all, w.attempt(family, protocol, from, to, sourcePort))
	}
	return all
}
