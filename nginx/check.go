package nginx

import (
	"errors"
	"fmt"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// reserved is the domain of the servers that http.conf has of its own. RFC 6761
// keeps "invalid" out of the DNS.
const reserved = "molo.invalid"

// check returns what is wrong with the sites as a whole; what is wrong with one
// value alone is found when it becomes a token.
func check(sites []*policy.Site, host facts.Nginx) error {
	seen := map[string]*policy.Site{}
	ports := map[uint16]*policy.Site{}
	defaults := map[uint16]*policy.Site{}
	var errs []error
	for _, s := range sites {
		errs = append(errs, checkNames(s, seen), checkPaths(s), checkCapabilities(s, host))
		for _, port := range s.Ports() {
			if other := ports[port.V]; other != nil && other.ProxyProtocol() != s.ProxyProtocol() {
				errs = append(errs, wrong(s, "port %d begins with the PROXY protocol for one site%s and not for the other", port.V, from(other)))
			}
			ports[port.V] = s
		}
		if other := defaults[s.Port.V]; other != nil && s.Default.V {
			errs = append(errs, wrong(s, "port %d has a default site already%s", s.Port.V, from(other)))
		}
		if s.Default.V {
			defaults[s.Port.V] = s
		}
	}
	for _, s := range sites {
		errs = append(errs, checkLoops(s, ports))
		for _, r := range s.Routes() {
			errs = append(errs, checkHeaders(s, r.Headers))
		}
	}
	return errors.Join(errs...)
}

// checkNames finds names that are molo's own or lead to two sites.
func checkNames(s *policy.Site, seen map[string]*policy.Site) error {
	var errs []error
	for _, name := range namesOf(s) {
		if first := seen[name]; first != nil {
			errs = append(errs, wrong(s, "there is one already%s", from(first)))
		}
		seen[name] = s
		if name == reserved || strings.HasSuffix(name, "."+reserved) {
			errs = append(errs, wrong(s, "names in %s are molo's own", reserved))
		}
	}
	return errors.Join(errs...)
}

// checkPaths finds paths that are there twice, of which nginx would ignore one.
func checkPaths(s *policy.Site) error {
	seen := map[string]bool{}
	for _, r := range s.Paths {
		path := strings.ToLower(r.Path.V)
		if seen[path] {
			return wrong(s, "the path %s is there twice, in whatever case", r.Path.V)
		}
		seen[path] = true
	}
	return nil
}

// checkLoops finds upstreams that are nginx itself.
func checkLoops(s *policy.Site, ports map[uint16]*policy.Site) error {
	var errs []error
	for _, r := range s.Routes() {
		for _, b := range r.Backends {
			at := b.Address.V
			if at.Socket == "" && at.Local() && ports[at.TCP.Port()] != nil {
				errs = append(errs, wrong(s, "upstream %s is nginx itself: port %d is served by a site", at, at.TCP.Port()))
			}
		}
	}
	return errors.Join(errs...)
}

// checkHeaders finds headers set twice: names are compared without case (RFC 9110, section 5.1).
func checkHeaders(s *policy.Site, headers []policy.Header) error {
	seen := map[string]bool{}
	for _, h := range headers {
		name := strings.ToLower(h.Name)
		if seen[name] {
			return wrong(s, "header %q is set twice", h.Name)
		}
		seen[name] = true
	}
	return nil
}

// checkCapabilities finds what the host's nginx can't do. One that could not be
// asked gets the benefit of the doubt: the test of the staged tree asks it.
func checkCapabilities(s *policy.Site, host facts.Nginx) error {
	if host.Version == "" {
		return nil
	}
	needs := map[string]string{}
	if s.TrustedProxies != nil {
		needs[CanRealIP] = "believe proxies (it is built without its module realip)"
	}
	if trusted(s) {
		needs[CanGeo] = "tell trusted proxies from others (it is built without its module geo; Debian's nginx-core has it)"
	}
	for _, r := range s.Routes() {
		if r.Limit != nil && r.Redirect == nil {
			needs[CanLimits] = "limit clients (it is built without its modules limit_req and limit_conn; Debian's nginx-core has them)"
		}
		if r.GRPC() {
			needs[CanGRPC] = "speak gRPC (it is built without its module grpc)"
		} else if r.Redirect == nil && len(r.CookieFlags.V) > 0 {
			needs[CanCookieFlags] = "set flags of cookies (1.19.3 and later can)"
		}
	}
	var errs []error
	for _, c := range Capabilities() {
		if what := needs[c.Name]; what != "" && !can(host, c.Name) {
			errs = append(errs, wrong(s, "nginx %s can't %s", host.Version, what))
		}
	}
	return errors.Join(errs...)
}

// wrong is an error about a site.
func wrong(s *policy.Site, format string, args ...any) error {
	return fmt.Errorf("%ssite %q: %s", at(s.Range), s.Name.V, fmt.Sprintf(format, args...))
}

// from returns ", at policies.hcl:12" for a site that has a source.
func from(s *policy.Site) string {
	if s.Range.Filename == "" {
		return ""
	}
	return ", at " + strings.TrimSuffix(at(s.Range), ": ")
}
