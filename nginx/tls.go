package nginx

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
)

// ChallengeRoot is where nginx finds what an authority asks for to see that a name
// is this host's. It names no secrets, and its directories are open to nginx's workers.
const ChallengeRoot = "/run/molo-challenge"

// ChallengePath is where below ChallengeRoot, and in requests, each answer is.
const ChallengePath = "/.well-known/acme-challenge/"

// tlsData is what the templates are given of a site that is served over TLS.
type tlsData struct {
	Port       token
	HTTP2      bool   // the option of listen, where there is no directive
	HTTP3      bool   // spoken as well
	AltSvc     token  // tells clients of it
	Digest     *token // of files of the owner's
	Chain, Key token
	ClientCA   *token
	Verify     token
}

// tlsPort is a port that speaks TLS.
type tlsPort struct {
	Port         token
	HTTP2, HTTP3 bool
}

// tlsSettings is what tls.conf.tmpl is given.
type tlsSettings struct{ MLKEM, HTTP2, Sessions bool }

// stage is how far a site has come on its way to TLS.
type stage int

const (
	plain   stage = iota // plain HTTP: no block tls, or no certificate yet where it was plain before
	waiting              // no certificate yet: nothing but the challenge
	secure               // TLS, and plain HTTP leads there
)

// stageOf says how a site is served. One that the live tree serves in plain HTTP stays
// so until its first certificate is there; a new one is not opened in plain HTTP.
func stageOf(s *policy.Site, host facts.TLS) stage {
	if s.TLS == nil {
		return plain
	}
	_, err := certificate.NewPair(certificate.Of(s, host))
	switch {
	case err == nil:
		return secure
	case host.Live[s.Name.V].Plain:
		return plain
	}
	return waiting
}

// checkTLS returns what nginx on this host can't do of what the sites ask for.
func checkTLS(sites []*policy.Site, host facts.TLS) error {
	plainPorts := map[uint16]bool{}
	for _, s := range sites {
		plainPorts[s.Port.V] = true
	}
	var errs []error
	for _, s := range sites {
		switch {
		case s.TLS == nil:
		case plainPorts[s.TLS.Port.V]:
			errs = append(errs, wrong(s, "port %d speaks plain HTTP and can't speak TLS as well", s.TLS.Port.V))
		case !host.Can.Reject:
			errs = append(errs, wrong(s, "this nginx would show somebody's certificate to whoever asks for another name: it has no ssl_reject_handshake (1.19.4)"))
		case s.TLS.HTTP3.V && !host.Can.HTTP3:
			errs = append(errs, wrong(s, "this nginx does not speak HTTP/3\nhint: take http3 out"))
		}
	}
	return errors.Join(errs...)
}

// tlsSite returns what the site's templates are given.
func (r *renderer) tlsSite(s *sheet, site *policy.Site) *tlsData {
	have := certificate.Of(site, r.tls)
	data := &tlsData{
		Port:  put(s, site.TLS.Port, portNumber),
		HTTP2: !r.tls.Can.HTTP2,
		HTTP3: site.TLS.HTTP3.V,
		Chain: put(s, policy.Value[string]{V: have.ChainPath, Range: site.TLS.Certificate.Range}, filePath),
		Key:   put(s, policy.Value[string]{V: have.KeyPath, Range: site.TLS.Key.Range}, filePath),
	}
	if site.TLS.HTTP3.V {
		value := fmt.Sprintf(`h3=":%d"; ma=86400`, site.TLS.Port.V)
		data.AltSvc = put(s, policy.Value[string]{V: value, Range: site.TLS.HTTP3.Range}, fieldValue)
	}
	clients := r.tls.ClientCAs[site.TLS.ClientCA.V]
	if site.TLS.ACME == nil {
		data.Digest = new(s.take(bare(certificate.FileDigest(have, clients))))
	} else if site.TLS.ClientCA.V != "" {
		data.Digest = new(s.take(bare(certificate.FileDigest(facts.Certificate{}, clients))))
	}
	if site.TLS.ClientCA.V != "" {
		data.ClientCA = new(put(s, site.TLS.ClientCA, filePath))
		data.Verify = put(s, site.TLS.Clients, verification)
	}
	return data
}

// tlsPorts lists the ports that speak TLS, ascending. A port speaks HTTP/3 if any of
// its sites does.
func (r *renderer) tlsPorts(s *sheet) []tlsPort {
	quic := map[uint16]bool{}
	for _, site := range r.sites {
		if r.stages[site] == secure {
			quic[site.TLS.Port.V] = quic[site.TLS.Port.V] || site.TLS.HTTP3.V
		}
	}
	var numbers []uint16
	for n := range quic {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var ports []tlsPort
	for _, n := range numbers {
		ports = append(ports, tlsPort{Port: s.take(number(int(n))), HTTP2: !r.tls.Can.HTTP2, HTTP3: quic[n]})
	}
	return ports
}

// tlsPages renders the files that the servers of sites with TLS include.
func (r *renderer) tlsPages(pages map[string]page) error {
	data := tlsSettings{MLKEM: r.tls.Can.MLKEM, HTTP2: r.tls.Can.HTTP2, Sessions: true}
	var names []string
	for _, site := range r.sites {
		if r.stages[site] == secure {
			names = append(names, "tls.conf")
			data.Sessions = data.Sessions && site.TLS.ClientCA.V == ""
		}
		if site.TLS != nil && site.TLS.ACME != nil {
			names = append(names, "acme.conf")
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		p, err := new(sheet).render(r.templates, name, data)
		if err != nil {
			return err
		}
		pages[name] = p
	}
	return nil
}

// overTLS reports whether a header may only be sent over TLS (RFC 6797, 7.2).
func overTLS(name string) bool { return strings.EqualFold(name, "Strict-Transport-Security") }

// plainPath is the path of a file in the characters that policies have for them.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._@+-]+)+$`)

// filePath returns the path of a file.
func filePath(name string) (token, error) {
	if len(name) > 2048 || !plainPath.MatchString(name) {
		return token{}, fmt.Errorf("%.60q is not the path of a file in letters, digits and / . _ - + @", name)
	}
	return bare(name), nil
}

// verification returns what nginx calls asking clients for a certificate.
func verification(word string) (token, error) {
	switch word {
	case "required":
		return bare("on"), nil
	case "optional":
		return bare("optional"), nil
	}
	return token{}, fmt.Errorf("%q is neither required nor optional", word)
}
