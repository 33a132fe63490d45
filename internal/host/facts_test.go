package host

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"molo/internal/facts"
)

func TestLinksAreToldApartByWhatTheyAre(t *testing.T) {
	link := func(index int, name string, master int) netlink.LinkAttrs {
		return netlink.LinkAttrs{Index: index, Name: name, MasterIndex: master}
	}
	var f facts.Facts
	linkFacts(&f, []netlink.Link{
		&netlink.Device{LinkAttrs: link(2, "eth0", 5)},
		&netlink.Device{LinkAttrs: link(3, "br-wan", 0)},
		&netlink.Vlan{LinkAttrs: link(4, "br-lan.10", 0)},
		&netlink.Bridge{LinkAttrs: link(5, "br0", 0)},
		&netlink.Bridge{LinkAttrs: link(6, "docker0", 0)},
		&netlink.Veth{LinkAttrs: link(7, "veth0123456", 6)},
		&netlink.Device{LinkAttrs: link(8, "eth1", 9)}, // in a bond
		&netlink.Bond{LinkAttrs: link(9, "bond0", 5)},
	})
	want := facts.Facts{Bridges: []string{"br0", "docker0"}, Lookalikes: []string{"br-wan", "br-lan.10"}, Uplinked: []string{"br0"}}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
