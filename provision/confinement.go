package provision

import (
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// How nginx is confined.
const (
	// Confinement is the drop-in of nginx's unit.
	Confinement = "/etc/systemd/system/nginx.service.d/60-molo.conf"
	// UnitFiles is what Reread works on.
	UnitFiles = "unit files"
)

// confinementPart compiles nginx.confined.
func confinementPart(p *policy.Policy, f facts.Facts) (Part, error) {
	part := Part{Name: PartConfinement, Activate: []Activation{{Unit: UnitFiles, Verb: Reread}}}
	n := f.Nginx
	if n.Running {
		part.Attached = []Note{{Text: "nginx goes on as it is until it is next started; molo does not do that, since a restart loses requests\nhint: at a quiet time: systemctl restart " + NginxUnit}}
	}
	if len(p.Sites) == 0 || !n.Installed || !p.Nginx.Confined.V {
		return part, nil
	}
	from := askedBy(p.Nginx.Confined.Range, p.Sites)
	text, err := rendered("systemd", "nginx-60-molo.conf.tmpl", nil)
	if err != nil {
		return Part{}, err
	}
	part.Want = []Wanted{{Resource: resource.File{Path: Confinement, Mode: 0o644, Content: text}, From: from}}
	if n.Running && n.Unconfined {
		part.Residual = []Note{{"nginx was started before its confinement was written, and runs without it\nhint: at a quiet time: systemctl restart " + NginxUnit, from.String()}}
	}
	return part, nil
}
