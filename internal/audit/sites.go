package audit

import (
	"fmt"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/nginx"
)

// siteChecks are about what nginx serves.
func siteChecks() []check {
	return []check{
		{
			slug: "site-upstream", title: "Nobody can ask a site's container past nginx", area: AreaSites, level: Required,
			needs: []facts.Source{facts.FromEngine},
			want:  "the upstream's port published on loopback only", fix: "publish the container with -p 127.0.0.1:PORT:PORT",
			judge: upstreams,
		},
		{
			slug: "site-certificate", title: "Sites are served with certificates that are valid", area: AreaSites, level: Required,
			needs: []facts.Source{facts.FromTLS, facts.FromSites},
			want:  "a certificate for the site, in its time, and nginx shows it", fix: "molo apply orders what is missing and has nginx load it; molo status says more",
			judge: certificates,
		},
		{
			slug: "site-certificate-renewal", title: "Certificates of sites are renewed in time", area: AreaSites, level: Recommended,
			needs: []facts.Source{facts.FromTLS},
			want:  "two weeks left, or a third of its time where that is shorter; no order that fails", fix: "molo status says when it is renewed, and why an order failed; files of yours are yours to renew",
			judge: renewals,
		},
		{
			slug: "site-headers", title: "Browsers are told to protect visitors of the sites", area: AreaSites, level: Recommended,
			needs: []facts.Source{facts.FromSites},
			want:  fmt.Sprintf("%d points or more by the rules of Mozilla's HTTP Observatory", enoughPoints), fix: "tls {} and headers {} in the block of the site, or the headers that its application sends",
			judge: siteHeaders,
		},
		{
			slug: "site-configuration", title: "nginx gives nobody what it must not", area: AreaSites, level: Recommended,
			needs: []facts.Source{facts.FromNginx},
			want:  "nothing that molo lint nginx calls required", fix: "molo lint nginx says what to write instead",
			judge: func(v *view) []verdict { return v.linted(nginx.Required) },
		},
		{
			slug: "site-advice", title: "nginx has nothing in its configuration that goes wrong easily", area: AreaSites, level: Info,
			needs: []facts.Source{facts.FromNginx},
			want:  "nothing that molo lint nginx advises against", fix: "molo lint nginx says what to write instead",
			judge: func(v *view) []verdict { return v.linted(nginx.Advised) },
		},
	}
}

// upstreams looks for containers that publish a site's upstream to others as well.
func upstreams(v *view) []verdict {
	var all []verdict
	for _, site := range v.policy.Sites {
		var where []string
		for _, route := range site.Routes() {
			for _, b := range route.Backends {
				where = append(where, v.alsoPublished(b.Address.V)...)
			}
		}
		slices.Sort(where)
		all = append(all, either(len(where) == 0, site.Name.V, "also published on "+strings.Join(slices.Compact(where), " and ")))
	}
	if all == nil {
		return []verdict{notApplicable("the policy has no sites")}
	}
	if got := count(len(all), "site"); all[0].status == Pass {
		all[0].got = got
	}
	return all
}

// alsoPublished lists where containers publish the port of a backend on this host to
// more than the host.
func (v *view) alsoPublished(backend policy.Address) []string {
	if !backend.TCP.Addr().IsLoopback() {
		return nil
	}
	var where []string
	for _, c := range v.docker().Containers {
		for _, p := range c.Published {
			if p.Port == backend.TCP.Port() && p.Protocol == "tcp" && !p.Address.IsLoopback() {
				where = append(where, fmt.Sprintf("%s:%d of container %s", p.Address, p.Port, c.Name))
			}
		}
	}
	return where
}
