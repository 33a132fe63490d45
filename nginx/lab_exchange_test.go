package nginx_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// app is an application as hostile as they come, which remembers what it was asked.
type app struct {
	mu   sync.Mutex
	seen []*http.Request
}

// ServeHTTP answers /status/NUMBER with that status and everything else with 200.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.seen = append(a.seen, r)
	a.mu.Unlock()
	h := w.Header()
	h["X-Frame-Options"] = []string{"ALLOWALL", "SAMEORIGIN"}
	h.Set("Content-Security-Policy-Report-Only", "default-src *")
	h.Set("X-Content-Type-Options", "none")
	h.Set("Referrer-Policy", "unsafe-url")
	h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload")
	h.Set("X-Powered-By", "PHP/5.2.17")
	h.Set("X-AspNet-Version", "2.0.50727")
	h.Set("Server", "app/1.0")
	if r.URL.Path == "/xaccel" {
		h.Set("X-Accel-Redirect", "/secret")
		h.Set("X-Accel-Limit-Rate", "1")
	}
	switch r.URL.Path {
	case "/cookies":
		h["Set-Cookie"] = []string{"a=1", "b=2; Path=/; SameSite=None"}
	case "/socket":
		echo(w, r)
		return
	case "/hang-up":
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler) // closes the connection
	case "/events":
		io.WriteString(w, "one\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	if status, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/status/")); err == nil {
		w.WriteHeader(status)
	}
	if r.URL.Path == "/location" {
		h.Set("Location", "http://"+r.Host+"/there")
		w.WriteHeader(http.StatusFound)
	}
	if r.URL.Path != "/status/304" {
		io.WriteString(w, "app")
	}
}

// echo makes a connection a WebSocket, as far as nginx can tell, and sends back what comes.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	conn, in, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Frame-Options: ALLOWALL\r\n\r\n")
	io.Copy(conn, in)
}

// take returns the requests since it was called last.
func (a *app) take() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}

// answer is what came back for a request: a response, or the end of the connection.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // reading it
}

// String returns the answer in short.
func (a answer) String() string {
	return fmt.Sprintf("status %d, header %q, body %.100q, error %v", a.status, a.header, a.body, a.err)
}

// closed reports whether the connection was closed without a byte.
func (a answer) closed() bool {
	return a.status == 0 && (errors.Is(a.err, io.ErrUnexpectedEOF) || errors.Is(a.err, io.EOF) || errors.Is(a.err, syscall.ECONNRESET))
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// send writes a request as it is and reads one answer.
func send(ctx context.Context, dial dialer, address, request string) answer {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return answer{err: err}
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go io.WriteString(conn, request) // an answer may come before the end of the request
	method, _, _ := strings.Cut(request, " ")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(in, &http.Request{Method: method})
	}
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body), err: err}
}

// get returns a request to the application.
func get(target string, headers ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: app.example.no\r\n" + strings.Join(append(headers, "Connection: close"), "\r\n") + "\r\n\r\n"
}

// catchAll is the header set of the server that has no site.
var catchAll = map[string]string{
	"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	"Referrer-Policy":         "no-referrer",
	"X-Content-Type-Options":  "nosniff",
	"X-Frame-Options":         "DENY",
}

// complete fails if the answer lacks a header, has one twice, or tells what software there is.
func complete(t *testing.T, got answer, want map[string]string) {
	t.Helper()
	if len(want) < 4 {
		t.Fatalf("only %d headers are expected", len(want))
	}
	for name, value := range want {
		if have := got.header.Values(name); !slices.Equal(have, []string{value}) {
			t.Errorf("%s: %q, want %q once", name, have, value)
		}
	}
	if server := got.header.Values("Server"); !slices.Equal(server, []string{"nginx"}) {
		t.Errorf("Server: %q, want nginx", server)
	}
	for name := range got.header {
		if name == "Strict-Transport-Security" || strings.HasPrefix(name, "X-Accel-") || strings.HasPrefix(name, "X-Powered-") || strings.HasPrefix(name, "X-Aspnet") {
			t.Errorf("%s is passed on", name)
		}
	}
}
