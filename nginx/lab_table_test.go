package nginx_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/nginx"
)

// exchange is a request, and what has to come of it.
type exchange struct {
	name    string
	request string
	status  int    // 0: the connection is closed without a byte
	site    string // whose header set; "" for that of the server without a site
	reached bool   // the application saw the request
}

func (w *web) testApplicationAnswers(t *testing.T) {
	w.exchangeAll(t, []exchange{
		{"01 the application answers", get("/"), 200, "app.example.no", true},
		{"HEAD has the same header", strings.Replace(get("/"), "GET", "HEAD", 1), 200, "app.example.no", true},
		{"02 the application says 404", get("/status/404"), 404, "app.example.no", true},
		{"03 the application says 500", get("/status/500"), 500, "app.example.no", true},
		{"the application says 304", get("/status/304"), 304, "app.example.no", true},
		{"the application redirects", get("/location"), 302, "app.example.no", true},
		{"what is well known", get("/.well-known/security.txt"), 200, "app.example.no", true},
		{"a dot inside a name", get("/a.b/c."), 200, "app.example.no", true},
		{"38 X-Accel-Redirect of the application", get("/xaccel"), 200, "app.example.no", true},
		{"an upgrade", get("/", "Upgrade: websocket"), 200, "app.example.no", true},
	})
}

func (w *web) testNginxAnswers(t *testing.T) {
	big := strings.Repeat("a", 9000)
	w.exchangeAll(t, []exchange{
		{"04 the application is down", strings.Replace(get("/"), "app.", "down.", 1), 502, "down.example.no", false},
		{"06 a body over the bound", "POST / HTTP/1.1\r\nHost: app.example.no\r\nContent-Length: 1048577\r\n\r\n", 413, "app.example.no", false},
		{"06 a chunk over the bound", "POST / HTTP/1.1\r\nHost: app.example.no\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\naaaa", 413, "app.example.no", false},
		{"08 a hidden file", get("/.git/config"), 404, "app.example.no", false},
		{"a hidden file below", get("/a/.env"), 404, "app.example.no", false},
		{"a hidden file, encoded", get("/%2egit/config"), 404, "app.example.no", false},
		{"a hidden file behind two slashes", get("//.git/config"), 404, "app.example.no", false},
		{"a hidden file below what is well known", get("/.well-known/.env"), 404, "app.example.no", false},
		{"a path above the root", get("/../../etc/passwd"), 400, "", false},
		{"a path above the root, encoded", get("/%2e%2e/%2e%2e/etc/passwd"), 400, "", false},
		{"21 a path with NUL", get("/a%00b"), 400, "", false},
		{"33 a request line over the bound", get("/" + big), 414, "", false},
		{"32 a header field over the bound", get("/", "X-A: "+big), 400, "app.example.no", false},
		{"32 a header over the bound", get("/", "X-A: "+big[:8000], "X-B: "+big[:8000], "X-C: "+big[:8000], "X-D: "+big[:8000], "X-E: "+big[:8000]), 400, "app.example.no", false},
		{"31 more headers than anybody sends", get("/", slices.Repeat([]string{"X-A: b"}, 200)...), 400, "app.example.no", false},
		{"35 TRACE", "TRACE / HTTP/1.1\r\nHost: app.example.no\r\n\r\n", 405, "app.example.no", false},
		{"29 no Host", "GET / HTTP/1.1\r\n\r\n", 400, "", false},
		{"28 two Hosts", get("/", "Host: app.example.no"), 400, "app.example.no", false},
	})
}

func (w *web) testNames(t *testing.T) {
	w.exchangeAll(t, []exchange{
		{"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0, "", false},
		{"HTTP/0.9", "GET /\r\n", 0, "", false},
		{"11 a name that is not served", strings.Replace(get("/"), "app.", "other.", 1), 0, "", false},
		{"12 the address instead of a name", strings.Replace(get("/"), "app.example.no", w.client.HostAddr4.String(), 1), 0, "", false},
		{"the name of another port's site", strings.Replace(get("/"), "app.", "alt.", 1), 0, "", false},
		{"the generation, asked from elsewhere", strings.Replace(get("/"), "app.example.no", nginx.GenerationHost, 1), 0, "", false},
		{"30 an absolute target wins over Host", strings.Replace(get("http://app.example.no/"), "Host: app", "Host: evil", 1), 200, "app.example.no", true},
		{"an absolute target that is not served", get("http://evil.example.no/"), 0, "", false},
		{"the name in other case, with a dot", strings.Replace(get("/"), "app.example.no", "APP.example.NO.", 1), 200, "app.example.no", true},
	})
}

// exchangeAll makes the requests. Every answer has the complete header set of its
// site, once each, whoever made it.
func (w *web) exchangeAll(t *testing.T, exchanges []exchange) {
	expected := map[string]map[string]string{"": catchAll}
	for _, e := range nginx.Expectations(w.sites, facts.TLS{}) {
		expected[e.Site] = e.Headers
	}
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) {
			w.app.take()
			got := w.ask(t, x.request)
			if seen := len(w.app.take()); (seen == 1) != x.reached || seen > 1 {
				t.Errorf("the application saw %d requests, want one: %t", seen, x.reached)
			}
			switch {
			case x.status == 0 && !got.closed():
				t.Errorf("answer %s, want the connection closed", got)
			case x.status != got.status:
				t.Errorf("answer %s, want status %d", got, x.status)
			case x.status != 0:
				complete(t, got, expected[x.site])
			}
		})
	}
}

