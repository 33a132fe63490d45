package firewall_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"molo/firewall"
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
	if pkt.Protocol == firewall.TCP && c.percent(10) {
		pkt.State = firewall.Midway
	}
	end := func() netip.AddrPort {
		port, address := c.port(), c.address(v6)
		if c.percent(3) {
			port = 0
		}
		if c.percent(20) { // near the networks that are in use
			bytes := address.AsSlice()
			bytes[c.IntN(len(bytes))] ^= 1 << c.IntN(8)
			address, _ = netip.AddrFromSlice(bytes)
		}
		return netip.AddrPortFrom(address, uint16(port))
	}
	pkt.Source, pkt.Destination = end(), end()
	if c.percent(70) {
		if pkt.Original = end(); c.percent(2) && !v6 {
			pkt.Original = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), pkt.Original.Port())
		}
	}
	return pkt
}
