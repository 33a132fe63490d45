package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
)

// Pair is a chain of certificates, the site's first, whose key is there.
type Pair struct {
	Chain []*x509.Certificate
}

// Leaf is the site's own certificate.
func (p Pair) Leaf() *x509.Certificate { return p.Chain[0] }

// Digest stands for the site's own certificate: its SHA-256, in hexadecimal.
func (p Pair) Digest() string { return digest(p.Leaf().Raw) }

// NewPair puts the chain and the key of a certificate together. The error says
// which file is wrong.
func NewPair(c facts.Certificate) (Pair, error) {
	if c.Chain.Problem != "" {
		return Pair{}, errors.New(c.ChainPath + ": " + c.Chain.Problem)
	}
	chain, err := readCertificates([]byte(c.Chain.PEM))
	if err != nil {
		return Pair{}, errors.New(c.ChainPath + ": " + err.Error())
	}
	if c.Key.Problem != "" {
		return Pair{}, errors.New(c.KeyPath + ": " + c.Key.Problem)
	}
	for i, in := range chain {
		public, err := publicDigest(in.PublicKey)
		switch {
		case err != nil && i == 0:
			return Pair{}, errors.New(c.ChainPath + ": " + err.Error())
		case err != nil || public != c.Key.Public:
		case i == 0:
			return Pair{Chain: chain}, nil
		default:
			return Pair{}, fmt.Errorf("%s: certificate %d in it is the one that fits the key, and has to be the first", c.ChainPath, i+1)
		}
	}
	return Pair{}, fmt.Errorf("%s: the key does not fit the certificate in %s", c.KeyPath, c.ChainPath)
}

// covers returns the error of a name that the certificate is not for.
func (p Pair) covers(names []string) error {
	for _, name := range names {
		if p.Leaf().VerifyHostname(name) != nil {
			return fmt.Errorf("it is for %s and not for %s", subjects(p.Leaf()), name)
		}
	}
	return nil
}

// subjects names what a certificate is for, the first few of them.
func subjects(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0:
		return "no host name"
	case len(names) > 4:
		names = append(names[:4], "others")
	}
	return strings.Join(names, ", ")
}

// ordered returns the error of a chain in which a certificate does not come from
// the one after it.
func (p Pair) ordered() error {
	for i, c := range p.Chain[1:] {
		below := p.Chain[i]
		if !bytes.Equal(below.RawIssuer, c.RawSubject) || below.CheckSignatureFrom(c) != nil {
			return fmt.Errorf("certificate %d in it (%s) was not signed by the one after it (%s); the site's own comes first, then the one that signed it, and so on",
				i+1, common(below), common(c))
		}
	}
	return nil
}

// common is what people call a certificate.
func common(c *x509.Certificate) string {
	if name := c.Subject.CommonName; name != "" {
		return strconv.Quote(name)
	}
	return subjects(c)
}

// strong returns the error of a certificate that clients or OpenSSL would refuse.
func (p Pair) strong() error {
	leaf := p.Leaf()
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			return fmt.Errorf("its RSA key of %d bits is too short: OpenSSL would not load it", key.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize < 256 {
			return fmt.Errorf("its key on the curve %s is too short", key.Curve.Params().Name)
		}
	}
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		return fmt.Errorf("it is signed with %s, which clients refuse", leaf.SignatureAlgorithm)
	}
	serves := func(u x509.ExtKeyUsage) bool { return u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny }
	if len(leaf.ExtKeyUsage) > 0 && !slices.ContainsFunc(leaf.ExtKeyUsage, serves) {
		return errors.New("it is not for servers (extended key usage)")
	}
	return nil
}

// ID is what the directory of a certificate is called.
func ID(leaf string) string { return leaf[:min(16, len(leaf))] }

// kind says which kind of key a certificate has, in the words of a policy.
func kind(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "rsa-" + strconv.Itoa(key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ecdsa-" + strings.ToLower(strings.ReplaceAll(key.Curve.Params().Name, "-", ""))
	}
	return "another"
}
