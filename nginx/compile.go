// Package nginx compiles sites into a whole nginx configuration, and reads such
// configurations back. It is pure: it takes a policy and facts and returns
// resources, and never looks at a host.
//
// The configuration is one tree, and every concern has a file in it:
//
//	http.conf        the ports, what unknown names get, which generation this is
//	server.conf      what holds for every server: timeouts and bounds of requests
//	proxy.conf       how requests go to applications that speak HTTP, and what comes back
//	grpc.conf        the same for gRPC
//	sites/NAME.conf  one site: its servers, and a location for each of its paths
//
// A further concern, such as TLS or a log, is a file beside these and an include
// in the servers it concerns. The text is in package templates.
//
// A value gets into a file only as a token, which cannot be anything but one word,
// and only after the template has been parsed (see sheet). What was rendered is
// then linted as if a stranger had written it.
package nginx

import (
	"errors"
	"fmt"
	"slices"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Where nginx finds what molo makes. The templates name these paths too.
const (
	// Dir holds the generations of the tree and the link to the live one.
	Dir = "/etc/nginx/molo"
	// Current is the link to the live generation.
	Current = Dir + "/current"
	// Entry is the one file of molo's that nginx.conf includes, as Debian ships it.
	Entry = "/etc/nginx/conf.d/molo.conf"
	// DefaultSite is the link that enables Debian's own default site.
	DefaultSite = "/etc/nginx/sites-enabled/default"
	// LogDir holds the logs of the sites: the requests and, in a file of its own, what went wrong.
	LogDir    = "/var/log/nginx/molo"
	AccessLog = LogDir + "/access.log"
	ErrorLog  = LogDir + "/error.log"
)

// Compile returns everything nginx needs to serve the sites: the tree of
// configuration files, the file that includes it, and the absence of Debian's
// default site where that would own port 80. Without sites it returns nothing.
//
// Every value is checked again here, whatever the policy's decoder did. The
// error names the line of the policy, and of the foreign file where a site
// collides with one.
func Compile(sites []*policy.Site, log policy.NginxLog, host facts.Nginx) ([]resource.Resource, error) {
	if len(sites) == 0 {
		return nil, nil
	}
	foreign, err := readForeign(host)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(check(sites, host), checkTLS(sites, host), foreign.collisions(sites)); err != nil {
		return nil, err
	}
	tables, err := hashTables(sites, foreign)
	if err != nil {
		return nil, err
	}
	r, err := newRenderer(sites, log, tables, host)
	if err != nil {
		return nil, err
	}
	return r.resources(foreign)
}

// resources renders all files and puts them together.
func (r *renderer) resources(foreign foreign) ([]resource.Resource, error) {
	pages, err := r.tree()
	if err != nil {
		return nil, err
	}
	if findings := lint(trees(pages), elsewhere(r.sites)); len(findings) > 0 {
		return nil, fmt.Errorf("rendering nginx: %s", findings[0])
	}
	entry, err := new(sheet).render(r.templates, "molo.conf", nil)
	if err != nil {
		return nil, err
	}
	out := []resource.Resource{
		resource.Tree{Dir: Dir, Files: contents(pages)},
		resource.File{Path: Entry, Mode: 0o644, Content: entry.text},
	}
	if slices.ContainsFunc(r.sites, func(s *policy.Site) bool { return s.Port.V == 80 }) && !foreign.ownDefault {
		out = append(out, resource.Link{Path: DefaultSite})
	}
	return out, nil
}

// elsewhere lists the upstreams that are not on this host. Whether they may be is
// for provision to say, which knows the containers.
func elsewhere(sites []*policy.Site) []string {
	var out []string
	for _, s := range sites {
		for _, r := range s.Routes() {
			for _, b := range r.Backends {
				if !b.Address.V.Local() {
					out = append(out, b.Address.V.String())
				}
			}
		}
	}
	return out
}
