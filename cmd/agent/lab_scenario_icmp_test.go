package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// frag checks that ICMP errors find their way to a container: without "fragmentation
// needed", connections over a narrow path hang.
func (s *scene) frag() {
	s.scenario(56, "an ICMP error about a connection reaches the container", func(s *scene) {
		s.ufw("allow 5353/udp")
		mtu := "nsenter -t $(docker inspect -f '{{.State.Pid}}' web) -n ip route get " + s.stranger.Addr4.String()
		if before := s.sh(mtu); strings.Contains(before, "mtu") {
			s.Fatalf("the path is known already: %s", before)
		}
		conn, err := s.stranger.DialContext(s.Context(), "udp", s.stranger.HostAddr4.String()+":5353")
		if err != nil {
			s.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(3 * time.Second))
		fmt.Fprint(conn, "hello")
		if _, err := conn.Read(make([]byte, 10)); err != nil {
			s.Fatal(err)
		}
		local, remote := netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String())
		if err := s.stranger.Do(func() error { return tooBig(remote, local, 1000) }); err != nil {
			s.Fatal(err)
		}
		s.sh("timeout 3 sh -c \"until " + strings.ReplaceAll(mtu, "$", "\\$") + " | grep -q 'mtu 1000'; do sleep 0.1; done\"")
	})
}

// tooBig tells from that a packet it sent to somebody on UDP needs fragmentation
// (RFC 792, type 3, code 4, with the MTU of RFC 1191).
func tooBig(from, to netip.AddrPort, mtu uint16) error {
	inner := make([]byte, 28)
	inner[0], inner[8], inner[9] = 0x45, 64, 17 // version and length, TTL, protocol
	binary.BigEndian.PutUint16(inner[2:], 1400)
	binary.BigEndian.PutUint16(inner[6:], 0x4000) // don't fragment
	copy(inner[12:], from.Addr().AsSlice())
	copy(inner[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(inner[10:], checksum(inner[:20]))
	binary.BigEndian.PutUint16(inner[20:], from.Port())
	binary.BigEndian.PutUint16(inner[22:], to.Port())
	binary.BigEndian.PutUint16(inner[24:], 1380)
	message := append([]byte{3, 4, 0, 0, 0, 0, 0, 0}, inner...)
	binary.BigEndian.PutUint16(message[6:], mtu)
	binary.BigEndian.PutUint16(message[2:], checksum(message))
	conn, err := net.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.WriteTo(message, &net.IPAddr{IP: from.Addr().AsSlice()})
	return err
}

// checksum is that of RFC 1071, for an even number of bytes.
func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
