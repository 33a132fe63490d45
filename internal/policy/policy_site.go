package policy

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Site is a block site: one name that nginx serves.
type Site struct {
	Name           Value[string] // a host name in lower-case ASCII (IDNA A-labels)
	Port           Value[uint16] // the port served in plain HTTP
	Default        Value[bool]   // answers requests for names that no site has
	RedirectFrom   Value[[]string]
	HiddenFiles    Value[bool] // paths with a name that begins with a dot are passed on
	TrustedProxies *TrustedProxies
	HSTS           HSTS
	TLS            *TLS    // nil: plain HTTP alone
	Root           Route   // what holds for every path without a block of its own
	Paths          []Route // complete: what a block path does not say is as the site says
	Range          hcl.Range
}

// Routes returns the site's own route and those of its paths.
func (s *Site) Routes() []Route { return append([]Route{s.Root}, s.Paths...) }

// TrustedProxies is the block trusted_proxies: who is believed about a client's address.
type TrustedProxies struct {
	From          Value[[]netip.Prefix]
	ProxyProtocol Value[bool] // they say it before the request, not in X-Forwarded-For
	Range         hcl.Range
}

// HSTS is the block hsts: for how long browsers shall insist on TLS.
type HSTS struct {
	MaxAge   Value[time.Duration] // negative: the header is not sent
	Scope    Value[string]        // "host", "subdomains" or "preload"
	RampFrom Value[time.Time]     // the day from which on MaxAge is approached in steps; zero for none
}

// Route is how requests to a path, and all below it, are answered: by an
// application, or by leading the client elsewhere.
type Route struct {
	Path        Value[string] // "/" for the site's own, else without a slash at the end
	Backends    []Backend     // empty where Redirect is set
	Protocol    Value[string] // "http", "https", "grpc" or "grpcs": what the backends speak
	UpstreamTLS UpstreamTLS
	Remote      Value[bool] // the backends may be on other machines
	Redirect    *Redirect
	MaxBody     Value[int64]         // largest request body, bytes
	Timeout     Value[time.Duration] // how long an application may be silent
	WebSocket   Value[bool]
	Buffering   Value[bool]
	AllowFrom   Value[[]netip.Prefix] // empty: from everywhere
	DenyFrom    Value[[]netip.Prefix]
	Public      Value[bool] // a path for everybody, whatever the site asks of visitors
	Auth        *Auth
	Limit       *Limit
	CookieFlags Value[[]string] // "secure", "httponly", "samesite=lax", …
	Headers     []Header        // the complete response header set, in the order of the table
}

// Guarded reports whether not everybody may ask.
func (r *Route) Guarded() bool {
	return r.Auth != nil || len(r.AllowFrom.V) > 0 || len(r.DenyFrom.V) > 0
}

// GRPC reports whether the backends speak gRPC.
func (r *Route) GRPC() bool {
	return r.Redirect == nil && (r.Protocol.V == "grpc" || r.Protocol.V == "grpcs")
}

// TLS reports whether the backends speak TLS.
func (r *Route) TLS() bool {
	return r.Redirect == nil && (r.Protocol.V == "https" || r.Protocol.V == "grpcs")
}

// Backend is one server that an application listens on.
type Backend struct {
	Address        Value[Address]
	Weight         Value[int]
	MaxFails       Value[int] // failures within FailTimeout after which it is left alone for as long
	FailTimeout    Value[time.Duration]
	MaxConnections Value[int]  // 0: no bound
	Backup         Value[bool] // asked only when all others have failed
}

// Address is where an application listens: an IP address and a port, or a Unix socket.
type Address struct {
	TCP    netip.AddrPort
	Socket string // an absolute path; TCP is not valid then
}

// String spells the address as a policy does: "127.0.0.1:8081", "unix:/run/app.sock".
func (a Address) String() string {
	if a.Socket != "" {
		return "unix:" + a.Socket
	}
	return a.TCP.String()
}

// Local reports whether only this host reaches the address.
func (a Address) Local() bool { return a.Socket != "" || a.TCP.Addr().IsLoopback() }

// UpstreamTLS is the block upstream_tls: how backends that speak TLS are known.
type UpstreamTLS struct {
	Name   Value[string] // on their certificate; empty: the site's own name
	CA     Value[string] // path of the authorities that may have signed it
	Verify Value[bool]
}

// Redirect is where a client is led instead of getting an answer.
type Redirect struct {
	To     Value[string] // "https://example.no", "https://example.no/new" or "/new"
	Status Value[int]
}

// Auth is the block auth: names and passwords (RFC 7617).
type Auth struct {
	Users Value[string] // path of the owner's file, in the format of htpasswd
	Realm Value[string]
	Range hcl.Range
}

// Limit is the block limit: how much one client may ask for.
type Limit struct {
	Path        string // the route that it is the limit of: those that take it over count together
	Rate        Value[Rate]
	Burst       Value[int]
	Connections Value[int]
	Range       hcl.Range
}

// Rate is a number of requests in a second or a minute.
type Rate struct {
	Count int
	Per   string // "s" or "m"
}

// String spells the rate as a policy does: "10/s".
func (r Rate) String() string { return fmt.Sprintf("%d/%s", r.Count, r.Per) }

// Header is one response header of a route.
type Header struct {
	Name  string        // "X-Frame-Options"
	Value Value[string] // "" when the policy turned it off
	// UpstreamWins says that the value only holds where the application sends none.
	UpstreamWins bool
}
