package audit

import (
	"fmt"
	"strings"
	"time"

	"molo/internal/facts"
)

// swarmChecks are about the swarm that an engine may belong to.
func swarmChecks() []check {
	engine := []facts.Source{facts.FromEngine}
	return []check{
		{
			slug: "daemon-swarm", title: "Swarm mode is off", area: AreaDaemon, level: Recommended, cis: []string{"5.1"}, needs: engine,
			want: "not part of a swarm", fix: "docker swarm leave, if nothing needs it: it opens three ports and rules out live-restore",
			judge: func(v *view) []verdict {
				s := v.Facts.Engine.Swarm
				return []verdict{either(!s.Active, "", strings.TrimSpace("swarm "+onOff(s.Active)+" "+s.State))}
			},
		},
		{
			slug: "swarm-managers", title: "A swarm has an odd number of managers, and few", area: AreaDaemon, level: Info, cis: []string{"7.1"}, needs: engine,
			want: "1, 3, 5 or 7", fix: "docker node promote or demote",
			judge: managers(func(s facts.Swarm) verdict {
				return either(s.Managers%2 == 1 && s.Managers <= 7, "", fmt.Sprint(s.Managers))
			}),
		},
		{
			slug: "swarm-address", title: "A swarm's managers listen on one address", area: AreaDaemon, level: Recommended, cis: []string{"7.2"},
			needs: []facts.Source{facts.FromEngine, facts.FromSurface}, want: "port 2377 not on all addresses", fix: "make the swarm anew with --listen-addr",
			judge: inSwarm(swarmAddress),
		},
		{
			slug: "swarm-encryption", title: "Overlay networks are encrypted", area: AreaDaemon, level: Recommended, cis: []string{"7.3"}, needs: engine,
			want: "made with --opt encrypted", fix: "make the network anew with --opt encrypted", judge: inSwarm(overlays),
		},
		{
			slug: "swarm-autolock", title: "A manager's keys are locked at rest", area: AreaDaemon, level: Info, cis: []string{"7.5"}, needs: engine,
			want: "autolock on", fix: "docker swarm update --autolock=true: somebody must then unlock a manager after each restart",
			judge: managers(func(s facts.Swarm) verdict { return either(s.AutoLock, "", "autolock "+onOff(s.AutoLock)) }),
		},
		{
			slug: "swarm-certificates", title: "Nodes' certificates are renewed in time", area: AreaDaemon, level: Info, cis: []string{"7.7"}, needs: engine,
			want: "valid for 90 days at most", fix: "docker swarm update --cert-expiry 2160h",
			judge: managers(func(s facts.Swarm) verdict {
				return either(s.CertificateExpiry <= 90*24*time.Hour, "", "valid for "+s.CertificateExpiry.String())
			}),
		},
	}
}

// inSwarm makes a judge of one for engines that are in a swarm.
func inSwarm(judge func(*view) []verdict) func(*view) []verdict {
	return func(v *view) []verdict {
		if !v.Facts.Engine.Swarm.Active {
			return []verdict{notApplicable("swarm mode is off")}
		}
		return judge(v)
	}
}

// managers makes a judge of what only managers are told.
func managers(judge func(facts.Swarm) verdict) func(*view) []verdict {
	return inSwarm(func(v *view) []verdict {
		switch s := v.Facts.Engine.Swarm; {
		case s.State != "":
			return []verdict{unknown("", "this node of the swarm is in the state "+s.State)}
		case !s.Manager:
			return []verdict{notApplicable("this node is no manager")}
		}
		return []verdict{judge(v.Facts.Engine.Swarm)}
	})
}

func swarmAddress(v *view) []verdict {
	var all []verdict
	for _, s := range v.Facts.Surface.Sockets {
		if s.Protocol == "tcp" && s.Port == 2377 && s.Address.IsUnspecified() {
			all = append(all, fails(s.Address.String()+":2377", "listens on all addresses"))
		}
	}
	return append(all, passes("not on all addresses"))
}

func overlays(v *view) []verdict {
	var all []verdict
	for _, n := range v.Facts.Engine.Networks {
		if _, encrypted := n.Options["encrypted"]; n.Driver == "overlay" && !encrypted {
			all = append(all, fails(n.Name, "not encrypted"))
		}
	}
	return append(all, passes("all encrypted"))
}
