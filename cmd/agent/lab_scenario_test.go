package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// scene is the host of the scenarios: W is a stranger from the internet, and L a
// neighbour on a private network.
type scene struct {
	*world
	lan *lab.Peer
}

// The addresses of the host and of L besides those of the cables.
const (
	second4   = "198.51.100.2"
	second6   = "2001:db8:5ec::2"
	private   = "10.77.0.1"
	neighbour = "10.77.0.9"
)

// daemonPlain leaves the default bridge without IPv6; Docker 20.10 filters IPv6 only when asked to.
const daemonPlain = `{"experimental": true, "ip6tables": true, "live-restore": true}`

const firewallOnly = "firewall {}\n"

// everyScene runs scenarios on a host of each release.
func everyScene(t *testing.T, test func(s *scene)) {
	eachWithMolo(t, func(t *testing.T, release, molo string) { test(newScene(t, release, molo)) })
}

func newScene(t *testing.T, release, molo string) *scene {
	t.Helper()
	h := labtest.Boot(t, release)
	s := &scene{&world{T: t, host: h, stranger: labtest.Peer(t, h, "internet")}, labtest.Peer(t, h, "lan")}
	server, err := lab.BuildStatic(t.Context(), lab.ServerPackage)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Push(molo, "/usr/bin/molo"), h.Push(server, "/usr/local/bin/server")); err != nil {
		t.Fatal(err)
	}
	s.addresses()
	s.write("/etc/docker/daemon.json", daemonPlain)
	s.sh("systemctl restart docker")
	labtest.Image(t, h, "server:1", "-http", ":80", "-http", ":9", "-udp", ":53")
	s.sh("docker network create --ipv6 --subnet 2001:db8:c2::/64 six")
	s.sh("ufw allow 22/tcp && ufw --force enable && mkdir /root/ufw && cp /etc/ufw/user.rules /etc/ufw/user6.rules /etc/default/ufw /root/ufw/")
	s.policy(firewallOnly)
	return s
}

// addresses gives the host and L what the cables do not; a reboot takes it away.
func (s *scene) addresses() {
	s.Helper()
	s.sh(fmt.Sprintf("ip addr add %s/32 dev lo && ip addr add %s/128 dev lo nodad && ip addr add %s/24 dev %s",
		second4, second6, private, s.lan.HostInterface))
	r, err := s.lan.Run(s.Context(), "ip", "addr", "add", neighbour+"/24", "dev", "eth0")
	if err != nil || r.Code != 0 {
		s.Fatalf("giving L a private address: %v\n%s", err, r.Stderr)
	}
}

// scenario runs one of them as a subtest. It starts with what the one before left,
// but for the rules of UFW, which each sets itself.
func (s *scene) scenario(number int, sentence string, test func(s *scene)) {
	s.Helper()
	s.Run(fmt.Sprintf("%02d %s", number, sentence), func(t *testing.T) {
		w := *s.world
		w.T = t
		test(&scene{&w, s.lan})
	})
}

// ufw puts UFW's files back to what they were at first, runs ufw commands and has
// molo apply them.
func (s *scene) ufw(commands ...string) {
	s.Helper()
	s.onlyUFW(commands...)
	s.apply()
}

// apply leaves molo's own packets out: the scenarios send theirs.
func (s *scene) apply() {
	s.Helper()
	s.molo(0, "apply", "--no-probe")
}

func (s *scene) onlyUFW(commands ...string) {
	s.Helper()
	var script strings.Builder
	// Off and on takes half the time of "ufw reload", and so does a rule in between.
	script.WriteString("set -e; ufw disable; cp /root/ufw/*.rules /etc/ufw/; cp /root/ufw/ufw /etc/default/ufw\n")
	for _, c := range commands {
		fmt.Fprintf(&script, "ufw %s\n", c)
	}
	s.sh(script.String() + "ufw --force enable")
}

// outcome is what a client sees.
type outcome string

const (
	open    outcome = "open"
	refused outcome = "refused"
	silent  outcome = "silent"
)

