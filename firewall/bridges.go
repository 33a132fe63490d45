package firewall

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// dockerNamed is how Docker names the bridge of a network: "br-" and the first 12
// digits of the network's ID.
const dockerNamed = "br-"

// bridges tells the bridges of Docker from others.
type bridges struct {
	// docker names Docker's bridges: what comes from them was sent by a container.
	docker []Interface
	// shared are bridges of Docker with a port that leads off the host, such as the
	// owner's br0 with eth0 in it. What goes to them is filtered, what comes from them
	// may be anybody's.
	shared []Interface
	// vague cover bridges of Docker whose names iptables can't take; only what goes to
	// them counts.
	vague []Interface
	// foreign are named like Docker's but belong to somebody else; a name like
	// br-lan is common.
	foreign []Interface
	// doubtful are named like Docker's while Docker can't be asked. What goes to them
	// is filtered, what comes from them is not trusted.
	doubtful []Interface
}

// sortBridges sorts the links of the host. A bridge network with a name of its own
// (com.docker.network.bridge.name) is covered once Docker has told of it.
func sortBridges(p *policy.Firewall, f facts.Facts) (bridges, []Finding) {
	b := bridges{}
	var findings []Finding
	known := map[string]bool{}
	claim := func(name string) {
		if known[name] {
			return
		}
		known[name] = true
		link, err := parseLink(name)
		switch {
		case err != nil:
			vague := beginning(name)
			b.vague = append(b.vague, vague)
			findings = append(findings, unnamed(name, vague))
		case slices.Contains(f.Uplinked, name):
			b.shared = append(b.shared, link)
			findings = append(findings, uplinked(name))
		default:
			b.docker = append(b.docker, link)
		}
	}
	for _, name := range []string{"docker0", "docker_gwbridge"} {
		claim(name)
	}
	for _, name := range slices.Sorted(slices.Values(namedByDocker(p, f))) {
		claim(name)
	}
	return b, append(findings, b.sortOthers(f, known, claim)...)
}

// namedByDocker lists the bridges of Docker's networks, or those that were when it last
// ran, and those that the owner names.
func namedByDocker(p *policy.Firewall, f facts.Facts) []string {
	all := slices.Concat(p.ExtraBridges.V, f.Docker.Remembered)
	for _, n := range f.Docker.Networks {
		if n.Driver == "bridge" && n.Bridge != "" {
			all = append(all, n.Bridge)
		}
	}
	return all
}

// Bridges returns the names of Docker's bridges in rules for the filter table, those apart
// that were not trusted. When the host boots Docker can't tell of them yet.
func Bridges(r resource.Rules) (docker, untrusted []string) {
	l := filterLayout(false)
	var covered []string
	for _, c := range r.Chains {
		for _, rule := range c.Rules {
			read, err := parseSpec(rule.Spec)
			m := read.Match
			switch {
			case err != nil || m.State != "" || m.Published:
				continue
			case c.Name == l.chain && read.Verdict == Allow && m.Out == "" && m.In != "" && !strings.HasSuffix(string(m.In), "+"):
				docker = append(docker, string(m.In))
			case c.Name == l.chain+"-TO" && read.Verdict == next && m.Out != dockerNamed+"+":
				covered = append(covered, string(m.Out))
			}
		}
	}
	for _, name := range covered {
		if !slices.Contains(docker, name) {
			untrusted = append(untrusted, name)
		}
	}
	return docker, untrusted
}

// beginning returns a pattern for a link that iptables can't name.
func beginning(name string) Interface {
	for end := min(len(name), 14); end > 0; end-- {
		if link, err := parseLink(name[:end]); err == nil {
			return link + "+"
		}
	}
	return "+"
}

// sortOthers looks at the links that Docker does not claim. A bridge with a name of
// Docker's own form counts as Docker's, since a network may be younger than the list.
func (b *bridges) sortOthers(f facts.Facts, known map[string]bool, claim func(string)) []Finding {
	own := regexp.MustCompile(`^br-[0-9a-f]{12}$`)
	certain := f.Docker.Running && !f.Docker.Blind || !f.Docker.Installed
	var findings []Finding
	for _, name := range slices.Sorted(slices.Values(f.Bridges)) {
		likeDocker := strings.HasPrefix(name, dockerNamed)
		link, err := parseLink(name)
		switch {
		case known[name]:
			continue
		case own.MatchString(name):
			claim(name)
			continue
		case likeDocker && certain && err == nil:
			b.foreign = append(b.foreign, link)
			continue
		case likeDocker && err == nil:
			b.doubtful = append(b.doubtful, link)
		case certain && !likeDocker:
			continue
		}
		findings = append(findings, doubt(name, likeDocker, certain))
	}
	for _, name := range slices.Sorted(slices.Values(f.Lookalikes)) {
		if link, err := parseLink(name); err == nil && !known[name] {
			b.foreign = append(b.foreign, link)
		}
	}
	return findings
}

