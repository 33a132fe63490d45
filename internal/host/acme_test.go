package host

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/certificate"
	"molo/certificate/certtest"
	"molo/internal/facts"
	"molo/internal/lab/pebble"
	"molo/internal/resource"
	"molo/nginx"
	"molo/provision"
)

// acmeHost is a host made of files, a web server that serves its challenges, and an
// authority, all on loopback.
type acmeHost struct {
	*Host
	authority *pebble.Authority
	web       *http.Server
}

func newACMEHost(t *testing.T, change func(*pebble.Options)) *acmeHost {
	t.Helper()
	a := &acmeHost{Host: image(t, nil)}
	a.web, a.challengePort = serveChallenges(t, a.path(nginx.ChallengeRoot))
	resolver, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := pebble.Options{
		Address: "127.0.0.1", Ports: [2]int{freePort(t), freePort(t)}, HTTPPort: int(a.challengePort),
		Names: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Resolver: resolver, Dial: (&net.Dialer{}).DialContext,
		Command: func(ctx context.Context, argv ...string) *exec.Cmd {
			return exec.CommandContext(ctx, argv[0], argv[1:]...)
		},
	}
	if change != nil {
		change(&o)
	}
	a.authority = pebble.New(t, o)
	a.write(t, "/etc/molo/ca.pem", a.authority.CA, 0o644)
	return a
}

