package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/certificate/certtest"
	"molo/internal/lab"
	"molo/internal/lab/labtest"
	"molo/internal/lab/pebble"
)

// tlsWorld is a host with nginx, an application behind it, and an authority outside.
type tlsWorld struct {
	*world
	authority *pebble.Authority
	roots     *x509.CertPool
}

func newTLSWorld(t *testing.T, release, molo string) *tlsWorld {
	t.Helper()
	h := labtest.Boot(t, release)
	w := &tlsWorld{world: &world{T: t, host: h, stranger: labtest.Peer(t, h, "stranger")}}
	app, err := lab.BuildStatic(t.Context(), lab.ServerPackage)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{molo: "/usr/bin/molo", app: "/usr/bin/app"} {
		if err := h.Push(from, to); err != nil {
			t.Fatal(err)
		}
	}
	w.write("/etc/systemd/system/app.service", "[Service]\nExecStart=/usr/bin/app -http 127.0.0.1:8081\n[Install]\nWantedBy=multi-user.target\n")
	w.sh("systemctl enable --now app 2>&1; ufw allow 22,80,443,8443/tcp; ufw allow 443/udp; ufw --force enable")
	w.newAuthority()
	return w
}

// newAuthority starts an authority that sees the host from outside, as a real one does.
// It refuses one good nonce in five, and one name.
func (w *tlsWorld) newAuthority() {
	w.Helper()
	peer := labtest.Peer(w.T, w.lab(), "authority")
	resolver, err := peer.Listen(w.Context(), "tcp", peer.Addr4.String()+":53")
	if err != nil {
		w.Fatal(err)
	}
	w.authority = pebble.New(w.T, pebble.Options{
		Address: peer.Addr4.String(), Ports: [2]int{14000, 15000}, HTTPPort: 80, NonceRejects: 20,
		Names: []netip.Addr{peer.HostAddr4, peer.HostAddr6}, Refuses: []string{"refused.example.no"},
		Resolver: resolver, Dial: peer.DialContext,
		Command: func(ctx context.Context, argv ...string) *exec.Cmd { return peer.Command(ctx, argv...) },
	})
	w.write("/etc/molo/acme-root.pem", string(w.authority.CA))
	w.roots = w.authority.Roots(w.T)
}

// site writes a block site whose certificate comes from the authority.
func (w *tlsWorld) site(name, more string) string {
	return fmt.Sprintf(`site %q {
  upstream = "127.0.0.1:8081"
  tls {
    acme {
      directory    = %q
      directory_ca = "/etc/molo/acme-root.pem"
      %s
    }
  }
}
`, name, w.authority.Directory, more)
}

// step is a part of a test that goes on on the same host.
func (w *tlsWorld) step(name string, do func(w *tlsWorld)) {
	w.Run(name, func(t *testing.T) {
		inner, outer := *w, *w.world
		outer.T, inner.world = t, &outer
		do(&inner)
	})
}

