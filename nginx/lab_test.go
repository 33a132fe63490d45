package nginx_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
	"molo/internal/policy"
	"molo/nginx"
)

// sitesHCL is what the hosts serve: an application, one that is down, and one on
// another port with a single header.
const sitesHCL = `
site "app.example.no" {
  upstream = "127.0.0.1:8080"
  max_body = "1m"
}
site "down.example.no" {
  upstream = "127.0.0.1:9"
}
site "alt.example.no" {
  upstream = "127.0.0.1:8080"
  port     = 8081
}
`

// What the configuration promises, on the nginx of every release.
func TestNginx(t *testing.T) {
	labtest.Need(t)
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t, release)
			t.Run("61 Debian's default site is put aside", w.testDefaultSite)
			t.Run("answers of the application, 10 none with HSTS, 41 none with versions", w.testApplicationAnswers)
			t.Run("answers of nginx itself", w.testNginxAnswers)
			t.Run("names that are served and names that are not", w.testNames)
			t.Run("21 paths", w.testPaths)
			t.Run("18 and 19 request headers", w.testRequests)
			t.Run("smuggled requests", w.testSmuggling)
			t.Run("lines that end with LF alone, control characters", w.testLooseLines)
			t.Run("35 CONNECT is refused", w.testConnect)
			t.Run("34 a client that never ends its header is cut off", w.testSlowHeader)
			t.Run("49 a port that is taken leaves the old generation, and that shows", w.testTakenPort)
			t.Run("55 a site that is gone is served no more", w.testRemovedSite)
			t.Run("57 a site of the owner's with the same name", w.testConflict)
			t.Run("headers at the edge of what nginx reads", w.testOddHeaders)
			t.Run("59 and 60 600 sites with names of any length", w.testManySites)
		})
	}
}

func (w *web) testDefaultSite(t *testing.T) {
	if res, err := w.host.Run(t.Context(), "test", "-e", nginx.DefaultSite); err != nil || res.Code == 0 {
		t.Errorf("Debian's default site is still there (%v)", err)
	}
}

func (w *web) testTakenPort(t *testing.T) {
	before := w.tree
	taken := listenOn(t, w.host, ":8090")
	w.put(t, parseSites(t, sitesHCL+`
site "late.example.no" {
  upstream = "127.0.0.1:8080"
  port     = 8090
}`))
	w.load(t)
	if err := w.prove(t, w.tree, time.Second); err == nil {
		t.Error("the new generation answers on a port that another program has")
	}
	if err := w.prove(t, before, time.Second); err != nil {
		t.Errorf("the old generation is gone: %v", err)
	}
	taken.Close()
	w.load(t)
	if err := w.prove(t, w.tree, 5*time.Second); err != nil {
		t.Error(err)
	}
}

func (w *web) testRemovedSite(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: down.example.no\r\nConnection: close\r\n\r\n"
	if got := w.ask(t, request); got.status != 502 {
		t.Errorf("before: %s, want 502", got)
	}
	w.apply(t, slices.DeleteFunc(slices.Clone(w.sites), func(s *policy.Site) bool { return s.Name.V == "down.example.no" }))
	if got := w.ask(t, request); !got.closed() {
		t.Errorf("after: %s, want the connection closed", got)
	}
}

// nginx takes a name served twice for a trifle; molo does not.
func (w *web) testConflict(t *testing.T) {
	const file = "/etc/nginx/conf.d/other.conf"
	if err := w.host.WriteFile(file, []byte("server {\n\tlisten 80;\n\tserver_name app.example.no;\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	defer labtest.Output(t, w.host, "rm", file)
	res, err := w.host.Run(t.Context(), "nginx", "-t")
	if err != nil || res.Code != 0 || !strings.Contains(res.Stderr, `conflicting server name "app.example.no"`) {
		t.Errorf("nginx -t: %v, exit %d\n%s", err, res.Code, res.Stderr)
	}
	if _, err := nginx.Compile(w.sites, policy.NginxLog{}, w.facts(t)); err == nil || !strings.Contains(err.Error(), file+":3") {
		t.Errorf("error %v, want one that names %s:3", err, file)
	}
}

// A value that Compile lets through arrives as it was written, on every nginx.
func (w *web) testOddHeaders(t *testing.T) {
	sites := parseSites(t, sitesHCL)
	want := map[string]string{
		"X-Marks":                         `a"b\c'd; {e} #f \n \\`,
		"X-Longest":                       strings.Repeat("v", 4093), // and two quotes
		"X-" + strings.Repeat("Name", 15): "1",
		"X-" + strings.Repeat("Long", 15): "2",
	}
	for name, value := range want {
		sites[1].Root.Headers = append(sites[1].Root.Headers, policy.Header{Name: name, Value: policy.Value[string]{V: value}})
	}
	w.apply(t, sites)
	got := w.ask(t, get("/"))
	for name, value := range want {
		if have := got.header.Values(name); !slices.Equal(have, []string{value}) {
			t.Errorf("%s: %q, want %q", name, have, value)
		}
	}
}

func (w *web) testManySites(t *testing.T) {
	for _, length := range []int{20, 47, 253} {
		var text strings.Builder
		for i := range 600 {
			fmt.Fprintf(&text, "site %q {\n  upstream = \"127.0.0.1:8080\"\n}\n", longName(i, length))
		}
		w.apply(t, parseSites(t, text.String()))
		got := w.ask(t, fmt.Sprintf("GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", longName(599, length)))
		if got.status != 200 {
			t.Errorf("the last of 600 names of %d bytes: %s", length, got)
		}
	}
}

// longName returns the i-th host name of a length of at least 20 bytes.
func longName(i, length int) string {
	name := fmt.Sprintf("s%03d.example.no", i)
	for len(name) < length {
		n := min(60, length-len(name)-1)
		if length-len(name)-1-n == 1 { // a dot alone would be left
			n--
		}
		name = strings.Repeat("x", n) + "." + name
	}
	return name
}
