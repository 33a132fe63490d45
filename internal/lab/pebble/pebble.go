// Package pebble runs Pebble, Let's Encrypt's ACME server for tests, as an authority of
// a test's own: on a machine beside a lab's host, or on loopback.
package pebble

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"molo/certificate/certtest"
	"molo/internal/lab"
)

// Package is the program, pinned in go.mod.
const Package = "github.com/letsencrypt/pebble/v2/cmd/pebble"

// Options say where the authority is, and what it finds there.
type Options struct {
	Address  string // its own
	Ports    [2]int // of the directory, and of what tests steer it by
	HTTPPort int    // where it asks whether a name is a host's
	// Names is what every name in the world leads to.
	Names []netip.Addr
	// Command runs a program of this machine where the authority is.
	Command func(ctx context.Context, argv ...string) *exec.Cmd
	// Resolver listens there, for questions about names over TCP.
	Resolver net.Listener
	// Dial connects from there.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// NonceRejects is how many in a hundred good nonces are refused.
	NonceRejects int
	// External is the key, by its identifier, of each account that may register; none:
	// everybody may.
	External map[string]string
	// Refuses lists names that it issues no certificates for.
	Refuses []string
}

// Authority is a running authority.
type Authority struct {
	Directory string // URL
	CA        []byte // the root that the directory's own certificate comes from, PEM

	log     *log
	options Options
	client  *http.Client
	cmd     *exec.Cmd
	files   string
}

// New starts an authority that ends with the test.
func New(t testing.TB, o Options) *Authority {
	t.Helper()
	now := time.Now()
	web := certtest.New(t)
	own := web.Issue(t, certtest.Leaf{Names: []string{o.Address}, From: now.Add(-time.Hour), Until: now.Add(24 * time.Hour)})
	a := &Authority{
		Directory: fmt.Sprintf("https://%s/dir", net.JoinHostPort(o.Address, fmt.Sprint(o.Ports[0]))),
		CA:        own.Root, options: o, files: t.TempDir(),
	}
	pool := x509.NewCertPool()
	pool.AddCert(web.Root)
	a.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: o.Dial, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}}
	for name, data := range map[string][]byte{"cert.pem": own.Chain(), "key.pem": own.Key, "config.json": a.config(t)} {
		if err := os.WriteFile(filepath.Join(a.files, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	go resolve(o.Resolver, o.Names)
	t.Cleanup(func() { o.Resolver.Close() })
	a.Start(t)
	t.Cleanup(a.Stop)
	return a
}

// config writes what Pebble reads. Certificates last 90 days, or six with the profile
// "shortlived".
func (a *Authority) config(t testing.TB) []byte {
	t.Helper()
	address := func(port int) string { return net.JoinHostPort(a.options.Address, fmt.Sprint(port)) }
	config := map[string]any{
		"listenAddress": address(a.options.Ports[0]), "managementListenAddress": address(a.options.Ports[1]),
		"certificate": filepath.Join(a.files, "cert.pem"), "privateKey": filepath.Join(a.files, "key.pem"),
		"httpPort": a.options.HTTPPort, "tlsPort": 1, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{
			"default":    map[string]any{"description": "90 days", "validityPeriod": 90 * 24 * 3600},
			"shortlived": map[string]any{"description": "six days", "validityPeriod": 6 * 24 * 3600},
		},
	}
	if len(a.options.Refuses) > 0 {
		config["domainBlocklist"] = a.options.Refuses
	}
	if len(a.options.External) > 0 {
		config["externalAccountBindingRequired"] = true
		config["externalAccountMACKeys"] = a.options.External
	}
	data, err := json.Marshal(map[string]any{"pebble": config})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Start starts it again after Stop. It has forgotten everything by then: its accounts,
// its certificates, and the keys that signed them.
func (a *Authority) Start(t testing.TB) {
	t.Helper()
	binary, err := lab.BuildStatic(t.Context(), Package)
	if err != nil {
		t.Fatal(err)
	}
	a.cmd = a.options.Command(context.WithoutCancel(t.Context()), binary, "-strict", "-config", filepath.Join(a.files, "config.json"),
		"-dnsserver", a.options.Resolver.Addr().String())
	a.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0", fmt.Sprintf("PEBBLE_WFE_NONCEREJECT=%d", a.options.NonceRejects))
	a.log = &log{}
	a.cmd.Stdout, a.cmd.Stderr = a.log, a.log
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err = a.get(t.Context(), a.options.Ports[0], "/dir"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			a.Stop()
			t.Fatalf("Pebble does not answer: %v\n%s", err, a.log.text())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop ends it: it can't be reached any more.
func (a *Authority) Stop() {
	if a.cmd.Cancel != nil && a.cmd.ProcessState == nil {
		if err := a.cmd.Cancel(); err == nil {
			a.cmd.Wait() //nolint:errcheck // it was killed
		}
	}
}

// Requests counts the requests since it was started.
func (a *Authority) Requests() int { return strings.Count(a.log.text(), "-> calling handler()") }

// log keeps what Pebble says.
type log struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.Write(p)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.String()
}

// Roots returns what clients trust who trust this authority.
func (a *Authority) Roots(t testing.TB) *x509.CertPool {
	t.Helper()
	data, err := a.get(t.Context(), a.options.Ports[1], "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatalf("no root in %q", data)
	}
	return pool
}

// SetRenewal has the authority say when it wants a certificate renewed.
func (a *Authority) SetRenewal(t testing.TB, certificate []byte, start, end time.Time) {
	t.Helper()
	window := map[string]any{"suggestedWindow": map[string]time.Time{"start": start.UTC(), "end": end.UTC()}}
	answer, err := json.Marshal(window)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"Certificate": string(certificate), "ARIResponse": string(answer)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.do(t.Context(), http.MethodPost, a.options.Ports[1], "/set-renewal-info/", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

func (a *Authority) get(ctx context.Context, port int, path string) ([]byte, error) {
	return a.do(ctx, http.MethodGet, port, path, nil)
}

func (a *Authority) do(ctx context.Context, method string, port int, path string, body io.Reader) ([]byte, error) {
	url := "https://" + net.JoinHostPort(a.options.Address, fmt.Sprint(port)) + path
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s\n%s", url, response.Status, data)
	}
	return data, err
}
