package nginx

import (
	"strings"
	"testing"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

const twoSites = `site app.example.no 127.0.0.1:8080 80 1048576
	X-Frame-Options: DENY
	Referrer-Policy: no-referrer
site two.example.no 127.0.0.1:8081 80 1048576
`

func TestCompileRefusesSitesThatDoNotFit(t *testing.T) {
	for _, tc := range []struct{ name, sites, want string }{
		{"a name served twice", "site a.no 127.0.0.1:1 80 1\nsite a.no 127.0.0.1:2 8080 1",
			`policies.hcl:2: site "a.no": there is one already, at policies.hcl:1`},
		{"a name of molo's own", "site generation.molo.invalid 127.0.0.1:1 80 1",
			`policies.hcl:1: site "generation.molo.invalid": names in molo.invalid are molo's own`},
		{"an upstream that is nginx", "site a.no 127.0.0.1:80 8080 1\nsite b.no 127.0.0.1:1 80 1",
			`policies.hcl:1: site "a.no": upstream 127.0.0.1:80 is nginx itself: port 80 is served by a site`},
		{"a header set twice", "site a.no 127.0.0.1:1 80 1\n X-A: 1\n x-a: 2",
			`policies.hcl:1: site "a.no": header "x-a" is set twice`},
		{"a name that is none", "site a_b.no 127.0.0.1:1 80 1",
			`policies.hcl:1: site "a_b.no": "a_b.no" is not a host name in lower-case ASCII`},
		{"an upstream that is no server", "site a.no 0.0.0.0:1 80 1",
			`policies.hcl:1: site "a.no": upstream 0.0.0.0:1 is not an address and port of one server, such as 127.0.0.1:8080`},
		{"a header's value, on its line", "site a.no 127.0.0.1:1 80 1\n X-A: 1\n X-B: $5",
			`policies.hcl:3: site "a.no": value "$5" has a "$", which nginx cannot write`},
		{"a header's name, on its line", "site a.no 127.0.0.1:1 80 1\n X A: 1",
			`policies.hcl:2: site "a.no": "X A" is not the name of a header: letters, digits and single hyphens, at most 64`},
		{"the PROXY protocol on a plain port of two sites", "site a.no 127.0.0.1:1 80 1\n proxy:\nsite b.no 127.0.0.1:2 80 1",
			`policies.hcl:3: site "b.no": port 80 begins with the PROXY protocol for one site, at policies.hcl:1 and not for the other`},
		{"the PROXY protocol on a port with TLS that two sites share", "site a.no 127.0.0.1:1 8083 1\n proxy:\n tls: file\nsite b.no 127.0.0.1:2 80 1\n tls: file",
			`policies.hcl:4: site "b.no": port 443 begins with the PROXY protocol for one site, at policies.hcl:1 and not for the other`},
		{"everything at once", "site a.no 127.0.0.1:1 0 0\nsite b_.no 127.0.0.1:1 80 1",
			"policies.hcl:1: site \"a.no\": port 0 is no port to serve on\npolicies.hcl:1: site \"a.no\": size of 0 bytes is not above zero\n" +
				"policies.hcl:2: site \"b_.no\": \"b_.no\" is not a host name in lower-case ASCII"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Compile(newSites(t, tc.sites), policy.NginxLog{}, facts.Nginx{})
			if err == nil || err.Error() != tc.want || got != nil {
				t.Errorf("%d resources, error:\n%v\nwant:\n%s", len(got), err, tc.want)
			}
		})
	}
}

func TestCompileDoesNotDependOnTheOrderOfSites(t *testing.T) {
	sites := newSites(t, twoSites)
	one := treeOf(t, compile(t, sites, facts.Nginx{}))
	two := treeOf(t, compile(t, []*policy.Site{sites[1], sites[0]}, facts.Nginx{}))
	if !one.Equal(two) {
		t.Error("the trees differ")
	}
}

// A new place in the source must not make a new generation: it would reload nginx for nothing.
func TestCompileDoesNotDependOnLines(t *testing.T) {
	one := treeOf(t, compile(t, newSites(t, twoSites), facts.Nginx{}))
	two := treeOf(t, compile(t, newSites(t, "\n\n"+twoSites), facts.Nginx{}))
	if !one.Equal(two) {
		t.Error("the trees differ")
	}
}

// Debian's default site is back when nobody asks for its absence, so the answer
// may not change once the link is gone.
func TestDefaultSiteStaysAwayOnceItIs(t *testing.T) {
	shipped := facts.Nginx{DefaultSite: "/etc/nginx/sites-available/default", Foreign: map[string]string{DefaultSite: shippedSite}}
	for _, tc := range []struct {
		name  string
		sites string
		host  facts.Nginx
		want  bool
	}{
		{"where it is as shipped", twoSites, shipped, true},
		{"where it has gone", twoSites, facts.Nginx{}, true},
		{"where no site is on port 80", strings.ReplaceAll(twoSites, " 80 ", " 8088 "), shipped, false},
		{"where the owner has made it another site", twoSites, facts.Nginx{
			DefaultSite: "/etc/nginx/sites-available/default",
			Foreign:     map[string]string{DefaultSite: "server { listen 8088; server_name x.example.no; }"},
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := false
			for _, r := range compile(t, newSites(t, tc.sites), tc.host) {
				got = got || r.ID() == resource.ID("link:"+DefaultSite)
			}
			if got != tc.want {
				t.Errorf("the link has to be absent: %t, want %t", got, tc.want)
			}
		})
	}
}

// Compile has its own lint read everything: a template that breaks an invariant
// never gets to a host.
func TestCompileLintsWhatItRendered(t *testing.T) {
	r, err := newRenderer(newSites(t, twoSites), policy.NginxLog{}, nil, facts.Nginx{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.templates.New("server.conf.tmpl").Parse("server_tokens on;"); err != nil {
		t.Fatal(err)
	}
	_, err = r.resources(foreign{})
	if err == nil || !strings.Contains(err.Error(), "server-tokens") {
		t.Errorf("error %v, want one of rule server-tokens", err)
	}
}

// corpus holds what has broken out of generated configurations, and what might.
var corpus = []string{
	"a.test; return 200 x", "a.test;", "}", "{", "a} server { listen 99; ", "\"; return 200 \"", "'", `"`, `\`, `a\`, `\"`,
	"a\nb", "a\r\nSet-Cookie: x=1", "a\x00b", "\x7f", "\t", "$host", "${", "${host}", "$1", "a$", "#", "a #", "../../etc/passwd", "a/../b",
	"a.test b.test", "*.test", "~^.*$", ".test", "_", "\u202etset.a", "a\u0000.test", "ａ.test", "é.test", "\xff\xfe", "a.test\u00a0",
	holeOpen + "1" + holeClose, "{{.Name}}", "include /etc/shadow", "unix:/run/docker.sock", "127.0.0.1", "[::1]", strings.Repeat("a", 5000),
	strings.Repeat("a.", 2500) + "test",
}

// shape is a tree without the words of its arguments.
func shape(tree []directive) string {
	var out strings.Builder
	for _, d := range tree {
		out.WriteString(d.name + strings.Repeat(" .", len(d.args)))
		if d.block != nil {
			out.WriteString("{" + shape(d.block) + "}")
		}
		out.WriteString(";")
	}
	return out.String()
}