// serveChallenges serves a directory as nginx would, over both families.
func serveChallenges(t *testing.T, dir string) (*http.Server, uint16) {
	t.Helper()
	server := &http.Server{Handler: http.FileServer(http.Dir(dir))}
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(first)
	port := first.Addr().(*net.TCPAddr).Port
	if second, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port)); err == nil {
		go server.Serve(second)
	} else if hasIPv6() {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, uint16(port)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (a *acmeHost) write(t *testing.T, path string, data []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(a.path(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.path(path), data, mode); err != nil {
		t.Fatal(err)
	}
}

// want is a certificate that is to be ordered.
func (a *acmeHost) want(site string) resource.Certificate {
	return resource.Certificate{
		Site: site, Names: []string{site}, KeyType: "ecdsa-p256", Directory: a.authority.Directory, DirectoryCA: "/etc/molo/ca.pem", Email: "ops@example.no",
	}
}

func (a *acmeHost) wants(site string) []certificate.Want {
	return []certificate.Want{{Site: site, Directory: a.authority.Directory, DirectoryCA: "/etc/molo/ca.pem"}}
}

// order writes changes as an apply would.
func (a *acmeHost) order(t *testing.T, wants ...resource.Certificate) error {
	t.Helper()
	var changes []provision.Change
	for _, w := range wants {
		changes = append(changes, provision.Change{ID: w.ID(), Want: w})
	}
	return a.Write(t.Context(), changes)
}

// have reads what is on disk for a site.
func (a *acmeHost) have(t *testing.T, site string) facts.Certificate {
	t.Helper()
	c, err := a.orderedFor(site)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// leaf returns the certificate on disk, which must be whole.
func (a *acmeHost) leaf(t *testing.T, site string) *x509.Certificate {
	t.Helper()
	pair, err := certificate.NewPair(a.have(t, site))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestACertificateIsOrderedAndInstalled(t *testing.T) {
	a := newACMEHost(t, func(o *pebble.Options) { o.NonceRejects = 30 })
	must(t, a.order(t, a.want("app.example.no"), a.want("www.example.no")))
	for _, site := range []string{"app.example.no", "www.example.no"} {
		c := a.have(t, site)
		pair, err := tls.LoadX509KeyPair(a.path(c.ChainPath), a.path(c.KeyPath))
		must(t, err)
		below := x509.NewCertPool()
		below.AppendCertsFromPEM([]byte(c.Chain.PEM))
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: site, Roots: a.authority.Roots(t), Intermediates: below}); err != nil {
			t.Errorf("%s: %v", site, err)
		}
		want := &facts.Ordered{Directory: a.authority.Directory, KeyType: "ecdsa-p256", Names: []string{site}}
		if diff := cmp.Diff(want, c.Ordered); diff != "" {
			t.Errorf("%s was ordered (-want +got)\n%s", site, diff)
		}
		if c.Renewal == nil || c.Renewal.Start.IsZero() || c.Failure != nil {
			t.Errorf("%s: renewal %+v, failure %+v", site, c.Renewal, c.Failure)
		}
	}
	if accounts, err := os.ReadDir(a.path(certificate.Dir + "/accounts")); err != nil || len(accounts) != 1 {
		t.Errorf("accounts %v, %v, want one", accounts, err)
	}
	a.onlyRootReads(t)
	if left, err := os.ReadDir(a.path(nginx.ChallengeRoot + nginx.ChallengePath)); err != nil || len(left) != 0 {
		t.Errorf("left to be served: %v, %v", left, err)
	}
}

// onlyRootReads checks the modes of everything about ACME.
func (a *acmeHost) onlyRootReads(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(a.path(certificate.Dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has the mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
		return nil
	})
	must(t, err)
}

func TestEveryKindOfKeyAndProfileIsOrdered(t *testing.T) {
	a := newACMEHost(t, nil)
	for _, kind := range []string{"ecdsa-p384", "rsa-2048"} {
		w := a.want("app.example.no")
		w.KeyType, w.Profile = kind, "shortlived"
		must(t, a.order(t, w))
		c := a.have(t, "app.example.no")
		if life := a.leaf(t, "app.example.no").NotAfter.Sub(a.leaf(t, "app.example.no").NotBefore); life > 7*24*time.Hour {
			t.Errorf("%s: it lasts %s, want six days", kind, life)
		}
		if c.Ordered.KeyType != kind || c.Ordered.Profile != "shortlived" {
			t.Errorf("%s: it was ordered as %+v", kind, c.Ordered)
		}
	}
	w := a.want("app.example.no")
	w.Profile = "eternal"
	if err := a.order(t, w, a.want("www.example.no")); err == nil || !strings.Contains(err.Error(), "eternal") {
		t.Errorf("an unknown profile: %v", err)
	}
	a.leaf(t, "www.example.no") // is not kept waiting by that
}

// A renewal keeps the certificates of before: a configuration that is put back names them.
func TestARenewalKeepsTheOldOnes(t *testing.T) {
	a := newACMEHost(t, nil)
	seen := map[string]bool{}
	for range keptPairs + 3 {
		must(t, a.order(t, a.want("app.example.no")))
		seen[a.have(t, "app.example.no").ChainPath] = true
	}
	if len(seen) != keptPairs+3 {
		t.Fatalf("%d certificates, want a new one each time", len(seen))
	}
	kept := 0
	for path := range seen {
		if _, err := os.Stat(a.path(path)); err == nil {
			kept++
		}
	}
	if kept != keptPairs+1 {
		t.Errorf("%d certificates are kept, want %d", kept, keptPairs+1)
	}
}

// nginx would not start again if a file that it names were gone, however old it is.
func TestWhatNginxNamesIsKept(t *testing.T) {
	a := newACMEHost(t, nil)
	must(t, a.order(t, a.want("app.example.no")))
	first := a.have(t, "app.example.no")
	tree := resource.Tree{Dir: nginx.Dir, Files: map[string][]byte{"sites/app.example.no.conf": []byte("ssl_certificate " + first.ChainPath + ";")}}
	must(t, a.writeTree(tree))
	for range keptPairs + 2 {
		must(t, a.order(t, a.want("app.example.no")))
	}
	if _, err := os.Stat(a.path(first.KeyPath)); err != nil {
		t.Errorf("nginx names it: %v", err)
	}
	gone := provision.Change{ID: a.want("app.example.no").ID()}
	if err := a.Write(t.Context(), []provision.Change{gone}); err == nil || !strings.Contains(err.Error(), "nginx still uses it") {
		t.Errorf("taking it away: %v", err)
	}
	must(t, a.removeTree(nginx.Dir))
	must(t, a.Write(t.Context(), []provision.Change{gone}))
	if _, err := os.Stat(a.path(certificate.Pairs + "/app.example.no")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestAnAuthorityThatHasForgottenTheAccount(t *testing.T) {
	a := newACMEHost(t, nil)
	must(t, a.order(t, a.want("app.example.no")))
	a.authority.Stop()
	a.authority.Start(t)
	must(t, a.order(t, a.want("www.example.no")))
	a.leaf(t, "www.example.no")
}

// What a run leaves that was killed: an account's key that nobody has registered, half a
// certificate, a token.
func TestARunGoesOnWhereAnotherDied(t *testing.T) {
	a := newACMEHost(t, nil)
	w := a.want("app.example.no")
	key, err := newKey("ecdsa-p256")
	must(t, err)
	encoded, err := encodeKey(key)
	must(t, err)
	account := certificate.Dir + "/accounts/" + accountID(w)
	a.write(t, account+"/key.pem", encoded, 0o600)
	a.write(t, certificate.Pairs+"/app.example.no/0123456789abcdef.tmp/key.pem", []byte("half"), 0o600)
	a.write(t, nginx.ChallengeRoot+nginx.ChallengePath+"stale", []byte("x"), 0o644)
	must(t, os.Symlink("gone", a.path(certificate.Pairs+"/app.example.no/"+certificate.Current)))
	must(t, a.order(t, w))
	a.leaf(t, "app.example.no")
	if a.text(t, account+"/key.pem") != string(encoded) {
		t.Error("the account has another key")
	}
	if _, err := os.Stat(a.path(nginx.ChallengeRoot + nginx.ChallengePath + "stale")); err == nil {
		t.Error("the old token is still served")
	}
}

func TestAnExternalAccountIsBound(t *testing.T) {
	const secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	a := newACMEHost(t, func(o *pebble.Options) { o.External = map[string]string{"kid-1": secret} })
	w := a.want("app.example.no")
	if err := a.order(t, w); err == nil || !strings.Contains(err.Error(), "externalAccountRequired") {
		t.Errorf("without one: %v", err)
	}
	w.KeyID, w.KeyFile = "kid-1", "/etc/molo/eab.key"
	for _, tc := range []struct {
		name, text string
		mode       fs.FileMode
		want       string
	}{
		{"a key that everybody may read", secret, 0o644, "others than root may read or change the key (mode 0644)"},
		{"no key", "not a key!", 0o600, "does not hold a key in base64url"},
		{"another key", strings.ToUpper(secret), 0o600, "the authority says: "},
		{"the key, with padding and a line end", secret + "=\n", 0o600, ""},
	} {
		must(t, os.RemoveAll(a.path(w.KeyFile)))
		a.write(t, w.KeyFile, []byte(tc.text), tc.mode)
		err := a.order(t, w)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: the error holds the key: %v", tc.name, err)
		}
	}
}

// A challenge that nginx does not answer is found out before the authority is asked:
// failed orders count there.
func TestNoOrderIsMadeWhileNobodyAnswersTheChallenge(t *testing.T) {
	a := newACMEHost(t, nil)
	a.web.Close()
	err := a.order(t, a.want("app.example.no"))
	if err == nil || !strings.Contains(err.Error(), "app.example.no: not ordered: ") {
		t.Errorf("error %v", err)
	}
	if c := a.have(t, "app.example.no"); c.Failure != nil {
		t.Errorf("nobody was asked, and yet %+v is noted", c.Failure)
	}
	if _, err := os.Stat(a.path(certificate.Dir + "/accounts")); err == nil {
		t.Error("an account was made")
	}
}

func TestANameThatLeadsElsewhereIsExplainedAndWaits(t *testing.T) {
	a := newACMEHost(t, func(o *pebble.Options) { o.Names = []netip.Addr{netip.MustParseAddr("127.0.0.99")} })
	err := a.order(t, a.want("app.example.no"))
	for _, part := range []string{"app.example.no: the authority says: ", "127.0.0.99", "(connection)", "\nhint: port 80 has to be open to everybody"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want %q in it", err, part)
		}
	}
	f := a.have(t, "app.example.no").Failure
	if f == nil || f.Count != 1 || f.Asked || f.Until.Sub(f.At) != 15*time.Minute || !strings.HasPrefix(f.Error, "the authority says: ") {
		t.Fatalf("noted %+v", f)
	}
	a.order(t, a.want("app.example.no"))
	if f := a.have(t, "app.example.no").Failure; f.Count != 2 || f.Until.Sub(f.At) != 30*time.Minute {
		t.Errorf("the second time, noted %+v", f)
	}
}

func TestAnAuthorityThatDoesNotAnswerKeepsEveryOrderWaiting(t *testing.T) {
	a := newACMEHost(t, nil)
	a.authority.Stop()
	err := a.order(t, a.want("app.example.no"), a.want("www.example.no"))
	if err == nil || strings.Count(err.Error(), "connection refused") != 2 {
		t.Errorf("error %v, want it for both", err)
	}
	for _, site := range []string{"app.example.no", "www.example.no"} {
		if f := a.have(t, site).Failure; f == nil || f.Count != 1 {
			t.Errorf("%s: noted %+v", site, f)
		}
	}
	a.authority.Start(t)
	must(t, a.order(t, a.want("app.example.no")))
	if f := a.have(t, "app.example.no").Failure; f != nil {
		t.Errorf("after a good order, noted %+v", f)
	}
}

// By a clock that is wrong every new certificate is useless: it would be ordered again
// and again.
func TestACertificateThatThisClockCanNotUseIsNotInstalled(t *testing.T) {
	a := newACMEHost(t, nil)
	for name, shift := range map[string]time.Duration{"100 days ahead": 100 * 24 * time.Hour, "a day behind": -24 * time.Hour} {
		a.now = func() time.Time { return time.Now().Add(shift) }
		err := a.order(t, a.want("app.example.no"))
		if err == nil || !strings.Contains(err.Error(), "the authority issued a certificate that can't be used: it ") {
			t.Errorf("%s: %v", name, err)
		}
		c := a.have(t, "app.example.no")
		if c.ChainPath != "" || c.Failure == nil || !c.Failure.Until.After(a.now()) {
			t.Errorf("%s: on disk %+v", name, c)
		}
	}
}

func TestRenewalIsAskedAboutWhenItIsTime(t *testing.T) {
	a := newACMEHost(t, nil)
	must(t, a.order(t, a.want("app.example.no")))
	noted := a.have(t, "app.example.no").Renewal
	a.authority.SetRenewal(t, leafPEM(a.leaf(t, "app.example.no")), time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	must(t, a.askDue(t.Context(), a.wants("app.example.no")))
	if diff := cmp.Diff(noted, a.have(t, "app.example.no").Renewal); diff != "" {
		t.Fatalf("it was asked right after the order (-before +after)\n%s", diff)
	}
	a.now = func() time.Time { return time.Now().Add(7 * time.Hour) }
	must(t, a.askDue(t.Context(), a.wants("app.example.no")))
	r := a.have(t, "app.example.no").Renewal
	if r.Error != "" || !r.End.Before(time.Now()) || r.Next.Sub(r.Asked) < time.Hour {
		t.Errorf("noted %+v", r)
	}

	a.authority.Stop()
	must(t, a.askDue(t.Context(), a.wants("app.example.no")))
	if diff := cmp.Diff(r, a.have(t, "app.example.no").Renewal); diff != "" {
		t.Errorf("it was asked again (-before +after)\n%s", diff)
	}
	a.now = func() time.Time { return time.Now().Add(20 * time.Hour) }
	must(t, a.askDue(t.Context(), a.wants("app.example.no")))
	later := a.have(t, "app.example.no").Renewal
	if later.Error == "" || later.Start != r.Start || !later.Next.After(a.now()) {
		t.Errorf("an authority that does not answer: noted %+v", later)
	}
}

func leafPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// Nothing is asked of anybody while nothing is due: there is nobody to ask here, and
// neither a request nor a note is made.
func TestNothingIsAskedWhileNothingIsDue(t *testing.T) {
	a := &acmeHost{Host: image(t, nil)}
	directory, requests := deadEnd(t)
	now := time.Now()
	i := certtest.New(t).Issue(t, certtest.Leaf{Names: []string{"app.example.no"}, From: now.Add(-time.Hour), Until: now.AddDate(0, 0, 90)})
	pair, err := certificate.NewPair(facts.Certificate{Chain: certificate.ReadChain(i.Chain()), Key: certificate.ReadKey(i.Key)})
	must(t, err)
	ordered := facts.Ordered{Directory: directory, KeyType: "ecdsa-p256", Names: []string{"app.example.no"}}
	must(t, a.install("app.example.no", pair.Digest(), i.Chain(), i.Key, ordered))
	must(t, a.writeNote("app.example.no", renewalFile, certificate.First(facts.Renewal{Leaf: pair.Digest()}, now, now.Add(6*time.Hour))))
	before := a.have(t, "app.example.no")
	want := certificate.Want{Site: "app.example.no", Directory: directory}
	must(t, a.askDue(t.Context(), []certificate.Want{want}))
	if _, _, err := a.TLS(t.Context(), []certificate.Want{want}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, a.have(t, "app.example.no")); diff != "" || requests.Load() != 0 {
		t.Errorf("%d requests (-before +after)\n%s", requests.Load(), diff)
	}
	a.now = func() time.Time { return now.Add(7 * time.Hour) }
	must(t, a.askDue(t.Context(), []certificate.Want{want}))
	if requests.Load() == 0 {
		t.Error("no request when it is time: this test can't see any")
	}
}
