package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/quic"

	"molo/certificate/certtest"
)

const ownSite = `site "app.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    certificate = "/etc/ssl/app.pem"
    key         = "/etc/ssl/private/app.key"
  }
}
`

// TestSitesWithTheOwnersFiles needs no authority, and no network.
func TestSitesWithTheOwnersFiles(t *testing.T) {
	eachWithMolo(t, func(t *testing.T, release, molo string) {
		w := newTLSWorld(t, release, molo)
		owner := certtest.New(t)
		w.roots = x509.NewCertPool()
		w.roots.AddCert(owner.Root)
		w.step("files that don't fit change nothing", func(w *tlsWorld) { testFilesThatDoNotFit(w, owner) })
		w.step("renewed files are served", func(w *tlsWorld) { testRenewedFiles(w, owner) })
		w.step("certificates of clients", func(w *tlsWorld) { testClients(w, owner) })
		w.step("a site that asks for them beside one that does not", func(w *tlsWorld) { testClosedBesideOpen(w, owner) })
		w.step("answers in HTTP/1.1 and HTTP/2", func(w *tlsWorld) { testAnswersOverTLS(w, owner) })
		w.step("what TLS once was", func(w *tlsWorld) { testFormerTLS(w, owner) })
		w.step("a certificate that is deleted", func(w *tlsWorld) { testDeletedFile(w, owner) })
		w.step("HTTP/3", testHTTP3)
		w.step("another site's server on the port", testForeignTLS)
	})
}

// put writes a certificate that the owner has from somewhere.
func (w *tlsWorld) put(i certtest.Issued) {
	w.Helper()
	// nginx keeps a certificate over a reload whose file has the inode and the second of
	// before (1.27.2 and later).
	w.write("/etc/ssl/app.pem.new", string(i.Chain()))
	w.sh("mv /etc/ssl/app.pem.new /etc/ssl/app.pem")
	w.key(i.Key)
}

func (w *tlsWorld) key(data []byte) {
	w.Helper()
	if err := w.host.WriteFile("/etc/ssl/private/app.key.new", data, 0o600); err != nil {
		w.Fatal(err)
	}
	w.sh("mv /etc/ssl/private/app.key.new /etc/ssl/private/app.key")
}

// lasting is a certificate for some names from an hour ago until a time from now.
func lasting(w *tlsWorld, owner *certtest.Authority, until time.Duration, names ...string) certtest.Issued {
	return owner.Issue(w.T, certtest.Leaf{Names: names, From: time.Now().Add(-time.Hour), Until: time.Now().Add(until)})
}

func testFilesThatDoNotFit(w *tlsWorld, owner *certtest.Authority) {
	const week = 7 * 24 * time.Hour
	good, other := lasting(w, owner, week, "app.example.no"), lasting(w, owner, week, "app.example.no")
	wrong, expired := lasting(w, owner, week, "www.example.no"), lasting(w, owner, -time.Minute, "app.example.no")
	w.policy(ownSite)
	refused := func(what string) {
		w.Helper()
		if r := w.molo(1, "apply"); !strings.Contains(r.Stdout, "x policies.hcl:") && !strings.Contains(r.Stdout, "x /etc/molo/policies.hcl:") || !strings.Contains(r.Stdout, what) {
			w.Errorf("want %q in\n%s", what, r.Stdout)
		}
	}
	refused("/etc/ssl/app.pem: there is no such file")
	w.put(good)
	w.molo(0, "apply")
	served := w.leaf("app.example.no")
	w.served("app.example.no")
	w.settled()
	w.key(other.Key)
	refused("/etc/ssl/private/app.key: the key does not fit the certificate in /etc/ssl/app.pem")
	w.put(wrong)
	refused("it is for www.example.no and not for app.example.no")
	w.put(expired)
	refused("it has expired on ")
	w.put(good)
	w.sh("chmod 644 /etc/ssl/private/app.key")
	refused("others than root may read or change the key (mode 0644)")
	w.write("/etc/ssl/app.pem", string(good.Below)+string(good.Leaf))
	w.key(good.Key)
	refused("certificate 2 in it is the one that fits the key, and has to be the first")
	if !w.leaf("app.example.no").Equal(served) {
		w.Error("another certificate is served")
	}
	w.put(good)
	w.settled()
}

