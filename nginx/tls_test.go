package nginx

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// certificates returns what a host has for sites of these names: for each, a
// certificate that is the same every time (Ed25519 signs without chance).
func certificates(t testing.TB, names ...string) map[string]facts.Certificate {
	t.Helper()
	all := map[string]facts.Certificate{}
	for _, name := range names {
		key := ed25519.NewKeyFromSeed(slices.Repeat([]byte{byte(len(name))}, ed25519.SeedSize))
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: from, NotAfter: from.AddDate(1, 0, 0)}
		chain, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = facts.Certificate{
			ChainPath: "/var/lib/molo/acme/certificates/" + name + "/0123456789abcdef/fullchain.pem",
			KeyPath:   "/var/lib/molo/acme/certificates/" + name + "/0123456789abcdef/key.pem",
			Chain:     certificate.ReadChain(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain})),
			Key:       certificate.ReadKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		}
	}
	return all
}

// modern is an nginx that can do everything.
var modern = []string{CanRejectHandshake, CanHTTP2Directive, CanHTTP3, CanMLKEM, CanLimits}

func secured(t testing.TB, names ...string) facts.Nginx {
	t.Helper()
	have := certificates(t, names...)
	return facts.Nginx{Version: "1.30.0", Can: modern, TLS: facts.TLS{Ordered: have, Files: have}}
}

const tlsSite = "site app.example.no 127.0.0.1:8080 80 1048576\n\tX-Frame-Options: DENY\n\ttls: "

// A new site is not opened in plain HTTP while it waits for its certificate; one that
// is served in plain HTTP already is not taken down for it. With a certificate, plain
// HTTP leads to TLS.
func TestTheWayOfASiteToTLS(t *testing.T) {
	sites := newSites(t, tlsSite+"acme")
	live := func(host facts.Nginx, served facts.Served) facts.Nginx {
		host.TLS.Live = map[string]facts.Served{"app.example.no": served}
		return host
	}
	for _, tc := range []struct {
		name           string
		host           facts.Nginx
		proxies, plain bool // requests are passed on; in plain HTTP
		leads          bool // plain HTTP leads to TLS
	}{
		{"a new site without a certificate", secured(t), false, false, false},
		{"a new site with one", secured(t, "app.example.no"), true, false, true},
		{"a plain site without a certificate", live(secured(t), facts.Served{Plain: true}), true, true, false},
		{"a plain site with one", live(secured(t, "app.example.no"), facts.Served{Plain: true}), true, false, true},
		{"a site whose certificate is lost", live(secured(t), facts.Served{}), false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree := treeOf(t, compile(t, sites, tc.host))
			text := string(tree.Files["sites/app.example.no.conf"])
			if !strings.Contains(text, "include /etc/nginx/molo/current/acme.conf;") || tree.Files["acme.conf"] == nil {
				t.Error("an authority would find nothing")
			}
			if got := strings.Contains(text, "proxy_pass"); got != tc.proxies {
				t.Errorf("passes requests on: %t, want %t", got, tc.proxies)
			}
			if got := ServedBy(tree.Files)["app.example.no"].Plain; got != tc.plain {
				t.Errorf("in plain HTTP: %t, want %t", got, tc.plain)
			}
			if got := strings.Contains(text, "return 308 https://app.example.no$request_uri;"); got != tc.leads {
				t.Errorf("plain HTTP leads to TLS: %t, want %t", got, tc.leads)
			}
		})
	}
}

// RFC 6797, section 7.2.
func TestHSTSIsSentOverTLSAlone(t *testing.T) {
	for _, host := range []facts.Nginx{
		secured(t), secured(t, "app.example.no"),
		{Version: "1.30.0", Can: modern, TLS: facts.TLS{Live: map[string]facts.Served{"app.example.no": {Plain: true}}}},
	} {
		tree, err := parse("", string(treeOf(t, compile(t, newSites(t, tlsSite+"acme"), host)).Files["sites/app.example.no.conf"]))
		if err != nil {
			t.Fatal(err)
		}
		for _, server := range serversOf(tree) {
			secure := slices.ContainsFunc(listens(server), func(k socket) bool { return k.option("ssl") })
			sent := slices.ContainsFunc(server.block, func(d directive) bool { return d.name == "add_header" && d.args[0] == "Strict-Transport-Security" })
			if secure != sent {
				t.Errorf("a server over TLS %t sends HSTS %t", secure, sent)
			}
			if !slices.ContainsFunc(server.block, func(d directive) bool { return d.name == "add_header" && d.args[0] == "X-Frame-Options" }) {
				t.Errorf("a server over TLS %t does not send X-Frame-Options", secure)
			}
		}
	}
}

