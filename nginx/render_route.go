package nginx

import (
	"errors"
	"slices"
	"strings"

	"molo/internal/policy"
)

// routeData is what the template "route" is given: one location.
type routeData struct {
	Path        *token // a regular expression; nil for all paths
	SiteID      token
	MaxBody     token
	Headers     []headerData
	Redirect    *redirectData
	Home        *token // the name that requests to another name are led to
	Trusted     bool   // a proxy in front of this host is believed
	PortInHost  bool
	Deny, Allow []token
	Auth        *authData
	Limit       *limitData
	Module      token // "proxy" or "grpc"
	GRPC        bool
	Timeout     token
	Several     bool // there is more than one backend
	WebSocket   bool
	Hidden      []token
	CookieFlags []token
	Unbuffered  bool
	TLS         *upstreamTLS
	Protocol    token
	Upstream    token
}

// redirectData is where a location leads.
type redirectData struct {
	Status, To token
	KeepPath   bool
}

// authData is who may ask.
type authData struct{ Realm, Users token }

// limitData is how much one client may ask for.
type limitData struct {
	ID, Rate, Connections token
	Burst                 *token // nil: no request more than the rate
}

// upstreamTLS is how backends are told from somebody in their place.
type upstreamTLS struct {
	Name token
	CA   *token // nil: they are not
}

// upstreamData is a group of backends.
type upstreamData struct {
	ID       token
	Backends []backendData
}

// backendData is one of them.
type backendData struct {
	Address, Weight, MaxFails, FailTimeout token
	MaxConnections                         *token
	Backup                                 bool
}

// module returns the module of nginx's that passes a route's requests on.
func module(route *policy.Route) string {
	if route.GRPC() {
		return "grpc"
	}
	return "proxy"
}

// routeHead returns what every location has.
func (w *siteWriter) routeHead(route *policy.Route) routeData {
	return routeData{
		SiteID: w.id("/"), MaxBody: put(w.sheet, route.MaxBody, size), Headers: w.headers(route),
		Trusted: trusted(w.site), PortInHost: w.portInHost(),
	}
}

// route returns one location.
func (w *siteWriter) route(route *policy.Route) routeData {
	data := w.routeHead(route)
	if route.Path.V != "/" {
		data.Path = new(put(w.sheet, route.Path, pathPattern))
	}
	if to := route.Redirect; to != nil {
		data.Redirect = &redirectData{
			Status: put(w.sheet, to.Status, redirectStatus), To: put(w.sheet, to.To, redirectTarget),
			KeepPath: strings.Count(to.To.V, "/") == 2 && !strings.HasPrefix(to.To.V, "/"),
		}
		return data
	}
	data.Deny, data.Allow = w.networks(route.DenyFrom), w.networks(route.AllowFrom)
	if route.Auth != nil {
		data.Auth = &authData{put(w.sheet, route.Auth.Realm, fieldValue), put(w.sheet, route.Auth.Users, filePath)}
	}
	data.Limit = w.limit(route.Limit)
	w.pass(route, &data)
	return data
}

// pass fills in how requests go to the application.
func (w *siteWriter) pass(route *policy.Route, data *routeData) {
	data.Module, data.GRPC = w.sheet.take(bare(module(route))), route.GRPC()
	data.Timeout = put(w.sheet, route.Timeout, seconds)
	data.Several = len(route.Backends) > 1
	data.WebSocket = route.WebSocket.V && !data.GRPC
	data.Unbuffered = !route.Buffering.V && !data.GRPC
	data.Hidden = w.hidden(route)
	data.Protocol = put(w.sheet, route.Protocol, protocol)
	data.Upstream = w.upstream(route)
	if !data.GRPC {
		for _, flag := range route.CookieFlags.V {
			data.CookieFlags = append(data.CookieFlags, put(w.sheet, policy.Value[string]{V: flag, Range: route.CookieFlags.Range}, cookieFlag))
		}
	}
	if !route.TLS() {
		return
	}
	name := route.UpstreamTLS.Name
	if name.V == "" {
		name = w.site.Name
	}
	data.TLS = &upstreamTLS{Name: put(w.sheet, name, hostName)}
	if route.UpstreamTLS.Verify.V {
		data.TLS.CA = new(put(w.sheet, route.UpstreamTLS.CA, filePath))
	}
}

// upstream returns the address of the only backend, or the name of the group. One
// that speaks TLS has a group in any case: nginx keeps TLS sessions for each
// address, and a session begun for one site would pass for verified by another's
// authorities.
func (w *siteWriter) upstream(route *policy.Route) token {
	owner := groupPath(w.site, route)
	switch {
	case len(route.Backends) == 0:
		w.sheet.fail(errors.New(w.sheet.about + ": requests lead nowhere"))
		return token{}
	case route.TLS():
		owner = route.Path.V
	case len(route.Backends) == 1:
		return put(w.sheet, route.Backends[0].Address, address)
	}
	id := w.id(owner)
	if !slices.ContainsFunc(w.data.Upstreams, func(u upstreamData) bool { return u.ID.text == id.text }) {
		group := upstreamData{ID: id}
		primary := slices.ContainsFunc(route.Backends, func(b policy.Backend) bool { return !b.Backup.V })
		for _, b := range route.Backends {
			group.Backends = append(group.Backends, w.backend(b, primary))
		}
		w.data.Upstreams = append(w.data.Upstreams, group)
	}
	return w.sheet.take(bare(prefix + id.text))
}

// groupPath returns the path of the route that the backends are written for: one
// that takes the site's over shares what is known of their health.
func groupPath(s *policy.Site, route *policy.Route) string {
	if slices.Equal(s.Root.Backends, route.Backends) {
		return "/"
	}
	return route.Path.V
}

// backend returns one server of a group. Where all are backups, none is.
func (w *siteWriter) backend(b policy.Backend, primary bool) backendData {
	data := backendData{
		Address: put(w.sheet, b.Address, address), Weight: put(w.sheet, b.Weight, positive), MaxFails: put(w.sheet, b.MaxFails, count),
		FailTimeout: put(w.sheet, b.FailTimeout, seconds), Backup: b.Backup.V && primary,
	}
	if b.MaxConnections.V != 0 {
		data.MaxConnections = new(put(w.sheet, b.MaxConnections, positive))
	}
	return data
}

// limit returns the limit of a route and sees to its zones: routes that take over
// the site's count together with it.
func (w *siteWriter) limit(l *policy.Limit) *limitData {
	if l == nil {
		return nil
	}
	data := limitData{ID: w.id(l.Path), Rate: put(w.sheet, l.Rate, rate), Connections: put(w.sheet, l.Connections, positive)}
	if l.Burst.V != 0 {
		data.Burst = new(put(w.sheet, l.Burst, positive))
	}
	if !slices.ContainsFunc(w.data.Limits, func(other limitData) bool { return other.ID.text == data.ID.text }) {
		w.data.Limits = append(w.data.Limits, data)
	}
	return &data
}
