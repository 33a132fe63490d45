package host

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"molo/certificate"
	"molo/certificate/certtest"
	"molo/internal/facts"
	"molo/nginx"
)

func issued(t *testing.T, names ...string) certtest.Issued {
	t.Helper()
	return certtest.New(t).Issue(t, certtest.Leaf{Names: names, From: time.Now().Add(-time.Hour), Until: time.Now().Add(24 * time.Hour)})
}

func TestTheOwnersFilesAreRead(t *testing.T) {
	i := issued(t, "app.example.no")
	h := &acmeHost{Host: image(t, nil)}
	h.write(t, "/etc/ssl/app.pem", i.Chain(), 0o644)
	h.write(t, "/etc/ssl/app.key", i.Key, 0o640)
	h.write(t, "/etc/ssl/both.pem", append(i.Chain(), i.Key...), 0o600)
	h.write(t, "/etc/ssl/huge.pem", make([]byte, certificate.MaxFile+1), 0o600)
	must(t, os.Symlink("app.pem", h.path("/etc/ssl/link.pem")))
	must(t, unix.Mkfifo(h.path("/etc/ssl/fifo"), 0o600))
	for _, tc := range []struct {
		name, chain, key string
		chainSays        string
		keySays          string
		mode             fs.FileMode
	}{
		{"two files", "/etc/ssl/app.pem", "/etc/ssl/app.key", "", "", 0o640},
		{"one file", "/etc/ssl/both.pem", "/etc/ssl/both.pem", "", "", 0o600},
		{"a link", "/etc/ssl/link.pem", "/etc/ssl/app.key", "", "", 0o640},
		{"no files", "/etc/ssl/none.pem", "/etc/none/app.key", "there is no such file", "there is no such file", 0},
		{"a directory", "/etc/ssl", "/etc/ssl", "it is not a regular file", "it is not a regular file", 0},
		{"a pipe that nobody writes to", "/etc/ssl/fifo", "/etc/ssl/fifo", "it is not a regular file", "it is not a regular file", 0},
		{"a file where a directory should be", "/etc/ssl/app.pem/x", "/etc/ssl/app.pem/x", "not a directory", "not a directory", 0},
		{"a huge file", "/etc/ssl/huge.pem", "/etc/ssl/app.key", "it is too large to be a file of certificates", "", 0o640},
		{"the files the wrong way round", "/etc/ssl/app.key", "/etc/ssl/app.pem", "there is no certificate in it", "there is no private key in it", 0o644},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, unread, err := h.TLS(t.Context(), []certificate.Want{{Site: "a", Chain: tc.chain, Key: tc.key}})
			if err != nil || unread != nil || got.Blind {
				t.Fatal(err, unread)
			}
			c := got.Files["a"]
			if c.Chain.Problem != tc.chainSays || c.Key.Problem != tc.keySays || c.Key.Mode != tc.mode {
				t.Errorf("chain %q, key %q, mode %04o, want %q, %q, %04o", c.Chain.Problem, c.Key.Problem, c.Key.Mode, tc.chainSays, tc.keySays, tc.mode)
			}
			data, err := json.Marshal(got)
			if err != nil || strings.Contains(string(data), "PRIVATE") {
				t.Errorf("the facts hold a key, or %v:\n%s", err, data)
			}
		})
	}
}

