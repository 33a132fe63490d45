package nginx

import (
	"net/netip"
	"testing"

	"molo/internal/facts"
	"molo/internal/policy"
)

// Whatever a site's values are, Compile refuses them, or nginx reads exactly
// those values, each in the place that is meant for it.
func FuzzCompile(f *testing.F) {
	for _, bad := range corpus {
		f.Add("app.example.no", "X-Frame-Options", bad, "", uint16(80), int64(1))
		f.Add(bad, "X-Frame-Options", "DENY", "", uint16(80), int64(1))
		f.Add("app.example.no", bad, "DENY", bad, uint16(80), int64(-1))
	}
	f.Add("xn--a.no", "A", `\"{};`, "eth0", uint16(65535), int64(1<<40))
	f.Fuzz(func(t *testing.T, name, header, value, zone string, port uint16, body int64) {
		sites := newSites(t, twoSites)
		s := sites[0]
		s.Name.V, s.Port.V, s.Root.MaxBody.V = name, port, body
		s.Root.Backends[0].Address.V.TCP = netip.AddrPortFrom(netip.IPv6Loopback().WithZone(zone), port^0x5555)
		s.Root.Headers[0] = policy.Header{Name: header, Value: policy.Value[string]{V: value}}
		resources, err := Compile(sites, facts.Nginx{})
		if err != nil {
			return
		}
		files := treeOf(t, resources).Files
		tree, err := parse("site", string(files[siteFile(name)]))
		if err != nil {
			t.Fatal(err)
		}
		if len(tree) != 1 || len(files) != 5 {
			t.Fatalf("%d blocks in the site's file, %d files", len(tree), len(files))
		}
		if !tree[0].serves(name) {
			t.Errorf("%q is not served", name)
		}
		added := map[string]string{}
		for _, d := range tree[0].block {
			if d.name == "add_header" {
				added[d.args[0]] = d.args[1]
			}
		}
		if value != "" && added[header] != value {
			t.Errorf("header %q is %q, want %q", header, added[header], value)
		}
		if want := 1 + min(len(value), 1); len(added) != want {
			t.Errorf("%d headers, want %d", len(added), want)
		}
	})
}
