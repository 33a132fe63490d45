package provision

import (
	"slices"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/nginx"
)

// NginxUnit is the unit that runs nginx.
const NginxUnit = "nginx.service"

// nginxPart compiles the blocks site.
func nginxPart(sites []*policy.Site, n facts.Nginx) (Part, error) {
	part := Part{Name: PartNginx, Checks: []Check{NginxConfig{}}}
	if len(sites) > 0 && !n.Installed {
		part.Blocked = "nginx is not installed\nhint: apt-get install nginx-light"
		return part, nil
	}
	resources, err := nginx.Compile(sites, n)
	if err != nil {
		return Part{}, err
	}
	serves := NginxServes{Sites: nginx.Expectations(sites)}
	for _, r := range resources {
		part.Want = append(part.Want, Wanted{Resource: r, From: From(sites[0].Range)})
		if tree, ok := r.(resource.Tree); ok {
			if serves.Probes, err = nginx.Probes(tree); err != nil {
				return Part{}, err
			}
		}
	}
	if n.Queued {
		// It may wait for cloud-init, and cloud-init for this run.
		part.Attached = []Note{{Text: "nginx is about to start, and starts with this configuration"}}
		return part, nil
	}
	if n.Installed {
		part.Activate = []Activation{activateNginx(n, serves)}
	}
	if len(sites) > 0 && !n.Running {
		part.Pending = slices.Clone(part.Activate)
	}
	return part, nil
}

// activateNginx reloads, never restarts, an nginx that runs: a reload loses no
// request. One that does not run is started.
func activateNginx(n facts.Nginx, serves NginxServes) Activation {
	if n.Running {
		return Activation{Unit: NginxUnit, Verb: Reload, Until: serves}
	}
	return Activation{Unit: NginxUnit, Verb: Restart, Until: serves, Why: "nginx does not run"}
}

// servedBefore is what nginx must answer again once the changes were put back.
func servedBefore(changes []Change) []Probe {
	for _, c := range changes {
		tree, ok := c.Have.(resource.Tree)
		if !ok {
			continue
		}
		// A tree that somebody edited may not say what it answers.
		if probes, err := nginx.Probes(tree); err == nil {
			return []Probe{NginxServes{Probes: probes}}
		}
	}
	return nil
}
