package nginx

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
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
	tables    []table
	log       policy.NginxLog
	host      facts.Nginx
	stages    map[*policy.Site]stage
}

// newRenderer returns a renderer of sites that passed check.
func newRenderer(sites []*policy.Site, log policy.NginxLog, tables []table, host facts.Nginx) (*renderer, error) {
	set, err := templates.Parse("nginx")
	if err != nil {
		return nil, err
	}
	r := &renderer{templates: set, sites: sites, log: log, tables: tables, host: host, stages: map[*policy.Site]stage{}}
	for _, s := range sites {
		r.stages[s] = stageOf(s, host.TLS)
	}
	return r, nil
}

// tree renders every file of the tree. The generation that nginx reports stands
// for the names and contents of all files, with an empty generation in http.conf,
// since a file cannot hold its own digest.
func (r *renderer) tree() (map[string]page, error) {
	pages := map[string]page{}
	errs := []error{r.common(pages), r.tlsPages(pages)}
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

// common renders the files that servers and locations include. They depend on
// nothing but on what this nginx can do.
func (r *renderer) common(pages map[string]page) error {
	settings := struct{ MaxHeaders, KeepMinimum, CanLimit bool }{can(r.host, CanMaxHeaders), can(r.host, CanKeepMinimum), understands(r.host, CanLimits)}
	names := map[string]bool{"server.conf": true}
	for _, s := range r.sites {
		for _, route := range s.Routes() {
			if route.Redirect == nil {
				names[module(&route)+".conf"] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p, err := new(sheet).render(r.templates, name, settings)
		if err != nil {
			return err
		}
		pages[name] = p
	}
	return nil
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
