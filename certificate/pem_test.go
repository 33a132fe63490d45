package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"molo/certificate/certtest"
)

func now() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// issue makes a certificate for the names that is 30 days old, of 90.
func issue(t testing.TB, names ...string) certtest.Issued {
	t.Helper()
	return certtest.New(t).Issue(t, certtest.Leaf{Names: names, From: now().AddDate(0, 0, -30), Until: now().AddDate(0, 0, 60)})
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, []byte("\n")) }

func TestReadChainTakesWholeFilesOnly(t *testing.T) {
	i := issue(t, "app.example.no")
	for _, tc := range []struct {
		name    string
		data    []byte
		want    int // certificates
		problem string
	}{
		{name: "a chain", data: i.Chain(), want: 2},
		{name: "text around the certificates", data: join([]byte("subject=x"), i.Leaf, []byte("issuer=y"), i.Below, []byte("end")), want: 2},
		{name: "the key in the same file", data: join(i.Key, i.Chain()), want: 2},
		{name: "line ends of Windows", data: bytes.ReplaceAll(i.Chain(), []byte("\n"), []byte("\r\n")), want: 2},
		{name: "nothing", problem: "there is no certificate in it"},
		{name: "a key alone", data: i.Key, problem: "there is no certificate in it"},
		{name: "a second certificate that is cut off", data: i.Chain()[:len(i.Chain())-40], problem: "a part of it is damaged or cut off"},
		{name: "a first certificate with a damaged line", data: bytes.Replace(i.Chain(), []byte("\nMII"), []byte("\n!!!"), 1), problem: "a part of it is damaged or cut off"},
		{name: "a certificate that is none", data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), problem: "a certificate in it can't be read"},
		{name: "a file that is too large", data: bytes.Repeat([]byte(" "), MaxFile+1), problem: "it is too large to be a file of certificates"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ReadChain(tc.data)
			if !strings.HasPrefix(got.Problem, tc.problem) || tc.problem == "" && got.Problem != "" {
				t.Errorf("problem %q, want %q", got.Problem, tc.problem)
			}
			if n := strings.Count(got.PEM, "BEGIN CERTIFICATE"); n != tc.want || strings.Contains(got.PEM, "KEY") {
				t.Errorf("%d certificates, want %d:\n%s", n, tc.want, got.PEM)
			}
		})
	}
}

func TestReadKeyTakesEveryUsualEncoding(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	locked := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("x")})
	for _, tc := range []struct {
		name    string
		data    []byte
		problem string
	}{
		{name: "PKCS #8", data: certtest.Key(t, ec)},
		{name: "SEC 1 behind its parameters, as openssl ecparam writes it", data: join(block("EC PARAMETERS", []byte("x")), block("EC PRIVATE KEY", der))},
		{name: "PKCS #1", data: block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(long))},
		{name: "Ed25519", data: certtest.Key(t, edwards)},
		{name: "behind certificates", data: join(issue(t, "a.no").Chain(), certtest.Key(t, ec))},
		{name: "nothing", problem: "there is no private key in it"},
		{name: "a certificate", data: issue(t, "a.no").Leaf, problem: "there is no private key in it"},
		{name: "with a passphrase", data: block("ENCRYPTED PRIVATE KEY", []byte("x")), problem: "the key in it has a passphrase, which nginx could not ask for"},
		{name: "with a passphrase, in the old form", data: locked, problem: "the key in it has a passphrase, which nginx could not ask for"},
		{name: "garbage", data: block("PRIVATE KEY", []byte("x")), problem: "the key in it can't be read"},
		{name: "cut off", data: certtest.Key(t, ec)[:100], problem: "a part of it is damaged or cut off"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ReadKey(tc.data)
			if got.Problem != tc.problem || (got.Public == "") != (tc.problem != "") {
				t.Errorf("got %+v, want the problem %q", got, tc.problem)
			}
		})
	}
}

// What is returned goes into facts, and from there into reports of bugs.
func FuzzWhatIsReadHoldsNoKey(f *testing.F) {
	i := issue(f, "app.example.no")
	f.Add(i.Chain())
	f.Add(i.Key)
	f.Add(join(i.Key, i.Chain(), i.Key))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN "))
	f.Fuzz(func(t *testing.T, data []byte) {
		chain := ReadChain(data)
		if strings.Contains(chain.PEM, "PRIVATE KEY-----") || (chain.PEM == "") == (chain.Problem == "") {
			t.Errorf("%q became %+v", data, chain)
		}
		if again := ReadChain([]byte(chain.PEM)); chain.Problem == "" && again != chain {
			t.Errorf("read again, %+v became %+v", chain, again)
		}
		if key := ReadKey(data); (key.Public == "") == (key.Problem == "") {
			t.Errorf("%q became the key %+v", data, key)
		}
	})
}