func testRenewedFiles(w *tlsWorld, owner *certtest.Authority) {
	pid := w.pid()
	w.put(lasting(w, owner, 5*time.Second, "app.example.no"))
	w.molo(0, "apply")
	before := w.leaf("app.example.no")
	w.sh("timeout 20 sh -c 'while openssl x509 -checkend 0 -noout -in /etc/ssl/app.pem; do sleep 0.1; done' >/dev/null")
	// It has run out. It is served on, and the run says so.
	if r := w.molo(1, "apply"); !strings.Contains(r.Stdout, "it has expired on ") {
		w.Errorf("said:\n%s", r.Stdout)
	}
	w.put(lasting(w, owner, time.Hour, "app.example.no"))
	w.molo(0, "apply")
	if w.leaf("app.example.no").Equal(before) || pid != w.pid() {
		w.Errorf("the old certificate is served, or nginx was restarted: %s, %s", pid, w.pid())
	}
	w.settled()
}

func testClients(w *tlsWorld, owner *certtest.Authority) {
	w.write("/etc/molo/clients.pem", string(lasting(w, owner, time.Hour, "x").Root))
	policy := strings.Replace(ownSite, "  tls {\n", "  tls {\n    client_ca = \"/etc/molo/clients.pem\"\n", 1)
	w.policy(policy)
	w.molo(0, "apply")
	client := func(a *certtest.Authority) *tls.Config {
		config := &tls.Config{ServerName: "app.example.no", RootCAs: w.roots, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		if a == nil {
			return config
		}
		i := a.Issue(w.T, certtest.Leaf{Names: []string{"client-1"}, From: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour), Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		pair, err := tls.X509KeyPair(i.Chain(), i.Key)
		if err != nil {
			w.Fatal(err)
		}
		// Sent whichever authorities the server names.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		return config
	}
	for name, tc := range map[string]struct {
		authority *certtest.Authority
		want      int
	}{"none": {nil, 400}, "of somebody else": {certtest.New(w.T), 400}, "of the owner": {owner, 200}} {
		config := client(tc.authority)
		for range 2 { // the second time, a session could be taken up again
			response, body := w.get(443, "app.example.no", "/headers", config)
			if response.StatusCode != tc.want {
				w.Errorf("a certificate %s: %s, want %d", name, response.Status, tc.want)
			}
			if response.TLS = nil; tc.want == 200 && (!strings.Contains(body, `"X-Ssl-Client-Verify":["SUCCESS"]`) || strings.Contains(body, "CN=root")) {
				w.Errorf("the application sees\n%s", body)
			}
		}
	}
	conn, err := w.connect("app.example.no", 443, client(owner))
	if err != nil {
		w.Fatal(err)
	}
	if conn.ConnectionState().DidResume {
		w.Error("a session is taken up again")
	}
	conn.Close()
	w.policy(strings.Replace(policy, "  tls {\n", "  tls {\n    client_certificate = \"optional\"\n", 1))
	w.molo(0, "apply")
	if response, body := w.get(443, "app.example.no", "/headers", client(nil)); response.StatusCode != 200 || !strings.Contains(body, `"X-Ssl-Client-Verify":["NONE"]`) {
		w.Errorf("optional, and none: %s\n%s", response.Status, body)
	}
	w.policy(ownSite)
	w.molo(0, "apply")
}

func testHTTP3(w *tlsWorld) {
	w.policy(strings.Replace(ownSite, "  tls {\n", "  tls {\n    http3 = true\n", 1))
	if w.host.Release() == "bookworm" {
		if r := w.molo(1, "apply"); !strings.Contains(r.Stderr, "this nginx does not speak HTTP/3") {
			w.Errorf("said:\n%s%s", r.Stdout, r.Stderr)
		}
		w.policy(ownSite)
		w.molo(0, "apply")
		return
	}
	w.molo(0, "apply")
	w.settled()
	response, _ := w.get(443, "app.example.no", "/", &tls.Config{ServerName: "app.example.no", RootCAs: w.roots})
	if got := response.Header.Values("Alt-Svc"); len(got) != 1 || got[0] != `h3=":443"; ma=86400` {
		w.Errorf("Alt-Svc: %q", got)
	}
	if status, err := w.http3("app.example.no"); err != nil || status != 200 {
		w.Errorf("HTTP/3: %d, %v", status, err)
	}
	if _, err := w.http3("evil.example.no"); err == nil {
		w.Error("HTTP/3: another name is shown a certificate")
	}
	w.policy(ownSite)
	w.molo(0, "apply")
}

// http3 asks for a site over HTTP/3 and returns 200 or 0 for any other status. What is
// sent and read is as little as RFC 9114 and RFC 9204 let through.
func (w *tlsWorld) http3(name string) (int, error) {
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	packets, err := w.stranger.ListenPacket(ctx, "udp", netip.AddrPortFrom(w.stranger.Addr4, 0).String())
	if err != nil {
		return 0, err
	}
	endpoint, err := quic.NewEndpoint(packets, nil)
	if err != nil {
		return 0, err
	}
	defer endpoint.Close(ctx)
	config := &quic.Config{TLSConfig: &tls.Config{ServerName: name, RootCAs: w.roots, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}}
	conn, err := endpoint.Dial(ctx, "udp", net.JoinHostPort(w.stranger.HostAddr4.String(), "443"), config)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	control, err := conn.NewSendOnlyStream(ctx)
	if err != nil {
		return 0, err
	}
	control.Write([]byte{0x00, 0x04, 0x00}) // a control stream with empty settings
	control.Flush()
	stream, err := conn.NewStream(ctx)
	if err != nil {
		return 0, err
	}
	// :method GET, :scheme https, :path /, :authority NAME, from the static table.
	fields := append([]byte{0x00, 0x00, 0xc0 | 17, 0xc0 | 23, 0xc0 | 1, 0x50, byte(len(name))}, name...)
	stream.Write(append([]byte{0x01, byte(len(fields))}, fields...))
	stream.CloseWrite()
	answer := make([]byte, 16)
	stream.SetReadContext(ctx)
	if _, err := stream.Read(answer); err != nil {
		return 0, err
	}
	for i := range answer[:len(answer)-1] {
		if answer[i] == 0x00 && answer[i+1] == 0xc0|25 { // after the prefix, :status 200
			return 200, nil
		}
	}
	return 0, nil
}

// An owner's own server on the port is let alone, and one that would show its
// certificate for every name is found.
func testForeignTLS(w *tlsWorld) {
	const server = "server {\n\tlisten 443 ssl%s;\n\tserver_name other.example.no;\n\tssl_certificate /etc/ssl/app.pem;\n\tssl_certificate_key /etc/ssl/private/app.key;\n\treturn 204;\n}\n"
	w.policy(ownSite)
	w.write("/etc/nginx/conf.d/other.conf", strings.Replace(server, "%s", "", 1))
	w.sh("systemctl restart nginx") // after a reload, old workers accept for a moment
	w.molo(0, "plan", "--detailed-exitcode")
	w.served("app.example.no")
	response, _ := w.get(443, "other.example.no", "/", &tls.Config{ServerName: "other.example.no", RootCAs: w.roots, InsecureSkipVerify: true})
	if response.StatusCode != 204 {
		w.Errorf("the other site: %s", response.Status)
	}
	w.write("/etc/nginx/conf.d/other.conf", strings.Replace(server, "%s", " default_server", 1))
	if r := w.molo(1, "plan"); !strings.Contains(r.Stdout+r.Stderr, "/etc/nginx/conf.d/other.conf:2 is the default server of port 443") {
		w.Errorf("said:\n%s%s", r.Stdout, r.Stderr)
	}
}
