package nginx

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"

	"molo/internal/policy"
)

// siteData is what site.conf.tmpl is given: what stands before the servers, and
// the servers.
type siteData struct {
	Limits      []limitData
	Upstreams   []upstreamData
	HeaderMaps  []headerMap
	Proxies     *proxiesData
	HiddenFiles bool
	Servers     []serverData
}

// serverData is one server of a site. Another kind of it, or another socket, is
// one more of these.
type serverData struct {
	Listen  []listenData
	Names   []token
	Guarded bool
	Headers []headerData
	Routes  []routeData

	TLS       *tlsData // nil: plain HTTP
	Challenge bool     // an authority asks here
	Waiting   bool     // there is no certificate yet
}

// proxiesData is whom a site believes about its clients.
type proxiesData struct {
	ID     token
	From   []token
	Header bool // they say it in headers, not in the PROXY protocol
}

// site renders one site.
func (r *renderer) site(site *policy.Site) (page, error) {
	w := &siteWriter{sheet: &sheet{about: fmt.Sprintf("site %q", site.Name.V)}, renderer: r, site: site}
	w.data.HiddenFiles = site.HiddenFiles.V
	w.proxies()
	switch r.stages[site] {
	case waiting:
		w.data.Servers = []serverData{w.waiting()}
		return w.sheet.render(r.templates, "site.conf", w.data)
	case secure:
		w.data.Servers = w.leadsToTLS()
		w.secure = true
	}
	routes := slices.Clone(site.Paths)
	// nginx takes the first regular expression that matches: the longest path has to be it.
	slices.SortFunc(routes, func(a, b policy.Route) int {
		return cmp.Or(cmp.Compare(len(b.Path.V), len(a.Path.V)), cmp.Compare(a.Path.V, b.Path.V))
	})
	served := w.server([]policy.Value[string]{site.Name}, site.Default.V)
	served.Guarded = guarded(site)
	for _, route := range append(routes, site.Root) {
		served.Routes = append(served.Routes, w.route(&route))
	}
	w.data.Servers = append(w.data.Servers, served)
	if len(site.RedirectFrom.V) > 0 {
		w.data.Servers = append(w.data.Servers, w.redirectFrom())
	}
	return w.sheet.render(r.templates, "site.conf", w.data)
}

// siteWriter collects what the file of one site says.
type siteWriter struct {
	*renderer
	sheet *sheet
	site  *policy.Site
	data  siteData

	secure bool // what is written now speaks TLS
}

// server returns a server of the site's port with its headers, for some names.
func (w *siteWriter) server(names []policy.Value[string], isDefault bool) serverData {
	server := serverData{
		Listen:  []listenData{{Port: put(w.sheet, w.site.Port, portNumber), IPv6: !w.host.NoIPv6, Default: isDefault, ProxyProtocol: w.site.ProxyProtocol()}},
		Headers: w.headers(&w.site.Root),
	}
	server.Challenge = w.site.TLS != nil && w.site.TLS.ACME != nil && !w.secure
	if w.secure {
		server.Listen, server.TLS = w.secureListens(), w.certificate()
	}
	for _, name := range names {
		server.Names = append(server.Names, put(w.sheet, name, hostName))
	}
	return server
}

// redirectFrom returns the server of the names that lead to the site's.
func (w *siteWriter) redirectFrom() serverData {
	from := w.site.RedirectFrom
	var names []policy.Value[string]
	for _, name := range from.V {
		names = append(names, policy.Value[string]{V: name, Range: from.Range})
	}
	server := w.server(names, false)
	home := w.routeHead(&w.site.Root)
	home.Home = new(put(w.sheet, w.site.Name, hostName))
	server.Routes = []routeData{home}
	return server
}

// proxies fills in whom the site believes.
func (w *siteWriter) proxies() {
	trusted := w.site.TrustedProxies
	if trusted == nil {
		return
	}
	w.data.Proxies = &proxiesData{
		ID: w.id("/"), From: w.networks(trusted.From), Header: !trusted.ProxyProtocol.V,
	}
}

// networks returns the tokens of a list of networks.
func (w *siteWriter) networks(list policy.Value[[]netip.Prefix]) []token {
	var out []token
	for _, p := range list.V {
		out = append(out, put(w.sheet, policy.Value[netip.Prefix]{V: p, Range: list.Range}, network))
	}
	return out
}

// id returns what tells the things of one route from those of all others. It does
// not depend on the other sites, so that theirs keep their names.
func (w *siteWriter) id(path string) token {
	sum := sha256.Sum256([]byte(w.site.Name.V + "\n" + path))
	return w.sheet.take(bare(hex.EncodeToString(sum[:6])))
}

// trusted reports whether headers of a proxy in front of this host are believed.
func trusted(s *policy.Site) bool {
	return s.TrustedProxies != nil && !s.TrustedProxies.ProxyProtocol.V
}

// portInHost reports whether a browser writes the server's port into the name that
// it asks for. Behind a proxy, that is the proxy's port.
func (w *siteWriter) portInHost() bool {
	usual := w.site.Port.V == 80
	if w.secure {
		usual = w.site.TLS.Port.V == 443
	}
	return !usual && w.site.TrustedProxies == nil
}
