package nginx

import (
	"maps"
	"slices"

	"molo/internal/policy"
)

// httpData is what http.conf.tmpl is given.
type httpData struct {
	Ports, CatchAll            []listenData // the second: without those where a site answers for other names
	WebSocket, Limits, Guarded bool         // some site needs what these are for
	TLS                        []listenData
	Generation                 token
	Tables                     []tableData
	Anonymous                  bool // the log leaves out who exactly asked
	CanLimit                   bool // nginx has what clients are limited with
}

// tableData is one size of a table of nginx's.
type tableData struct{ Directive, Size token }

// listenData is one port, on which nginx listens over IPv4, and IPv6 where the host has it.
type listenData struct {
	Port          token
	IPv6          bool
	Default       bool // here unknown names are answered
	ProxyProtocol bool
	TLS, QUIC     bool
	HTTP2         bool // an option of listen, where there is no directive
}

// http renders http.conf.
func (r *renderer) http(generation string) (page, error) {
	s := &sheet{}
	data := httpData{Anonymous: !r.log.Full(), CanLimit: understands(r.host, CanLimits)}
	ports := portsOf(r.sites)
	for _, n := range slices.Sorted(maps.Keys(ports)) {
		l := listenData{Port: s.take(number(int(n))), IPv6: !r.host.NoIPv6, ProxyProtocol: ports[n].proxyProtocol}
		data.Ports = append(data.Ports, l)
		if !ports[n].taken {
			l.Default = true
			data.CatchAll = append(data.CatchAll, l)
		}
	}
	data.TLS = r.tlsPorts(s)
	for _, site := range r.sites {
		data.Guarded = data.Guarded || guarded(site)
		for _, route := range site.Routes() {
			data.WebSocket = data.WebSocket || route.WebSocket.V && route.Redirect == nil
			data.Limits = data.Limits || route.Limit != nil && route.Redirect == nil
		}
	}
	for _, t := range r.tables {
		data.Tables = append(data.Tables, tableData{s.take(bare(t.directive)), s.take(number(t.size))})
	}
	id, err := quoted(generation)
	if err != nil {
		return page{}, err
	}
	data.Generation = s.take(id)
	return s.render(r.templates, "http.conf", data)
}

// portFacts is what all sites of a port have in common.
type portFacts struct {
	taken         bool // a site answers for names that no site has
	proxyProtocol bool
}

// portsOf returns the ports that the sites use.
func portsOf(sites []*policy.Site) map[uint16]portFacts {
	ports := map[uint16]portFacts{}
	for _, s := range sites {
		p := ports[s.Port.V]
		p.taken = p.taken || s.Default.V
		p.proxyProtocol = s.ProxyProtocol()
		ports[s.Port.V] = p
	}
	return ports
}

// guarded reports whether the paths of a site are not all open to the same
// people. Then nginx and the application must read a path in the same way.
func guarded(s *policy.Site) bool {
	same := func(a, b policy.Route) bool {
		return (a.Auth == nil) == (b.Auth == nil) && (a.Auth == nil || a.Auth.Users.V == b.Auth.Users.V) &&
			slices.Equal(a.AllowFrom.V, b.AllowFrom.V) && slices.Equal(a.DenyFrom.V, b.DenyFrom.V)
	}
	return slices.ContainsFunc(s.Paths, func(p policy.Route) bool { return !same(s.Root, p) })
}
