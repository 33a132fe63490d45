package nginx

import (
	"errors"
	"slices"

	"molo/internal/policy"
)

// sharedPort returns a port that the site and a foreign server both serve.
func sharedPort(s *policy.Site, sockets []socket) (port uint16, shared bool) {
	for _, p := range s.Ports() {
		if slices.ContainsFunc(sockets, func(k socket) bool { return k.covers(p.V) }) {
			return p.V, true
		}
	}
	return 0, false
}

// tlsCollisions returns where a foreign server changes what a port does that sites
// serve over TLS.
func tlsCollisions(sites []*policy.Site, sockets []socket) error {
	seen := map[uint16]bool{}
	var errs []error
	for _, s := range sites {
		if s.TLS == nil || seen[s.TLS.Port.V] {
			continue
		}
		seen[s.TLS.Port.V] = true
		for _, k := range sockets {
			errs = append(errs, sameTLSSocket(s, k))
		}
	}
	return errors.Join(errs...)
}

// sameTLSSocket is the error of a foreign server on a port that a site serves over TLS.
func sameTLSSocket(s *policy.Site, k socket) error {
	port := s.TLS.Port.V
	switch {
	case !k.covers(port):
		return nil
	case !k.wildcard():
		return wrong(s, "%s takes every connection to %s on port %d, so that none there reaches the site", k.listen, k.addr, port)
	case k.option("default_server", "default"):
		return wrong(s, "%s is the default server of port %d, which has to be the one that refuses unknown names", k.listen, port)
	case k.option("proxy_protocol") != s.ProxyProtocol() && !k.option("quic"):
		return wrong(s, "%s says otherwise whether connections to port %d begin with the PROXY protocol", k.listen, port)
	case !k.option("ssl", "quic"):
		return wrong(s, "%s speaks plain HTTP on port %d, which speaks TLS", k.listen, port)
	}
	return nil
}