// connect makes a TLS connection from the stranger, asking for a name.
func (w *tlsWorld) connect(name string, port int, config *tls.Config) (*tls.Conn, error) {
	conn, err := w.dial(w.stranger.HostAddr4, port)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	config.ServerName = name
	secure := tls.Client(conn, config)
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// settled checks that another apply has nothing to do, once the workers of before the
// last reload are gone.
func (w *tlsWorld) settled() {
	w.Helper()
	w.sh("timeout 10 sh -c 'while pgrep -f \"[n]ginx: worker process is shutting down\" >/dev/null; do sleep 0.05; done'")
	w.world.settled()
}

// leaf returns the certificate that is served for a name, checked as a browser would.
func (w *tlsWorld) leaf(name string) *x509.Certificate {
	w.Helper()
	conn, err := w.connect(name, 443, &tls.Config{RootCAs: w.roots, NextProtos: []string{"h2"}})
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// get asks from outside, over TLS where the port is not 80.
func (w *tlsWorld) get(port int, name, path string, config *tls.Config) (*http.Response, string) {
	w.Helper()
	conn, err := w.dial(w.stranger.HostAddr4, port)
	if err == nil && port != 80 {
		conn.Close()
		conn, err = w.connect(config.ServerName, port, config)
	}
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nX-SSL-Client-Verify: SUCCESS\r\nX-SSL-Client-Subject: CN=root\r\n\r\n", path, name)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.Fatalf("%s%s: %v", name, path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	return response, string(body)
}

// served checks that the application answers over TLS, and that plain HTTP leads there.
func (w *tlsWorld) served(name string) {
	w.Helper()
	w.leaf(name)
	if response, body := w.get(443, name, "/", &tls.Config{ServerName: name, RootCAs: w.roots}); response.StatusCode != 200 || !strings.HasPrefix(body, "hello from ") {
		w.Errorf("https://%s/: %s\n%s", name, response.Status, body)
	}
	response, _ := w.get(80, name, "/a/%2e%2e/b?c=d", nil)
	if got, want := response.Header.Get("Location"), "https://"+name+"/a/%2e%2e/b?c=d"; response.StatusCode != 308 || got != want {
		w.Errorf("http://%s/: %s, Location %q, want %q", name, response.Status, got, want)
	}
}

func TestSitesOverTLS(t *testing.T) {
	eachWithMolo(t, func(t *testing.T, release, molo string) {
		w := newTLSWorld(t, release, molo)
		w.policy(w.site("app.example.no", "") + w.site("www.example.no", ""))
		w.step("from nothing to TLS in one apply", testFirstCertificate)
		w.step("what a stranger sees", testTLSFromOutside)
		w.step("renewal when the authority wants it", testRenewalByWindow)
		w.step("a certificate that is deleted or damaged", testLostCertificates)
		w.step("an order that is refused", testRefusedOrder)
		w.step("an authority that does not answer", testSilentAuthority)
		w.step("a run that is killed", testKilledOrders)
		w.step("six days", testShortLived)
		w.step("nginx starts after a reboot", testReboot)
		w.step("nothing is left but certificates", testTLSUninstall)
	})
}

// The timer starts molo.service: what it has to do for a renewal, its sandbox lets it do.
func TestCertificatesAreRenewedInTheSandbox(t *testing.T) {
	everyPackaged(t, func(s *scene) {
		w := &tlsWorld{world: s.world}
		w.newAuthority()
		w.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1; ufw allow 22,80,443/tcp && ufw --force enable && dpkg -i /root/molo.deb")
		w.policy(w.site("app.example.no", ""))
		run := func() {
			w.Helper()
			w.sh("systemctl start molo.service || { journalctl -u molo.service -n 40 --no-pager -o cat; exit 1; }")
		}
		run()
		w.served("app.example.no")
		before, pid := w.leaf("app.example.no"), w.pid()
		w.authority.SetRenewal(w.T, certtest.PEM(before), time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
		w.sh("rm /var/lib/molo/acme/certificates/app.example.no/renewal.json")
		run()
		w.served("app.example.no")
		if w.leaf("app.example.no").Equal(before) || w.pid() != pid {
			w.Errorf("the old certificate is served, or nginx was restarted: %s, %s", pid, w.pid())
		}
		w.settled()
	})
}

func testFirstCertificate(w *tlsWorld) {
	w.molo(2, "plan", "--detailed-exitcode")
	if w.authority.Requests() > 2 { // those of this test
		w.Error("a plan asks the authority")
	}
	w.molo(0, "apply")
	w.served("app.example.no")
	w.served("www.example.no")
	before := w.authority.Requests()
	w.settled()
	if after := w.authority.Requests(); after != before {
		w.Errorf("with nothing to do, the authority was asked %d times", after-before)
	}
	if modes := w.sh("find /var/lib/molo/acme -not -type l -not -perm 0700 -not -perm 0600 -o -type d -not -perm 0700 -o -not -user root"); modes != "" {
		w.Errorf("others may read\n%s", modes)
	}
	var status struct {
		Certificates []struct {
			Site, State, Issuer string
			NotAfter            time.Time `json:"not_after"`
			Renew               time.Time
		}
	}
	if err := json.Unmarshal([]byte(w.molo(0, "status", "--json").Stdout), &status); err != nil {
		w.Fatal(err)
	}
	if c := status.Certificates; len(c) != 2 || c[0].Site != "app.example.no" || c[0].State != "good" || !strings.Contains(c[0].Issuer, "Pebble") ||
		!c[0].NotAfter.Equal(w.leaf("app.example.no").NotAfter) || c[0].Renew.After(c[0].NotAfter) {
		w.Errorf("status says %+v", c)
	}
	if text := w.molo(0, "status").Stdout; !strings.Contains(text, "app.example.no: until ") {
		w.Errorf("status says\n%s", text)
	}
}

func testTLSFromOutside(w *tlsWorld) {
	trusted := func() *tls.Config { return &tls.Config{RootCAs: w.roots} }
	for _, name := range []string{"evil.example.no", ""} {
		config := trusted()
		config.InsecureSkipVerify = true
		if conn, err := w.connect(name, 443, config); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			w.Errorf("asked for %q: %v, %v", name, conn, err)
		}
	}
	old := trusted()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := w.connect("app.example.no", 443, old); err == nil {
		w.Error("TLS 1.1 is spoken")
	}
	weak := trusted()
	weak.MaxVersion, weak.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
	if _, err := w.connect("app.example.no", 443, weak); err == nil {
		w.Error("CBC is spoken")
	}
	conn, err := w.connect("app.example.no", 443, &tls.Config{RootCAs: w.roots, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		w.Fatal(err)
	}
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != "h2" || state.Version != tls.VersionTLS13 {
		w.Errorf("spoken: %s, %s", state.NegotiatedProtocol, tls.VersionName(state.Version))
	}
	hybrid := w.sh("openssl list -kem-algorithms | grep -c X25519MLKEM768 || true") != "0\n"
	if got := state.CurveID == tls.X25519MLKEM768; got != hybrid {
		w.Errorf("keys are exchanged with %s; the library knows the hybrid: %t", state.CurveID, hybrid)
	}
	conn.Close()
	for host, want := range map[string]int{"app.example.no": 200, "evil.example.no": 421, "203.0.113.1": 421} {
		if response, _ := w.get(443, host, "/", &tls.Config{ServerName: "app.example.no", RootCAs: w.roots}); response.StatusCode != want {
			w.Errorf("app.example.no in the handshake, %s in the request: %s, want %d", host, response.Status, want)
		}
	}
	w.sh("mkdir -p /run/molo-challenge/.well-known/acme-challenge; echo secret > /run/molo-challenge/secret; echo token > /run/molo-challenge/.well-known/acme-challenge/token; " +
		"ln -s /etc/passwd /run/molo-challenge/.well-known/acme-challenge/link")
	for path, want := range map[string]int{"token": 200, "none": 404, "": 403, "link": 403, "../../secret": 308, "..%2f..%2fsecret": 308, "../../../../etc/passwd": 400} {
		response, body := w.get(80, "app.example.no", "/.well-known/acme-challenge/"+path, nil)
		if response.StatusCode != want || want == 200 && body != "token\n" || strings.Contains(body, "secret") || strings.Contains(body, "root:") {
			w.Errorf("challenge %q: %s, want %d\n%s", path, response.Status, want, body)
		}
		if want == 200 && response.Header.Get("Content-Type") != "text/plain" {
			w.Errorf("challenge: %s", response.Header.Get("Content-Type"))
		}
	}
	w.sh("rm -rf /run/molo-challenge")
	if response, body := w.get(443, "app.example.no", "/headers", &tls.Config{ServerName: "app.example.no", RootCAs: w.roots}); strings.Contains(body, "SUCCESS") || strings.Contains(body, "CN=root") || !strings.Contains(body, `"X-Forwarded-Proto":["https"]`) {
		w.Errorf("the application sees (%s)\n%s", response.Status, body)
	}
}

// pid is nginx's main process, which a reload does not change.
func (w *tlsWorld) pid() string { w.Helper(); return w.sh("systemctl show -p MainPID --value nginx") }

func testRenewalByWindow(w *tlsWorld) {
	before, pid := w.leaf("app.example.no"), w.pid()
	www := w.leaf("www.example.no")
	w.authority.SetRenewal(w.T, certtest.PEM(before), time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	w.settled() // not asked yet
	w.sh("rm /var/lib/molo/acme/certificates/app.example.no/renewal.json")
	out := w.molo(0, "apply").Stdout
	if !strings.Contains(out, "~ certificate for app.example.no, from ") || !strings.Contains(out, "the authority wants it renewed") {
		w.Errorf("said:\n%s", out)
	}
	if after := w.leaf("app.example.no"); after.Equal(before) {
		w.Error("the old certificate is served")
	}
	if !w.leaf("www.example.no").Equal(www) {
		w.Error("another certificate was renewed")
	}
	if diff := cmp.Diff(pid, w.pid()); diff != "" {
		w.Errorf("nginx was restarted (-before +after)\n%s", diff)
	}
	w.settled()
}

func testLostCertificates(w *tlsWorld) {
	const dir = "/var/lib/molo/acme/certificates/app.example.no/"
	for name, line := range map[string]string{
		"deleted":              "rm -r " + dir,
		"a chain cut off":      "truncate -s 700 " + dir + "current/fullchain.pem",
		"another key":          "openssl ecparam -name prime256v1 -genkey -noout -out " + dir + "current/key.pem",
		"a link that is wrong": "ln -sfn nowhere " + dir + "current",
		"all of molo's state":  "rm -r /var/lib/molo",
	} {
		before := w.leaf("app.example.no")
		w.sh(line)
		w.molo(0, "apply")
		w.served("app.example.no")
		if w.leaf("app.example.no").Equal(before) {
			w.Errorf("%s: the old certificate is served", name)
		}
		w.settled()
	}
}

func testRefusedOrder(w *tlsWorld) {
	w.policy(w.site("app.example.no", "") + w.site("refused.example.no", "") + w.site("www.example.no", "") + w.site("zzz.example.no", ""))
	r := w.molo(1, "apply")
	if !strings.Contains(r.Stdout, "x refused.example.no: the authority says: ") || !strings.Contains(r.Stdout, "rejectedIdentifier") {
		w.Errorf("said:\n%s", r.Stdout)
	}
	w.served("app.example.no")
	w.served("zzz.example.no")
	if response, _ := w.get(80, "refused.example.no", "/", nil); response.StatusCode != 503 {
		w.Errorf("without a certificate, plain HTTP answers %s", response.Status)
	}
	before := w.authority.Requests()
	if r := w.molo(1, "apply"); !strings.Contains(r.Stdout, "not tried again before") {
		w.Errorf("said:\n%s", r.Stdout)
	}
	if text := w.molo(0, "status").Stdout; !strings.Contains(text, "refused.example.no: no certificate; there is none yet; the last order failed: the authority says: ") {
		w.Errorf("status says\n%s", text)
	}
	if after := w.authority.Requests(); after != before {
		w.Errorf("while it has to wait, the authority was asked %d times", after-before)
	}
	w.molo(1, "apply", "--retry")
	if after := w.authority.Requests(); after == before {
		w.Error("with --retry, the authority was not asked")
	}
	w.policy(w.site("app.example.no", "") + w.site("www.example.no", ""))
	w.molo(0, "apply")
	w.settled()
}

func testSilentAuthority(w *tlsWorld) {
	plain := "site \"plain.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n"
	w.policy(w.site("app.example.no", "") + plain + w.site("www.example.no", ""))
	w.molo(0, "apply")
	w.authority.Stop()
	w.sh("rm -r /var/lib/molo/acme/certificates/www.example.no")
	w.policy(w.site("app.example.no", "") + w.site("plain.example.no", "") + w.site("new.example.no", "") + w.site("www.example.no", ""))
	r := w.molo(1, "apply")
	if !strings.Contains(r.Stdout, "connection refused") {
		w.Errorf("said:\n%s", r.Stdout)
	}
	w.served("app.example.no")
	for name, want := range map[string]int{"plain.example.no": 200, "new.example.no": 503, "www.example.no": 503} {
		if response, _ := w.get(80, name, "/", nil); response.StatusCode != want {
			w.Errorf("%s in plain HTTP: %s, want %d", name, response.Status, want)
		}
	}
	w.molo(1, "apply")

	// The authority comes back, and has forgotten everybody.
	w.authority.Start(w.T)
	w.roots = w.authority.Roots(w.T)
	w.molo(0, "apply", "--retry")
	for _, name := range []string{"plain.example.no", "new.example.no", "www.example.no"} {
		w.served(name)
	}
	w.settled()
}

func testKilledOrders(w *tlsWorld) {
	w.roots = w.authority.Roots(w.T)
	const pairs = "/var/lib/molo/acme/certificates"
	for _, moment := range []struct{ name, seen string }{
		{"the account's key is there", "test -n \"$(ls /var/lib/molo/acme/accounts 2>/dev/null)\""},
		{"the challenge is answered", "ls /run/molo-challenge/.well-known/acme-challenge/* 2>/dev/null | grep -q ."},
		{"a key is there", "ls " + pairs + "/*/*/key.pem 2>/dev/null | grep -q ."},
		{"one certificate is in place", "test -e " + pairs + "/app.example.no/current"},
		{"both are", "test -e " + pairs + "/www.example.no/current"},
	} {
		w.policy("")
		w.molo(0, "apply")
		w.sh("rm -rf /var/lib/molo /run/molo /run/molo-challenge")
		w.policy(w.site("app.example.no", "") + w.site("www.example.no", ""))
		w.kill(moment.name, moment.seen)
		w.molo(0, "apply")
		w.served("app.example.no")
		w.served("www.example.no")
		w.settled()
	}
}

func testShortLived(w *tlsWorld) {
	w.roots = w.authority.Roots(w.T)
	w.policy(w.site("app.example.no", `profile = "shortlived"`) + w.site("www.example.no", ""))
	out := w.molo(0, "apply").Stdout
	if !strings.Contains(out, "it is of another profile") {
		w.Errorf("said:\n%s", out)
	}
	if leaf := w.leaf("app.example.no"); leaf.NotAfter.Sub(leaf.NotBefore) > 7*24*time.Hour {
		w.Errorf("it lasts until %s", leaf.NotAfter)
	}
	w.settled()
}

func testReboot(w *tlsWorld) {
	w.roots = w.authority.Roots(w.T)
	if err := w.host.Reboot(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.sh("timeout 20 sh -c 'until systemctl is-active --quiet nginx app; do sleep 0.1; done'")
	w.served("app.example.no")
	w.settled()
}

func testTLSUninstall(w *tlsWorld) {
	w.molo(0, "uninstall", "--yes")
	// Old workers take connections for a moment after a reload.
	w.sh("timeout 5 sh -c 'while curl -sk -o /dev/null https://127.0.0.1/; [ $? != 7 ]; do sleep 0.05; done'")
	w.sh("test -e /var/lib/molo/acme/certificates/app.example.no/current/key.pem")
}
