package nginx

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
)

// ChallengeRoot is where nginx finds what an authority asks for to see that a name
// is this host's. It names no secrets, and its directories are open to nginx's workers.
const ChallengeRoot = "/run/molo-challenge"

// ChallengePath is where below ChallengeRoot, and in requests, each answer is.
const ChallengePath = "/.well-known/acme-challenge/"

// tlsData is what the templates are given of a server that speaks TLS.
type tlsData struct {
	Digest     *token // of files of the owner's
	Chain, Key token
	ClientCA   *token
	Verify     token
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

// checkTLS returns what nginx on this host can't do of what the sites ask for. One
// that could not be asked gets the benefit of the doubt.
func checkTLS(sites []*policy.Site, host facts.Nginx) error {
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
		case !understands(host, CanRejectHandshake):
			errs = append(errs, wrong(s, "this nginx would show somebody's certificate to whoever asks for another name: it has no ssl_reject_handshake (1.19.4)"))
		case s.TLS.HTTP3.V && !understands(host, CanHTTP3):
			errs = append(errs, wrong(s, "this nginx does not speak HTTP/3\nhint: take http3 out"))
		}
	}
	return errors.Join(errs...)
}

// secureListens returns the sockets of a site's servers that speak TLS.
func (w *siteWriter) secureListens() []listenData {
	l := listenData{
		Port: put(w.sheet, w.site.TLS.Port, portNumber), IPv6: !w.host.NoIPv6, TLS: true, HTTP2: !can(w.host, CanHTTP2Directive), ProxyProtocol: w.site.ProxyProtocol(),
	}
	if !w.site.TLS.HTTP3.V {
		return []listenData{l}
	}
	return []listenData{l, {Port: put(w.sheet, w.site.TLS.Port, portNumber), IPv6: !w.host.NoIPv6, QUIC: true}}
}

// certificate returns what the site's servers over TLS show.
func (w *siteWriter) certificate() *tlsData {
	s, site := w.sheet, w.site
	have := certificate.Of(site, w.host.TLS)
	data := &tlsData{
		Chain: put(s, policy.Value[string]{V: have.ChainPath, Range: site.TLS.Certificate.Range}, filePath),
		Key:   put(s, policy.Value[string]{V: have.KeyPath, Range: site.TLS.Key.Range}, filePath),
	}
	clients := w.host.TLS.ClientCAs[site.TLS.ClientCA.V]
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

// leadsToTLS returns the servers that lead each of the site's names from plain HTTP to
// TLS. A name leads to itself first: browsers learn there that it wants TLS.
func (w *siteWriter) leadsToTLS() []serverData {
	var servers []serverData
	for i, name := range namesOf(w.site) {
		value := policy.Value[string]{V: name, Range: w.site.Name.Range}
		server := w.server([]policy.Value[string]{value}, w.site.Default.V && i == 0)
		target := "https://" + name
		if w.site.TLS.Port.V != 443 && w.site.TrustedProxies == nil {
			target += fmt.Sprintf(":%d", w.site.TLS.Port.V)
		}
		route := w.routeHead(&w.site.Root)
		route.Redirect = &redirectData{
			Status: w.sheet.take(number(308)), KeepPath: true,
			To: put(w.sheet, policy.Value[string]{V: target, Range: w.site.TLS.Port.Range}, redirectTarget),
		}
		server.Routes = []routeData{route}
		servers = append(servers, server)
	}
	return servers
}

// waiting returns the server of a site that has no certificate yet.
func (w *siteWriter) waiting() serverData {
	var names []policy.Value[string]
	for _, name := range namesOf(w.site) {
		names = append(names, policy.Value[string]{V: name, Range: w.site.Name.Range})
	}
	server := w.server(names, w.site.Default.V)
	server.Waiting = true
	return server
}

// secureHeaders returns the headers that are sent over TLS alone.
func (w *siteWriter) secureHeaders() []headerData {
	var out []headerData
	if h, ok := HSTS(w.site.HSTS, w.host.TLS.Now); ok {
		out = append(out, headerData{w.headerName(h), put(w.sheet, h.Value, fieldValue)})
	}
	if w.site.TLS.HTTP3.V {
		value := fmt.Sprintf(`h3=":%d"; ma=86400`, w.site.TLS.Port.V)
		out = append(out, headerData{w.sheet.take(bare("Alt-Svc")), put(w.sheet, policy.Value[string]{V: value, Range: w.site.TLS.HTTP3.Range}, fieldValue)})
	}
	return out
}

// tlsPorts lists the ports that speak TLS, ascending. A port speaks HTTP/3 if any of
// its sites does.
func (r *renderer) tlsPorts(s *sheet) []listenData {
	type kind struct{ quic, proxyProtocol bool }
	kinds := map[uint16]kind{}
	for _, site := range r.sites {
		if r.stages[site] == secure {
			k := kinds[site.TLS.Port.V]
			kinds[site.TLS.Port.V] = kind{k.quic || site.TLS.HTTP3.V, site.ProxyProtocol()}
		}
	}
	var ports []listenData
	for _, n := range slices.Sorted(maps.Keys(kinds)) {
		l := listenData{Port: s.take(number(int(n))), IPv6: !r.host.NoIPv6, TLS: true, HTTP2: !can(r.host, CanHTTP2Directive), ProxyProtocol: kinds[n].proxyProtocol, Default: true}
		ports = append(ports, l)
		if kinds[n].quic {
			ports = append(ports, listenData{Port: s.take(number(int(n))), IPv6: !r.host.NoIPv6, QUIC: true, Default: true})
		}
	}
	return ports
}

// tlsPages renders the files that the servers of sites with TLS include.
func (r *renderer) tlsPages(pages map[string]page) error {
	data := tlsSettings{MLKEM: can(r.host, CanMLKEM), HTTP2: can(r.host, CanHTTP2Directive), Sessions: true}
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
