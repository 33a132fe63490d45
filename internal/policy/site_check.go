package policy

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// checkSites reports what is wrong with sites that are well-formed each.
func (d *decoder) checkSites(sites []*Site) {
	for _, check := range []func([]*Site){d.names, d.loops, d.tlsPorts, d.circles, d.defaultSites, d.proxyProtocols, d.protocols, d.preloads} {
		check(sites)
	}
}

// problem reports an error at a place of the policy.
func (d *decoder) problem(at hcl.Range, summary, why, hint string) {
	d.diags = append(d.diags, invalid(fault{summary: summary, why: why, hint: hint}, at))
}

// names reports a name that leads to a site and is one itself, or leads to two.
func (d *decoder) names(sites []*Site) {
	taken := map[string]hcl.Range{}
	for _, s := range sites {
		taken[s.Name.V] = s.Name.Range
	}
	for _, s := range sites {
		for _, name := range s.RedirectFrom.V {
			if other, ok := taken[name]; ok {
				d.problem(s.RedirectFrom.Range, "Name used twice",
					fmt.Sprintf("The name %q is already used at %s; which of the two answers can't be known.", name, place(other)), "take it out of one of the two")
			}
			taken[name] = s.RedirectFrom.Range
		}
	}
}

// loops reports an upstream on a port that nginx itself listens on: it listens on
// every address, so no container can have the port, and requests would run in circles.
func (d *decoder) loops(sites []*Site) {
	serves := map[uint16]*Site{}
	asked := map[uint16]hcl.Range{}
	for _, s := range sites {
		for _, port := range s.Ports() {
			serves[port.V], asked[port.V] = s, port.Range
		}
	}
	for _, s := range sites {
		for _, b := range backendsOf(s) {
			at := b.Address.V.TCP
			other, loop := serves[at.Port()]
			if !loop || !at.IsValid() || !at.Addr().IsLoopback() {
				continue
			}
			d.problem(b.Address.Range, "Upstream is nginx itself",
				fmt.Sprintf("Nginx serves port %d on all addresses, because the site %q at %s asks for it; no container can listen there.", at.Port(), other.Name.V, place(asked[at.Port()])),
				"publish the container on another port of 127.0.0.1")
		}
	}
}

// circles reports a path that leads to itself.
func (d *decoder) circles(sites []*Site) {
	for _, s := range sites {
		for _, r := range s.Routes() {
			if r.Redirect == nil {
				continue
			}
			to := r.Redirect.To
			for _, own := range []string{"http://" + s.Name.V, fmt.Sprintf("http://%s:%d", s.Name.V, s.Port.V)} {
				to.V = strings.TrimPrefix(to.V, own)
			}
			if to.V == "" || strings.HasPrefix(strings.TrimSuffix(to.V, "/")+"/", strings.TrimSuffix(r.Path.V, "/")+"/") {
				d.problem(to.Range, "Redirect to itself", fmt.Sprintf("%q leads to where it comes from, and browsers would go round in circles.", r.Redirect.To.V), "lead to another site, or to a path outside "+r.Path.V)
			}
		}
	}
}

// backendsOf lists the backends of all routes, each where it is written.
func backendsOf(s *Site) []Backend {
	var all []Backend
	seen := map[hcl.Range]bool{}
	for _, r := range s.Routes() {
		for _, b := range r.Backends {
			if !seen[b.Address.Range] {
				all = append(all, b)
			}
			seen[b.Address.Range] = true
		}
	}
	return all
}

// defaultSites reports two sites that both want a port's requests for other names.
func (d *decoder) defaultSites(sites []*Site) {
	first := map[uint16]*Site{}
	for _, s := range sites {
		if !s.Default.V {
			continue
		}
		if other := first[s.Port.V]; other != nil {
			d.problem(s.Default.Range, "Two default sites",
				fmt.Sprintf("The site %q at %s already answers on port %d for names that no site has.", other.Name.V, place(other.Default.Range), s.Port.V), "take default out of one of the two")
			continue
		}
		first[s.Port.V] = s
	}
}

// proxyProtocols reports sites of one port of which only some expect the PROXY
// protocol: which it is, is decided before a request, or a handshake, names a site.
func (d *decoder) proxyProtocols(sites []*Site) {
	first := map[uint16]*Site{}
	for _, s := range sites {
		for _, port := range s.Ports() {
			other := first[port.V]
			if other == nil {
				first[port.V] = s
				continue
			}
			if s.ProxyProtocol() != other.ProxyProtocol() {
				d.problem(s.Range, "One port, two protocols",
					fmt.Sprintf("Of the sites %q at %s and %q only one expects the PROXY protocol on port %d, where a connection begins with it or does not.", other.Name.V, place(other.Range), s.Name.V, port.V),
					"write the same proxy_protocol for both, or serve them on two ports")
			}
		}
	}
}

// ProxyProtocol reports whether connections to the site begin with the PROXY protocol.
func (s *Site) ProxyProtocol() bool {
	return s.TrustedProxies != nil && s.TrustedProxies.ProxyProtocol.V
}

// protocols reports WebSockets to where there can be none.
func (d *decoder) protocols(sites []*Site) {
	for _, s := range sites {
		for _, r := range s.Routes() {
			if r.WebSocket.V && r.GRPC() {
				d.problem(r.Protocol.Range, "Not possible with gRPC", "A gRPC server takes no WebSocket connections.", "write websocket = false for this path")
			}
		}
	}
}

// preloads reports what browsers' lists don't take in (hstspreload.org).
func (d *decoder) preloads(sites []*Site) {
	for _, s := range sites {
		if h := s.HSTS; h.Scope.V == "preload" && h.MaxAge.V.Hours() < 365*24 {
			d.problem(h.Scope.Range, "Too short for preloading", "Browsers' lists take in only names that promise TLS for a year at least.", `write max_age = "365d" or more`)
		}
	}
}

// oneTarget reports a route with none or more than one of the things that it can lead to.
func (d *decoder) oneTarget(s *section, upstream, to field) {
	backends := len(s.inner["backend"]) > 0
	switch {
	case to.set && (upstream.set || backends):
		d.problem(to.at, "Two targets", "Requests either go to an application or lead the client elsewhere.", "take redirect out, or upstream")
	case upstream.set && backends:
		d.problem(upstream.at, "Two targets", "The attribute upstream is short for one block backend.", "write a block backend for this one too")
	}
}
