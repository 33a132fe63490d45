package facts

import (
	"io/fs"
	"time"
)

// TLS is what a host has for serving sites over TLS.
type TLS struct {
	// Now is the time by the host's clock: whether a certificate is due depends on it.
	Now time.Time `json:"now"`
	// Files holds the owner's files for each site that names some.
	Files map[string]Certificate `json:"files,omitempty"`
	// Ordered holds what was ordered for each site, those that are gone among them.
	Ordered   map[string]Certificate `json:"ordered,omitempty"`
	ClientCAs map[string]CertFile    `json:"client_cas,omitempty"` // by path
	// Live is what the sites of molo's live tree are served with.
	Live map[string]Served `json:"live,omitempty"`
	// Blind says that none of this may be read.
	Blind bool `json:"blind,omitempty"`
}

// CertFile is a file of certificates. They are public: keys that stand beside them are left out.
type CertFile struct {
	PEM     string `json:"pem,omitempty"`
	Problem string `json:"problem,omitempty"` // why it could not be read
}

// Certificate is a chain of certificates with its key, or what there is of them.
type Certificate struct {
	ChainPath string   `json:"chain_path"`
	KeyPath   string   `json:"key_path"`
	Chain     CertFile `json:"chain"`
	Key       Key      `json:"key"`
	// Ordered says what the certificate was ordered with; nil for files of the owner's,
	// and where that is not known.
	Ordered *Ordered `json:"ordered,omitempty"`
	Renewal *Renewal `json:"renewal,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
}

// Key is what may be known of a private key.
type Key struct {
	Public  string      `json:"public,omitempty"` // SHA-256 of its public half (SubjectPublicKeyInfo), hexadecimal
	Mode    fs.FileMode `json:"mode"`
	Problem string      `json:"problem,omitempty"`
}

// Ordered is what a certificate was ordered with.
type Ordered struct {
	Directory string   `json:"directory"`
	Profile   string   `json:"profile,omitempty"`
	KeyType   string   `json:"key_type"`
	Names     []string `json:"names"`
}

// Renewal is what the authority said about renewing one certificate (RFC 9773).
type Renewal struct {
	Leaf  string    `json:"leaf"`           // SHA-256 of the certificate, hexadecimal
	Asked time.Time `json:"asked"`          // when
	Next  time.Time `json:"next"`           // not to be asked again before
	Start time.Time `json:"start,omitzero"` // of the window; zero: it did not say
	End   time.Time `json:"end,omitzero"`
	URL   string    `json:"url,omitempty"` // explains a window that is out of turn
	Error string    `json:"error,omitempty"`
}

// Failure is an order that came to nothing.
type Failure struct {
	Count int       `json:"count"` // in a row
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`           // not to be tried again before
	Asked bool      `json:"asked,omitempty"` // by the authority, which limits how often it may be asked
	Error string    `json:"error"`
}

// Served says how a site is served.
type Served struct {
	Plain  bool   `json:"plain,omitempty"`  // its application is reached over plain HTTP
	Chain  string `json:"chain,omitempty"`  // path of its certificate
	Digest string `json:"digest,omitempty"` // of the owner's files that it is served with
}
