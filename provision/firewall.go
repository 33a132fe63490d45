package provision

import (
	"molo/internal/facts"
	"molo/internal/policy"
)

func firewallPart(p *policy.Firewall, f facts.Facts) (Part, error) {
	return Part{Name: PartFirewall}, nil
}
