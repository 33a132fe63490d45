package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"molo/certificate/certtest"
)

// answersSite has a path for each way in which nginx answers.
const answersSite = `site "app.example.no" {
  upstream = "127.0.0.1:8081"
  max_body = "1k"
  tls {
    certificate = "/etc/ssl/app.pem"
    key         = "/etc/ssl/private/app.key"
  }
  path "/down/" {
    upstream = "127.0.0.1:9"
  }
  path "/limited/" {
    limit {
      rate  = "1/m"
      burst = 0
    }
  }
}
`

// over returns a client that asks for a site over TLS, in HTTP/2 or HTTP/1.1.
func (w *tlsWorld) over(proto int, address netip.Addr, name string) *http.Client {
	transport := &http.Transport{
		ForceAttemptHTTP2: proto == 2, DisableKeepAlives: proto == 1,
		TLSClientConfig: &tls.Config{ServerName: name, RootCAs: w.roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return w.stranger.DialContext(ctx, "tcp", netip.AddrPortFrom(address, 443).String())
		},
	}
	w.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask makes a request for a name, with headers of a client's that lies.
func (w *tlsWorld) ask(client *http.Client, method, host, path string, body []byte) (*http.Response, string) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, "https://app.example.no"+path, bytes.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	request.Host = host
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-IP", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Original-URL", "Proxy", "X-SSL-Client-Verify"} {
		request.Header.Set(name, "spoofed")
	}
	response, err := client.Do(request)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	return response, string(text)
}

// 1 to 8, 15, 18, over TLS: whoever answers, in whichever protocol, over whichever family,
// the headers are there once each.
func testAnswersOverTLS(w *tlsWorld, owner *certtest.Authority) {
	w.put(lasting(w, owner, 7*24*time.Hour, "app.example.no"))
	w.policy(answersSite)
	w.molo(0, "apply")
	for proto, address := range map[int]netip.Addr{1: w.stranger.HostAddr4, 2: w.stranger.HostAddr6} {
		client := w.over(proto, address, "app.example.no")
		for _, tc := range []struct {
			method, path string
			body, status int
		}{
			{"GET", "/", 0, 200}, {"GET", "/status/404", 0, 404}, {"GET", "/status/500", 0, 500}, {"GET", "/.git/config", 0, 404},
			{"GET", "/down/", 0, 502}, {"POST", "/", 2000, 413}, {"GET", "/limited/", 0, 404}, {"GET", "/limited/", 0, 429},
		} {
			if proto == 1 && tc.path == "/limited/" {
				continue // one client is allowed one request, and here are two
			}
			response, _ := w.ask(client, tc.method, "app.example.no", tc.path, make([]byte, tc.body))
			if response.StatusCode != tc.status || response.ProtoMajor != proto {
				w.Errorf("%s %s over HTTP/%d: %s in %s, want %d", tc.method, tc.path, proto, response.Status, response.Proto, tc.status)
			}
			w.hasHeaders(fmt.Sprintf("%s %s over HTTP/%d", tc.method, tc.path, proto), response.Header)
		}
		if _, body := w.ask(client, "GET", "app.example.no", "/headers", nil); strings.Contains(body, "spoofed") || !strings.Contains(body, `"X-Forwarded-Proto":["https"]`) || !strings.Contains(body, `"X-Forwarded-Port":["443"]`) {
			w.Errorf("over HTTP/%d the application sees\n%s", proto, body)
		}
		for _, host := range []string{"evil.example.no", "generation.molo.invalid", address.String()} {
			if netip.MustParseAddr(address.String()).Is6() && host == address.String() {
				host = "[" + host + "]"
			}
			if response, _ := w.ask(client, "GET", host, "/", nil); response.StatusCode != 421 || response.ProtoMajor != proto {
				w.Errorf("app.example.no in the handshake and %s in the request: %s in %s, want 421", host, response.Status, response.Proto)
			}
		}
	}
}

// hasHeaders checks that an answer has the headers of a site over TLS, each once.
func (w *tlsWorld) hasHeaders(what string, got http.Header) {
	w.Helper()
	for name, want := range map[string]string{
		"Strict-Transport-Security": "max-age=63072000", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Permissions-Policy": "", "Cross-Origin-Opener-Policy": "",
		"Cross-Origin-Resource-Policy": "", "Content-Security-Policy-Report-Only": "",
	} {
		if values := got.Values(name); len(values) != 1 || want != "" && values[0] != want {
			w.Errorf("%s: %s is %q, want it once, %q", what, name, values, want)
		}
	}
	if got.Get("Server") != "nginx" || got.Get("X-Powered-By") != "" {
		w.Errorf("%s: Server %q, X-Powered-By %q", what, got.Get("Server"), got.Get("X-Powered-By"))
	}
}