// spoofed are the headers by which a client may pretend to be somebody, somewhere
// or something else, besides those in the table of proxy.conf.
var spoofed = []string{
	"Forwarded: for=6.6.6.6;host=evil.example.no", "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Forwarded-Proto: https",
	"X-Forwarded-Host: evil.example.no", "X-Forwarded-Port: 443", "X-Forwarded-Server: evil", "Proxy: http://evil.example.no",
	"X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X_Forwarded_For: 6.6.6.6", "X_Real_IP: 6.6.6.6", "REMOTE_USER: root",
	"Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Connection: Upgrade, HTTP2-Settings, X-Real-IP", "TE: trailers", "Keep-Alive: 9", "Expect: 100-continue",
}

// The path is passed on byte for byte: what nginx and the application disagree on
// is where attacks live.
func (w *web) testPaths(t *testing.T) {
	for _, target := range []string{
		"/a%2Fb", "/a/%2e%2e/b", "/a/./b/../c", "/a//b", "/a%20b%25?x=%0d%0a&y=/..",
		"/x%0d%0aSet-Cookie:%20hacked=1", "/b%C3%A5t/?", "/a;b=c",
	} {
		w.app.take()
		got := w.ask(t, get(target))
		if seen := w.app.take(); len(seen) != 1 || seen[0].RequestURI != target {
			t.Errorf("%s: %s reached the application as %v", target, got, seen)
		}
		if got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s sets a cookie", target)
		}
	}
}

// The application gets only headers that are the client's own to choose.
func (w *web) testRequests(t *testing.T) {
	all := append([]string{"Accept: text/plain", "Authorization: Basic eA=="}, spoofed...)
	table := regexp.MustCompile(`(?m)^proxy_set_header (\S+) "";$`).FindAllStringSubmatch(string(w.tree.Files["proxy.conf"]), -1)
	if len(table) < 30 {
		t.Fatalf("the table of proxy.conf has %d headers", len(table))
	}
	for _, m := range table {
		all = append(all, m[1]+": spoofed", strings.ReplaceAll(m[1], "-", "_")+": spoofed")
	}
	for _, tc := range []struct {
		name, host string
		addr, from netip.Addr
		port       string
	}{
		{"over IPv4", "app.example.no", w.client.HostAddr4, w.client.Addr4, "80"},
		{"over IPv6", "app.example.no", w.client.HostAddr6, w.client.Addr6, "80"},
		{"on another port", "alt.example.no:8081", w.client.HostAddr6, w.client.Addr6, "8081"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.app.take()
			for part := range slices.Chunk(all, 30) { // a request of them all would be too long
				request := strings.Replace(get("/", part...), "app.example.no", tc.host, 1)
				if got := send(t.Context(), w.client.DialContext, net.JoinHostPort(tc.addr.String(), tc.port), request); got.status != 200 {
					t.Fatalf("answer %s", got)
				}
			}
			believed(t, w.app.take(), tc.host, tc.from.String(), tc.port)
		})
	}
}

// believed fails if the application saw anything but the client's first two
// headers and what nginx itself knows.
func believed(t *testing.T, seen []*http.Request, host, from, port string) {
	t.Helper()
	for i, r := range seen {
		want := http.Header{
			"Connection": {"close"}, "X-Real-Ip": {from}, "X-Forwarded-For": {from},
			"X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {host}, "X-Forwarded-Port": {port},
		}
		if i == 0 {
			want["Accept"], want["Authorization"] = []string{"text/plain"}, []string{"Basic eA=="}
		}
		if diff := cmp.Diff(want, r.Header); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if r.Host != host || r.Proto != "HTTP/1.1" {
			t.Errorf("Host %q, %s, want %q, HTTP/1.1", r.Host, r.Proto, host)
		}
	}
	if len(seen) < 3 {
		t.Errorf("the application saw %d requests", len(seen))
	}
}