func TestTheConfigurationFollowsWhatNginxCanDo(t *testing.T) {
	sites := newSites(t, tlsSite+"acme")
	old := secured(t, "app.example.no")
	old.Version, old.Can = "1.22.1", []string{CanRejectHandshake}
	for name, tc := range map[string]struct {
		host           facts.Nginx
		listen, groups string
		directive      bool
	}{
		"1.30": {secured(t, "app.example.no"), "listen 443 ssl;", "X25519MLKEM768:X25519:prime256v1:secp384r1", true},
		"1.22": {old, "listen 443 ssl http2;", "ssl_ecdh_curve X25519:prime256v1:secp384r1;", false},
	} {
		tree := treeOf(t, compile(t, sites, tc.host))
		for file, want := range map[string]string{"sites/app.example.no.conf": tc.listen, "tls.conf": tc.groups, "http.conf": strings.Replace(tc.listen, "443", "443 default_server", 1)} {
			if !strings.Contains(string(tree.Files[file]), want) {
				t.Errorf("%s: %s lacks %q:\n%s", name, file, want, tree.Files[file])
			}
		}
		if got := strings.Contains(string(tree.Files["tls.conf"]), "http2 on;"); got != tc.directive {
			t.Errorf("%s: the directive http2 is there %t, want %t", name, got, tc.directive)
		}
	}
}

// What a build leaves out, or a kernel, is written nowhere: one word of it, and no site
// would be served.
func TestNothingIsWrittenThatThisHostLacks(t *testing.T) {
	sites := newSites(t, tlsSite+"acme\nsite b.example.no 127.0.0.1:8080 80 1")
	host := secured(t, "app.example.no")
	whole := treeOf(t, compile(t, sites, host))
	host.Can, host.NoIPv6 = []string{CanRejectHandshake}, true
	bare := treeOf(t, compile(t, sites, host))
	for _, word := range []string{"limit_req", "limit_conn", "[::]:"} {
		in := func(tree resource.Tree) bool {
			return slices.ContainsFunc(slices.Collect(maps.Values(tree.Files)), func(text []byte) bool { return strings.Contains(string(text), word) })
		}
		if !in(whole) || in(bare) {
			t.Errorf("%s is there for a host that has it: %t, for one that lacks it: %t", word, in(whole), in(bare))
		}
	}
	probes, err := Probes(bare)
	if err != nil || len(probes) != 1 {
		t.Errorf("asked for the generation: %+v, %v", probes, err)
	}
}

func TestWhatThisNginxCanNotDoIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, sites string
		can         []string
		want        string
	}{
		{"refusing unknown names", tlsSite + "acme", nil, "no ssl_reject_handshake"},
		{"HTTP/3", tlsSite + "acme http3", []string{CanRejectHandshake}, "this nginx does not speak HTTP/3"},
		{"a port that speaks both", tlsSite + "acme 80", modern, "port 80 speaks plain HTTP"},
		{"a port of another site", tlsSite + "acme 8443\nsite b.example.no 127.0.0.1:8080 8443 1", modern, "port 8443 speaks plain HTTP"},
		{"an upstream on the port", "site b.example.no 127.0.0.1:443 80 1\n" + tlsSite + "acme", modern, "upstream 127.0.0.1:443 is nginx itself"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Compile(newSites(t, tc.sites), policy.NginxLog{}, facts.Nginx{Version: "1.22.1", Can: tc.can})
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "policies.hcl:1: site ") {
				t.Errorf("error %v, want one with %q and its line", err, tc.want)
			}
		})
	}
}

