package nginx

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
)

// UnknownHost is a name that no server has: whoever asks for it over TLS must not see
// a certificate.
const UnknownHost = "unknown." + reserved

// Handshake is one connection over TLS that proves what nginx runs with: the
// certificate that it shows, and that it shows none for another name. That files were
// renewed says little: the most common slip is that nobody reloaded nginx.
type Handshake struct {
	Port uint16 `json:"port"` // on 127.0.0.1 and ::1
	Site string `json:"site"` // the name that is asked for
	Leaf string `json:"leaf"` // SHA-256 of the certificate, hexadecimal
	// ProxyProtocol says that the connection begins with it.
	ProxyProtocol bool `json:"proxy_protocol,omitempty"`
}

// Handshakes returns how nginx answers once it runs with what Compile makes of the sites.
func Handshakes(sites []*policy.Site, host facts.TLS) []Handshake {
	var all []Handshake
	for _, s := range sites {
		if s.TLS == nil {
			continue
		}
		pair, err := certificate.NewPair(certificate.Of(s, host))
		if err != nil {
			continue // not served over TLS: see stageOf
		}
		for _, name := range namesOf(s) {
			all = append(all, Handshake{Port: s.TLS.Port.V, Site: name, Leaf: pair.Digest(), ProxyProtocol: s.ProxyProtocol()})
		}
	}
	return all
}

// digestComment matches what the digest of an owner's files stands in.
var digestComment = regexp.MustCompile(`(?m)^ *# These files as they were when this was written \(([0-9a-f]+)\)`)

// ServedBy says how the sites of a tree are served. What can't be read of a tree that
// somebody has edited counts as not served.
func ServedBy(files map[string][]byte) map[string]facts.Served {
	out := map[string]facts.Served{}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		tree, err := parse(file, string(files[file]))
		if err != nil || !strings.HasPrefix(file, "sites/") {
			continue
		}
		digest := ""
		if m := digestComment.FindSubmatch(files[file]); m != nil {
			digest = string(m[1])
		}
		for _, server := range serversOf(tree) {
			for _, name := range serverNamesOf(server) {
				s := out[name]
				s.Digest, s.Chain = digest, cmp.Or(s.Chain, chainOf(server))
				s.Plain = s.Plain || opensPlain(server)
				out[name] = s
			}
		}
	}
	return out
}

// serverNamesOf returns the names of a server.
func serverNamesOf(server directive) []string {
	var names []string
	for _, d := range server.block {
		if d.name == "server_name" {
			names = append(names, d.args...)
		}
	}
	return names
}

// chainOf returns the path of a server's certificate, or "".
func chainOf(server directive) string {
	for _, d := range server.block {
		if d.name == "ssl_certificate" && len(d.args) == 1 {
			return d.args[0]
		}
	}
	return ""
}

// opensPlain reports whether a server does over plain HTTP what the site is for:
// it passes requests on, or leads them elsewhere than to TLS.
func opensPlain(server directive) bool {
	opens := false
	toTLS := func(target string) bool {
		return slices.ContainsFunc(serverNamesOf(server), func(name string) bool { return strings.HasPrefix(target, "https://"+name) })
	}
	walk(server.block, func(d directive) {
		leads := d.name == "return" && len(d.args) == 2 && strings.HasPrefix(d.args[0], "3") && !toTLS(d.args[1])
		opens = opens || strings.HasSuffix(d.name, "_pass") || leads
	})
	return opens && slices.ContainsFunc(listens(server), func(k socket) bool { return !k.option("ssl", "quic") })
}
