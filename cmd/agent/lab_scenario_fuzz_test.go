package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// How long the differential fuzzing goes on, and what it begins with. The rules of a
// seed are the same in every run.
var (
	fuzzFor     = flag.Duration("fuzzfor", time.Minute, "how long UFW and molo are compared")
	fuzzSeed    = flag.Uint64("fuzzseed", 1, "the seed of the random rule sets and packets")
	fuzzPackets = flag.Int("fuzzpackets", 120, "packets for each rule set")
	fuzzAll     = flag.Bool("fuzzall", false, "compare on every release, not only on trixie")
)

// The ports that rules and packets are about; 12 are enough for ranges and lists.
const (
	firstPort = 7000
	lastPort  = 7011
	// batch is how many rule sets are tried on the host before they are tried on
	// Docker: changing over takes seconds.
	batch = 8
)

// TestScenario58UFWIsTheOracle asks UFW itself. A server of the host listens on some
// ports, and random packets show what becomes of them under random rules, made with the
// real ufw command. Then Docker publishes the same ports, molo applies, and the same
// packets must meet the same verdicts; "molo exposure" has to foretell each of them.
//
// Left out is what molo is documented to do otherwise: a default of REJECT, which
// drops, and UFW's framework files. Also "limit", which counts.
func TestScenario58UFWIsTheOracle(t *testing.T) {
	labtest.Need(t)
	molo := build(t)
	for _, release := range lab.Releases() {
		if release != "trixie" && !*fuzzAll {
			continue
		}
		t.Run(release, func(t *testing.T) { newOracle(newScene(t, release, molo)).run() })
	}
}

// oracle compares; the counts are of what was compared.
type oracle struct {
	*scene
	random        *rand.Rand
	sets, packets int
	verdicts      map[outcome]int
}

// trial is a rule set, with packets and what UFW makes of them.
type trial struct {
	rules   []string
	probes  []probe
	verdict []outcome
}

