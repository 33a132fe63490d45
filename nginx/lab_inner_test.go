package nginx_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"molo/internal/lab/labtest"
)

// newInner starts the other applications of featureHCL, behind nginx on the host,
// and writes the files that its sites name.
func (w *web) newInner(t *testing.T) {
	t.Helper()
	certificate, authority := newCertificate(t, "inner.example.no")
	for path, file := range map[string]struct{ text, mode string }{
		"/etc/nginx/inner-ca.pem": {string(authority), "0644"},
		// "molo" with the password "breakwater", as "openssl passwd -apr1" makes it.
		"/etc/nginx/users": {"molo:$apr1$molosalt$h97ql7uAFVgX7ZxXVAyx30\n", "0640"},
	} {
		if err := w.host.WriteFile(path, []byte(file.text), 0o600); err != nil {
			t.Fatal(err)
		}
		labtest.Output(t, w.host, "chown", "root:www-data", path)
		labtest.Output(t, w.host, "chmod", file.mode, path)
	}
	socket := fmt.Sprintf("/proc/%d/root/run/molo-test.sock", w.host.Pid())
	unixSocket, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}
	serve(t, unixSocket, w.app)
	serve(t, tls.NewListener(listenOn(t, w.host, "127.0.0.1:8443"), &tls.Config{Certificates: config.Certificates}), w.app)
	serve(t, listenOn(t, w.host, "127.0.0.1:50051"), http.HandlerFunc(serveGRPC))
	serve(t, tls.NewListener(listenOn(t, w.host, "127.0.0.1:8444"), config), http.HandlerFunc(serveGRPC))
}

// serve serves HTTP/1.1 and HTTP/2, with TLS or without, until the test ends.
func serve(t *testing.T, l net.Listener, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

// serveGRPC answers as a gRPC server does: over HTTP/2, with its status in a trailer.
func serveGRPC(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	w.Header().Set("X-Powered-By", "grpc/1.0")
	w.Header().Set("X-Frame-Options", "ALLOWALL")
	fmt.Fprintf(w, "%s %s %d bytes from %s, host %s, %v", r.Proto, r.URL.Path, len(body), r.Header.Get("X-Forwarded-For"), r.Host, err)
	w.Header().Set("Grpc-Status", "0")
}

// newCertificate returns a certificate for a name, and its authority in PEM.
func newCertificate(t *testing.T, name string) (tls.Certificate, []byte) {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	sign := func(template, parent *x509.Certificate, public any, key any) []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "inner authority"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, key := newKey(), newKey()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to, DNSNames: []string{name}}
	authority := sign(ca, ca, caKey.Public(), caKey)
	der := sign(leaf, ca, key.Public(), caKey)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority})
}
