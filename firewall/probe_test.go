package firewall_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"molo/firewall"
)

// outcome is what a client sees.
type outcome string

const (
	open    outcome = "open"
	refused outcome = "refused"
	silent  outcome = "silent"
)

// expected is what a client sees under a verdict, given that something listens.
func expected(v firewall.Verdict) outcome {
	switch v {
	case firewall.Deny:
		return silent
	case firewall.Reject:
		return refused
	}
	return open
}

// saw reports whether the outcome is the one that was to be expected. A client behind
// a bridge may not see a TCP reset: with br_netfilter the kernel (nf_send_reset) puts
// it straight on the bridge's port, so that its source is never translated back.
func (a *attempt) saw(want outcome) bool {
	lost := a.packet.Protocol == firewall.TCP && a.packet.In == "br-lan" && bridgeNetfilter()
	return a.err == nil && (a.got == want || want == refused && a.got == silent && lost)
}

// bridgeNetfilter reports whether iptables sees what bridges forward.
func bridgeNetfilter() bool {
	_, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables")
	return err == nil
}

// Nothing within one machine takes this long; a verdict of silence that comes as a
// surprise is asked for once more, with more patience.
const (
	patience     = 1500 * time.Millisecond
	morePatience = 10 * time.Second
)

// serve answers on a TCP and a UDP port of a space.
func serve(t testing.TB, s *space, tcpAt, udpAt netip.AddrPort) {
	t.Helper()
	s.must(t, func() error {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(tcpAt))
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(udpAt))
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		go accept(l)
		go echo(c)
		return nil
	})
}

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Write([]byte("hello"))
		c.Close()
	}
}

func echo(c net.PacketConn) {
	buf := make([]byte, 64)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		c.WriteTo(buf[:n], from)
	}
}

// try makes one connection from a space and says what came of it. The source may
// leave its port open.
func (s *space) try(protocol firewall.Protocol, source, target netip.AddrPort, wait time.Duration) (outcome, error) {
	var conn net.Conn
	err := s.do(func() error {
		d := net.Dialer{Timeout: wait}
		switch {
		case protocol == firewall.UDP && source.IsValid():
			d.LocalAddr = net.UDPAddrFromAddrPort(source)
		case source.IsValid():
			d.LocalAddr = net.TCPAddrFromAddrPort(source)
		}
		for {
			var err error
			conn, err = d.Dial(protocol.String(), target.String())
			// A program that another test starts at this moment may hold a copy of the
			// socket that the last attempt has closed.
			if !errors.Is(err, syscall.EADDRINUSE) {
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	if err != nil {
		return classify(err)
	}
	defer conn.Close()
	// On UDP only an answer proves anything; on TCP it proves that the rest of a
	// connection passes, too.
	conn.SetDeadline(time.Now().Add(wait))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return classify(err)
	}
	if _, err := conn.Read(make([]byte, 8)); err != nil {
		return classify(err)
	}
	return open, nil
}

func classify(err error) (outcome, error) {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused, nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return silent, nil
	}
	return "", err
}

// attempt is one connection to be made, and the packet that the host sees of it.
type attempt struct {
	name           string
	from           *space
	source, target netip.AddrPort
	packet         firewall.Packet
	want           outcome

	got outcome
	err error
}

// tryAll makes all attempts, many at once: silence takes long.
func tryAll(attempts []*attempt) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 256) // threads
	for _, a := range attempts {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			a.got, a.err = a.from.try(a.packet.Protocol, a.source, a.target, patience)
			if a.err == nil && a.got == silent && a.want != silent {
				a.got, a.err = a.from.try(a.packet.Protocol, a.source, a.target, morePatience)
			}
		})
	}
	wg.Wait()
}
