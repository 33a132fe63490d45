package host

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

func TestAConnectionMayHaveComeInOnALinkThatDoesNotLeadBack(t *testing.T) {
	ways := []way{
		{"eth0", netip.MustParsePrefix("203.0.113.1/32"), true}, {"eth1", netip.MustParsePrefix("192.0.2.1/32"), true},
		{"eth0", netip.MustParsePrefix("0.0.0.0/0"), false}, {"eth2", netip.MustParsePrefix("0.0.0.0/0"), false}, {"wg0", netip.MustParsePrefix("10.9.0.0/24"), false},
	}
	flow := func(source, original string) facts.Flow {
		f := facts.Flow{Source: netip.MustParseAddrPort(source)}
		if original != "" {
			f.Original = netip.MustParseAddrPort(original)
		}
		return f
	}
	for name, test := range map[string]struct {
		flow facts.Flow
		want []string
	}{
		"a sender whom two default routes lead to": {flow("198.51.100.7:1", "203.0.113.1:80"), []string{"eth0", "eth2"}},
		"the address of another link":              {flow("198.51.100.7:1", "192.0.2.1:80"), []string{"eth1", "eth0", "eth2"}},
		"a peer of a VPN":                          {flow("10.9.0.2:1", "203.0.113.1:80"), []string{"eth0", "eth2", "wg0"}},
		"a container's own address":                {flow("198.51.100.7:1", ""), []string{"eth0", "eth2"}},
	} {
		if diff := cmp.Diff(test.want, possible(ways, test.flow)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		if _, err := waysIn(family); err != nil {
			t.Errorf("family %d: %v", family, err)
		}
	}
}

func TestConnectionsToContainersAreThoseOfAllProtocolsWithPorts(t *testing.T) {
	connection := func(protocol uint8, original, container string) *netlink.ConntrackFlow {
		return &netlink.ConntrackFlow{
			Forward: netlink.IPTuple{Protocol: protocol, SrcIP: []byte{198, 51, 100, 7}, SrcPort: 5000, DstIP: netip.MustParseAddr(original).AsSlice(), DstPort: 80},
			Reverse: netlink.IPTuple{Protocol: protocol, SrcIP: netip.MustParseAddr(container).AsSlice(), SrcPort: 80},
		}
	}
	for protocol, want := range map[uint8]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_SCTP: "sctp", unix.IPPROTO_GRE: ""} {
		flow, ok := flowOf(connection(protocol, "203.0.113.1", "172.17.0.2"))
		if flow.Protocol != want || ok != (want != "") || !flow.Original.IsValid() {
			t.Errorf("protocol %d: %+v, %t", protocol, flow, ok)
		}
	}
	if flow, ok := flowOf(connection(unix.IPPROTO_TCP, "172.17.0.2", "172.17.0.2")); !ok || flow.Original.IsValid() || flow.Container.String() != "172.17.0.2:80" {
		t.Errorf("to a container's own address: %+v, %t", flow, ok)
	}
}