func TestForeignServersOnAPortThatSpeaksTLS(t *testing.T) {
	for _, tc := range []struct{ name, server, want string }{
		{"another site over TLS", "server { listen 443 ssl; server_name x.no; }", ""},
		{"another site over HTTP/3", "server { listen 443 quic; listen 443 ssl; server_name x.no; }", ""},
		{"another port", "server { listen 8443; server_name app.example.no; }", ""},
		{"the same name", "server { listen 443 ssl; server_name app.example.no; }", "serves the same name on port 443"},
		{"the default server", "server { listen [::]:443 ssl default_server; }", "is the default server of port 443"},
		{"plain HTTP", "server { listen 443; server_name x.no; }", "speaks plain HTTP on port 443"},
		{"an address", "server { listen 192.0.2.1:443 ssl; }", "takes every connection to 192.0.2.1 on port 443"},
		{"the PROXY protocol", "server { listen 443 ssl proxy_protocol; }", "says otherwise whether connections to port 443 begin with the PROXY protocol"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			host := secured(t, "app.example.no")
			host.Foreign = map[string]string{"/etc/nginx/conf.d/x.conf": tc.server}
			_, err := Compile(newSites(t, tlsSite+"acme"), policy.NginxLog{}, host)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), "/etc/nginx/conf.d/x.conf:1 "+tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// A renewed file has to lead to a reload, so it has to be another generation.
func TestARenewedFileIsAnotherGeneration(t *testing.T) {
	sites := newSites(t, tlsSite+"file clients=/etc/clients.pem")
	host := secured(t, "app.example.no")
	client := certificates(t, "client.example.no")["client.example.no"].Chain
	host.TLS.ClientCAs = map[string]facts.CertFile{"/etc/clients.pem": client}
	generation := func() string { return resource.Generation(treeOf(t, compile(t, sites, host)).Files) }
	seen := map[string]string{generation(): "nothing"}
	renewed := host.TLS.Files["app.example.no"]
	renewed.Chain = certificates(t, "www.app.example.no")["www.app.example.no"].Chain
	renewed.Key = certificates(t, "www.app.example.no")["www.app.example.no"].Key
	for name, change := range map[string]func(){
		"the certificate":         func() { host.TLS.Files["app.example.no"] = renewed },
		"the clients' authority":  func() { host.TLS.ClientCAs["/etc/clients.pem"] = facts.CertFile{PEM: client.PEM + client.PEM} },
		"whether clients need it": func() { sites[0].TLS.Clients.V = "optional" },
	} {
		change()
		if other, old := seen[generation()]; old {
			t.Errorf("a change of %s is the generation of %s", name, other)
		}
		seen[generation()] = name
	}
	tree := treeOf(t, compile(t, sites, host))
	if got, want := ServedBy(tree.Files)["app.example.no"].Digest, certificate.FileDigest(renewed, host.TLS.ClientCAs["/etc/clients.pem"]); got != want {
		t.Errorf("the tree says it serves %q, want %q", got, want)
	}
}

func TestHandshakesAndExpectationsOfSecureSites(t *testing.T) {
	sites := newSites(t, tlsSite+"acme\nsite b.example.no 127.0.0.1:8080 80 1\n\ttls: acme\nsite c.example.no 127.0.0.1:8080 80 1")
	host := secured(t, "app.example.no").TLS
	pair, err := certificate.NewPair(host.Ordered["app.example.no"])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Handshake{{Port: 443, Site: "app.example.no", Leaf: pair.Digest()}}, Handshakes(sites, host)); diff != "" {
		t.Errorf("handshakes (-want +got)\n%s", diff)
	}
	want := []Expectation{
		{Site: "app.example.no", Port: 80, Headers: map[string]string{"X-Frame-Options": "DENY"}},
		{Site: "app.example.no", Port: 443, TLS: true, Headers: map[string]string{"X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=63072000"}},
		{Site: "b.example.no", Port: 80, Headers: map[string]string{}},
		{Site: "c.example.no", Port: 80, Headers: map[string]string{}},
	}
	if diff := cmp.Diff(want, Expectations(sites, host)); diff != "" {
		t.Errorf("expectations (-want +got)\n%s", diff)
	}
}

// Sessions that began at a site which asks for no certificate must not be taken up at
// one that does.
func TestSessionsAreNotSharedWithSitesThatAskForCertificates(t *testing.T) {
	host := secured(t, "app.example.no", "b.example.no")
	host.TLS.ClientCAs = map[string]facts.CertFile{"/c.pem": certificates(t, "c")["c"].Chain}
	for words, want := range map[string]string{"acme": "ssl_session_cache shared:molo_tls:10m;", "acme clients=/c.pem": "ssl_session_cache off;"} {
		tree := treeOf(t, compile(t, newSites(t, tlsSite+words+"\nsite b.example.no 127.0.0.1:8080 80 1\n\ttls: acme"), host))
		if !strings.Contains(string(tree.Files["tls.conf"]), want) {
			t.Errorf("%s: want %s in\n%s", words, want, tree.Files["tls.conf"])
		}
	}
}

// Whatever is in a path, and however it got past the policy's decoder.
func TestNothingBreaksOutOfAPath(t *testing.T) {
	for _, bad := range append(slices.Clone(corpus), "/a b", "/a;b", "/a{b", "/a$b", "/a\"b", "/a/", "//", "") {
		for field, set := range map[string]func(s *policy.Site, host facts.Nginx){
			"chain":   func(_ *policy.Site, host facts.Nginx) { change(host, func(c *facts.Certificate) { c.ChainPath = bad }) },
			"key":     func(_ *policy.Site, host facts.Nginx) { change(host, func(c *facts.Certificate) { c.KeyPath = bad }) },
			"clients": func(s *policy.Site, _ facts.Nginx) { s.TLS.ClientCA.V = bad },
			"verify":  func(s *policy.Site, _ facts.Nginx) { s.TLS.Clients.V = bad },
		} {
			sites, host := newSites(t, tlsSite+"file clients=/c.pem"), secured(t, "app.example.no")
			set(sites[0], host)
			resources, err := Compile(sites, policy.NginxLog{}, host)
			if err != nil || field == "clients" && bad == "" {
				continue
			}
			t.Errorf("%s %q became\n%s", field, bad, treeOf(t, resources).Files["sites/app.example.no.conf"])
		}
	}
}

func change(host facts.Nginx, f func(c *facts.Certificate)) {
	c := host.TLS.Files["app.example.no"]
	f(&c)
	host.TLS.Files["app.example.no"] = c
}
