package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// sites makes the Sites of their sections, in the order of their names.
func (d *decoder) sites(sections []*section) []*Site {
	var sites []*Site
	for _, s := range sections {
		sites = append(sites, d.site(s))
	}
	d.checkSites(sites)
	slices.SortStableFunc(sites, func(a, b *Site) int { return cmp.Compare(a.Name.V, b.Name.V) })
	return sites
}

func (d *decoder) site(s *section) *Site {
	site := &Site{
		Name:         valueOf[string](s.label),
		Port:         get[uint16](s, "port"),
		Default:      get[bool](s, "default"),
		RedirectFrom: get[[]string](s, "redirect_from"),
		HiddenFiles:  get[bool](s, "hidden_files"),
		HSTS:         d.hsts(s),
		TLS:          d.tls(s),
		Range:        s.header,
	}
	if proxies := s.one("trusted_proxies"); proxies != nil {
		site.TrustedProxies = &TrustedProxies{
			From: get[[]netip.Prefix](proxies, "from"), ProxyProtocol: get[bool](proxies, "proxy_protocol"), Range: proxies.header,
		}
	}
	site.Root = d.route(s, Route{Path: Value[string]{V: "/", Range: s.header}})
	for _, p := range s.inner["path"] {
		base := site.Root
		base.Path = valueOf[string](p.label)
		if base.Public = get[bool](p, "public"); base.Public.V {
			base.Auth, base.AllowFrom = nil, Value[[]netip.Prefix]{Range: p.header}
		}
		site.Paths = append(site.Paths, d.route(p, base))
	}
	return site
}

// hsts makes an HSTS of the block hsts, or of its defaults.
func (d *decoder) hsts(site *section) HSTS {
	s := d.oneOrDefaults(site, "hsts")
	return HSTS{MaxAge: get[time.Duration](s, "max_age"), Scope: get[string](s, "scope"), RampFrom: get[time.Time](s, "ramp_from")}
}

// inherit returns what the section says, or its table, or else base.
func inherit[T any](s *section, name string, base Value[T]) Value[T] {
	if f := s.fields[name]; f.set || f.value != nil {
		return valueOf[T](f)
	}
	return base
}

// route makes a Route of a section. What that does not say is as in base.
func (d *decoder) route(s *section, base Route) Route {
	r := base
	r.Protocol = inherit(s, "protocol", base.Protocol)
	r.Remote = inherit(s, "remote", base.Remote)
	r.MaxBody = inherit(s, "max_body", base.MaxBody)
	r.Timeout = inherit(s, "timeout", base.Timeout)
	r.WebSocket = inherit(s, "websocket", base.WebSocket)
	r.Buffering = inherit(s, "buffering", base.Buffering)
	r.AllowFrom = inherit(s, "allow_from", base.AllowFrom)
	r.DenyFrom = inherit(s, "deny_from", base.DenyFrom)
	r.CookieFlags = inherit(s, "cookie_flags", base.CookieFlags)
	r.Headers = d.headers(s, base.Headers)
	if auth := s.one("auth"); auth != nil {
		r.Auth = &Auth{Users: get[string](auth, "users"), Realm: get[string](auth, "realm"), Range: auth.header}
	}
	if limit := s.one("limit"); limit != nil {
		r.Limit = &Limit{
			Path: r.Path.V, Rate: get[Rate](limit, "rate"), Burst: get[int](limit, "burst"),
			Connections: get[int](limit, "connections"), Range: limit.header,
		}
	}
	if tls := s.one("upstream_tls"); tls != nil || base.UpstreamTLS == (UpstreamTLS{}) {
		tls := d.oneOrDefaults(s, "upstream_tls")
		r.UpstreamTLS = UpstreamTLS{Name: get[string](tls, "name"), CA: get[string](tls, "ca"), Verify: get[bool](tls, "verify")}
	}
	d.target(s, &r)
	return r
}

// target says where a route leads. A path that names a target of its own drops
// the site's.
func (d *decoder) target(s *section, r *Route) {
	upstream, to := s.fields["upstream"], s.fields["redirect"]
	backends := s.inner["backend"]
	if !upstream.set && !to.set && len(backends) == 0 {
		return
	}
	r.Backends, r.Redirect = nil, nil
	if to.set {
		r.Redirect = &Redirect{To: valueOf[string](to), Status: get[int](s, "redirect_status")}
	}
	if upstream.set {
		row := d.oneOrDefaults(s, "backend")
		r.Backends = []Backend{backend(row, valueOf[Address](upstream))}
	}
	for _, b := range backends {
		r.Backends = append(r.Backends, backend(b, valueOf[Address](b.label)))
	}
	d.oneTarget(s, upstream, to)
}

func backend(s *section, at Value[Address]) Backend {
	return Backend{
		Address:        at,
		Weight:         get[int](s, "weight"),
		MaxFails:       get[int](s, "max_fails"),
		FailTimeout:    get[time.Duration](s, "fail_timeout"),
		MaxConnections: get[int](s, "max_connections"),
		Backup:         get[bool](s, "backup"),
	}
}
