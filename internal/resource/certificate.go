package resource

// Certificate is the certificate of one site, with its key, that is ordered from an
// authority. The key is no part of it: it never leaves the host's own directory.
type Certificate struct {
	Site string `json:"site"`
	// Leaf is the SHA-256 of the certificate, in hexadecimal. A wanted one without it is
	// yet to be ordered.
	Leaf string `json:"leaf,omitempty"`
	Why  string `json:"why,omitempty"` // why it is to be ordered

	// What it is ordered with.
	Names     []string `json:"names,omitempty"`
	KeyType   string   `json:"key_type,omitempty"` // "ecdsa-p256", "rsa-2048", …
	Directory string   `json:"directory,omitempty"`
	Profile   string   `json:"profile,omitempty"`

	// ProxyProtocol says that connections to the site begin with it, those of an
	// authority too, which come through the proxy.
	ProxyProtocol bool `json:"proxy_protocol,omitempty"`

	// Who orders it.
	DirectoryCA string `json:"directory_ca,omitempty"` // path of the directory's root certificate
	Email       string `json:"email,omitempty"`
	KeyID       string `json:"key_id,omitempty"`   // of an external account
	KeyFile     string `json:"key_file,omitempty"` // path of its key
}

// ID returns "certificate:SITE".
func (c Certificate) ID() ID { return ID("certificate:" + c.Site) }

// Equal compares the certificates themselves, not what they were ordered with: that
// is what makes a new one due.
func (c Certificate) Equal(other Resource) bool {
	o, ok := other.(Certificate)
	return ok && c.Site == o.Site && c.Leaf == o.Leaf
}
