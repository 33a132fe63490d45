package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"molo/internal/facts"
	"molo/nginx"
	"molo/provision"
)

const (
	// nginxSwap is how long nginx gets to answer with a new generation, and nginxEach
	// what each site adds: hundreds of them take a busy host seconds to read.
	nginxSwap = 5 * time.Second
	nginxEach = 40 * time.Millisecond
	// inARow is how often the right answer has to come without a wrong one between:
	// for a moment after a reload, old workers accept as well.
	inARow = 5
	// hidden is a path that nginx itself answers on every site, with 404 and all
	// headers, however slow the application is.
	hidden = "/.molo"
)

// probeNginx asks every port of the sites, on loopback, for the generation that
// answers there, and then every site for its headers. "nginx -t" and a reload that
// returns 0 prove neither: a port that another process holds fails neither of them.
func (h *Host) probeNginx(ctx context.Context, p provision.NginxServes) error {
	limit := nginxSwap + nginxEach*time.Duration(len(p.Sites))
	return poll(ctx, limit, func(ctx context.Context) error {
		for range inARow {
			if err := askGeneration(ctx, p.Probes); err != nil {
				return err
			}
		}
		if err := askTLS(ctx, p.Handshakes); err != nil {
			return err
		}
		return askSites(ctx, p.Sites)
	})
}

// askGeneration asks on every port and over both families, where there are two.
func askGeneration(ctx context.Context, probes []nginx.Probe) error {
	for _, q := range probes {
		for _, address := range loopbacks() {
			_, body, err := get(ctx, question{socket{address, q.Port, q.ProxyProtocol}, false, q.Host, q.Path})
			if err != nil {
				return fmt.Errorf("port %d: %w", q.Port, err)
			}
			if body != q.Want {
				return fmt.Errorf("port %d: the new configuration does not answer", q.Port)
			}
		}
	}
	return nil
}

// askSites asks every site over both families and looks at its headers.
func askSites(ctx context.Context, sites []nginx.Expectation) error {
	for _, site := range sites {
		for _, address := range loopbacks() {
			if err := askHeaders(ctx, address, site); err != nil {
				return fmt.Errorf("site %s: %w", site.Site, err)
			}
		}
	}
	return nil
}

func askHeaders(ctx context.Context, address string, site nginx.Expectation) error {
	header, _, err := get(ctx, question{socket{address, site.Port, site.ProxyProtocol}, site.TLS, site.Site, hidden})
	if err != nil {
		return err
	}
	for name, want := range site.Headers {
		if got := header.Values(name); len(got) != 1 || got[0] != want {
			return fmt.Errorf("sends the header %s as %q, not once as %q", name, got, want)
		}
	}
	return nil
}

// hasIPv6 reports whether the kernel has IPv6.
func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

// socket is where nginx listens on loopback.
type socket struct {
	address       string
	port          uint16
	proxyProtocol bool
}

func (s socket) String() string { return net.JoinHostPort(s.address, strconv.Itoa(int(s.port))) }

// dial connects to the socket.
func (s socket) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.String())
	if err == nil && s.proxyProtocol {
		// "LOCAL" of version 1: a connection of the proxy's own, on nobody's behalf.
		_, err = io.WriteString(conn, "PROXY UNKNOWN\r\n")
	}
	return conn, err
}

// question is a request to loopback.
type question struct {
	socket     socket
	tls        bool
	host, path string
}

// ask asks a question on a connection of its own. It follows no redirect.
func (q question) ask(ctx context.Context) (*http.Response, error) {
	scheme := "http"
	if q.tls {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+q.socket.String()+q.path, nil)
	if err != nil {
		return nil, err
	}
	request.Host, request.Close = q.host, true
	transport := &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: loopbackTLS(q.host),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return q.socket.dial(ctx) },
	}
	return transport.RoundTrip(request)
}

// get asks a question and reads a short body only.
func get(ctx context.Context, q question) (http.Header, string, error) {
	response, err := q.ask(ctx)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return nil, "", err
	}
	return response.Header, string(body), nil
}

// errorLog is where nginx says what it refuses to do, by its own configuration.
type errorLog struct {
	path string // "" where it goes elsewhere
	size int64  // where new lines will begin
}

// nginxErrorLog looks where new lines of nginx's own error log will be.
func (h *Host) nginxErrorLog() errorLog {
	files, err := h.foreignSites()
	if err != nil {
		return errorLog{} // the reload goes on: only its reason will be missing
	}
	e := errorLog{path: nginx.ErrorLogOf(facts.Nginx{Foreign: files})}
	if info, err := os.Stat(h.path(e.path)); err == nil && e.path != "" {
		e.size = info.Size()
	}
	return e
}

// nginxLogSince returns what nginx has refused to do since. Lines about requests
// hold personal data and are left out.
func (h *Host) nginxLogSince(e errorLog) string {
	if e.path == "" {
		return "\nhint: nginx.conf sends what nginx says of itself elsewhere than to a file; look there for [emerg]"
	}
	f, err := os.Open(h.path(e.path))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		return fmt.Sprintf("\n(its error log could not be read: %v)", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, e.size, 64<<10))
	if err != nil {
		return fmt.Sprintf("\n(its error log could not be read: %v)", err)
	}
	var said []string
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		if strings.Contains(text, "[emerg]") && !contains(said, text) {
			said = append(said, text)
		}
	}
	text := strings.Join(said, "\n")
	hint := ""
	if m := takenPort.FindStringSubmatch(text); m != nil {
		hint = "\nhint: another program has port " + m[1] + "; \"ss -ltnp 'sport = :" + m[1] + "'\" names it"
	}
	return quoted("nginx says", text) + hint
}

// takenPort finds the port that another program holds, in a line of nginx's log.
var takenPort = regexp.MustCompile(`bind\(\) to \S+:(\d+) failed \(98`)

// contains reports whether a log line was seen already, whatever its time.
func contains(said []string, text string) bool {
	_, message, _ := strings.Cut(text, "[emerg]")
	for _, s := range said {
		if strings.HasSuffix(s, message) {
			return true
		}
	}
	return false
}
