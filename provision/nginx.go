package provision

import (
	"slices"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/nginx"
)

// NginxUnit is the unit that runs nginx.
const NginxUnit = "nginx.service"

// nginxPart compiles the blocks site.
func nginxPart(p *policy.Policy, f facts.Facts) (Part, error) {
	n, sites := f.Nginx, p.Sites
	part := Part{Name: PartNginx, Checks: []Check{NginxConfig{}}}
	if len(sites) > 0 && !n.Installed {
		part.Blocked = "nginx is not installed\nhint: apt-get install nginx-light"
		return part, nil
	}
	if n.TLS.Blind && len(certificate.Wants(sites)) > 0 {
		return part, nil // what is not known is listed in Facts.Unknown
	}
	if err := certificate.CheckFiles(sites, n.TLS); err != nil {
		part.Blocked = err.Error()
		if n.Running {
			part.Blocked += "\nhint: nothing of nginx was changed: it goes on with what it has loaded until it is started anew; mend the files, then run molo again"
		}
		return part, nil
	}
	resources, err := nginx.Compile(sites, p.Nginx.Log, n)
	if err != nil {
		return Part{}, err
	}
	serves := NginxServes{Handshakes: nginx.Handshakes(sites, n.TLS), Sites: nginx.Expectations(sites, n.TLS)}
	for _, r := range resources {
		part.Want = append(part.Want, Wanted{Resource: r, From: From(sites[0].Range)})
		if tree, ok := r.(resource.Tree); ok {
			if serves.Probes, err = nginx.Probes(tree); err != nil {
				return Part{}, err
			}
		}
	}
	part.Violations = slices.Concat(openUpstreams(sites, f.Docker, n.Open), guardedFiles(sites, n), certificate.OutOfTime(sites, n.TLS))
	part.Notes = silentUpstreams(sites, n)
	if n.Queued {
		// It may wait for cloud-init, and cloud-init for this run.
		part.Attached = []Note{{Text: "nginx is about to start, and starts with this configuration"}}
		return part, nil
	}
	if n.Installed {
		part.Activate = []Activation{activateNginx(n, serves)}
	}
	if len(sites) > 0 && !n.Running && !f.Offline {
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
