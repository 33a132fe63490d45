// Package certificate decides about the certificates of sites: whether what is on
// disk can be served, when a new one is to be ordered, and when it is too early to
// try again. It is pure: it takes sites and facts, the time among them, and never
// looks at a host.
package certificate

import (
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Where molo keeps what it orders. Only root can look into it.
const (
	// Dir holds everything about ACME.
	Dir = "/var/lib/molo/acme"
	// Pairs holds a directory for each site, in it one for each certificate, and the
	// link Current to the one that is served.
	Pairs   = Dir + "/certificates"
	Current = "current"
	// ChainFile and KeyFile are what nginx reads in the directory of a certificate.
	ChainFile = "fullchain.pem"
	KeyFile   = "key.pem"
)

// Want is what has to be looked up for one site that is served over TLS.
type Want struct {
	Site       string
	Chain, Key string // the owner's files; "" for a certificate that is ordered
	ClientCA   string // "" where clients need no certificate
	// Directory and DirectoryCA say whom to ask about renewing it.
	Directory, DirectoryCA string
}

// Wants lists what the sites need, in their order.
func Wants(sites []*policy.Site) []Want {
	var wants []Want
	for _, s := range sites {
		if s.TLS == nil {
			continue
		}
		w := Want{Site: s.Name.V, Chain: s.TLS.Certificate.V, Key: s.TLS.Key.V, ClientCA: s.TLS.ClientCA.V}
		if a := s.TLS.ACME; a != nil {
			w.Directory, w.DirectoryCA = a.Directory.V, a.DirectoryCA.V
		}
		wants = append(wants, w)
	}
	return wants
}

// Names lists the names that a site's certificate has to cover.
func Names(s *policy.Site) []string { return append([]string{s.Name.V}, s.RedirectFrom.V...) }

// Of returns what there is of the site's certificate.
func Of(s *policy.Site, t facts.TLS) facts.Certificate {
	if s.TLS.ACME == nil {
		return t.Files[s.Name.V]
	}
	return t.Ordered[s.Name.V]
}

// ordered says what the site's certificate is to be ordered with.
func ordered(s *policy.Site) facts.Ordered {
	a := s.TLS.ACME
	return facts.Ordered{Directory: a.Directory.V, Profile: a.Profile.V, KeyType: a.KeyType.V, Names: Names(s)}
}

// Resource returns the certificate that a site should have: the one with this
// digest, or a new one where it is empty.
func Resource(s *policy.Site, leaf, why string) resource.Certificate {
	a := s.TLS.ACME
	return resource.Certificate{
		Site: s.Name.V, Leaf: leaf, Why: why,
		Names: Names(s), KeyType: a.KeyType.V, Directory: a.Directory.V, Profile: a.Profile.V,
		ProxyProtocol: s.ProxyProtocol(), DirectoryCA: a.DirectoryCA.V, Email: a.Email.V, KeyID: a.KeyID.V, KeyFile: a.KeyFile.V,
	}
}
