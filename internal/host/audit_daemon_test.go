package host

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"testing"
)

func TestWhoGetsAnAnswerFromTheEngineAPI(t *testing.T) {
	engine := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.45") }
	metrics := func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }
	page := func(http.ResponseWriter, *http.Request) {}
	refused := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.45")
		w.WriteHeader(http.StatusForbidden)
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		start   func(*httptest.Server)
		want    bool
	}{
		"in the clear":                   {engine, (*httptest.Server).Start, true},
		"over TLS, without certificates": {engine, (*httptest.Server).StartTLS, true},
		"over TLS, with certificates": {engine, func(s *httptest.Server) {
			s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
			s.StartTLS()
		}, false},
		"metrics":                              {metrics, (*httptest.Server).Start, false},
		"a page without the header":            {page, (*httptest.Server).Start, false},
		"an authorization plugin that refuses": {refused, (*httptest.Server).Start, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(c.handler)
			server.Config.ErrorLog = nil
			c.start(server)
			defer server.Close()
			at := netip.MustParseAddrPort(server.Listener.Addr().String())
			for _, address := range []netip.AddrPort{at, netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())} {
				if got, err := answersStrangers(context.Background(), address); got != c.want || err != nil {
					t.Errorf("%s: open %t, want %t, error %v", address, got, c.want, err)
				}
			}
		})
	}
}

func TestASocketThatCannotBeAskedIsNotShut(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	at := netip.MustParseAddrPort(silent.Addr().String())
	if got := daemonSocket(t.Context(), at); got.Open || got.Unread == "" {
		t.Errorf("one that says nothing: %+v", got)
	}
	silent.Close()
	if got := daemonSocket(t.Context(), at); got.Open || got.Unread == "" {
		t.Errorf("one that nobody listens on any more: %+v", got)
	}
}

func TestTheSocketsOfAProcess(t *testing.T) {
	port := listen(t, "tcp4", "127.0.0.1:0")
	both := listen(t, "tcp", "[::]:0")
	udp := listen(t, "udp4", "127.0.0.1:0")
	all, err := socketsOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), netip.AddrPortFrom(netip.IPv4Unspecified(), both)} {
		if !slices.Contains(all, want) {
			t.Errorf("%s is not among %v", want, all)
		}
	}
	for _, a := range all {
		if a.Port() == udp || a.Port() == both && a.Addr().Is6() {
			t.Errorf("%s is listed", a)
		}
	}
	if _, err := socketsOf(1 << 30); err == nil {
		t.Error("a process that is not there has sockets that are known")
	}
}
