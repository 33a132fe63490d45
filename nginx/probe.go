package nginx

import (
	"errors"
	"fmt"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// GenerationHost is the name under which nginx tells this host which generation
// it runs with. It is not in the DNS (RFC 6761), and asked from elsewhere nginx
// closes the connection.
const GenerationHost = "generation." + reserved

// Probe is one question that proves what nginx runs with. "nginx -t" and
// "systemctl reload nginx" both succeed where the new configuration cannot be
// used, for example because a port is taken: the old one goes on unnoticed. For a
// moment after a reload old workers take connections as well, so that one right
// answer proves little and a few in a row do.
type Probe struct {
	Port uint16 `json:"port"` // on 127.0.0.1 and ::1
	Host string `json:"host"` // of the request, without a port
	Path string `json:"path"`
	Want string `json:"want"` // the body of the answer, whose status is 200
}

// Probes returns what nginx answers, on every port, once it runs with the tree.
// They come from the tree, not from a policy, so that a tree put back can be
// proven as well.
func Probes(tree resource.Tree) ([]Probe, error) {
	parsed, err := parse("http.conf", string(tree.Files["http.conf"]))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", tree.Dir, err)
	}
	for _, s := range serversOf(parsed) {
		if !s.serves(GenerationHost) {
			continue
		}
		var probes []Probe
		for _, k := range listens(s) {
			if k.addr == "*" {
				probes = append(probes, Probe{Port: k.first, Host: GenerationHost, Path: "/", Want: s.generation()})
			}
		}
		return probes, nil
	}
	return nil, errors.New("reading " + tree.Dir + ": http.conf has no server " + GenerationHost)
}

// serves reports whether a server has the name.
func (d directive) serves(name string) bool {
	for _, inner := range d.block {
		if inner.name == "server_name" && len(inner.args) == 1 && inner.args[0] == name {
			return true
		}
	}
	return false
}

// generation returns what the server returns with status 200.
func (d directive) generation() string {
	id := ""
	walk(d.block, func(inner directive) {
		if inner.name == "return" && len(inner.args) == 2 && inner.args[0] == "200" {
			id = inner.args[1]
		}
	})
	return id
}

// Expectation is what every answer of a site has to have, whatever its status
// and whatever the application says.
type Expectation struct {
	Site    string            `json:"site"` // the Host of the request
	Port    uint16            `json:"port"`
	TLS     bool              `json:"tls,omitempty"`
	Headers map[string]string `json:"headers"` // each exactly once
}

// Expectations returns what the sites have to answer, in their order.
func Expectations(sites []*policy.Site, host facts.TLS) []Expectation {
	var out []Expectation
	for _, s := range sites {
		for _, e := range proofs(s, host) {
			for _, h := range s.Headers {
				if h.Value.V != "" && (e.TLS || !overTLS(h.Name)) {
					e.Headers[h.Name] = h.Value.V
				}
			}
			out = append(out, e)
		}
	}
	return out
}
