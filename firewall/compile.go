package firewall

import (
	"fmt"
	"net/netip"
	"slices"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Compile makes the program of a host. The program is complete or there is an
// error, and then the rules that are loaded should stay: nothing that is only half
// understood comes back as open. Without a block firewall there is nothing to load.
//
// The order in the list In: what nobody may reach, then trusted interfaces, then "ufw
// route" rules, whose addresses are those after translation, then the publish blocks
// of the policy, then UFW's rules for incoming packets, then UFW's default. So a
// publish block opens what an incoming deny of UFW closes, but not what a route deny
// does.
func Compile(p *policy.Firewall, f facts.Facts) (*Program, error) {
	if p == nil {
		return &Program{}, nil
	}
	c, err := newCompiler(p, f)
	if err != nil {
		return nil, err
	}
	return c.compile(f)
}

// Shut compiles the program that holds where UFW's rules can't be had, for the reason
// given: what Docker publishes is shut, but for the publish blocks of the policy. It needs
// nothing of UFW.
func Shut(p *policy.Firewall, f facts.Facts, why string) (*Program, error) {
	if err := checkLinks(p); err != nil {
		return nil, err
	}
	closed := *p
	closed.PublishedPorts.V = "closed"
	c := &compiler{policy: &closed, shut: "default: " + why, ufw: UFW{Quiet: !p.Log.V}}
	return c.compile(f)
}

func (c *compiler) compile(f facts.Facts) (*Program, error) {
	p := c.policy
	links, findings := sortBridges(p, f)
	program := &Program{
		Findings: slices.Concat(c.findings, findings, besides(f.Docker), pastFirewalls(p, f.Docker)),
		Nftables: nftables(f.Docker), Keep: c.shut != "" && p.WhenUFWInactive.V == "keep" && p.PublishedPorts.V == "ufw",
	}
	for _, family := range families(f) {
		published, err := c.published(family)
		if err != nil {
			return nil, err
		}
		program.Families = append(program.Families, Family{
			Family: family, From: links.from(p.InterNetwork.V == "ufw"), To: links.to(), In: c.inbound(family, published), Quiet: c.ufw.Quiet,
			Host: slices.Concat(hostPorts(p, links), c.proxied(family, f.Docker, slices.Concat(c.trusted(), published))),
		})
	}
	return program, nil
}

func families(f facts.Facts) []resource.Family {
	if f.IPv6 {
		return []resource.Family{resource.IPv4, resource.IPv6}
	}
	return []resource.Family{resource.IPv4}
}

// compiler holds what the lists are made of.
type compiler struct {
	policy   *policy.Firewall
	ufw      UFW    // without rules where they do not count
	shut     string // why they do not, if so
	findings []Finding
}

func newCompiler(p *policy.Firewall, f facts.Facts) (*compiler, error) {
	c := &compiler{policy: p}
	var err error
	switch p.PublishedPorts.V {
	case "closed":
		c.shut = place(p.PublishedPorts.Range) + ` published_ports = "closed"`
		c.ufw, _, err = parseSettings(f.UFW)
	case "ufw":
		c.ufw, c.findings, err = ParseUFW(f.UFW)
		c.judge(f.UFW)
	default:
		err = fmt.Errorf("%s: published_ports is %q, not \"ufw\" or \"closed\"", place(p.PublishedPorts.Range), p.PublishedPorts.V)
	}
	c.ufw.Quiet = c.ufw.Quiet || !p.Log.V
	if err == nil {
		err = checkLinks(p)
	}
	return c, err
}

// checkLinks checks the names of links again, which go into rules.
func checkLinks(p *policy.Firewall) error {
	for _, v := range []policy.Value[[]string]{p.TrustedInterfaces, p.ExtraBridges} {
		for _, name := range v.V {
			if _, err := parseLink(name); err != nil {
				return fmt.Errorf("%s: %w", place(v.Range), err)
			}
		}
	}
	return nil
}

// inbound lists who may reach containers in one family.
func (c *compiler) inbound(family resource.Family, published []Rule) []Rule {
	ufw := c.ufw.rules(family)
	return slices.Concat(c.never(family), c.trusted(), routes(ufw), published, incoming(ufw), c.fallback(family))
}

// never lists what no rule can open. A port published on a loopback address can be
// reached from the link before Docker 28, because its translation comes before the
// kernel's check for martian addresses (moby#45610).
func (c *compiler) never(family resource.Family) []Rule {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	if family == resource.IPv6 {
		loopback = netip.MustParsePrefix("::1/128")
	}
	return []Rule{
		{Match: Match{State: Invalid}, Verdict: Deny, Why: "invalid packet"},
		{Match: Match{Published: true, Destination: loopback}, Verdict: Deny, Log: !c.ufw.Quiet, Why: "published for this host only"},
	}
}

// trusted opens every published port to links such as a VPN's.
func (c *compiler) trusted() []Rule {
	var rules []Rule
	for _, name := range c.policy.TrustedInterfaces.V {
		why := place(c.policy.TrustedInterfaces.Range) + " trusted_interfaces: " + name
		rules = append(rules, Rule{Match: Match{In: Interface(name), Published: true}, Verdict: Allow, Why: why})
	}
	return rules
}

// published makes the rules of the publish blocks.
func (c *compiler) published(family resource.Family) ([]Rule, error) {
	var rules []Rule
	for _, p := range c.policy.Publish {
		why := fmt.Sprintf("%s publish %q", place(p.Range), p.Name.V)
		protocol, err := parseProtocol(p.Protocol.V)
		if err != nil || !protocol.hasPorts() {
			return nil, fmt.Errorf("%s: protocol is %q, not \"tcp\" or \"udp\"", why, p.Protocol.V)
		}
		for _, source := range sources(p.From.V, family) {
			for _, ports := range p.Ports.V {
				m := Match{Published: true, Protocol: protocol, Source: source, Ports: ports}
				rules = append(rules, Rule{Match: m, Verdict: Allow, Why: why})
			}
		}
	}
	return rules, nil
}

// sources returns the prefixes of a family; the zero prefix, anywhere, if no prefix
// of either family was asked for.
func sources(from []netip.Prefix, family resource.Family) []netip.Prefix {
	if len(from) == 0 {
		return []netip.Prefix{{}}
	}
	var all []netip.Prefix
	for _, p := range from {
		if p.Addr().Is6() == (family == resource.IPv6) {
			all = append(all, p.Masked())
		}
	}
	return all
}
