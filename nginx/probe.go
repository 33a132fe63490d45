package nginx

import (
	"bytes"
	"errors"
	"fmt"
	"maps"

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
	Port          uint16 `json:"port"`                     // on 127.0.0.1 and ::1
	ProxyProtocol bool   `json:"proxy_protocol,omitempty"` // the connection begins with it
	Host          string `json:"host"`                     // of the request, without a port
	Path          string `json:"path"`
	Want          string `json:"want"` // the body of the answer, whose status is 200
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
				probes = append(probes, Probe{Port: k.first, ProxyProtocol: k.option("proxy_protocol"), Host: GenerationHost, Path: "/", Want: s.generation()})
			}
		}
		return probes, nil
	}
	return nil, errors.New("reading " + tree.Dir + ": http.conf has no server " + GenerationHost)
}

// Edited reports whether somebody has changed a tree since Compile made it: its
// files are no longer those that its generation stands for.
func Edited(tree resource.Tree) bool {
	probes, err := Probes(tree)
	if err != nil || len(probes) == 0 {
		return true
	}
	files := maps.Clone(tree.Files)
	told := []byte(`return 200 "` + probes[0].Want + `";`)
	files["http.conf"] = bytes.Replace(files["http.conf"], told, []byte(`return 200 "";`), 1)
	return resource.Generation(files) != probes[0].Want
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
	Site          string            `json:"site"` // the Host of the request
	Port          uint16            `json:"port"`
	TLS           bool              `json:"tls,omitempty"`
	ProxyProtocol bool              `json:"proxy_protocol,omitempty"` // the connection begins with it
	Headers       map[string]string `json:"headers"`                  // each exactly once
}

// Expectations returns what the sites have to answer to requests that nginx
// answers itself, under each of their names, in their order: over plain HTTP, and over
// TLS as well where they have that.
func Expectations(sites []*policy.Site, host facts.TLS) []Expectation {
	var out []Expectation
	for _, s := range sites {
		headers := map[string]string{}
		for _, h := range s.Root.Headers {
			if h.Value.V != "" && !overTLS(h.Name) {
				headers[h.Name] = h.Value.V
			}
		}
		secured := maps.Clone(headers)
		if h, ok := HSTS(s.HSTS, host.Now); ok {
			secured[h.Name] = h.Value.V
		}
		for _, name := range namesOf(s) {
			out = append(out, Expectation{Site: name, Port: s.Port.V, ProxyProtocol: s.ProxyProtocol(), Headers: headers})
			if stageOf(s, host) == secure {
				out = append(out, Expectation{Site: name, Port: s.TLS.Port.V, TLS: true, ProxyProtocol: s.ProxyProtocol(), Headers: secured})
			}
		}
	}
	return out
}