// A request that two programs could cut in two different ways is refused, and
// what is hidden in its body never reaches the application.
func (w *web) testSmuggling(t *testing.T) {
	const hidden = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app.example.no\r\n\r\n"
	length := fmt.Sprintf("Content-Length: %d", len(hidden))
	post := func(headers ...string) string {
		return "POST / HTTP/1.1\r\nHost: app.example.no\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n" + hidden
	}
	for _, tc := range []struct {
		name    string
		request string
		status  int
	}{
		{"23 length and chunks", post(length, "Transfer-Encoding: chunked"), 400},
		{"23 chunks and length", post("Transfer-Encoding: chunked", length), 400},
		{"24 two lengths", post("Content-Length: 5", length), 400},
		{"a length in two", post("Content-Length: 5, 5"), 400},
		{"a length with a sign", post("Content-Length: +5"), 400},
		{"25 a name with a space", post("Transfer-Encoding : chunked", "Content-Length: 5"), 400},
		{"26 an unknown coding", post("Transfer-Encoding: xchunked"), 501},
		{"27 two codings", post("Transfer-Encoding: identity", "Transfer-Encoding: chunked"), 400},
		{"27 a coding in two", post("Transfer-Encoding: chunked, identity"), 501},
		{"chunks in HTTP/1.0", strings.Replace(post("Transfer-Encoding: chunked"), "HTTP/1.1", "HTTP/1.0", 1), 400},
		{"a control character in a name", get("/", "X-\x01A: b"), 400},
		{"NUL in a value", get("/", "X-A: b\x00c"), 400},
		{"a line without a colon", get("/", "GET /smuggled HTTP/1.1"), 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.app.take()
			if got := w.ask(t, tc.request); got.status != tc.status {
				t.Errorf("answer %s, want status %d", got, tc.status)
			}
			for _, r := range w.app.take() {
				t.Errorf("the application saw %s %s", r.Method, r.RequestURI)
			}
		})
	}
}

// nginx takes lines that end with LF alone, and control characters in values (RFC 9112, 2.2
// lets it). Neither makes two requests of one, or a header that is believed.
func (w *web) testLooseLines(t *testing.T) {
	w.app.take()
	got := w.ask(t, "GET /bare HTTP/1.1\nHost: app.example.no\nX-A: b\nX-Real-IP: 6.6.6.6\nConnection: close\n\n")
	seen := w.app.take()
	if got.status != 200 || len(seen) != 1 || seen[0].RequestURI != "/bare" || seen[0].Header.Get("X-A") != "b" || seen[0].Header.Get("X-Real-IP") != w.client.Addr4.String() {
		t.Errorf("lines with LF alone: %s, the application saw %v", got, seen)
	}
	for _, value := range []string{"b\x01c", "b\x7fc", "b\rX-Real-IP: 6.6.6.6"} {
		got := w.ask(t, get("/", "X-A: "+value))
		for _, r := range w.app.take() {
			t.Errorf("%q reached the application as %v (%s)", value, r.Header, got)
		}
		if got.status != 400 { // of the application where not of nginx
			t.Errorf("%q: %s, want 400", value, got)
		}
	}
}

// nginx is no forward proxy. Which form of CONNECT is a 400 and which a 405 is not
// the same in 1.26 and 1.30.
func (w *web) testConnect(t *testing.T) {
	for _, target := range []string{"app.example.no:80", "127.0.0.1:22", "/"} {
		w.app.take()
		got := w.ask(t, "CONNECT "+target+" HTTP/1.1\r\nHost: app.example.no\r\n\r\n")
		if got.status != 400 && got.status != 405 {
			t.Errorf("CONNECT %s: answer %s, want status 400 or 405", target, got)
		}
		if seen := w.app.take(); len(seen) > 0 {
			t.Errorf("CONNECT %s reached the application", target)
		}
	}
}

func (w *web) testSlowHeader(t *testing.T) {
	conn, err := w.client.DialContext(t.Context(), "tcp", net.JoinHostPort(w.client.HostAddr4.String(), "80"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start := time.Now()
	conn.SetDeadline(start.Add(30 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example.no\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if after := time.Since(start); after < 9*time.Second || after > 20*time.Second || len(got) > 0 {
		t.Errorf("the connection ended after %s with %q, %v; want nothing after 10 s", after, got, err)
	}
}
