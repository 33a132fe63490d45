package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"molo/internal/facts"
	"molo/internal/policy"
)

// portOf is where a server listens.
func portOf(s *httptest.Server) policy.Value[uint16] {
	return policy.Value[uint16]{V: uint16(s.Listener.Addr().(*net.TCPAddr).Port)}
}

func TestASiteIsAskedAsAVisitorWould(t *testing.T) {
	leads := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://"+r.Host+r.URL.Path)
		w.WriteHeader(http.StatusPermanentRedirect)
	}))
	defer leads.Close()
	secured := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("X-Asked", r.Host+r.URL.Path)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer secured.Close()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer endless.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := policy.Value[uint16]{V: uint16(silent.Addr().(*net.TCPAddr).Port)}
	silent.Close()

	sum := sha256.Sum256(secured.Certificate().Raw)
	leaf := hex.EncodeToString(sum[:])
	headers := map[string][]string{"X-Asked": {"app.example.no/"}, "Content-Length": {"0"}}
	over := func(s *httptest.Server) *policy.TLS { return &policy.TLS{Port: portOf(s)} }
	for name, c := range map[string]struct {
		site policy.Site
		want facts.SiteAnswer
	}{
		"over TLS, where plain HTTP leads": {
			policy.Site{Port: portOf(leads), TLS: over(secured)},
			facts.SiteAnswer{Status: 418, TLS: true, Leaf: leaf, Headers: headers, Plain: true, Leads: "https://app.example.no/"},
		},
		"over TLS alone":                        {policy.Site{Port: nobody, TLS: over(secured)}, facts.SiteAnswer{Status: 418, TLS: true, Leaf: leaf, Headers: headers}},
		"over plain HTTP, where TLS is missing": {policy.Site{Port: portOf(endless), TLS: &policy.TLS{Port: nobody}}, facts.SiteAnswer{Status: 200, Plain: true}},
		"over plain HTTP, where TLS is broken":  {policy.Site{Port: portOf(endless), TLS: over(leads)}, facts.SiteAnswer{Status: 200, Plain: true}},
		"a page that never ends":                {policy.Site{Port: portOf(endless)}, facts.SiteAnswer{Status: 200, Plain: true}},
		"nobody is there":                       {policy.Site{Port: nobody, TLS: &policy.TLS{Port: nobody}}, facts.SiteAnswer{Problem: "connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.site.Name.V = "app.example.no"
			got := askAll(context.Background(), []*policy.Site{&c.site})["app.example.no"]
			if c.want.Headers == nil {
				got.Headers = nil
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestASiteThatSaysNothingIsNotWaitedForLong(t *testing.T) {
	silence := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	deaf, deafTLS := httptest.NewServer(silence), httptest.NewTLSServer(silence)
	defer deaf.Close()
	defer deafTLS.Close()
	talks := httptest.NewServer(http.NotFoundHandler())
	defer talks.Close()
	for name, site := range map[string]*policy.Site{
		"over plain HTTP":                     {Port: portOf(deaf)},
		"over TLS, though plain HTTP answers": {Port: portOf(talks), TLS: &policy.TLS{Port: portOf(deafTLS)}},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), siteTime/10)
		if got := askSite(ctx, site); got.Problem != "no answer in time" {
			t.Errorf("%s: %+v", name, got)
		}
		cancel()
	}
}
