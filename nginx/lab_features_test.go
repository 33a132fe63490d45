package nginx_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/nginx"
)

// to sends a request to a site on one of the host's ports, over IPv4.
func (w *web) to(t *testing.T, port int, host, line string, headers ...string) answer {
	t.Helper()
	return send(t.Context(), w.client.DialContext, w.port(port), compose(host, line, headers...))
}

// port returns the host's address on the client's cable, with a port.
func (w *web) port(port int) string {
	return netip.AddrPortFrom(w.client.HostAddr4, uint16(port)).String()
}

// compose writes a request without a body.
func compose(host, line string, headers ...string) string {
	return line + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(append(headers, "Connection: close"), "\r\n") + "\r\n\r\n"
}

func (w *web) testRedirects(t *testing.T) {
	expected := map[string]map[string]string{}
	for _, e := range nginx.Expectations(w.sites, facts.TLS{}) {
		expected[e.Site] = e.Headers
	}
	for _, tc := range []struct {
		host, line string
		status     int
		location   string
	}{
		{"www.example.no", "GET /a%2Fb/../c?d=%0d%0a", 308, "http://app.example.no/a%2Fb/../c?d=%0d%0a"},
		{"www.example.no", "POST /form", 308, "http://app.example.no/form"},
		{"old.example.no", "GET /", 308, "http://app.example.no/"},
		{"elsewhere.example.no", "GET /x?y=z", 308, "https://app.example.no/x?y=z"},
		{"elsewhere.example.no", "GET //evil.example.no/", 308, "https://app.example.no//evil.example.no/"},
		{"app.example.no", "GET /old/thing?q", 308, "https://new.example.no/old/thing?q"},
		{"app.example.no", "GET /old", 308, "https://new.example.no/old"},
		{"app.example.no", "GET /page?x", 307, "/other?a=b"},
	} {
		w.app.take()
		got := w.to(t, 80, tc.host, tc.line)
		if got.status != tc.status || !slices.Equal(got.header.Values("Location"), []string{tc.location}) {
			t.Errorf("%s %s: %s, want status %d and Location %s", tc.host, tc.line, got, tc.status, tc.location)
		}
		complete(t, got, expected[tc.host])
		if seen := w.app.take(); len(seen) > 0 {
			t.Errorf("%s %s reached the application", tc.host, tc.line)
		}
	}
	if got := w.to(t, 80, "app.example.no", "GET /older"); got.status != 200 {
		t.Errorf("a path that only begins like one that is moved: %s", got)
	}
}

