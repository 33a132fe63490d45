// Package certtest makes certificates for tests: a root, an intermediate authority
// below it, and whatever they sign.
package certtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/netip"
	"testing"
	"time"
)

// Authority is a root certificate and an intermediate one below it.
type Authority struct {
	Root, Below *x509.Certificate
	rootKey     crypto.Signer
	belowKey    crypto.Signer
}

// Leaf says what a certificate is to be like.
type Leaf struct {
	Names       []string // host names and addresses
	From, Until time.Time
	Key         crypto.Signer      // nil: a new one on P-256
	Usage       []x509.ExtKeyUsage // nil: for servers
}

// Issued is a certificate in PEM.
type Issued struct {
	Leaf, Below, Root []byte // each alone
	Key               []byte
}

// Chain is the certificate and the one that signed it.
func (i Issued) Chain() []byte { return bytes.Join([][]byte{i.Leaf, i.Below}, nil) }

// New makes an authority that is valid from 2000 to 2100.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{rootKey: newKey(t), belowKey: newKey(t)}
	root := authority("test root")
	a.Root = sign(t, root, root, a.rootKey.Public(), a.rootKey)
	a.Below = sign(t, authority("test intermediate"), a.Root, a.belowKey.Public(), a.rootKey)
	return a
}

// Issue signs a certificate.
func (a *Authority) Issue(t testing.TB, l Leaf) Issued {
	t.Helper()
	if l.Key == nil {
		l.Key = newKey(t)
	}
	if l.Usage == nil {
		l.Usage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	template := &x509.Certificate{
		SerialNumber: serial(t), NotBefore: l.From, NotAfter: l.Until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: l.Usage, BasicConstraintsValid: true,
	}
	for _, name := range l.Names {
		if ip, err := netip.ParseAddr(name); err == nil {
			template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	leaf := sign(t, template, a.Below, l.Key.Public(), a.belowKey)
	return Issued{encode("CERTIFICATE", leaf.Raw), encode("CERTIFICATE", a.Below.Raw), encode("CERTIFICATE", a.Root.Raw), Key(t, l.Key)}
}

// Key encodes a private key.
func Key(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encode("PRIVATE KEY", der)
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	return n.Add(n, big.NewInt(1))
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// PEM encodes a certificate.
func PEM(c *x509.Certificate) []byte { return encode("CERTIFICATE", c.Raw) }