func newOracle(s *scene) *oracle {
	o := &oracle{scene: s, random: rand.New(rand.NewPCG(*fuzzSeed, 58)), verdicts: map[outcome]int{}}
	var ports, listen strings.Builder
	for port := firstPort; port <= lastPort; port++ {
		fmt.Fprintf(&ports, " -p %d:80 -p %d:53/udp", port, port)
		fmt.Fprintf(&listen, " -http :%d", port)
		for _, to := range o.destinations() { // an echo comes from the address that was asked
			fmt.Fprintf(&listen, " -udp %s", netip.AddrPortFrom(to, uint16(port)))
		}
	}
	s.sh("docker create --name web --network six" + ports.String() + " server:1")
	s.write("/etc/systemd/system/oracle.service", "[Service]\nExecStart=/usr/local/bin/server"+listen.String()+"\n")
	s.sh("systemctl daemon-reload; mkdir /root/sets")
	// The kernel answers a client with six ICMP errors at once and then with one a second
	// (icmp(7)): behind a REJECT, silence would be a matter of luck.
	s.sh("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
	// What one rule set has let in must not be remembered under the next: a client may get
	// the same port again.
	s.sh("sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1 net.netfilter.nf_conntrack_udp_timeout_stream=1")
	return o
}

func (o *oracle) run() {
	for begin, pending := time.Now(), seedRules(o.scene); time.Since(begin) < *fuzzFor; {
		var trials []*trial
		for range batch {
			var rules []string
			if len(pending) > 0 {
				rules, pending = pending[0], pending[1:]
			} else {
				rules = o.ruleSet()
			}
			trials = append(trials, &trial{rules: rules, probes: o.randomProbes(*fuzzPackets)})
		}
		o.compare(trials)
	}
	o.Logf("seed %d: %d rule sets, %d packets compared, %v", *fuzzSeed, o.sets, o.packets, o.verdicts)
	if o.verdicts[open] == 0 || o.verdicts[refused] == 0 || o.verdicts[silent] == 0 {
		o.Errorf("the packets met only these verdicts: %v", o.verdicts)
	}
}

// compare tries a batch on the host, then on Docker.
func (o *oracle) compare(trials []*trial) {
	o.Helper()
	o.sh("docker stop -t 0 web; systemctl start oracle")
	for i, t := range trials {
		o.onlyUFW(t.rules...)
		o.sh(fmt.Sprintf("rm -rf /root/sets/%d; mkdir /root/sets/%d; cp /etc/ufw/*.rules /etc/default/ufw /root/sets/%d/", i, i, i))
		t.verdict = tryAll(t.probes, nil)
	}
	o.sh("systemctl stop oracle; docker start web")
	for i, t := range trials {
		o.sh(fmt.Sprintf("cp /root/sets/%d/*.rules /etc/ufw/; cp /root/sets/%d/ufw /etc/default/ufw", i, i))
		o.apply()
		o.predicted(t)
		o.judge(t, tryAll(t.probes, t.verdict))
	}
}

// predicted checks that exposure says of each packet what UFW does to it.
func (o *oracle) predicted(t *trial) {
	o.Helper()
	view := o.reaches()
	for i, p := range t.probes {
		if got := view.outcome(p); got != t.verdict[i] {
			o.Errorf("%s is %s to a port of the host, and exposure says %s under\n  ufw %s", p, t.verdict[i], got, strings.Join(t.rules, "\n  ufw "))
		}
	}
}

// judge counts and compares. Where there is a difference UFW is asked once more,
// because a busy machine may have kept it from answering in time.
func (o *oracle) judge(t *trial, got []outcome) {
	o.Helper()
	o.sets++
	o.packets += len(got)
	var doubtful trial
	var molos []outcome
	for i := range got {
		o.verdicts[t.verdict[i]]++
		if got[i] != t.verdict[i] {
			doubtful.probes, molos = append(doubtful.probes, t.probes[i]), append(molos, got[i])
		}
	}
	if len(molos) == 0 {
		return
	}
	o.sh("docker stop -t 0 web; systemctl start oracle; ufw reload")
	for i, ufw := range tryAll(doubtful.probes, molos) {
		if ufw != molos[i] {
			o.Errorf("%s is %s to a port of the host and %s to a published one under\n  ufw %s",
				doubtful.probes[i], ufw, molos[i], strings.Join(t.rules, "\n  ufw "))
		}
	}
	o.sh("systemctl stop oracle; docker start web")
}

// tryAll tries all packets at once. What is not as expected is tried twice more, with
// patience, and where nothing is expected silence is tried twice.
func tryAll(probes []probe, expected []outcome) []outcome {
	got := make([]outcome, len(probes))
	retries, wait := 2, patiently
	doubtful := func(i int) bool { return got[i] != expected[i] }
	if expected == nil {
		retries, wait = 1, shortly
		doubtful = func(i int) bool { return got[i] == silent }
	}
	var all sync.WaitGroup
	for i, p := range probes {
		all.Go(func() {
			got[i] = p.try(max(shortly, p.resent()))
			for n := 0; n < retries && doubtful(i); n++ {
				got[i] = p.try(max(wait, p.resent()))
			}
		})
	}
	all.Wait()
	return got
}

// resent is how long it may take until a client hears that it is refused. Over IPv6 an
// ICMP error that comes while connect(2) is still at work is lost, and TCP asks again a
// second later.
func (p probe) resent() time.Duration {
	if p.network == "tcp" && p.to.Addr().Is6() {
		return 1500 * time.Millisecond
	}
	return 0
}

// String says who asks for what.
func (p probe) String() string {
	return fmt.Sprintf("%s %s from %s to %s", p.network, p.from.Name(), p.local.Addr(), p.to)
}

// client is an address that packets come from.
type client struct {
	peer *lab.Peer
	addr netip.Addr
}

func (s *scene) clients() []client {
	return []client{
		{s.stranger, s.stranger.Addr4}, {s.lan, s.lan.Addr4}, {s.lan, netip.MustParseAddr(neighbour)},
		{s.stranger, s.stranger.Addr6}, {s.lan, s.lan.Addr6},
	}
}

// destinations are the addresses of the host.
func (s *scene) destinations() []netip.Addr {
	return []netip.Addr{
		s.stranger.HostAddr4, s.lan.HostAddr4, netip.MustParseAddr(second4), netip.MustParseAddr(private),
		s.stranger.HostAddr6, s.lan.HostAddr6, netip.MustParseAddr(second6),
	}
}

func (o *oracle) randomProbes(n int) []probe {
	probes := make([]probe, n)
	for i := range probes {
		from := pick(o.random, o.clients())
		to := pick(o.random, o.destinations())
		for to.Is6() != from.addr.Is6() {
			to = pick(o.random, o.destinations())
		}
		probes[i] = probe{
			from: from.peer, network: pick(o.random, []string{"tcp", "udp"}), local: netip.AddrPortFrom(from.addr, 0),
			to: netip.AddrPortFrom(to, uint16(firstPort+o.random.IntN(lastPort-firstPort+1))),
		}
	}
	return probes
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