func doubt(name string, likeDocker, certain bool) Finding {
	if certain {
		return Finding{
			Where: "interface " + name,
			What:  "iptables can't name the bridge: it counts as Docker's, new connections to it are filtered",
			Hint:  "give it another name",
		}
	}
	said := "is not covered until it does, if it is Docker's"
	if likeDocker {
		said = "counts as Docker's until it does: new connections to it are filtered"
	}
	return Finding{
		Where: "interface " + name,
		What:  fmt.Sprintf("Docker does not run and can't say whether bridge %s is its own; it %s", name, said),
		Hint:  "start Docker and apply again",
	}
}

func unnamed(name string, vague Interface) Finding {
	return Finding{
		Where: "interface " + name,
		What:  fmt.Sprintf("iptables can't name this bridge of Docker's: new connections to every link called %s are filtered", vague),
		Hint:  "create the network again with another com.docker.network.bridge.name",
	}
}

func uplinked(name string) Finding {
	return Finding{
		Where: "interface " + name,
		What:  "this bridge of Docker's has a port that leads off the host: neighbours there reach every port of its containers, and what comes from it counts as from outside",
		Hint:  "take the port out of the bridge, or let Docker make a bridge of its own",
	}
}

// from says what comes from a container: that is for Docker to decide, so that
// icc=false holds and egress stays as it is. Only what a container sends to a port
// that another network publishes may be for UFW to decide (strict).
//
// One thing no container may do: go on with a connection that was cut. Conntrack would
// pick it up in the middle (nf_conntrack_tcp_loose) as one that the container began.
func (b bridges) from(strict bool) []Rule {
	rules := []Rule{{Match: Match{State: Established}, Verdict: Pass, Why: "existing connection"}}
	for _, i := range b.doubtful {
		rules = append(rules, Rule{Match: Match{In: i, Out: i}, Verdict: Pass, Why: "within one bridge"})
	}
	for _, i := range slices.Concat(b.foreign, b.doubtful) {
		rules = append(rules, Rule{Match: Match{In: i}, Verdict: next, Why: "not a bridge of Docker"})
	}
	for _, i := range b.shared {
		rules = append(rules,
			Rule{Match: Match{In: i, Out: i}, Verdict: Docker, Why: "within one bridge"},
			midway(i),
			Rule{Match: Match{In: i}, Verdict: next, Why: "from a bridge with a port that leads off the host"})
	}
	for _, i := range b.docker {
		rules = append(rules, Rule{Match: Match{In: i, Out: i}, Verdict: Docker, Why: "within one bridge"}, midway(i))
		if strict {
			rules = append(rules, Rule{Match: Match{In: i, Published: true}, Verdict: next, Why: "from a container to a published port"})
		}
		rules = append(rules, Rule{Match: Match{In: i}, Verdict: Docker, Why: "sent by a container"})
	}
	return slices.Concat(rules, b.younger(), []Rule{{Verdict: next, Why: "from outside"}})
}

func midway(in Interface) Rule {
	return Rule{Match: Match{In: in, Protocol: TCP, State: Midway}, Verdict: Deny, Why: "goes on with a connection that was cut"}
}

// younger is about links that are named like Docker's bridges and that nobody knew
// when the rules were made: a network made since then, or a link of the owner's that
// came up later. Such a network has its way out and its containers talk to each
// other; what others publish, and other networks, it reaches as outsiders do.
func (b bridges) younger() []Rule {
	const in = Interface(dockerNamed + "+")
	rules := []Rule{{Match: Match{In: in, Published: true}, Verdict: next, Why: "from an unknown bridge to a published port"}}
	for _, out := range slices.Concat(b.docker, b.shared) {
		rules = append(rules, Rule{Match: Match{In: in, Out: out}, Verdict: next, Why: "from an unknown bridge to a known one"})
	}
	return append(rules, Rule{Match: Match{In: in}, Verdict: Docker, Why: "sent by a container"})
}

// to says what goes to a container.
func (b bridges) to() []Rule {
	var rules []Rule
	for _, i := range b.foreign {
		rules = append(rules, Rule{Match: Match{Out: i}, Verdict: Pass, Why: "not a bridge of Docker"})
	}
	covered := []Interface{"docker0", "docker_gwbridge", dockerNamed + "+"}
	for _, i := range slices.Concat(b.docker, b.shared, b.vague) {
		if !slices.ContainsFunc(covered, func(c Interface) bool { return c.matches(string(i)) }) {
			covered = append(covered, i)
		}
	}
	for _, i := range covered {
		rules = append(rules, Rule{Match: Match{Out: i}, Verdict: next, Why: "to a container"})
	}
	return append(rules, Rule{Verdict: Pass, Why: "not to a container"})
}
