package nginx

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// inEffect returns the directives of a name that hold in the innermost of some
// blocks: a block takes them over from the one around it unless it has its own.
func inEffect(name string, blocks ...[]directive) []directive {
	for _, block := range slices.Backward(blocks) {
		var found []directive
		for _, d := range block {
			if d.name == name {
				found = append(found, d)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// isOff reports whether a directive switches something off.
func isOff(d directive) bool { return len(d.args) == 1 && d.args[0] == "off" }

// ownTokens finds servers that tell nginx's version. Each of molo's has to say
// so itself, since nothing is known of the http block around it.
func ownTokens(tree []directive) []Finding { return tokens(nil, tree) }

// serverTokens finds servers that tell nginx's version, in a whole http block.
func serverTokens(tree []directive) []Finding { return tokens(tree, tree) }

func tokens(around, tree []directive) []Finding {
	var out []Finding
	for _, s := range serversOf(tree) {
		if !slices.ContainsFunc(inEffect("server_tokens", around, s.block), isOff) {
			out = append(out, s.finding("server-tokens", "the server tells its version"))
		}
		walk(s.block, func(d directive) {
			if d.name == "server_tokens" && !isOff(d) {
				out = append(out, d.finding("server-tokens", "server_tokens %s", strings.Join(d.args, " ")))
			}
		})
	}
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

// speaksTLS reports whether a server takes TLS or QUIC connections.
func speaksTLS(server directive) bool {
	return slices.ContainsFunc(listens(server), func(k socket) bool { return k.option("ssl", "quic") })
}

// rejects reports whether a server refuses TLS connections instead of answering them.
func rejects(http []directive, server directive) bool {
	return slices.ContainsFunc(inEffect("ssl_reject_handshake", http, server.block), func(d directive) bool { return !isOff(d) })
}

// tlsCertificates finds servers that take TLS connections and have nothing to show for it.
func tlsCertificates(tree []directive) []Finding {
	var out []Finding
	for _, s := range serversOf(tree) {
		if speaksTLS(s) && !rejects(tree, s) && inEffect("ssl_certificate", tree, s.block) == nil {
			out = append(out, s.finding("tls-certificate", "the server has no certificate"))
		}
	}
	return out
}

// rejections finds servers that refuse TLS connections but answer requests: over
// a connection made for another name, HTTP/2 clients send those too (RFC 9110, 15.5.20).
func rejections(tree []directive) []Finding {
	var out []Finding
	for _, s := range serversOf(tree) {
		if !rejects(tree, s) {
			continue
		}
		refuses := false
		walk(s.block, func(d directive) {
			refuses = refuses || d.name == "return" && len(d.args) > 0 && (d.args[0] == "421" || d.args[0] == "444")
		})
		if !refuses {
			out = append(out, s.finding("reject", "the server refuses handshakes, but not requests that come over another name's connection"))
		}
	}
	return out
}

// trustedPeers finds servers that believe everybody who says to be a proxy.
func trustedPeers(tree []directive) []Finding {
	var out []Finding
	walk(tree, func(d directive) {
		if d.name == "set_real_ip_from" && len(d.args) == 1 && strings.HasSuffix(d.args[0], "/0") {
			out = append(out, d.finding("trusted-peers", "%s: every client can claim any address", d.args[0]))
		}
	})
	return out
}

// workerFiles finds workers that run out of files before they run out of
// connections. It takes what stands outside of all blocks.
func workerFiles(main []directive) []Finding {
	files, connections := 1024, directive{}
	for _, d := range main {
		switch {
		case d.name == "worker_rlimit_nofile" && len(d.args) == 1:
			files, _ = strconv.Atoi(d.args[0])
		case d.name == "events":
			for _, inner := range d.block {
				if inner.name == "worker_connections" && len(inner.args) == 1 {
					connections = inner
				}
			}
		}
	}
	if connections.name == "" {
		return nil
	}
	if n, err := strconv.Atoi(connections.args[0]); err == nil && files < 2*n {
		return []Finding{connections.finding("worker-files", "%d connections may need %d files, and a worker has %d", n, 2*n, files)}
	}
	return nil
}

// oldWorkers finds nginx that never ends the workers of before a reload as long as one
// connection of theirs is open, where connections may be open for days. It takes what
// stands outside of all blocks.
func oldWorkers(main []directive) []Finding {
	var upgrade, http directive
	for _, d := range main {
		switch d.name {
		case "worker_shutdown_timeout":
			return nil
		case "http":
			http = d
		}
	}
	walk(http.block, func(d directive) {
		if (d.name == "proxy_set_header") && len(d.args) == 2 && strings.EqualFold(d.args[0], "Upgrade") && d.args[1] != "" {
			upgrade = d
		}
	})
	if upgrade.name == "" {
		return nil
	}
	return []Finding{http.finding("old-workers", "after a reload the old workers stay as long as one WebSocket of theirs is open")}
}
