package host

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/resource"
	"molo/nginx"
)

// strictAuthority registers accounts and answers every order with one refusal.
type strictAuthority struct {
	*httptest.Server
	orders atomic.Int32
}

func newStrictAuthority(t *testing.T, refuse func(w http.ResponseWriter)) *strictAuthority {
	t.Helper()
	a := &strictAuthority{}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Replay-Nonce", "nonce")
		switch r.URL.Path {
		case "/dir":
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(map[string]string{"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account", "newOrder": a.URL + "/order"})
		case "/account":
			w.Header().Set("Location", a.URL+"/account/1")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"status": "valid"}`)
		case "/order":
			a.orders.Add(1)
			refuse(w)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

// refusing answers with a problem.
func refusing(retryAfter string, problem map[string]any) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(problem["status"].(int))
		json.NewEncoder(w).Encode(problem)
	}
}

func (a *strictAuthority) host(t *testing.T) (*acmeHost, func(site string) resource.Certificate) {
	t.Helper()
	h := &acmeHost{Host: image(t, nil)}
	h.web, h.challengePort = serveChallenges(t, h.path(nginx.ChallengeRoot))
	h.write(t, "/ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}), 0o644)
	return h, func(site string) resource.Certificate {
		return resource.Certificate{Site: site, Names: []string{site}, KeyType: "ecdsa-p256", Directory: a.URL + "/dir", DirectoryCA: "/ca.pem"}
	}
}

func TestALimitOfTheAuthorityIsKept(t *testing.T) {
	problem := map[string]any{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates", "status": http.StatusTooManyRequests}
	for retryAfter, want := range map[string]time.Duration{
		"86400": 24 * time.Hour,
		"":      15 * time.Minute,
		time.Now().Add(48 * time.Hour).UTC().Format(http.TimeFormat): 48 * time.Hour,
		"9999999": 7 * 24 * time.Hour,
	} {
		authority := newStrictAuthority(t, refusing(retryAfter, problem))
		h, order := authority.host(t)
		err := h.order(t, order("a.example.no"), order("b.example.no"))
		for _, part := range []string{"a.example.no: the authority says: too many certificates (rateLimited)", "b.example.no: not ordered in this run, since the authority says: "} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: error %v, want %q in it", retryAfter, err, part)
			}
		}
		if n := authority.orders.Load(); n != 1 {
			t.Errorf("%q: %d orders were made, want 1", retryAfter, n)
		}
		f := h.have(t, "a.example.no").Failure
		if got := f.Until.Sub(f.At).Round(time.Minute); got != want || !f.Asked {
			t.Errorf("%q: waits %s, want %s", retryAfter, got, want)
		}
		if f := h.have(t, "b.example.no").Failure; f != nil {
			t.Errorf("%q: nobody asked for b.example.no, and yet %+v is noted", retryAfter, f)
		}
	}
}

// An authority counts what it issues, also what then had no place: without room for the
// certificate, or for a note of what came of the order, none is made.
func TestNothingIsOrderedThatCouldNotBeKept(t *testing.T) {
	for what, file := range map[string]string{"the certificate": roomFile, "a note": failureFile} {
		authority := newStrictAuthority(t, refusing("", map[string]any{"type": "urn:ietf:params:acme:error:malformed", "status": http.StatusBadRequest}))
		h, order := authority.host(t)
		in := h.path(filepath.Join(certificate.Pairs, "a.example.no", file, "in the way"))
		must(t, os.MkdirAll(in, 0o700))
		err := h.order(t, order("a.example.no"))
		if err == nil || !strings.Contains(err.Error(), "a.example.no: not ordered, since ") || authority.orders.Load() != 0 {
			t.Errorf("no place for %s: %d orders, %v", what, authority.orders.Load(), err)
		}
		must(t, os.RemoveAll(filepath.Dir(in)))
		if err := h.order(t, order("a.example.no")); err == nil || authority.orders.Load() != 1 {
			t.Errorf("a place for %s: %d orders, %v", what, authority.orders.Load(), err)
		}
		if f := h.have(t, "a.example.no").Failure; f == nil || f.Count != 1 || !f.Until.After(f.At) {
			t.Errorf("noted: %+v", f)
		}
		if _, err := os.Stat(h.roomPath("a.example.no")); err == nil {
			t.Error("the room is still taken")
		}
	}
}

// While an order is under way, a note says so: whoever is killed leaves it.
func TestAnOrderUnderWayIsNoted(t *testing.T) {
	var h *acmeHost
	var during *facts.Failure
	authority := newStrictAuthority(t, func(w http.ResponseWriter) {
		during = h.have(t, "a.example.no").Failure
		refusing("", map[string]any{"type": "urn:ietf:params:acme:error:malformed", "status": http.StatusBadRequest})(w)
	})
	var order func(string) resource.Certificate
	h, order = authority.host(t)
	if err := h.order(t, order("a.example.no")); err == nil {
		t.Error("a refused order has no error")
	}
	if during == nil || during.Count != 1 || during.Until.After(during.At) {
		t.Errorf("noted during the order: %+v", during)
	}
}

func TestALimitOfNewAccountsIsKept(t *testing.T) {
	problem := map[string]any{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many accounts", "status": http.StatusTooManyRequests}
	authority := newStrictAuthority(t, nil)
	inner, refuse := authority.Config.Handler, refusing("10800", problem)
	authority.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/account" {
			w.Header().Set("Replay-Nonce", "nonce")
			refuse(w)
			return
		}
		inner.ServeHTTP(w, r)
	})
	h, order := authority.host(t)
	if err := h.order(t, order("a.example.no")); err == nil || !strings.Contains(err.Error(), "too many accounts") {
		t.Errorf("error %v", err)
	}
	if f := h.have(t, "a.example.no").Failure; f == nil || !f.Asked || f.Until.Sub(f.At).Round(time.Minute) != 3*time.Hour {
		t.Errorf("noted %+v", f)
	}
}

// What an authority says ends up on terminals and in logs.
func TestWhatAnAuthoritySaysIsOneLineOfText(t *testing.T) {
	authority := newStrictAuthority(t, refusing("", map[string]any{
		"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "no\n\x1b[2J\u202e" + strings.Repeat("x", 5000), "status": http.StatusBadRequest,
		"subproblems": []map[string]string{{"type": "x", "detail": "really not"}},
	}))
	h, order := authority.host(t)
	err := h.order(t, order("a.example.no"))
	if err == nil || strings.ContainsAny(err.Error(), "\n\x1b\u202e") || len(err.Error()) > 700 {
		t.Errorf("error %q", err)
	}
}

// The account's key would sign for whoever reads along.
func TestAnAuthorityMayNotLeadAwayFromTLS(t *testing.T) {
	authority := newStrictAuthority(t, func(w http.ResponseWriter) {})
	authority.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"newNonce": "http://127.0.0.1:9/nonce", "newAccount": "http://127.0.0.1:9/account", "newOrder": "http://127.0.0.1:9/order"})
	})
	h, order := authority.host(t)
	if err := h.order(t, order("a.example.no")); err == nil || !strings.Contains(err.Error(), "a place without TLS: http://127.0.0.1:9/nonce") {
		t.Errorf("error %v", err)
	}
}

func TestTokensStayInTheirDirectory(t *testing.T) {
	h := image(t, nil)
	for _, bad := range []string{"", "..", "../x", "a/b", "a.b", "a\x00", strings.Repeat("a", 201)} {
		if err := h.answer(bad, "x"); err == nil {
			t.Errorf("%q is answered", bad)
		}
	}
	if err := h.answer("good_-9", "x"); err != nil || h.text(t, nginx.ChallengeRoot+nginx.ChallengePath+"good_-9") != "x" {
		t.Errorf("a good one: %v", err)
	}
}

// FuzzNotes reads what could be in the files that molo keeps: damage must neither stop
// it nor keep it from ordering for ever.
func FuzzNotes(f *testing.F) {
	f.Add([]byte(`{"count": 1, "at": "2026-11-24T12:00:00Z", "until": "9999-11-24T12:00:00Z", "error": "x"}`))
	f.Add([]byte(`{"leaf": "ab", "asked": "2026-11-24T12:00:00Z", "next": "9999-11-24T12:00:00Z", "start": "2026-11-24T12:00:00Z"}`))
	f.Add([]byte(`{"directory": "https://x", "names": ["a"]}`))
	f.Add([]byte("null"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h := &acmeHost{Host: image(t, nil)}
		dir := certificate.Pairs + "/app.example.no/"
		for _, name := range []string{failureFile, renewalFile, "x/" + orderFile, "x/" + certificate.ChainFile, "x/" + certificate.KeyFile} {
			h.write(t, dir+name, data, 0o600)
		}
		if err := pointTo(h.path(dir), "x"); err != nil {
			t.Fatal(err)
		}
		c := h.have(t, "app.example.no")
		if c.Chain.Problem == "" {
			t.Errorf("%q is a certificate: %+v", data, c)
		}
	})
}

// deadEnd takes connections and says nothing; it counts them.
func deadEnd(t *testing.T) (directory string, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	connections = &atomic.Int32{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			conn.Close()
		}
	}()
	return "https://" + l.Addr().String() + "/dir", connections
}

// However many sites need it, an authority that does not answer is tried once in a run.
func TestAnAuthorityThatDoesNotAnswerIsAskedOnce(t *testing.T) {
	authority := newStrictAuthority(t, nil)
	counts := map[int]int32{}
	for _, sites := range []int{1, 3} {
		h, order := authority.host(t)
		directory, connections := deadEnd(t)
		var wants []resource.Certificate
		for _, site := range []string{"a.example.no", "b.example.no", "c.example.no"}[:sites] {
			w := order(site)
			w.Directory = directory
			wants = append(wants, w)
		}
		if err := h.order(t, wants...); err == nil {
			t.Fatal("an order came to something")
		}
		counts[sites] = connections.Load()
	}
	if counts[1] == 0 || counts[3] != counts[1] {
		t.Errorf("connections for one site and for three: %v", counts)
	}
}
