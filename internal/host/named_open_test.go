package host

import (
	"net"
	"net/netip"
	"testing"

	"molo/internal/policy"
)

func TestSocketsThatTakeMoreThanLoopback(t *testing.T) {
	listen := func(address string) netip.AddrPort {
		t.Helper()
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.Addr().(*net.TCPAddr).AddrPort().Port())
	}
	for name, tc := range map[string]struct {
		at   netip.AddrPort
		want bool
	}{
		"loopback":         {listen("127.0.0.1:0"), false},
		"all of IPv4":      {listen("0.0.0.0:0"), true},
		"both families":    {listen("[::]:0"), true},
		"nobody listens":   {netip.MustParseAddrPort("127.0.0.1:1"), false},
		"another loopback": {netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), listen("127.0.0.2:0").Port()), false},
	} {
		open, err := openUpstreams([]policy.Address{{TCP: tc.at}, {Socket: "/run/a.sock"}})
		if err != nil {
			t.Fatal(err)
		}
		if s, found := open[tc.at.String()]; found != tc.want || found && s.Process == "" {
			t.Errorf("%s: %+v, want it found: %t", name, open, tc.want)
		}
	}
}
