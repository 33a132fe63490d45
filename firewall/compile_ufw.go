package firewall

import (
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// judge says what the owner should know about UFW as a whole.
func (c *compiler) judge(u facts.UFW) {
	tell := func(where, what, hint string) {
		c.findings = append(c.findings, Finding{Where: where, What: what, Hint: hint})
	}
	switch {
	case !u.Installed:
		c.shut = "default: ufw is not installed"
		tell(place(c.policy.PublishedPorts.Range), "ufw is not installed: "+c.meanwhile(),
			"apt-get install ufw, or published_ports = \"closed\"")
		return
	case !c.ufw.Active:
		c.shut = "default: ufw is inactive"
		tell(confPath, "ufw is inactive: "+c.meanwhile(), "ufw allow OpenSSH && ufw enable, or published_ports = \"closed\"")
		return
	}
	if !c.ufw.IPv6 {
		if rules, _, err := parseRules(rules6Path, u.Rules6, true); err == nil && len(rules) > 0 {
			tell(defaultsPath, "IPV6 is not yes: the rules in "+rules6Path+" have no effect, ports published on IPv6 are shut", "")
		}
	}
	if c.ufw.Input == DefaultReject {
		tell(defaultsPath, "ufw rejects by default; published ports that no rule opens are dropped instead, so that they stay shut while Docker restarts", "")
	}
}

// meanwhile says what holds as long as UFW does not.
func (c *compiler) meanwhile() string {
	switch c.policy.WhenUFWInactive.V {
	case "follow":
		return "published ports are open, as the host's own are"
	case "keep":
		return "the rules that were loaded last stay"
	}
	return "published ports are shut but for publish blocks"
}

// rules returns the rules of one family.
func (u UFW) rules(family resource.Family) []UFWRule {
	if family == resource.IPv6 {
		return u.Rules6
	}
	return u.Rules4
}

// routes mirrors "ufw route" rules word by word: their addresses and ports are
// those of the container.
func routes(rules []UFWRule) []Rule {
	var all []Rule
	for _, r := range rules {
		if r.Route {
			all = append(all, r.mirror(false)...)
		}
	}
	return all
}

// incoming mirrors rules for the host's own ports: a published port is one.
func incoming(rules []UFWRule) []Rule {
	var all []Rule
	for _, r := range rules {
		if !r.Route && !r.Outgoing {
			all = append(all, r.mirror(true)...)
		}
	}
	return all
}

// mirror makes one rule for each protocol and pair of ports: conntrack's match
// takes no lists.
func (r UFWRule) mirror(published bool) []Rule {
	var all []Rule
	why := "ufw: " + r.String()
	for _, protocol := range r.protocols() {
		for _, source := range orAny(r.SourcePorts) {
			for _, ports := range orAny(r.Ports) {
				all = append(all, Rule{
					Match: Match{
						In: r.In, Out: r.Out, Protocol: protocol,
						Source: r.Source, SourcePorts: source,
						Published: published, Destination: r.Destination, Ports: ports,
					},
					Verdict: r.verdict(), Log: r.Log, Why: why,
				})
			}
		}
	}
	return all
}

// protocols returns TCP and UDP where the rule names a port of any protocol.
func (r UFWRule) protocols() []Protocol {
	if r.Protocol == 0 && len(r.Ports)+len(r.SourcePorts) > 0 {
		return []Protocol{TCP, UDP}
	}
	return []Protocol{r.Protocol}
}

func orAny(ranges []policy.PortRange) []policy.PortRange {
	if len(ranges) == 0 {
		return []policy.PortRange{{}}
	}
	return ranges
}

func (r UFWRule) verdict() Verdict {
	switch r.Action {
	case ActionAllow:
		return Allow
	case ActionLimit:
		return Limit
	case ActionReject:
		return Reject
	}
	return Deny
}

// follows reports whether published ports are open while UFW does not count.
func (c *compiler) follows() bool {
	return c.policy.WhenUFWInactive.V == "follow" && c.policy.PublishedPorts.V == "ufw"
}

// fallback ends a list. UFW's default only speaks of ports of the host: a
// container's own address stays shut in any case. A default of REJECT drops, because
// the guard can't refuse, and has to hold when the filter is off the path.
func (c *compiler) fallback(family resource.Family) []Rule {
	deny := Rule{Verdict: Deny, Log: !c.ufw.Quiet}
	switch {
	case c.shut != "" && c.follows():
		open := Rule{Match: Match{Published: true}, Verdict: Allow, Why: c.shut + ", " + place(c.policy.WhenUFWInactive.Range)}
		deny.Why = "default: not a published port"
		return []Rule{open, deny}
	case c.shut != "":
		deny.Why = c.shut
	case family == resource.IPv6 && !c.ufw.IPv6:
		deny.Why = "default: IPV6 is not yes in " + defaultsPath
	case c.ufw.Input == DefaultAccept:
		deny.Why = "default: not a published port"
		return []Rule{{Match: Match{Published: true}, Verdict: Allow, Why: "default: allow incoming"}, deny}
	case c.ufw.Input == DefaultReject:
		deny.Why = "default: reject incoming"
	default:
		deny.Why = "default: deny incoming"
	}
	return []Rule{deny}
}
