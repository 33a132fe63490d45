package host

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"molo/internal/facts"
	"molo/internal/resource"
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

func TestBridgesAreRememberedWhileDockerCanNotTell(t *testing.T) {
	h, err := New(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rules := resource.Rules{Family: resource.IPv4, Table: "filter", Chains: []resource.Chain{
		{Name: "MOLO", Rules: []resource.Rule{{Spec: "-i docker0 -j RETURN"}, {Spec: "-i mybr0 -j RETURN"}}},
		{Name: "MOLO-TO", Rules: []resource.Rule{{Spec: "-o docker0 -g MOLO-IN"}, {Spec: "-o br0 -g MOLO-IN"}}},
	}}
	if err := h.saveRules(resource.IPv4, "filter", committed{Rules: rules}); err != nil {
		t.Fatal(err)
	}
	for name, docker := range map[string]facts.Docker{"down": {}, "blind": {Running: true, Blind: true}, "up": {Running: true}} {
		got := facts.Facts{Docker: docker}
		h.rememberBridges(&got)
		want := facts.Facts{Docker: docker}
		if name != "up" {
			want.Docker.Remembered, want.Uplinked = []string{"docker0", "mybr0", "br0"}, []string{"br0"}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
