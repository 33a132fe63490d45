package nginx

import (
	"net/netip"
	"slices"
	"strings"
)

// headerSets finds blocks that lose headers: a block takes these directives over
// from the block around it only as long as it has none of its own.
func headerSets(tree []directive) []Finding {
	var out []Finding
	for _, name := range []string{"add_header", "proxy_set_header", "proxy_hide_header", "grpc_set_header", "grpc_hide_header"} {
		out = append(out, headerSet(name, tree, nil)...)
	}
	return out
}

// headerSet checks one directive in a block and in those inside it.
func headerSet(name string, block []directive, around []string) []Finding {
	var own []string
	var first directive
	for _, d := range block {
		if d.name == name && len(d.args) > 0 {
			if own == nil {
				first = d
			}
			own = append(own, d.args[0])
		}
	}
	var out []Finding
	for _, header := range around {
		if own != nil && !slices.ContainsFunc(own, func(name string) bool { return strings.EqualFold(name, header) }) {
			out = append(out, first.finding("header-set", "%s here drops %s, which is set around this block", name, header))
		}
	}
	if own == nil {
		own = around
	}
	for _, d := range block {
		out = append(out, headerSet(name, d.block, own)...)
	}
	return out
}

// headerAlways finds headers that nginx leaves out of errors.
func headerAlways(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if d.name == "add_header" && (len(d.args) != 3 || d.args[2] != "always") {
			out = append(out, d.finding("header-always", "%s would be missing on errors", strings.Join(d.args, " ")))
		}
	})
	return out
}

// proxyTargets finds requests that go anywhere but to this host, or to the
// addresses that are allowed.
func proxyTargets(tree []directive, elsewhere []string) []Finding {
	allowed := func(host string) bool { return local(host) || slices.Contains(elsewhere, host) }
	upstreams := map[string]bool{}
	var out []Finding
	walk(tree, func(d directive) {
		if d.name != "upstream" || len(d.args) != 1 {
			return
		}
		upstreams[d.args[0]] = true
		for _, s := range d.block {
			if s.name == "server" && len(s.args) > 0 && !allowed(s.args[0]) {
				out = append(out, s.finding("proxy-target", "%s is not on this host", s.args[0]))
			}
		}
	})
	walk(tree, func(d directive) {
		if !passes(d) {
			return
		}
		if host, _ := splitURL(d.args[0]); !upstreams[host] && !allowed(host) {
			out = append(out, d.finding("proxy-target", "%s is not on this host", d.args[0]))
		}
	})
	return out
}

// passes reports whether a directive sends requests to an application.
func passes(d directive) bool {
	return (d.name == "proxy_pass" || d.name == "grpc_pass") && len(d.args) == 1
}

// proxyPaths finds paths that nginx would rewrite on the way.
func proxyPaths(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if !passes(d) {
			return
		}
		if _, path := splitURL(d.args[0]); path {
			out = append(out, d.finding("proxy-path", "the path in %s makes nginx decode the request's", d.args[0]))
		}
	})
	return out
}

// splitURL returns the host of a proxy_pass, and whether a path follows it:
// "http://HOST/PATH" or "http://unix:/SOCKET:/PATH".
func splitURL(url string) (host string, path bool) {
	_, target, ok := strings.Cut(url, "://")
	if !ok { // grpc_pass can do without
		target = url
	}
	if socket, ok := strings.CutPrefix(target, "unix:"); ok {
		socket, _, path = strings.Cut(socket, ":")
		return "unix:" + socket, path
	}
	host, _, path = strings.Cut(target, "/")
	return host, path
}

// local reports whether the address of an upstream server is loopback's or a Unix socket's.
func local(server string) bool {
	if strings.HasPrefix(server, "unix:/") {
		return true
	}
	if addr, err := netip.ParseAddrPort(server); err == nil {
		return addr.Addr().IsLoopback()
	}
	addr, err := netip.ParseAddr(strings.Trim(server, "[]"))
	return err == nil && addr.IsLoopback()
}
