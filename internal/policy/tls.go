package policy

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// TLS is the block tls of a site: where its certificate comes from and who may connect.
type TLS struct {
	Range       hcl.Range
	Certificate Value[string] // path of the owner's chain; "" where ACME is not nil
	Key         Value[string] // path of its key
	ACME        *ACME         // nil: the certificate is the owner's
	Port        Value[uint16]
	HTTP3       Value[bool]
	ClientCA    Value[string] // path of the authorities that sign clients' certificates; "": nobody is asked for one
	Clients     Value[string] // "required" or "optional"; means nothing without ClientCA
}

// ACME is the block acme of tls: the authority that certificates are ordered from (RFC 8555).
type ACME struct {
	Range       hcl.Range
	Email       Value[string]
	Directory   Value[string] // URL
	DirectoryCA Value[string] // path of the root that signs the directory's own certificate; "": the system's roots
	Profile     Value[string] // "": the authority's default
	KeyType     Value[string] // one of keyTypes
	KeyID       Value[string] // of the external account; "": none is bound
	KeyFile     Value[string] // path of the external account's MAC key
}

// Ports returns the ports that nginx serves for the site: plain HTTP, then TLS.
func (s *Site) Ports() []Value[uint16] {
	if s.TLS == nil {
		return []Value[uint16]{s.Port}
	}
	return []Value[uint16]{s.Port, s.TLS.Port}
}

// The directories of Let's Encrypt.
const (
	letsEncrypt        = "https://acme-v02.api.letsencrypt.org/directory"
	letsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// tls makes a TLS of the block tls of a site, if it has one.
func (d *decoder) tls(site *section) *TLS {
	s := site.one("tls")
	if s == nil {
		return nil
	}
	t := &TLS{
		Range:       s.header,
		Certificate: get[string](s, "certificate"),
		Key:         get[string](s, "key"),
		Port:        get[uint16](s, "port"),
		HTTP3:       get[bool](s, "http3"),
		ClientCA:    get[string](s, "client_ca"),
		Clients:     get[string](s, "client_certificate"),
	}
	switch written := s.fields["certificate"].set; {
	case written && s.one("acme") != nil:
		d.diags = append(d.diags, invalid(fault{
			summary: "Two certificates",
			why:     fmt.Sprintf("The certificate is a file of yours at %s, and one would be ordered as well; nginx serves one of them.", place(t.Certificate.Range)),
			hint:    "take the block acme out, or the attributes certificate and key",
		}, s.one("acme").header))
	case !written:
		t.ACME = d.acme(s, site)
	case t.Key.V == "":
		t.Key = t.Certificate
	}
	return t
}

// acme makes an ACME of the block acme of the section tls, or of its defaults.
func (d *decoder) acme(s, site *section) *ACME {
	own := d.oneOrDefaults(s, "acme")
	a := &ACME{
		Range:       own.header,
		Email:       get[string](own, "email"),
		Directory:   get[string](own, "directory"),
		DirectoryCA: get[string](own, "directory_ca"),
		Profile:     get[string](own, "profile"),
		KeyType:     get[string](own, "key_type"),
	}
	if account := own.one("external_account"); account != nil {
		a.KeyID, a.KeyFile = get[string](account, "key_id"), get[string](account, "key_file")
	}
	staging := get[bool](own, "staging")
	switch {
	case staging.V && a.Directory.Set:
		d.diags = append(d.diags, invalid(fault{
			summary: "Two directories",
			why:     fmt.Sprintf("The directory is the one at %s; staging would be another.", place(a.Directory.Range)),
			hint:    "take one of the two out",
		}, staging.Range))
	case staging.V:
		a.Directory.V, a.Directory.Range = letsEncryptStaging, staging.Range
	}
	if port := get[uint16](site, "port"); port.V != 80 && port.Set {
		d.diags = append(d.diags, invalid(fault{
			summary: "Port that no authority asks",
			why:     "To see that the name is this host's, the authority asks on port 80, whatever the site says (RFC 8555, 8.3).",
			hint:    "take port out, or name a certificate and a key of your own",
		}, port.Range))
	}
	return a
}

// tlsPorts reports ports that would have to speak both plain HTTP and TLS.
func (d *decoder) tlsPorts(sites []*Site) {
	plain := map[uint16]*Site{}
	for _, s := range sites {
		plain[s.Port.V] = s
	}
	for _, s := range sites {
		if s.TLS == nil {
			continue
		}
		if other, both := plain[s.TLS.Port.V]; both {
			d.diags = append(d.diags, invalid(fault{
				summary: "Port of plain HTTP",
				why:     fmt.Sprintf("The site %q at %s serves port %d in plain HTTP; it can't speak TLS as well.", other.Name.V, place(other.Port.Range), s.TLS.Port.V),
				hint:    "write another port",
			}, s.TLS.Port.Range))
		}
	}
}

// email reads an address that an authority writes to; a "?" in it would be taken
// for a field of a mail (RFC 8555, 7.3).
func email(s string) (string, *fault) {
	address, err := mail.ParseAddress(s)
	foreign := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`?,<>"\`, r) }
	if err != nil || address.Address != s || len(s) > 254 || strings.ContainsFunc(s, foreign) {
		return "", &fault{summary: "Invalid mail address", why: fmt.Sprintf("%q is not a mail address.", s), hint: `write one such as "ops@example.no"`}
	}
	return s, nil
}

// directoryURL reads where an authority's directory is.
func directoryURL(s string) (string, *fault) {
	u, err := url.Parse(s)
	foreign := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\`, r) }
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.ContainsFunc(s, foreign) {
		return "", &fault{
			summary: "Invalid directory", why: fmt.Sprintf("%q is not the URL of a directory, which begins with https:// and holds no password.", s),
			hint: fmt.Sprintf("write one such as %q", letsEncryptStaging),
		}
	}
	return s, nil
}

// profile reads the name of a profile of an authority.
func profile(s string) (string, *fault) {
	return identifier(s, 64, "Invalid profile", "the authority's directory lists them")
}

// keyID reads what an authority calls an external account.
func keyID(s string) (string, *fault) {
	return identifier(s, 256, "Invalid key identifier", "copy it from the authority's page")
}

// identifier reads a name that an authority has made, whose case matters.
func identifier(s string, most int, summary, hint string) (string, *fault) {
	if !word(strings.ToLower(s), most, "._-") {
		return "", &fault{summary: summary, why: fmt.Sprintf("%q is not 1 to %d letters, digits, '.', '_' and '-'.", s, most), hint: hint}
	}
	return s, nil
}

// keyTypes lists the kinds of key that public authorities sign (CA/Browser Forum
// Baseline Requirements, 6.1.5).
func keyTypes() []string {
	return []string{"ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"}
}
