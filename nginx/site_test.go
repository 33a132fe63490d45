package nginx

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"molo/internal/policy"
	"molo/internal/resource"
)

// newSites reads sites in the notation of the tests, where line 7 of the text is
// line 7 of policies.hcl:
//
//	site app.example.no 127.0.0.1:8080 80 10485760
//		X-Frame-Options: DENY
//		tls: acme 8443 http3 clients=/etc/molo/clients.pem
//		proxy:
func newSites(t testing.TB, text string) []*policy.Site {
	t.Helper()
	var sites []*policy.Site
	for i, line := range strings.Split(text, "\n") {
		at := hcl.Range{Filename: "policies.hcl", Start: hcl.Pos{Line: i + 1}}
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case fields[0] == "site":
			sites = append(sites, newSite(t, at, fields[1:]))
		default:
			name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
			if !ok || len(sites) == 0 {
				t.Fatalf("line %d is no header of a site: %q", i+1, line)
			}
			last := sites[len(sites)-1]
			switch name {
			case "tls":
				last.TLS = newTLS(t, at, strings.Fields(value))
				continue
			case "proxy":
				last.TrustedProxies = &policy.TrustedProxies{ProxyProtocol: policy.Value[bool]{V: true}}
				continue
			}
			last.Root.Headers = append(last.Root.Headers, policy.Header{
				Name: name, Value: policy.Value[string]{V: strings.TrimSpace(value), Range: at},
			})
		}
	}
	return sites
}

func newSite(t testing.TB, at hcl.Range, fields []string) *policy.Site {
	t.Helper()
	if len(fields) != 4 {
		t.Fatalf("line %d: want name, upstream, port and body size: %q", at.Start.Line, fields)
	}
	upstream, err := netip.ParseAddrPort(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(fields[2], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	body, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return &policy.Site{
		Name: policy.Value[string]{V: fields[0], Range: at},
		Port: policy.Value[uint16]{V: uint16(port), Range: at},
		HSTS: policy.HSTS{MaxAge: policy.Value[time.Duration]{V: 730 * 24 * time.Hour, Range: at}, Scope: policy.Value[string]{V: "host"}},
		Root: policy.Route{
			Path:      policy.Value[string]{V: "/", Range: at},
			Backends:  []policy.Backend{{Address: policy.Value[policy.Address]{V: policy.Address{TCP: upstream}, Range: at}}},
			Protocol:  policy.Value[string]{V: "http", Range: at},
			MaxBody:   policy.Value[int64]{V: body, Range: at},
			Timeout:   policy.Value[time.Duration]{V: time.Minute, Range: at},
			Buffering: policy.Value[bool]{V: true, Range: at},
		},
		Range: at,
	}
}

// newTLS reads the block tls of a site: "acme" or "file", then what is not the default.
func newTLS(t testing.TB, at hcl.Range, fields []string) *policy.TLS {
	t.Helper()
	word := func(s string) policy.Value[string] { return policy.Value[string]{V: s, Range: at} }
	tls := &policy.TLS{Range: at, Port: policy.Value[uint16]{V: 443, Range: at}, Clients: word("required")}
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		port, err := strconv.ParseUint(f, 10, 16)
		switch {
		case err == nil:
			tls.Port.V = uint16(port)
		case key == "acme":
			tls.ACME = &policy.ACME{}
		case key == "file":
			tls.Certificate, tls.Key = word("/etc/ssl/app.pem"), word("/etc/ssl/app.key")
		case key == "http3":
			tls.HTTP3.V = true
		case key == "clients":
			tls.ClientCA = word(value)
		case key == "optional":
			tls.Clients = word("optional")
		default:
			t.Fatalf("line %d: unknown word %q", at.Start.Line, f)
		}
	}
	return tls
}

// parseSites reads the sites of a policy.
func parseSites(t testing.TB, text string) []*policy.Site {
	t.Helper()
	p, diags := policy.Parse([]policy.Source{{Name: "policies.hcl", Data: []byte(text)}})
	if diags.HasErrors() {
		t.Fatalf("policy: %+v", diags.Entries())
	}
	return p.Sites
}

// manySites returns sites with host names of 30 bytes.
func manySites(t testing.TB, count int) []*policy.Site {
	t.Helper()
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "site customer-number-%03d.example.no 127.0.0.1:%d 80 1048576\n\tX-Frame-Options: DENY\n\tX-Content-Type-Options: nosniff\n", i, 2000+i)
	}
	return newSites(t, text.String())
}

// treeOf returns the tree among the resources.
func treeOf(t testing.TB, resources []resource.Resource) resource.Tree {
	t.Helper()
	for _, r := range resources {
		if tree, ok := r.(resource.Tree); ok {
			return tree
		}
	}
	t.Fatal("there is no tree")
	return resource.Tree{}
}
