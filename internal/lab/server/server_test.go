package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAnswers(t *testing.T) {
	s := httptest.NewServer(handler())
	defer s.Close()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		code int
		body string
	}{
		"/":              {200, "hello from " + host + "\n"},
		"/status/500":    {500, "500 Internal Server Error\n"},
		"/status/204":    {204, ""},
		"/status/9":      {400, "a status is a number from 200 to 599\n"},
		"/slow?for=10ms": {200, "slow\n"},
		"/secret":        {200, "secret\n"},
		"/nothing":       {404, "404 page not found\n"},
	} {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want.code || string(body) != want.body {
			t.Errorf("%s: %d %q, want %d %q", path, resp.StatusCode, body, want.code, want.body)
		}
		if resp.Header.Get("X-Powered-By") != "lab" {
			t.Errorf("%s has the headers %v", path, resp.Header)
		}
	}
}

func TestHeadersComeBack(t *testing.T) {
	req := httptest.NewRequest("GET", "http://app.example/headers", nil)
	req.Header.Set("X-Forwarded-For", "203.0.113.2")
	rec := httptest.NewRecorder()
	handler().ServeHTTP(rec, req)
	var got map[string][]string
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["Host"][0] != "app.example" || got["X-Forwarded-For"][0] != "203.0.113.2" {
		t.Errorf("%v", got)
	}
}

func TestAccelHeader(t *testing.T) {
	rec := httptest.NewRecorder()
	handler().ServeHTTP(rec, httptest.NewRequest("GET", "/xaccel", nil))
	if got := rec.Header().Get("X-Accel-Redirect"); got != "/secret" {
		t.Errorf("%q", got)
	}
}

func TestStreamGoesOnUntilClosed(t *testing.T) {
	s := httptest.NewServer(handler())
	defer s.Close() // which waits for the handler to end
	resp, err := http.Get(s.URL + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{"line 0", "line 1", "line 2"} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("%q, want %q", lines.Text(), want)
		}
	}
}

// start runs a server on free ports and returns the addresses it prints.
func start(t *testing.T, args ...string) []string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, io.Discard, in) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("the server ended with %d", code)
		}
	})
	var addrs []string
	lines := bufio.NewScanner(out)
	for len(addrs) < len(args)/2 && lines.Scan() {
		addrs = append(addrs, lines.Text()[strings.LastIndex(lines.Text(), " ")+1:])
	}
	return addrs
}

func TestServeAndDial(t *testing.T) {
	addrs := start(t, "-http", "127.0.0.1:0", "-http", "[::1]:0", "-udp", "127.0.0.1:0")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-dial", addrs[0]}, "connected to " + addrs[0] + "\n"},
		{[]string{"-dial", addrs[1]}, "connected to " + addrs[1] + "\n"},
		{[]string{"-get", "http://" + addrs[1] + "/secret"}, "200 OK\nsecret\n"},
		{[]string{"-send", addrs[2]}, "hello from " + addrs[2] + "\n"},
	} {
		var out strings.Builder
		if code := run(t.Context(), c.args, &out, io.Discard); code != 0 || out.String() != c.want {
			t.Errorf("%v: %d %q, want %q", c.args, code, out.String(), c.want)
		}
	}
}

func TestDialThatFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	for _, args := range [][]string{{"-dial", closed}, {"-get", "http://" + closed}, {"-send", closed, "-timeout", "10ms"}, {}} {
		var out strings.Builder
		begin := time.Now()
		if code := run(t.Context(), args, &out, io.Discard); code != 1 || out.Len() == 0 {
			t.Errorf("%v: %d %q", args, code, out.String())
		}
		if time.Since(begin) > 2*time.Second {
			t.Errorf("%v took %v", args, time.Since(begin))
		}
	}
	if code := run(t.Context(), []string{"-wrong"}, io.Discard, io.Discard); code != 2 {
		t.Errorf("a wrong flag ends with %d", code)
	}
}
