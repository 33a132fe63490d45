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
		all = append(all, Handshake{Port: s.TLS.Port.V, Site: s.Name.V, Leaf: pair.Digest()})
	}
	return all
}

// digestComment matches what the digest of an owner's files stands in.
var digestComment = regexp.MustCompile(`(?m)^ *# These files as they were when this was written \(([0-9a-f]+)\)`)

// Served says how the sites of a tree are served. What can't be read of a tree that
// somebody has edited counts as not served.
func Served(files map[string][]byte) map[string]facts.Served {
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
				s.Plain = s.Plain || passesPlain(server)
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

// passesPlain reports whether a server passes requests on that come over plain HTTP.
func passesPlain(server directive) bool {
	passes := false
	walk(server.block, func(d directive) { passes = passes || d.name == "proxy_pass" })
	return passes && slices.ContainsFunc(listens(server), func(k socket) bool { return !k.option("ssl", "quic") })
}

// proofs returns what is asked of a site: over plain HTTP always, over TLS as well
// where it has that.
func proofs(s *policy.Site, host facts.TLS) []Expectation {
	all := []Expectation{{Site: s.Name.V, Port: s.Port.V, Headers: map[string]string{}}}
	if stageOf(s, host) == secure {
		all = append(all, Expectation{Site: s.Name.V, Port: s.TLS.Port.V, TLS: true, Headers: map[string]string{}})
	}
	return all
}
