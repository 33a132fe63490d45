package host

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

// listen opens a TCP listener or a UDP socket and returns its port.
func listen(t *testing.T, network, address string, options ...func(fd int) error) uint16 {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		controlErr := c.Control(func(fd uintptr) {
			for _, option := range options {
				err = option(int(fd))
			}
		})
		if controlErr != nil {
			return controlErr
		}
		return err
	}}
	var bound net.Addr
	if strings.HasPrefix(network, "tcp") {
		l, err := config.Listen(context.Background(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		bound = l.Addr()
	} else {
		c, err := config.ListenPacket(context.Background(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		bound = c.LocalAddr()
	}
	return netip.MustParseAddrPort(bound.String()).Port()
}

// found lists the addresses on which this test listens on a port.
func found(t *testing.T, protocol string, port uint16) []string {
	t.Helper()
	all, err := listeners()
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, s := range all {
		if s.Protocol != protocol || s.Port != port {
			continue
		}
		if s.PID != os.Getpid() || s.Process != strings.TrimSpace(string(name)) {
			t.Errorf("%v belongs to process %d (%s), want this one", s, s.PID, s.Process)
		}
		addresses = append(addresses, s.Address.String())
	}
	return addresses
}

func TestListenersFindsEverySocketThatTakesPackets(t *testing.T) {
	tests := []struct {
		name, network, address string
		only6                  bool
		want                   []string
	}{
		{"a TCP listener", "tcp4", "127.0.0.1:0", false, []string{"127.0.0.1"}},
		{"a UDP socket", "udp4", "127.0.0.1:0", false, []string{"127.0.0.1"}},
		{"an IPv6 socket on one address", "tcp6", "[::1]:0", false, []string{"::1"}},
		{"a socket of both families", "udp", "[::]:0", false, []string{"0.0.0.0", "::"}},
		{"a socket for IPv6 only", "udp6", "[::]:0", true, []string{"::"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var options []func(int) error
			if test.only6 {
				options = append(options, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1) })
			}
			port := listen(t, test.network, test.address, options...)
			if diff := cmp.Diff(test.want, found(t, test.network[:3], port)); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListenersLeavesOutConnections(t *testing.T) {
	server := listen(t, "udp4", "127.0.0.1:0")
	tcp := listen(t, "tcp4", "127.0.0.1:0")
	for network, port := range map[string]uint16{"udp": server, "tcp": tcp} {
		conn, err := net.Dial(network, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := found(t, network, netip.MustParseAddrPort(conn.LocalAddr().String()).Port()); got != nil {
			t.Errorf("a %s connection is listed at %v", network, got)
		}
	}
}

func TestAStrangerTakesTheFirstNetworkThatNobodyKnows(t *testing.T) {
	networks := []string{"198.51.100.0/30", "192.0.2.0/30"}
	tests := []struct {
		name  string
		taken []string
		want  string
	}{
		{"nothing is taken", nil, "198.51.100.1"},
		{"others are taken", []string{"10.0.0.0/8", "2001:db8::/32", "198.51.100.4/30"}, "198.51.100.1"},
		{"an address in it", []string{"198.51.100.2/32"}, "192.0.2.1"},
		{"a route to more than it", []string{"198.51.0.0/16"}, "192.0.2.1"},
		{"all of them", []string{"198.51.100.0/24", "192.0.2.0/24"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var taken []netip.Prefix
			for _, text := range test.taken {
				taken = append(taken, netip.MustParsePrefix(text))
			}
			host, own, err := free(taken, networks...)
			if (err != nil) != (test.want == "") {
				t.Fatalf("error %v", err)
			}
			if err == nil && (host.String() != test.want || own != host.Next()) {
				t.Errorf("got %s and %s, want %s and the next", host, own, test.want)
			}
		})
	}
}

func TestPrefixReadsWhatNetlinkTells(t *testing.T) {
	for _, text := range []string{"198.51.100.0/30", "0.0.0.0/0", "10.1.0.0/16", "2001:db8::/47", "::1/128"} {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := prefix(network.IP, network.Mask).String(); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}

// event is what the kernel tells of a new TCP connection from 198.51.100.2:40000.
var event = []byte{
	2, 0, 0, 0, // struct nfgenmsg
	52, 0, 1, 0x80, // CTA_TUPLE_ORIG
	20, 0, 1, 0x80, 8, 0, 1, 0, 198, 51, 100, 2, 8, 0, 2, 0, 198, 51, 100, 1,
	28, 0, 2, 0x80, 5, 0, 1, 0, 6, 0, 0, 0, 6, 0, 2, 0, 0x9c, 0x40, 0, 0, 6, 0, 3, 0, 0x1f, 0x90, 0, 0,
}

func TestReadBeginning(t *testing.T) {
	got, ok := readBeginning(event)
	if want := (beginning{unix.IPPROTO_TCP, netip.MustParseAddrPort("198.51.100.2:40000")}); !ok || got != want {
		t.Errorf("got %v %t, want %v", got, ok, want)
	}
	for n := range event {
		if got, ok := readBeginning(event[:n]); ok && n < 44 {
			t.Errorf("the first %d bytes are %v", n, got)
		}
	}
}

func FuzzReadBeginning(f *testing.F) {
	f.Add(event)
	f.Add(event[:20])
	f.Add([]byte("\x02\x00\x00\x00\x06\x00\x01\x8000")) // an attribute without its padding
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, ok := readBeginning(data); ok && !b.from.Addr().IsValid() {
			t.Errorf("%x: no address", data)
		}
	})
}

func FuzzReadSocket(f *testing.F) {
	f.Add(make([]byte, diagMessageSize))
	f.Add(append([]byte{unix.AF_INET6}, make([]byte, diagMessageSize+4)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 44 {
			copy(data[40:44], make([]byte, 4)) // no link is asked for
		}
		_, sockets, err := diagnosis{name: "tcp"}.read(data)
		if err == nil && len(sockets) == 0 {
			t.Errorf("%x: no socket and no error", data)
		}
	})
}

func TestDescribeKnowsContainers(t *testing.T) {
	process, container, err := describe(os.Getpid())
	if err != nil || process == "" || container != "" {
		t.Errorf("this process is %q in container %q, error %v", process, container, err)
	}
	if process, container, err := describe(1 << 30); process != "" || container != "" || err != nil {
		t.Errorf("a process that has ended is %q in %q, error %v", process, container, err)
	}
}

func TestAnImageHasNoSurface(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := &Host{root: dir}
	if s, err := h.Surface(t.Context(), facts.Docker{}); err == nil {
		t.Errorf("got %v", s)
	}
	if s, err := h.NewStranger(t.Context()); err == nil {
		t.Errorf("got %v", s)
	}
}

func TestListenersOfSCTPAreListed(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		if _, err := listeners(); err != nil {
			t.Errorf("without SCTP: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	if got := found(t, "sctp", uint16(at.(*unix.SockaddrInet4).Port)); len(got) != 1 {
		t.Errorf("listed are %v", got)
	}
}
