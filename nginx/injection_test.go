package nginx

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"golang.org/x/tools/txtar"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// rich returns a site that says everything a site can say.
func rich(t testing.TB) []*policy.Site {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/routes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == "policies.hcl" {
			return parseSites(t, string(f.Data))
		}
	}
	t.Fatal("there is no policy")
	return nil
}

// stringsIn returns all strings of a value that can be set, each with its place, but
// for those of source ranges.
func stringsIn(v reflect.Value, place string) (places []string, values []reflect.Value) {
	collect := func(v reflect.Value, place string) {
		p, found := stringsIn(v, place)
		places, values = append(places, p...), append(values, found...)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			collect(v.Elem(), place)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), place)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Type != reflect.TypeFor[hcl.Range]() {
				collect(v.Field(i), place+"."+f.Name)
			}
		}
	case reflect.String:
		return []string{place}, []reflect.Value{v}
	}
	return places, values
}

// shapesOf returns what the files of a tree say without the words of arguments.
func shapesOf(t testing.TB, tree resource.Tree) []string {
	t.Helper()
	var out []string
	for name, text := range tree.Files {
		parsed, err := parse(name, string(text))
		if err != nil {
			t.Fatalf("%s does not parse: %v", name, err)
		}
		out = append(out, shape(parsed))
	}
	slices.Sort(out)
	return out
}

// harmless are the characters that mean nothing to nginx.
var harmless = regexp.MustCompile(`^[a-z0-9./:=-]*$`)

// benign returns a value for the i-th place that asks for the same structure as
// text does, and is harmless: whether a header is off, for example, is by right.
func benign(place string, i int, text, before string) string {
	switch {
	case harmless.MatchString(text), strings.HasSuffix(place, ".Limit.Path"): // which is only told from others
		return text
	case strings.HasSuffix(place, ".Headers.Value.V"):
		return fmt.Sprintf("v%d", i)
	case strings.HasSuffix(place, ".Headers.Name"):
		return fmt.Sprintf("x-n%d", i)
	}
	return before
}

// Whatever stands in a field of a site, and however it got there past the policy's
// decoder, Compile refuses it or it is part of one word of the one directive that it
// belongs to.
func TestNothingBreaksOutOfASite(t *testing.T) {
	sites := rich(t)
	places, values := stringsIn(reflect.ValueOf(sites[0]), "")
	seen := map[string]bool{}
	taken := 0
	for i, place := range places {
		if seen[place] { // the same field of another route
			continue
		}
		seen[place] = true
		before := values[i].String()
		want := map[string][]string{}
		for _, bad := range corpus {
			values[i].SetString(bad)
			resources, err := Compile(sites, policy.NginxLog{}, facts.Nginx{})
			values[i].SetString(before)
			if err != nil {
				continue
			}
			taken++
			plain := benign(place, i, bad, before)
			if want[plain] == nil {
				values[i].SetString(plain)
				want[plain] = shapesOf(t, treeOf(t, compile(t, sites, facts.Nginx{})))
				values[i].SetString(before)
			}
			if diff := cmp.Diff(want[plain], shapesOf(t, treeOf(t, resources))); diff != "" {
				t.Errorf("%s: %.60q changed what the files say (-want +got)\n%s", place, bad, diff)
			}
		}
	}
	t.Logf("%d strings, %d values each; %d of them are taken, and are harmless", len(seen), len(corpus), taken)
	if len(seen) < 25 || taken < 100 {
		t.Error("hardly anything was tried or taken: the test proves nothing")
	}
}

// What is no string can still hold one: an address has a zone, and a range names a file.
func TestNothingBreaksOutOfAddressesAndRanges(t *testing.T) {
	want := shapesOf(t, treeOf(t, compile(t, rich(t), facts.Nginx{})))
	for _, bad := range corpus {
		for name, set := range map[string]func(*policy.Site){
			"a zone of an upstream": func(s *policy.Site) {
				s.Root.Backends[0].Address.V.TCP = netip.AddrPortFrom(netip.IPv6Loopback().WithZone("x"+bad), 80)
			},
			"a source": func(s *policy.Site) {
				s.Range = hcl.Range{Filename: bad}
				s.Name.Range, s.Root.MaxBody.Range = s.Range, s.Range
			},
		} {
			sites := rich(t)
			set(sites[0])
			resources, err := Compile(sites, policy.NginxLog{}, facts.Nginx{})
			if err != nil {
				continue
			}
			if name == "a zone of an upstream" {
				t.Errorf("%s %.60q was taken for one", name, bad)
			}
			if got := shapesOf(t, treeOf(t, resources)); !slices.Equal(got, want) {
				t.Errorf("%s: %.60q changed what the files say", name, bad)
			}
		}
	}
}

// FuzzCompile puts any two strings into any two places of a site, past the policy's
// decoder. Compile refuses them, or nginx reads the structure that was meant, with
// every string inside one word.
func FuzzCompile(f *testing.F) {
	sites := rich(f)
	sites[0].TLS = newTLS(f, hcl.Range{Filename: "policies.hcl"}, []string{"file", "http3", "clients=/etc/molo/clients.pem"})
	host := secured(f, sites[0].Name.V)
	host.Can = append(slices.Clone(host.Can), CanRealIP, CanGeo, CanGRPC, CanCookieFlags)
	places, values := stringsIn(reflect.ValueOf(sites[0]), "")
	before := make([]string, len(values))
	for i, v := range values {
		before[i] = v.String()
	}
	if resources, err := Compile(sites, policy.NginxLog{}, host); err != nil || !strings.Contains(string(treeOf(f, resources).Files[siteFile(sites[0].Name.V)]), "ssl_client_certificate") {
		f.Fatalf("the site is not served over TLS: %v", err)
	}
	for i, bad := range corpus {
		f.Add(uint16(i*7%len(places)), uint16(i*13%len(places)), bad, "app")
	}
	for i := range places {
		f.Add(uint16(i), uint16(i+1), "a.example.no", "/etc/nginx/a")
	}
	f.Fuzz(func(t *testing.T, m, n uint16, a, b string) {
		i, j := int(m)%len(places), int(n)%len(places)
		if i == j {
			return
		}
		defer func() {
			values[i].SetString(before[i])
			values[j].SetString(before[j])
		}()
		values[i].SetString(a)
		values[j].SetString(b)
		resources, err := Compile(sites, policy.NginxLog{}, host)
		if err != nil {
			return
		}
		tree := treeOf(t, resources)
		if findings := lintAllowing(t, tree, elsewhere(sites)); len(findings) > 0 {
			t.Errorf("findings: %v", findings)
		}
		values[i].SetString(benign(places[i], i, a, before[i]))
		values[j].SetString(benign(places[j], j, b, before[j]))
		plain, err := Compile(sites, policy.NginxLog{}, host)
		if err != nil {
			return // two benign names that exclude each other
		}
		if diff := cmp.Diff(shapesOf(t, treeOf(t, plain)), shapesOf(t, tree)); diff != "" {
			t.Errorf("%s = %q and %s = %q changed what the files say (-want +got)\n%s", places[i], a, places[j], b, diff)
		}
	})
}

// lintAllowing lints a tree whose upstreams may be elsewhere.
func lintAllowing(t *testing.T, tree resource.Tree, elsewhere []string) []Finding {
	t.Helper()
	trees := map[string][]directive{}
	for name, text := range tree.Files {
		parsed, err := parse(name, string(text))
		if err != nil {
			t.Fatal(err)
		}
		trees[name] = parsed
	}
	return lint(trees, elsewhere)
}
