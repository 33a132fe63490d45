package audit

import (
	"fmt"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
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
