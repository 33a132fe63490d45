package certificate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"molo/certificate/certtest"
	"molo/internal/facts"
	"molo/internal/policy"
)

// fileSite is a site whose certificate is the owner's, as a policy would say it.
func fileSite(name, clientCA string) *policy.Site {
	at := func(line int) hcl.Range { return hcl.Range{Filename: "policies.hcl", Start: hcl.Pos{Line: line}} }
	return &policy.Site{
		Name: policy.Value[string]{V: name},
		TLS: &policy.TLS{
			Range:       at(3),
			Certificate: policy.Value[string]{V: "/etc/ssl/app.pem", Range: at(4)},
			Key:         policy.Value[string]{V: "/etc/ssl/app.key", Range: at(5)},
			ClientCA:    policy.Value[string]{V: clientCA, Range: at(6)},
		},
	}
}

// files is what a host reads of the owner's files.
func files(chain, key []byte, mode fs.FileMode) facts.Certificate {
	k := ReadKey(key)
	k.Mode = mode
	return facts.Certificate{ChainPath: "/etc/ssl/app.pem", KeyPath: "/etc/ssl/app.key", Chain: ReadChain(chain), Key: k}
}

func TestCheckFilesNamesFileAndLine(t *testing.T) {
	a := certtest.New(t)
	from, until := now().AddDate(0, 0, -30), now().AddDate(0, 0, 60)
	good := a.Issue(t, certtest.Leaf{Names: []string{"app.example.no"}, From: from, Until: until})
	other := a.Issue(t, certtest.Leaf{Names: []string{"app.example.no"}, From: from, Until: until})
	leaf := func(l certtest.Leaf) certtest.Issued {
		if l.Names == nil {
			l.Names = []string{"app.example.no"}
		}
		if l.From.IsZero() {
			l.From, l.Until = from, until
		}
		return a.Issue(t, l)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak := leaf(certtest.Leaf{Key: short})
	wild := leaf(certtest.Leaf{Names: []string{"*.example.no"}})
	several := leaf(certtest.Leaf{Names: []string{"www.example.no", "app.example.no"}})
	foreign := leaf(certtest.Leaf{Names: []string{"a.no", "b.no", "c.no", "d.no", "e.no"}})
	mail := leaf(certtest.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}})
	expired := leaf(certtest.Leaf{From: from, Until: now().Add(-time.Second)})
	early := leaf(certtest.Leaf{From: now().Add(time.Second), Until: until})
	with := func(chain, key []byte) facts.Certificate { return files(chain, key, 0o640) }
	broken := with(good.Chain(), good.Key)
	broken.Chain = facts.CertFile{Problem: "no such file"}
	for _, tc := range []struct {
		name  string
		files facts.Certificate
		want  string // the error; "" for none
	}{
		{"a chain and its key", with(good.Chain(), good.Key), ""},
		{"a chain up to the root", with(join(good.Chain(), good.Root), good.Key), ""},
		{"a leaf alone", with(good.Leaf, good.Key), ""},
		{"a wildcard", with(wild.Chain(), wild.Key), ""},
		{"several names", with(several.Chain(), several.Key), ""},
		{"a file that is not there", broken, "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: no such file"},
		{"a key that is a certificate", with(good.Chain(), good.Leaf), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.key: there is no private key in it"},
		{"a key of another certificate", with(good.Chain(), other.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.key: the key does not fit the certificate in /etc/ssl/app.pem"},
		{"the intermediate first", with(join(good.Below, good.Leaf), good.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: certificate 2 in it is the one that fits the key, and has to be the first"},
		{"a chain in another order", with(join(good.Leaf, good.Root, good.Below), good.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: certificate 1 in it (app.example.no) was not signed by the one after it (\"test root\")"},
		{"an intermediate of another authority", with(join(good.Leaf, issue(t, "x.no").Below), good.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: certificate 1 in it (app.example.no) was not signed by the one after it (\"test intermediate\")"},
		{"other names", with(foreign.Chain(), foreign.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: it is for a.no, b.no, c.no, d.no, others and not for app.example.no"},
		{"a short key", with(weak.Chain(), weak.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: its RSA key of 1024 bits is too short"},
		{"not for servers", with(mail.Chain(), mail.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: it is not for servers"},
		{"expired", with(expired.Chain(), expired.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: it has expired on 2026-11-24 11:59 UTC"},
		{"not valid yet", with(early.Chain(), early.Key), "policies.hcl:4: site \"app.example.no\": /etc/ssl/app.pem: it is not valid before 2026-11-24 12:00 UTC"},
		{"a key that everybody may read", files(good.Chain(), good.Key, 0o644), "policies.hcl:5: site \"app.example.no\": /etc/ssl/app.key: others than root may read or change the key (mode 0644)\nhint: chmod 0600 /etc/ssl/app.key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tls := facts.TLS{Now: now(), Files: map[string]facts.Certificate{"app.example.no": tc.files}}
			err := CheckFiles([]*policy.Site{fileSite("app.example.no", "")}, tls)
			if got := text(err); !strings.HasPrefix(got, tc.want) || tc.want == "" && err != nil {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A site goes on being served with a certificate that runs out; nobody would be
// helped if nginx could not be changed any more. It is never put in place.
func TestACertificateOutOfItsTimeIsServedOnButNeverIntroduced(t *testing.T) {
	a := certtest.New(t)
	i := a.Issue(t, certtest.Leaf{Names: []string{"app.example.no"}, From: now().AddDate(0, 0, -90), Until: now().AddDate(0, 0, -1)})
	sites := []*policy.Site{fileSite("app.example.no", "")}
	c := files(i.Chain(), i.Key, 0o600)
	tls := facts.TLS{Now: now(), Files: map[string]facts.Certificate{"app.example.no": c}}
	if CheckFiles(sites, tls) == nil {
		t.Error("an expired certificate may be introduced")
	}
	tls.Live = map[string]facts.Served{"app.example.no": {Digest: FileDigest(c, facts.CertFile{})}}
	if err := CheckFiles(sites, tls); err != nil {
		t.Errorf("one that is served already: %v", err)
	}
	want := `policies.hcl:4: site "app.example.no": /etc/ssl/app.pem: it has expired on 2026-11-23 12:00 UTC`
	if got := OutOfTime(sites, tls); len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	tls.Now = now().AddDate(0, 0, -2)
	if got := OutOfTime(sites, tls); got != nil {
		t.Errorf("while it was valid: %q", got)
	}
}

func TestCheckFilesReadsTheAuthoritiesOfClients(t *testing.T) {
	good := issue(t, "app.example.no")
	for _, tc := range []struct {
		name string
		file facts.CertFile
		want string
	}{
		{"a root", ReadChain(good.Root), ""},
		{"two authorities", ReadChain(join(good.Root, good.Below)), ""},
		{"a client's certificate", ReadChain(good.Leaf), "policies.hcl:6: site \"app.example.no\": /etc/clients.pem: app.example.no in it is not the certificate of an authority"},
		{"no file", facts.CertFile{Problem: "no such file"}, "policies.hcl:6: site \"app.example.no\": /etc/clients.pem: no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tls := facts.TLS{
				Now: now(), ClientCAs: map[string]facts.CertFile{"/etc/clients.pem": tc.file},
				Files: map[string]facts.Certificate{"app.example.no": files(good.Chain(), good.Key, 0o600)},
			}
			if got := text(CheckFiles([]*policy.Site{fileSite("app.example.no", "/etc/clients.pem")}, tls)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestEveryChangeOfAFileIsAnotherDigest(t *testing.T) {
	one, two := issue(t, "app.example.no"), issue(t, "app.example.no")
	base := FileDigest(files(one.Chain(), one.Key, 0o600), facts.CertFile{})
	for name, other := range map[string]string{
		"another certificate": FileDigest(files(two.Chain(), two.Key, 0o600), facts.CertFile{}),
		"another chain":       FileDigest(files(one.Leaf, one.Key, 0o600), facts.CertFile{}),
		"clients' authority":  FileDigest(files(one.Chain(), one.Key, 0o600), ReadChain(one.Root)),
	} {
		if other == base {
			t.Errorf("%s has the same digest", name)
		}
	}
	if again := FileDigest(files(one.Chain(), one.Key, 0o600), facts.CertFile{}); again != base {
		t.Error("the same files have another digest")
	}
}

func TestASignatureThatClientsRefuse(t *testing.T) {
	for algorithm, want := range map[x509.SignatureAlgorithm]bool{x509.SHA1WithRSA: true, x509.MD5WithRSA: true, x509.SHA256WithRSA: false, x509.ECDSAWithSHA384: false} {
		p := Pair{Chain: []*x509.Certificate{{SignatureAlgorithm: algorithm}}}
		if got := p.strong() != nil; got != want {
			t.Errorf("%s: refused %t, want %t", algorithm, got, want)
		}
	}
}
