package nginx

import (
	"fmt"
	"strings"
	"testing"

	"molo/internal/facts"
	"molo/internal/policy"
)

// A host with 600 sites is compiled on every run of molo, changed or not.
func BenchmarkCompile600Sites(b *testing.B) {
	sites := manySites(b, 600)
	for b.Loop() {
		if _, err := Compile(sites, policy.NginxLog{}, facts.Nginx{}); err != nil {
			b.Fatal(err)
		}
	}
}

// The same with what sites often ask for: another name, WebSockets, a limit, a path.
func BenchmarkCompile600RichSites(b *testing.B) {
	var text strings.Builder
	for i := range 600 {
		fmt.Fprintf(&text, "site \"customer-number-%03d.example.no\" {\n upstream = \"127.0.0.1:8081\"\n redirect_from = [\"www.customer-number-%03d.example.no\"]\n"+
			" websocket = true\n limit {}\n path \"/api/\" {\n max_body = \"1m\"\n}\n}\n", i, i)
	}
	sites := parseSites(b, text.String())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(sites, policy.NginxLog{}, facts.Nginx{}); err != nil {
			b.Fatal(err)
		}
	}
}

// Finding out that nothing has changed is a comparison of bytes.
func BenchmarkNoChange600Sites(b *testing.B) {
	sites := manySites(b, 600)
	want, have := treeOf(b, compile(b, sites, facts.Nginx{})), treeOf(b, compile(b, sites, facts.Nginx{}))
	for b.Loop() {
		if !want.Equal(have) {
			b.Fatal("the trees differ")
		}
	}
}

// A tree read back from a host is linted whole.
func BenchmarkLint600Sites(b *testing.B) {
	tree := treeOf(b, compile(b, manySites(b, 600), facts.Nginx{}))
	for b.Loop() {
		if findings := Lint(tree.Files); len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}

// And with a certificate for each of them.
func BenchmarkCompile600SitesOverTLS(b *testing.B) {
	sites := manySites(b, 600)
	host := facts.Nginx{Version: "1.30.0", Can: modern, TLS: facts.TLS{Ordered: map[string]facts.Certificate{}}}
	for _, s := range sites {
		s.TLS = newTLS(b, s.Range, []string{"acme"})
		host.TLS.Ordered[s.Name.V] = certificates(b, s.Name.V)[s.Name.V]
	}
	for b.Loop() {
		if _, err := Compile(sites, policy.NginxLog{}, host); err != nil {
			b.Fatal(err)
		}
	}
}