// A trusted proxy's word counts: the last address that is no proxy's. Others' does not.
func (w *web) testTrustedProxies(t *testing.T) {
	for _, tc := range []struct {
		name                  string
		headers               []string
		from, proto, wantPort string
	}{
		{"no word", nil, w.client.Addr4.String(), "http", "8082"},
		{"one client", []string{"X-Forwarded-For: 192.0.2.55", "X-Forwarded-Proto: https"}, "192.0.2.55", "https", "443"},
		{"a chain of proxies", []string{"X-Forwarded-For: 6.6.6.6, 192.0.2.55, 198.51.100.9"}, "192.0.2.55", "http", "8082"},
		{"two headers", []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 2001:db8:7::1, 198.51.100.9"}, "2001:db8:7::1", "http", "8082"},
		{"nonsense", []string{"X-Forwarded-For: evil", "X-Forwarded-Proto: javascript"}, w.client.Addr4.String(), "http", "8082"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.app.take()
			if got := w.to(t, 8082, "proxied.example.no", "GET /", tc.headers...); got.status != 200 {
				t.Fatalf("answer %s", got)
			}
			seen := w.app.take()[0].Header
			want := []string{tc.from, tc.from, tc.proto, tc.wantPort}
			have := []string{seen.Get("X-Forwarded-For"), seen.Get("X-Real-Ip"), seen.Get("X-Forwarded-Proto"), seen.Get("X-Forwarded-Port")}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	for from, status := range map[string]int{"192.0.2.55": 200, "203.0.113.99": 403} {
		if got := w.to(t, 8082, "proxied.example.no", "GET /inside/x", "X-Forwarded-For: "+from); got.status != status {
			t.Errorf("a path for some networks, asked from %s: %s, want status %d", from, got, status)
		}
	}
	w.app.take()
	stranger := send(t.Context(), w.host.DialContext, "127.0.0.1:8082", compose("proxied.example.no", "GET /", "X-Forwarded-For: 192.0.2.55", "X-Forwarded-Proto: https"))
	if seen := w.app.take(); stranger.status != 200 || seen[0].Header.Get("X-Forwarded-For") != "127.0.0.1" || seen[0].Header.Get("X-Forwarded-Proto") != "http" {
		t.Errorf("somebody who is no proxy is believed: %v", seen[0].Header)
	}
}

func (w *web) testProxyProtocol(t *testing.T) {
	request := compose("haproxy.example.no", "GET /", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https")
	for _, tc := range []struct{ name, preamble, from string }{
		{"the client of a proxy", "PROXY TCP4 192.0.2.55 192.0.2.1 1000 8083\r\n", "192.0.2.55"},
		{"an IPv6 client", "PROXY TCP6 2001:db8:7::1 2001:db8::2 1000 8083\r\n", "2001:db8:7::1"},
		{"the proxy itself", "PROXY UNKNOWN\r\n", w.client.Addr4.String()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.app.take()
			if got := send(t.Context(), w.client.DialContext, w.port(8083), tc.preamble+request); got.status != 200 {
				t.Fatalf("answer %s", got)
			}
			seen := w.app.take()[0].Header
			if seen.Get("X-Forwarded-For") != tc.from || seen.Get("X-Forwarded-Proto") != "http" {
				t.Errorf("the application saw %v, want %s over http", seen, tc.from)
			}
		})
	}
	w.app.take()
	if got := send(t.Context(), w.client.DialContext, w.port(8083), request); got.status == 200 || len(w.app.take()) > 0 {
		t.Errorf("a connection that does not begin with it: %s", got)
	}
	stranger := send(t.Context(), w.host.DialContext, "127.0.0.1:8083", "PROXY TCP4 192.0.2.55 192.0.2.1 1000 8083\r\n"+request)
	if seen := w.app.take(); stranger.status != 200 || seen[0].Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("somebody who is no proxy is believed: %v", seen)
	}
}

// What the client writes into a path never becomes a header of the answer.
func (w *web) testSplit(t *testing.T) {
	for _, host := range []string{"www.example.no", "elsewhere.example.no", "app.example.no"} {
		for _, path := range []string{"/old/%0d%0aSet-Cookie:%20hacked=1", "/old/%0aSet-Cookie:%20hacked=1", "/page%0d%0a%0d%0a<script>", "/old/?%0d%0aX-Hacked: 1", "/old/\\..\\"} {
			got := w.to(t, 80, host, "GET "+path)
			if got.header.Get("Set-Cookie")+got.header.Get("X-Hacked") != "" || strings.ContainsAny(got.header.Get("Location"), "\r\n") {
				t.Errorf("%s %s: %s", host, path, got)
			}
		}
	}
}

func (w *web) testWebSockets(t *testing.T) {
	for _, headers := range [][]string{
		{"Connection: Upgrade", "Upgrade: websocket"},
		{"Connection: keep-alive, Upgrade", "Upgrade: WebSocket"},
	} {
		conn, err := w.client.DialContext(t.Context(), "tcp", w.port(80))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: socket.example.no\r\n%s\r\nSec-WebSocket-Key: a2V5\r\n\r\n", strings.Join(headers, "\r\n"))
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" {
			t.Fatalf("%q: %v, %v, want 101", headers, resp, err)
		}
		for _, name := range []string{"X-Frame-Options", "X-Content-Type-Options"} {
			if len(resp.Header.Values(name)) != 1 {
				t.Errorf("%s: %q", name, resp.Header.Values(name))
			}
		}
		io.WriteString(conn, "ping")
		echo := make([]byte, 4)
		if _, err := io.ReadFull(in, echo); err != nil || string(echo) != "ping" {
			t.Errorf("echo %q, %v", echo, err)
		}
	}
}

// A site may become a WebSocket and nothing else, whatever is written around the
// word; a site that did not ask for it may not.
func (w *web) testNoUpgrade(t *testing.T) {
	upgrades := []string{"h2c", "websocket, h2c", "h2c, websocket", " websocket2", "TLS/1.0", "websocket\r\nUpgrade: h2c", "h2c\r\nUpgrade: websocket"}
	for _, host := range []string{"socket.example.no", "app.example.no"} {
		if host == "app.example.no" {
			upgrades = append(upgrades, "websocket")
		}
		for _, upgrade := range upgrades {
			w.app.take()
			got := send(t.Context(), w.client.DialContext, w.port(80), "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "+upgrade+"\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
			if got.status == 101 {
				t.Errorf("%s, Upgrade: %q: %s", host, upgrade, got)
			}
			for _, r := range w.app.take() {
				if strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Upgrade"), ",")), "h2c") || r.Header.Get("Http2-Settings") != "" ||
					host == "app.example.no" && r.Header.Get("Upgrade") != "" {
					t.Errorf("%s, Upgrade: %q: the application saw %v", host, upgrade, r.Header)
				}
			}
		}
	}
}

// The application sends X-Frame-Options twice, and other headers once; see app.
func (w *web) testWhoseHeader(t *testing.T) {
	for _, tc := range []struct {
		host, path, header string
		want               []string
	}{
		{"app.example.no", "/", "X-Frame-Options", []string{"DENY"}},
		{"app.example.no", "/", "Content-Security-Policy", []string{"default-src 'none'"}},
		{"app.example.no", "/", "X-Content-Type-Options", []string{"nosniff"}},
		{"app.example.no", "/framed/x", "X-Frame-Options", []string{"SAMEORIGIN"}},
		{"app.example.no", "/FRAMED", "X-Frame-Options", []string{"SAMEORIGIN"}},
		{"app.example.no", "/framed/x", "Content-Security-Policy", nil},
		{"app.example.no", "/framed/x", "Referrer-Policy", []string{"unsafe-url"}}, // off: the application's comes through
		{"app.example.no", "/framed/.x", "Referrer-Policy", []string{"no-referrer"}},
		{"app.example.no", "/framed2", "X-Frame-Options", []string{"DENY"}},
		{"wins.example.no", "/", "X-Frame-Options", []string{"ALLOWALL", "SAMEORIGIN"}},
		{"wins.example.no", "/", "X-Content-Type-Options", []string{"none"}},
		{"wins.example.no", "/", "Referrer-Policy", []string{"unsafe-url"}},
		{"wins.example.no", "/", "Content-Security-Policy", []string{"default-src 'none'"}}, // the application has none
		{"wins.example.no", "/", "Permissions-Policy", []string{"" + permissions(w)}},
		{"wins.example.no", "/.env", "X-Frame-Options", []string{"DENY"}}, // nginx's own answer
		{"wins.example.no", "/ours/", "X-Frame-Options", []string{"DENY"}},
		{"wins.example.no", "/ours/", "Referrer-Policy", []string{"unsafe-url"}},
	} {
		got := w.to(t, 80, tc.host, "GET "+tc.path)
		if diff := cmp.Diff(tc.want, got.header.Values(tc.header)); diff != "" {
			t.Errorf("%s%s, %s (-want +got)\n%s", tc.host, tc.path, tc.header, diff)
		}
	}
}

// permissions is the default permissions policy.
func permissions(w *web) string {
	for _, e := range nginx.Expectations(w.sites, facts.TLS{}) {
		if e.Site == "wins.example.no" {
			return e.Headers["Permissions-Policy"]
		}
	}
	return ""
}

func (w *web) testCookies(t *testing.T) {
	got := w.to(t, 80, "cookies.example.no", "GET /cookies").header.Values("Set-Cookie")
	for i, cookie := range got {
		parts := strings.Split(strings.ToLower(cookie), "; ")
		slices.Sort(parts[1:])
		got[i] = strings.Join(parts, "; ")
	}
	want := []string{"a=1; httponly; samesite=lax; secure", "b=2; httponly; path=/; samesite=lax; secure"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	plain := w.to(t, 80, "app.example.no", "GET /cookies").header.Values("Set-Cookie")
	if diff := cmp.Diff([]string{"a=1", "b=2; Path=/; SameSite=None"}, plain); diff != "" {
		t.Errorf("cookies of a site that does not ask for flags (-want +got)\n%s", diff)
	}
}

// More than a client may ask for gets 429, with all headers; other clients, and
// paths with a limit of their own, are none the worse. All addresses of an IPv6
// network of 64 bits are one client.
func (w *web) testLimits(t *testing.T) {
	ask := func(dial dialer, target, path string) answer {
		return send(t.Context(), dial, target, compose("limited.example.no", "GET "+path))
	}
	var got []int
	for range 5 {
		a := ask(w.client.DialContext, w.port(80), "/")
		got = append(got, a.status)
		complete(t, a, headersOf(w, "limited.example.no"))
	}
	if diff := cmp.Diff([]int{200, 200, 200, 429, 429}, got); diff != "" {
		t.Errorf("one client (-want +got)\n%s", diff)
	}
	if a := ask(w.host.DialContext, "127.0.0.1:80", "/"); a.status != 200 {
		t.Errorf("another client: %s", a)
	}
	for range 20 {
		if a := ask(w.client.DialContext, w.port(80), "/free/"); a.status != 200 {
			t.Errorf("a path with a limit of its own: %s", a)
		}
	}
	v6 := netip.AddrPortFrom(w.client.HostAddr6, 80).String()
	network := netip.PrefixFrom(w.client.Addr6, 64).Masked().Addr().As16()
	got = nil
	for i := range 5 {
		network[15] = byte(0x70 + i)
		from := netip.AddrFrom16(network)
		if out, err := w.client.Run(t.Context(), "ip", "-6", "address", "add", from.String()+"/64", "dev", peerLink(t, w), "nodad"); err != nil || out.Code != 0 {
			t.Fatalf("adding %s: %v %s", from, err, out.Stderr)
		}
		dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			err = w.client.Do(func() error {
				conn, err = (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}).DialContext(ctx, network, address)
				return err
			})
			return conn, err
		}
		got = append(got, ask(dial, v6, "/").status)
	}
	if diff := cmp.Diff([]int{200, 200, 200, 429, 429}, got); diff != "" {
		t.Errorf("the addresses of one IPv6 network (-want +got)\n%s", diff)
	}
}

// peerLink returns the name of the client's network link.
func peerLink(t *testing.T, w *web) string {
	t.Helper()
	out, err := w.client.Run(t.Context(), "sh", "-c", "ip -o route get "+w.client.HostAddr4.String()+" | sed 's/.* dev \\([^ ]*\\).*/\\1/'")
	if err != nil || strings.TrimSpace(out.Stdout) == "" {
		t.Fatalf("the client has no link: %v %s", err, out.Stderr)
	}
	return strings.TrimSpace(out.Stdout)
}

// headersOf returns the headers that a site sends.
func headersOf(w *web, site string) map[string]string {
	for _, e := range nginx.Expectations(w.sites, facts.TLS{}) {
		if e.Site == site {
			return e.Headers
		}
	}
	return nil
}

// testAccess has passwords and address lists hold for a path and all below it, in
// any case, whatever is written around it.
func (w *web) testAccess(t *testing.T) {
	const good = "Authorization: Basic bW9sbzpicmVha3dhdGVy" // molo:breakwater
	for _, tc := range []struct {
		line    string
		headers []string
		status  int
		reached bool
	}{
		{"GET /", nil, 200, true},
		{"GET /admin", nil, 401, false},
		{"GET /admin/", nil, 401, false},
		{"GET /admin/x?y", nil, 401, false},
		{"GET /ADMIN/x", nil, 401, false},
		{"GET /%61dmin/x", nil, 401, false},
		{"GET /admin/x", []string{"Authorization: Basic bW9sbzp3cm9uZw=="}, 401, false},
		{"GET /admin/x", []string{good}, 200, true},
		{"GET /administrator", nil, 200, true},
		{"GET /inside/x", nil, 403, false},
		{"GET /inside", nil, 403, false},
		{"GET /inside/open/x", nil, 200, true},
		{"GET /inside/opened", nil, 403, false},
		{"GET /outside/x", nil, 403, false},
	} {
		w.app.take()
		got := w.to(t, 80, "guarded.example.no", tc.line, tc.headers...)
		seen := w.app.take()
		if got.status != tc.status || (len(seen) == 1) != tc.reached {
			t.Errorf("%s %q: %s, reached the application %d times, want status %d", tc.line, tc.headers, got, len(seen), tc.status)
		}
		complete(t, got, headersOf(w, "guarded.example.no"))
		for _, r := range seen {
			if r.Header.Get("Authorization") != "" {
				t.Errorf("%s: the application saw the password", tc.line)
			}
		}
		if want := `Basic realm="Staff; only"`; tc.status == 401 && got.header.Get("Www-Authenticate") != want {
			t.Errorf("%s: asks for %q, want %q", tc.line, got.header.Get("Www-Authenticate"), want)
		}
	}
}

// Where not everybody may ask everything, a path that nginx and an application
// could read in two ways is refused; where everybody may, it is passed on.
func (w *web) testCrooked(t *testing.T) {
	for _, path := range []string{
		"/x/..%2fadmin/", "/x/%2e%2e/admin/", "/x/../admin/", "/./admin", "//admin/", "/admin;x/y", "/x;/../admin", `/x\..\admin`, "/x%5c..%5cadmin",
		"/admin/..", "/admin/%2E%2E/x", "/admin/../x?y", "/inside/open/..%2fx",
	} {
		w.app.take()
		got := w.to(t, 80, "guarded.example.no", "GET "+path)
		if seen := w.app.take(); got.status != 400 || len(seen) > 0 {
			t.Errorf("%s: %s, and the application saw %d requests; want status 400 and none", path, got, len(seen))
		}
		complete(t, got, headersOf(w, "guarded.example.no"))
	}
	for _, path := range []string{"/a%2520b", "/a?b=/../c;d=%2e", "/a.b/c..d/e...", "/~a/b-c_d/"} {
		w.app.take()
		if got, seen := w.to(t, 80, "guarded.example.no", "GET "+path), w.app.take(); got.status != 200 || len(seen) != 1 || seen[0].RequestURI != path {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func (w *web) testDefaultSiteOfOurs(t *testing.T) {
	for _, host := range []string{"any.example.no:8084", "unknown.example.no", "192.0.2.1"} {
		if got := w.to(t, 8084, host, "GET /"); got.status != 200 {
			t.Errorf("%s: %s", host, got)
		}
	}
	if got := w.to(t, 8084, nginx.GenerationHost, "GET /"); !got.closed() {
		t.Errorf("the generation, asked from elsewhere: %s", got)
	}
	if got := w.to(t, 80, "dotted.example.no", "GET /.git/config"); got.status != 200 {
		t.Errorf("a site with hidden files: %s", got)
	}
}

// A request goes to the next server where one is down; one that could do
// something twice does not, once it may have been begun.
func (w *web) testBackends(t *testing.T) {
	for _, host := range []string{"several.example.no", "spare.example.no"} {
		for range 4 {
			if got := w.to(t, 80, host, "GET /"); got.status != 200 {
				t.Errorf("%s: %s", host, got)
			}
		}
		if got := w.to(t, 80, host, "POST /"); got.status != 200 { // the first server did not take the connection
			t.Errorf("%s: %s", host, got)
		}
	}
}

// An application that has read a request and hangs up may have done what it asks: only one
// that changes nothing goes to another server.
func (w *web) testHangUp(t *testing.T) {
	for _, tc := range []struct {
		host, method string
		want         int
	}{
		{"app.example.no", "GET", 1}, {"app.example.no", "POST", 1},
		{"both.example.no", "GET", 2}, {"both.example.no", "POST", 1}, {"both.example.no", "PATCH", 1},
	} {
		w.app.take()
		got := send(t.Context(), w.client.DialContext, w.port(80), tc.method+" /hang-up HTTP/1.1\r\nHost: "+tc.host+"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")
		if seen := len(w.app.take()); got.status != 502 || seen != tc.want {
			t.Errorf("%s to %s: %s, and the application saw it %d times, want 502 and %d", tc.method, tc.host, got, seen, tc.want)
		}
	}
}

func (w *web) testUnixSocket(t *testing.T) {
	w.app.take()
	got := w.to(t, 80, "unix.example.no", "GET /a%2Fb")
	if seen := w.app.take(); got.status != 200 || len(seen) != 1 || seen[0].RequestURI != "/a%2Fb" || seen[0].Host != "unix.example.no" {
		t.Errorf("%s, the application saw %v", got, seen)
	}
	got = w.to(t, 80, "nobody.example.no", "GET /")
	if got.status != 502 {
		t.Errorf("a socket that nobody listens on: %s", got)
	}
	complete(t, got, headersOf(w, "nobody.example.no"))
}

func (w *web) testGRPC(t *testing.T) {
	for _, host := range []string{"grpc.example.no", "grpcs.example.no"} {
		got := send(t.Context(), w.client.DialContext, w.port(80), "POST /a.b/C HTTP/1.1\r\nHost: "+host+"\r\nTE: trailers\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\nhello")
		want := fmt.Sprintf("HTTP/2.0 /a.b/C 5 bytes from %s, host %s, <nil>", w.client.Addr4, host)
		if got.status != 200 || got.body != want {
			t.Errorf("%s: %s, want %q", host, got, want)
		}
		complete(t, got, headersOf(w, host))
	}
}

func (w *web) testUpstreamTLS(t *testing.T) {
	// All go to one address, and one after the other: a TLS session that is kept for
	// one of them must not open the way for the next.
	for _, tc := range []struct {
		host   string
		status int
	}{
		{"unverified.example.no", 200},
		{"tls.example.no", 200},
		{"othername.example.no", 502}, // its certificate is for inner.example.no
		{"otherca.example.no", 502},   // no authority of the system has signed it
		{"tls.example.no", 200},
	} {
		for range 4 { // there is more than one worker
			w.app.take()
			got := w.to(t, 80, tc.host, "GET /")
			if seen := w.app.take(); got.status != tc.status || (len(seen) > 0) != (tc.status == 200) {
				t.Errorf("%s: %s, and the application saw %d requests; want status %d", tc.host, got, len(seen), tc.status)
			}
			complete(t, got, headersOf(w, tc.host))
		}
	}
}

// What an application sends gets through at once where nginx does not buffer, and
// one that falls silent for longer than it may ends the answer.
func (w *web) testStreams(t *testing.T) {
	conn, err := w.client.DialContext(t.Context(), "tcp", w.port(80))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start := time.Now()
	conn.SetDeadline(start.Add(20 * time.Second))
	io.WriteString(conn, compose("stream.example.no", "GET /events"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 4)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "one\n" || time.Since(start) > 1500*time.Millisecond {
		t.Errorf("after %s: %q, %v", time.Since(start), first, err)
	}
	rest, _ := io.ReadAll(resp.Body)
	if after := time.Since(start); after < 1500*time.Millisecond || after > 10*time.Second {
		t.Errorf("the silent answer ended after %s with %q, want about 2 s", after, rest)
	}
}