// expect tries everything at once: "W tcp 8080" is a connection from W to a port of
// the host over IPv4, "L udp6 5353" a packet over IPv6, "W tcp 172.17.0.2:80" names
// another address. Silence that comes as a surprise is asked for again: somebody new
// to the network may need a moment, or the machine is busy.
func (s *scene) expect(want map[string]outcome) {
	s.Helper()
	var all sync.WaitGroup
	for name, want := range want {
		all.Go(func() {
			p := s.parse(name)
			wait := patiently
			if want == silent {
				wait = shortly
			}
			got := p.try(wait)
			for range 2 {
				if got == silent && want != silent {
					got = p.try(patiently)
				}
			}
			if got != want {
				s.Errorf("%s is %s, want %s", name, got, want)
			}
		})
	}
	all.Wait()
}

const (
	shortly   = 700 * time.Millisecond // nothing within one machine takes this long
	patiently = 3 * time.Second
)

// probe is one attempt to reach something.
type probe struct {
	from    *lab.Peer
	network string         // tcp or udp
	local   netip.AddrPort // source, where the peer has several addresses
	to      netip.AddrPort
}

func (s *scene) parse(text string) probe {
	var who, network, to string
	if _, err := fmt.Sscan(text, &who, &network, &to); err != nil {
		panic(fmt.Sprintf("%q: %v", text, err))
	}
	p := probe{from: map[string]*lab.Peer{"W": s.stranger, "L": s.lan}[who]}
	var six bool
	p.network, six = strings.CutSuffix(network, "6")
	host := p.from.HostAddr4
	if six {
		host = p.from.HostAddr6
	}
	if !strings.Contains(to, ":") {
		to = net.JoinHostPort(host.String(), to)
	}
	p.to = netip.MustParseAddrPort(to)
	return p
}

// try connects, and has something answered: on UDP only that proves anything, on TCP
// a proxy may have accepted what leads nowhere.
func (p probe) try(wait time.Duration) outcome {
	deadline := time.Now().Add(wait)
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	conn, err := p.dial(ctx)
	if err != nil {
		return classify(err)
	}
	defer conn.Close()
	conn.SetDeadline(deadline.Add(time.Second))
	if p.network == "udp" {
		conn.SetDeadline(deadline)
	}
	if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		return classify(err)
	}
	if _, err := bufio.NewReader(conn).ReadByte(); err != nil {
		return classify(err)
	}
	return open
}

func (p probe) dial(ctx context.Context) (conn net.Conn, err error) {
	if !p.local.IsValid() {
		return p.from.DialContext(ctx, p.network, p.to.String())
	}
	err = p.from.Do(func() error {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(p.local)}
		if p.network == "udp" {
			d.LocalAddr = net.UDPAddrFromAddrPort(p.local)
		}
		conn, err = d.DialContext(ctx, p.network, p.to.String())
		return err
	})
	return conn, err
}

func classify(err error) outcome {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return silent
	}
	return outcome(err.Error())
}

// leaks counts the connections that were possible while something was going on. Many
// try at once, each for a moment only: a hole of a few milliseconds shows. Answers that
// come at once, as from a host that is down, don't keep the machine busy.
func (s *scene) leaks(during func(), names ...string) (connected int64) {
	s.Helper()
	var attempts, successes atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range 12 {
		p := s.parse(names[i%len(names)])
		all.Go(func() {
			for !isClosed(stop) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), s.patience())
				conn, err := p.dial(ctx)
				cancel()
				attempts.Add(1)
				if err == nil {
					successes.Add(1)
					conn.Close()
				}
				time.Sleep(2*time.Millisecond - time.Since(began))
			}
		})
	}
	during()
	close(stop)
	all.Wait()
	s.Logf("%v: %d of %d attempts connected", names, successes.Load(), attempts.Load())
	if attempts.Load() < 100 {
		s.Errorf("only %d attempts were made: that shows nothing", attempts.Load())
	}
	return successes.Load()
}

// patience is how long an open port may take to answer.
func (s *scene) patience() time.Duration {
	if s.emulated() {
		return 250 * time.Millisecond
	}
	return 15 * time.Millisecond
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// shut checks that nobody gets through while something is going on.
func (s *scene) shut(during func(), names ...string) {
	s.Helper()
	if n := s.leaks(during, names...); n > 0 {
		s.Errorf("%d connections to %v, which no rule allows", n, names)
	}
}

// address returns the IPv4 address of a container.
func (s *scene) address(container string) string {
	s.Helper()
	return strings.TrimSpace(s.sh("docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' " + container))
}
