package certificate

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"

	"molo/internal/facts"
)

// MaxFile is the most that is read of a file of certificates, bytes.
const MaxFile = 1 << 20

// ReadChain reads a file of certificates in PEM. Keys in it are left out of what is
// returned. A file that is damaged anywhere is a problem as a whole: nginx would
// serve the part before that.
func ReadChain(data []byte) facts.CertFile {
	certificates, err := readCertificates(data)
	if err != nil {
		return facts.CertFile{Problem: err.Error()}
	}
	var out bytes.Buffer
	for _, c := range certificates {
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			return facts.CertFile{Problem: err.Error()}
		}
	}
	return facts.CertFile{PEM: out.String()}
}

// readCertificates parses all certificates in a file.
func readCertificates(data []byte) ([]*x509.Certificate, error) {
	blocks, err := readBlocks(data)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, errors.New("a certificate in it can't be read: " + strings.TrimPrefix(err.Error(), "x509: "))
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no certificate in it")
	}
	return all, nil
}

// readBlocks takes a PEM file apart. Go's decoder passes over what it can't read, a
// block that is cut off for example, so the beginnings are counted.
func readBlocks(data []byte) ([]*pem.Block, error) {
	if len(data) > MaxFile {
		return nil, errors.New("it is too large to be a file of certificates")
	}
	begun := bytes.Count(data, []byte("-----BEGIN "))
	var all []*pem.Block
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		all, data = append(all, block), rest
	}
	if len(all) != begun {
		return nil, errors.New("a part of it is damaged or cut off")
	}
	return all, nil
}

// ReadKey reads a private key in PEM and returns what may be known of it. What it
// says is wrong holds nothing of the key.
func ReadKey(data []byte) facts.Key {
	key, err := ParseKey(data)
	if err != nil {
		return facts.Key{Problem: err.Error()}
	}
	public, err := publicDigest(key.Public())
	if err != nil {
		return facts.Key{Problem: err.Error()}
	}
	return facts.Key{Public: public}
}

// ParseKey returns the first private key in a PEM file.
func ParseKey(data []byte) (crypto.Signer, error) {
	blocks, err := readBlocks(data)
	if err != nil {
		return nil, err
	}
	for _, b := range blocks {
		switch {
		case b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, errors.New("the key in it has a passphrase, which nginx could not ask for")
		case b.Type == "PRIVATE KEY" || strings.HasSuffix(b.Type, " PRIVATE KEY"):
			return parsePrivate(b.Bytes)
		}
	}
	return nil, errors.New("there is no private key in it")
}

// parsePrivate reads a key in any of the encodings that PEM files have.
func parsePrivate(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, errors.New("the key in it can't sign")
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("the key in it can't be read")
}

// publicDigest stands for a public key.
func publicDigest(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", errors.New("its kind of key is not known")
	}
	return digest(der), nil
}

// digest is the SHA-256 of bytes, in hexadecimal.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