// 42: of RSA keys too, no key exchange and no cipher of former days is spoken, and no
// ticket is handed out.
func testFormerTLS(w *tlsWorld, owner *certtest.Authority) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		w.Fatal(err)
	}
	w.put(owner.Issue(w.T, certtest.Leaf{Names: []string{"app.example.no"}, From: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour), Key: key}))
	w.policy(ownSite)
	w.molo(0, "apply")
	for name, tc := range map[string]struct {
		suite  uint16
		spoken bool
	}{
		"ECDHE-RSA-AES128-GCM-SHA256": {tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true},
		"AES128-SHA":                  {tls.TLS_RSA_WITH_AES_128_CBC_SHA, false},
		"AES128-GCM-SHA256":           {tls.TLS_RSA_WITH_AES_128_GCM_SHA256, false},
		"ECDHE-RSA-AES128-SHA":        {tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, false},
		"DES-CBC3-SHA":                {tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, false},
	} {
		conn, err := w.connect("app.example.no", 443, &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tc.suite}})
		if (err == nil) != tc.spoken {
			w.Errorf("%s is spoken: %t, %v", name, err == nil, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	const session = "echo | openssl s_client -connect 127.0.0.1:443 -servername app.example.no -tls1_2 2>/dev/null"
	w.holds("a session", w.sh(session), "Session-ID: ", "ECDHE-RSA-")
	if got := w.sh(session); strings.Contains(got, "session ticket") {
		w.Errorf("a ticket is handed out:\n%s", got)
	}
}

// anySession offers the last session, whichever name it was begun for.
type anySession struct{ last *tls.ClientSessionState }

func (s *anySession) Get(string) (*tls.ClientSessionState, bool) { return s.last, s.last != nil }

func (s *anySession) Put(_ string, session *tls.ClientSessionState) {
	if session != nil {
		s.last = session
	}
}

// A site that asks for certificates, beside one that doesn't: neither a connection nor a
// session that was begun for the open one leads into it (CVE-2025-23419).
func testClosedBesideOpen(w *tlsWorld, owner *certtest.Authority) {
	w.write("/etc/molo/clients.pem", string(lasting(w, owner, time.Hour, "x").Root))
	w.put(lasting(w, owner, time.Hour, "app.example.no", "closed.example.no"))
	closed := strings.Replace(strings.Replace(ownSite, "  tls {\n", "  tls {\n    client_ca = \"/etc/molo/clients.pem\"\n", 1), "app.example.no", "closed.example.no", 1)
	w.policy(ownSite + closed)
	w.molo(0, "apply")
	for proto := 1; proto <= 2; proto++ {
		open := w.over(proto, w.stranger.HostAddr4, "app.example.no")
		for host, want := range map[string]int{"app.example.no": 200, "closed.example.no": 421} {
			if response, body := w.ask(open, "GET", host, "/secret", nil); response.StatusCode != want || strings.Contains(body, "secret\n") != (want == 200) {
				w.Errorf("app.example.no in the handshake, %s in the request, HTTP/%d: %s, want %d\n%s", host, proto, response.Status, want, body)
			}
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		sessions := &anySession{}
		config := func(name string) *tls.Config {
			return &tls.Config{ServerName: name, RootCAs: w.roots, MinVersion: version, MaxVersion: version, ClientSessionCache: sessions}
		}
		w.get(443, "app.example.no", "/", config("app.example.no"))
		conn, err := w.connect("closed.example.no", 443, config("closed.example.no"))
		if err != nil {
			w.Fatal(err)
		}
		if conn.ConnectionState().DidResume {
			w.Errorf("%s: a session of the open site is taken up again at the closed one", tls.VersionName(version))
		}
		conn.Close()
		if response, body := w.get(443, "closed.example.no", "/secret", config("closed.example.no")); response.StatusCode != 400 || strings.Contains(body, "secret\n") {
			w.Errorf("%s: without a certificate: %s\n%s", tls.VersionName(version), response.Status, body)
		}
	}
	w.policy(ownSite)
	w.molo(0, "apply")
}

// A certificate that somebody deletes is served on from nginx's memory; what to do is said,
// and nothing else is done.
func testDeletedFile(w *tlsWorld, owner *certtest.Authority) {
	w.put(lasting(w, owner, time.Hour, "app.example.no"))
	w.policy(ownSite)
	w.molo(0, "apply")
	generation, served := w.sh("readlink /etc/nginx/molo/current"), w.leaf("app.example.no")
	for _, file := range []string{"/etc/ssl/app.pem", "/etc/ssl/private/app.key"} {
		w.sh("mv " + file + " /root/kept")
		w.holds("the report", w.molo(1, "apply").Stdout, file+": there is no such file", "hint: nothing of nginx was changed: it goes on with what it has loaded")
		w.served("app.example.no")
		if now := w.sh("readlink /etc/nginx/molo/current"); now != generation || !w.leaf("app.example.no").Equal(served) {
			w.Errorf("without %s, generation %s or another certificate is served", file, now)
		}
		w.sh("mv /root/kept " + file)
		w.settled()
	}
}
