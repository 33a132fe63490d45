package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
)

// Options of Docker's bridge networks.
const (
	iccOption     = "com.docker.network.bridge.enable_icc"
	bindingOption = "com.docker.network.bridge.host_binding_ipv4"
)

// networkChecks are about Docker's networks, the firewall, and who reaches what.
func networkChecks() []check {
	return []check{
		{
			slug: "network-ufw", title: "UFW is on, and refuses what no rule lets in", area: AreaNetworks, level: Required,
			needs: []facts.Source{facts.FromUFW, facts.FromSurface},
			want:  "enabled, loaded, default deny incoming", fix: "ufw allow OpenSSH, ufw default deny incoming, ufw enable", judge: ufw,
		},
		{
			slug: "network-exposure", title: "Ports are no more open than the policy says", area: AreaNetworks, level: Required, cis: []string{"5.9"},
			needs: []facts.Source{facts.FromEngine, facts.FromFirewall},
			fix:   "molo apply; molo exposure says which rule opens a port", apply: true,
			judge: exposure,
		},
		{
			slug: "network-publish-address", title: "Networks publish ports on loopback unless told otherwise", area: AreaNetworks, level: Recommended,
			needs: []facts.Source{facts.FromEngine},
			want:  bindingOption + " = 127.0.0.1", fix: "make the network anew with --opt " + bindingOption + "=127.0.0.1; docker { publish_address } does it for new ones, since Docker 24",
			asks: onDocker(func(d *policy.Docker) stance {
				return stance{waived: !d.PublishAddress.V.IsLoopback(), where: place(d.PublishAddress.Range)}
			}),
			judge: eachNetwork(func(n facts.NetworkDetail) verdict {
				return either(loopback(n.Options[bindingOption]), n.Name, or(n.Options[bindingOption], "all addresses"))
			}),
		},
		{
			slug: "network-icc", title: "Containers on one network reach each other only where they must", area: AreaNetworks, level: Info,
			needs: []facts.Source{facts.FromEngine},
			want:  iccOption + " = false, or one container on it", fix: "give each pair that belongs together a network of its own",
			judge: eachNetwork(func(n facts.NetworkDetail) verdict {
				return either(n.Options[iccOption] == "false" || n.Containers < 2, n.Name, count(n.Containers, "container")+" reach each other on every port")
			}),
		},
	}
}

// eachNetwork makes a judge of one that looks at a bridge network that somebody has
// made; the default one is dockerd's.
func eachNetwork(judge func(facts.NetworkDetail) verdict) func(*view) []verdict {
	return func(v *view) []verdict {
		var all []verdict
		for _, n := range v.Facts.Engine.Networks {
			if n.Driver == "bridge" && n.Name != "bridge" && n.Name != "docker_gwbridge" {
				all = append(all, judge(n))
			}
		}
		if all == nil {
			return []verdict{notApplicable("there are no bridge networks besides the default one")}
		}
		return all
	}
}

// ufw goes by what is loaded: UFW can be enabled and its chains flushed.
func ufw(v *view) []verdict {
	u := v.Facts.Facts.UFW
	without := v.Facts.Surface.WithoutUFW
	switch {
	case !u.Installed:
		return []verdict{fails("", "not installed")}
	case !u.Enabled:
		return []verdict{fails("/etc/ufw/ufw.conf", "not enabled")}
	case len(without) > 0:
		return []verdict{fails("INPUT", "enabled, but not loaded for "+strings.Join(without, " and "))}
	}
	policy := incoming(u.Defaults)
	return []verdict{either(policy == "DROP" || policy == "REJECT", "/etc/default/ufw", "default incoming "+or(policy, "not set"))}
}

// incoming reads DEFAULT_INPUT_POLICY of /etc/default/ufw, a shell script.
func incoming(defaults string) string {
	last := ""
	for line := range strings.Lines(defaults) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "DEFAULT_INPUT_POLICY="); ok {
			last = strings.Trim(value, `"'`)
		}
	}
	return last
}

// exposure compares who reaches published ports now with who should.
func exposure(v *view) []verdict {
	var all []verdict
	for _, now := range v.Now {
		if now.Kind == firewall.Process || !open(now) {
			continue
		}
		promised := slices.IndexFunc(v.Promised, func(p firewall.Exposure) bool {
			return p.Kind == now.Kind && p.Name == now.Name && p.Protocol == now.Protocol && p.Address == now.Address && p.Port == now.Port
		})
		var want []string
		if promised >= 0 {
			want = v.Promised[promised].Words()
		}
		if got := now.Words(); !slices.Equal(got, want) {
			one := fails(fmt.Sprintf("%s/%s", portOf(now), now.Protocol), now.What()+" is reached by "+strings.Join(got, ", "))
			one.want = or(strings.Join(want, ", "), "nobody")
			one.subject = v.containerNamed(now.Name)
			all = append(all, one)
		}
	}
	if len(v.Now) == 0 {
		return []verdict{notApplicable("nothing listens")}
	}
	return append(all, passes("as the policy says"))
}

// containerNamed is what exemptions can name a container by. Of one that could not be
// inspected, that is its name alone.
func (v *view) containerNamed(name string) subject {
	for _, c := range v.Facts.Engine.Containers {
		if c.Name == name {
			return subjectOf(c)
		}
	}
	return subject{container: name}
}

// open reports whether anybody outside reaches a port.
func open(e firewall.Exposure) bool {
	return slices.ContainsFunc(e.Reach, func(c firewall.Clause) bool {
		return !c.Local && (c.Verdict == firewall.Allow || c.Verdict == firewall.Limit)
	})
}

func portOf(e firewall.Exposure) string { return netip.AddrPortFrom(e.Address, e.Port).String() }
