package provision

import (
	"molo/internal/facts"
	"molo/internal/policy"
)

// NginxUnit is the unit that runs nginx.
const NginxUnit = "nginx.service"

// NginxInclude is the file by which nginx finds molo's tree.
const NginxInclude = "/etc/nginx/conf.d/molo.conf"

func nginxPart(sites []*policy.Site, n facts.Nginx) (Part, error) {
	return Part{Name: PartNginx}, nil
}
