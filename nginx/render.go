package nginx

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"text/template"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/templates"
)

// renderer renders the tree of a set of sites that passed check.
type renderer struct {
	templates *template.Template
	sites     []*policy.Site
	ports     []uint16 // that the sites use for plain HTTP, ascending
	tables    tables
	tls       facts.TLS
	stages    map[*policy.Site]stage
}

// httpData is what http.conf.tmpl is given.
type httpData struct {
	Ports               []token
	TLSPorts            []tlsPort
	Generation          token
	HashBucket, HashMax *token // nil: nginx's default, or the owner's own value, holds
}

// siteData is what site.conf.tmpl is given.
type siteData struct {
	Name, Port, Upstream, MaxBody token
	PortInHost                    bool // a browser writes the port into the Host header
	Headers                       []headerData
	PlainHeaders                  []headerData // those that may be sent over plain HTTP
	TLS                           *tlsData     // nil: plain HTTP alone
	Challenge                     bool         // an authority asks here
}

// headerData is one header of a site.
type headerData struct{ Name, Value token }

// newRenderer returns a renderer of sites that passed check.
func newRenderer(sites []*policy.Site, tables tables, tls facts.TLS) (*renderer, error) {
	set, err := templates.Parse("nginx")
	if err != nil {
		return nil, err
	}
	r := &renderer{templates: set, sites: sites, tables: tables, tls: tls, stages: map[*policy.Site]stage{}}
	for _, s := range sites {
		r.ports = append(r.ports, s.Port.V)
		r.stages[s] = stageOf(s, tls)
	}
	slices.Sort(r.ports)
	r.ports = slices.Compact(r.ports)
	return r, nil
}

// tree renders every file of the tree. The generation that nginx reports stands
// for the names and contents of all files, with an empty generation in http.conf,
// since a file cannot hold its own digest.
func (r *renderer) tree() (map[string]page, error) {
	pages := map[string]page{}
	for _, name := range []string{"server.conf", "proxy.conf"} {
		p, err := new(sheet).render(r.templates, name, nil)
		if err != nil {
			return nil, err
		}
		pages[name] = p
	}
	if err := r.tlsPages(pages); err != nil {
		return nil, err
	}
	var errs []error
	for _, s := range r.sites {
		p, err := r.site(s)
		errs = append(errs, err)
		pages[siteFile(s.Name.V)] = p
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var err error
	if pages["http.conf"], err = r.http(""); err != nil {
		return nil, err
	}
	pages["http.conf"], err = r.http(resource.Generation(contents(pages)))
	return pages, err
}

// http renders http.conf.
func (r *renderer) http(generation string) (page, error) {
	s := &sheet{}
	var data httpData
	for _, p := range r.ports {
		data.Ports = append(data.Ports, s.take(number(int(p))))
	}
	data.TLSPorts = r.tlsPorts(s)
	if r.tables.bucket > 0 {
		data.HashBucket = new(s.take(number(r.tables.bucket)))
	}
	if r.tables.max > 0 {
		data.HashMax = new(s.take(number(r.tables.max)))
	}
	id, err := quoted(generation)
	if err != nil {
		return page{}, err
	}
	data.Generation = s.take(id)
	return s.render(r.templates, "http.conf", data)
}

// site renders one site.
func (r *renderer) site(site *policy.Site) (page, error) {
	s := &sheet{about: fmt.Sprintf("site %q", site.Name.V)}
	data := siteData{
		Name:       put(s, site.Name, hostName),
		Port:       put(s, site.Port, portNumber),
		Upstream:   put(s, site.Upstream, loopback),
		MaxBody:    put(s, site.MaxBody, size),
		PortInHost: site.Port.V != 80,
		Challenge:  site.TLS != nil && site.TLS.ACME != nil,
	}
	stage := r.stages[site]
	if stage == secure {
		data.TLS = r.tlsSite(s, site)
		data.PortInHost = site.TLS.Port.V != 443
	}
	for _, h := range site.Headers {
		if h.Value.V == "" {
			continue
		}
		name := policy.Value[string]{V: h.Name, Range: h.Value.Range}
		header := headerData{put(s, name, fieldName), put(s, h.Value, fieldValue)}
		if !overTLS(h.Name) {
			data.PlainHeaders = append(data.PlainHeaders, header)
		}
		if stage == secure || !overTLS(h.Name) {
			data.Headers = append(data.Headers, header)
		}
	}
	if stage == waiting {
		return s.render(r.templates, "waiting.conf", data)
	}
	return s.render(r.templates, "site.conf", data)
}

// siteFile returns where in the tree a site is. The longest host names and
// ".conf" would not fit into the 255 bytes of a file name, so those are cut.
func siteFile(name string) string {
	if len(name) > 200 {
		sum := sha256.Sum256([]byte(name))
		name = name[:200] + "-" + hex.EncodeToString(sum[:6])
	}
	return "sites/" + name + ".conf"
}

// contents returns the text of the pages.
func contents(pages map[string]page) map[string][]byte {
	out := make(map[string][]byte, len(pages))
	for name, p := range pages {
		out[name] = p.text
	}
	return out
}

// trees returns what nginx reads in the pages.
func trees(pages map[string]page) map[string][]directive {
	out := make(map[string][]directive, len(pages))
	for name, p := range pages {
		out[name] = p.tree
	}
	return out
}
