package certificate

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"molo/internal/facts"
	"molo/internal/policy"
)

// CheckFiles returns everything that is wrong with the files that the sites name, each
// with the file and the line of the policy. A certificate out of its time is an error
// only where nginx does not serve it yet: see OutOfTime.
func CheckFiles(sites []*policy.Site, t facts.TLS) error {
	var problems []error
	for _, s := range sites {
		if s.TLS == nil {
			continue
		}
		if s.TLS.ACME == nil {
			problems = append(problems, checkPair(s, t))
		}
		problems = append(problems, checkClients(s, t))
	}
	return errors.Join(problems...)
}

// checkPair checks the certificate and the key of the owner's.
func checkPair(s *policy.Site, t facts.TLS) error {
	c := Of(s, t)
	pair, err := NewPair(c)
	if err != nil {
		return in(s, s.TLS.Certificate.Range, "", err)
	}
	if mode := c.Key.Mode; mode&0o027 != 0 {
		return in(s, s.TLS.Key.Range, c.KeyPath, fmt.Errorf("others than root may read or change the key (mode %04o)\nhint: chmod 0600 %s", mode, c.KeyPath))
	}
	for _, err := range []error{pair.covers(Names(s)), pair.ordered(), pair.strong()} {
		if err != nil {
			return in(s, s.TLS.Certificate.Range, c.ChainPath, err)
		}
	}
	if err := pair.inTime(t.Now); err != nil && t.Live[s.Name.V].Digest != FileDigest(c, t.ClientCAs[s.TLS.ClientCA.V]) {
		return in(s, s.TLS.Certificate.Range, c.ChainPath, err)
	}
	return nil
}

// inTime returns the error of a certificate that is not valid now.
func (p Pair) inTime(now time.Time) error {
	switch leaf := p.Leaf(); {
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("it is not valid before %s; is the clock right?", day(leaf.NotBefore))
	case now.After(leaf.NotAfter):
		return fmt.Errorf("it has expired on %s", day(leaf.NotAfter))
	}
	return nil
}

// OutOfTime lists the certificates that nginx goes on serving although they are not
// valid now: taking a site down would help nobody.
func OutOfTime(sites []*policy.Site, t facts.TLS) []string {
	var all []string
	for _, s := range sites {
		if s.TLS == nil || s.TLS.ACME != nil {
			continue
		}
		c := Of(s, t)
		pair, err := NewPair(c)
		if err != nil {
			continue
		}
		if err := pair.inTime(t.Now); err != nil {
			all = append(all, in(s, s.TLS.Certificate.Range, c.ChainPath, err).Error())
		}
	}
	return all
}

// checkClients checks the authorities of clients' certificates.
func checkClients(s *policy.Site, t facts.TLS) error {
	path := s.TLS.ClientCA.V
	if path == "" {
		return nil
	}
	file := t.ClientCAs[path]
	if file.Problem != "" {
		return in(s, s.TLS.ClientCA.Range, path, errors.New(file.Problem))
	}
	authorities, err := readCertificates([]byte(file.PEM))
	if err != nil {
		return in(s, s.TLS.ClientCA.Range, path, err)
	}
	for _, c := range authorities {
		if !authority(c) {
			return in(s, s.TLS.ClientCA.Range, path, fmt.Errorf("%s in it is not the certificate of an authority", common(c)))
		}
	}
	return nil
}

// authority reports whether a certificate may sign others. Those of the first
// version of X.509 don't say.
func authority(c *x509.Certificate) bool {
	return c.Version < 3 || c.BasicConstraintsValid && c.IsCA
}

// in is an error about a file that a site names.
func in(s *policy.Site, at hcl.Range, path string, err error) error {
	if path != "" {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if at.Filename == "" {
		return fmt.Errorf("site %q: %w", s.Name.V, err)
	}
	return fmt.Errorf("%s:%d: site %q: %w", at.Filename, at.Start.Line, s.Name.V, err)
}

// FileDigest stands for the owner's certificate as it is served: with a renewed file
// nginx has to be reloaded.
func FileDigest(c facts.Certificate, clients facts.CertFile) string {
	return digest([]byte(c.Chain.PEM + c.Key.Public + clients.PEM))[:16]
}

// day writes a time as people read it.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