func TestClientsAuthoritiesAreRead(t *testing.T) {
	i := issued(t, "app.example.no")
	h := &acmeHost{Host: image(t, nil)}
	h.write(t, "/etc/clients.pem", i.Root, 0o644)
	got, _, err := h.TLS(t.Context(), []certificate.Want{{Site: "a", ClientCA: "/etc/clients.pem"}, {Site: "b", ClientCA: "/etc/none.pem"}})
	want := map[string]facts.CertFile{"/etc/clients.pem": {PEM: string(i.Root)}, "/etc/none.pem": {Problem: "there is no such file"}}
	if diff := cmp.Diff(want, got.ClientCAs); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestWithoutSitesOverTLSNothingIsRead(t *testing.T) {
	h := image(t, map[string]string{"/etc/nginx/molo/gen-1/http.conf": "x"})
	got, unread, err := h.TLS(t.Context(), nil)
	if diff := cmp.Diff(facts.TLS{Files: map[string]facts.Certificate{}, ClientCAs: map[string]facts.CertFile{}}, got); diff != "" || unread != nil || err != nil {
		t.Errorf("%v %v (-want +got)\n%s", unread, err, diff)
	}
}

// What may not be read makes the plan incomplete; it is not taken for missing.
func TestWhatMayNotBeReadIsSaid(t *testing.T) {
	h := image(t, nil)
	must(t, os.MkdirAll(h.path(certificate.Pairs), 0o755))
	mode := fs.FileMode(0o700)
	if os.Geteuid() != 0 {
		mode = 0
	}
	must(t, os.Chmod(h.path(certificate.Dir), mode))
	defer os.Chmod(h.path(certificate.Dir), 0o700)
	must(t, os.Chmod(filepath.Dir(h.root), 0o755))
	asNobody(t, func() {
		got, unread, err := h.TLS(t.Context(), []certificate.Want{{Site: "a", Directory: "https://x"}})
		if err != nil || !got.Blind || len(unread) != 2 || unread[0].What != certificate.Dir || unread[0].Why != "permission denied" {
			t.Errorf("%v, %+v, %v", got.Blind, unread, err)
		}
		if got, unread, err := h.TLS(t.Context(), nil); err != nil || got.Blind || unread != nil {
			t.Errorf("without a site that needs it: %v, %+v, %v", got.Blind, unread, err)
		}
	})
}

// asNobody does something with nobody's rights to files (setfsuid(2) is about a thread,
// which ends with the goroutine that stays locked to it). Who is not root has none anyway.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		if os.Geteuid() == 0 {
			_, err = unix.SetfsuidRetUid(65534)
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	must(t, <-done)
}

// listenTLS serves certificates by name, and none for other names.
func listenTLS(t *testing.T, protocols []string, certificates map[string]certtest.Issued) uint16 {
	t.Helper()
	config := &tls.Config{NextProtos: protocols, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		i, ok := certificates[hello.ServerName]
		if !ok {
			return nil, fmt.Errorf("no certificate for %s", hello.ServerName)
		}
		pair, err := tls.X509KeyPair(i.Chain(), i.Key)
		return &pair, err
	}}
	first, err := tls.Listen("tcp", "127.0.0.1:0", config)
	must(t, err)
	port := first.Addr().(*net.TCPAddr).Port
	listeners := []net.Listener{first}
	if hasIPv6() {
		second, err := tls.Listen("tcp", fmt.Sprintf("[::1]:%d", port), config)
		must(t, err)
		listeners = append(listeners, second)
	}
	for _, l := range listeners {
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					conn.(*tls.Conn).Handshake()
				}()
			}
		}()
	}
	return uint16(port)
}

func TestTheServedCertificateIsComparedWithTheOneOnDisk(t *testing.T) {
	app, other := issued(t, "app.example.no"), issued(t, "app.example.no")
	pair, err := certificate.NewPair(facts.Certificate{Chain: certificate.ReadChain(app.Chain()), Key: certificate.ReadKey(app.Key)})
	must(t, err)
	h2 := []string{"h2", "http/1.1"}
	for _, tc := range []struct {
		name         string
		protocols    []string
		certificates map[string]certtest.Issued
		want         string
	}{
		{"as it should be", h2, map[string]certtest.Issued{"app.example.no": app}, ""},
		{"an old certificate", h2, map[string]certtest.Issued{"app.example.no": other}, "nginx shows another certificate than the one on disk"},
		{"a certificate for everybody", h2, map[string]certtest.Issued{"app.example.no": app, nginx.UnknownHost: app}, "a name that is not served is shown a certificate"},
		{"no HTTP/2", []string{"http/1.1"}, map[string]certtest.Issued{"app.example.no": app}, "nginx does not speak HTTP/2"},
		{"no certificate", h2, nil, "tls: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			port := listenTLS(t, tc.protocols, tc.certificates)
			err := askTLS(t.Context(), []nginx.Handshake{{Port: port, Site: "app.example.no", Leaf: pair.Digest()}})
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
