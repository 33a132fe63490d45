package nginx

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// headerSets finds blocks that lose headers: a block takes these directives over
// from the block around it only as long as it has none of its own.
func headerSets(tree []directive) []Finding {
	var out []Finding
	for _, name := range []string{"add_header", "proxy_set_header", "proxy_hide_header"} {
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

// variable finds the names of variables in a word.
var variable = regexp.MustCompile(`\$\{?([A-Za-z0-9_]+)`)

// capture matches what a group of a regular expression is called by number.
var capture = regexp.MustCompile(`^[0-9]`)

// tainted matches variables that hold what the client sent: the decoded path in
// $uri may have line ends that split a response in two, $http_host names any host.
var tainted = regexp.MustCompile(`^(uri|document_uri|http_host|arg_.*|args|query_string)$`)

// variables returns the names of the variables in a directive's arguments.
func variables(d directive) []string {
	var out []string
	for _, arg := range d.args {
		if !strings.Contains(arg, "$") {
			continue
		}
		for _, m := range variable.FindAllStringSubmatch(arg, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// taintedValues finds client input in what goes to the client or to an
// application, and numbered captures anywhere: which they are depends on the
// regular expression that ran last.
func taintedValues(tree []directive) []Finding {
	sinks := []string{"return", "add_header", "proxy_pass", "proxy_set_header", "proxy_redirect"}
	var out []Finding
	walk(tree, func(d directive) {
		for _, name := range variables(d) {
			if capture.MatchString(name) || slices.Contains(sinks, d.name) && tainted.MatchString(name) {
				out = append(out, d.finding("tainted-value", "%s uses $%s, which the client chooses", d.name, name))
			}
		}
	})
	return out
}

// proxyTargets finds requests that go anywhere but to this host, and paths that
// nginx would rewrite on the way.
func proxyTargets(tree []directive) []Finding {
	upstreams := map[string]bool{}
	var out []Finding
	walk(tree, func(d directive) {
		if d.name != "upstream" || len(d.args) != 1 {
			return
		}
		upstreams[d.args[0]] = true
		for _, s := range d.block {
			if s.name == "server" && len(s.args) > 0 && !local(s.args[0]) {
				out = append(out, s.finding("proxy-target", "%s is not on this host", s.args[0]))
			}
		}
	})
	walk(tree, func(d directive) {
		if d.name != "proxy_pass" || len(d.args) != 1 {
			return
		}
		switch host, path := splitURL(d.args[0]); {
		case path:
			out = append(out, d.finding("proxy-path", "the path in %s makes nginx decode the request's", d.args[0]))
		case !upstreams[host] && !local(host):
			out = append(out, d.finding("proxy-target", "%s is not on this host", d.args[0]))
		}
	})
	return out
}

// splitURL returns the host of a proxy_pass, and whether a path follows it:
// "http://HOST/PATH" or "http://unix:/SOCKET:/PATH".
func splitURL(url string) (host string, path bool) {
	_, target, _ := strings.Cut(url, "://")
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

// forbidden finds directives that molo has no use for and that go wrong too easily.
func forbidden(tree []directive) []Finding {
	why := map[string]string{
		"alias":    "without a slash at the end it serves the directory above",
		"if":       "inside a location it does not do what it says",
		"resolver": "it makes what is served depend on the answers of a name server",
		"rewrite":  "it decodes the request's path, and has been the way into nginx more than once",
	}
	var out []Finding
	walk(tree, func(d directive) {
		if text, ok := why[d.name]; ok {
			out = append(out, d.finding("forbidden", "%s: %s", d.name, text))
		}
	})
	return out
}

// defaultServers finds ports where the server for unknown names is left to chance, or to two.
func defaultServers(tree []directive) []Finding {
	defaults := map[string]int{}
	first := map[string]socket{}
	var out []Finding
	for _, s := range serversOf(tree) {
		for _, k := range listens(s) {
			key := k.String()
			if _, ok := first[key]; !ok {
				first[key] = k
			}
			if !k.option("default_server", "default") {
				continue
			}
			if defaults[key]++; defaults[key] > 1 {
				out = append(out, k.listen.finding("default-server", "%s has two default servers", key))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(first)) {
		if defaults[key] == 0 {
			out = append(out, first[key].listen.finding("default-server", "%s has no default server", key))
		}
	}
	return out
}
