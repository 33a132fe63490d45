package firewall

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// dockerNamed is how Docker names the bridge of a network: "br-" and the first 12
// digits of the network's ID.
const dockerNamed = "br-"

// bridges tells the bridges of Docker from others.
type bridges struct {
	// docker covers Docker's bridges, by pattern also those that are made between
	// two runs.
	docker []Interface
	// foreign are named like Docker's but belong to somebody else; a name like
	// br-lan is common.
	foreign []Interface
	// doubtful are named like Docker's while Docker can't be asked. What goes to them
	// is filtered, what comes from them is not trusted.
	doubtful []Interface
}

// sortBridges sorts the links of the host. A bridge network with a name of its own
// (com.docker.network.bridge.name) is covered once Docker tells of it.
func sortBridges(p *policy.Firewall, f facts.Facts) (bridges, []Finding, error) {
	b := bridges{docker: []Interface{"docker0", "docker_gwbridge", dockerNamed + "+"}}
	var known []string
	for _, n := range f.Docker.Networks {
		if n.Driver != "bridge" || n.Bridge == "" {
			continue
		}
		link, err := parseLink(n.Bridge)
		if err != nil {
			return bridges{}, nil, fmt.Errorf("covering Docker's network %q: %w", n.Name, err)
		}
		known = append(known, n.Bridge)
		if !b.covers(n.Bridge) {
			b.docker = append(b.docker, link)
		}
	}
	for _, name := range p.ExtraBridges.V {
		known = append(known, name)
		if !b.covers(name) {
			b.docker = append(b.docker, Interface(name))
		}
	}
	slices.Sort(b.docker[3:])
	findings, err := b.sortOthers(f, known)
	return b, findings, err
}

func (b *bridges) covers(link string) bool {
	return slices.ContainsFunc(b.docker, func(i Interface) bool { return i.matches(link) })
}

// sortOthers looks at the bridges that Docker does not claim. A name of Docker's
// own form counts as Docker's, since a network may be younger than the list.
func (b *bridges) sortOthers(f facts.Facts, known []string) ([]Finding, error) {
	own := regexp.MustCompile(`^br-[0-9a-f]{12}$`)
	certain := f.Docker.Running || !f.Docker.Installed
	var findings []Finding
	for _, name := range slices.Sorted(slices.Values(f.Bridges)) {
		likeDocker := strings.HasPrefix(name, dockerNamed)
		switch {
		case own.MatchString(name) || slices.Contains(known, name):
			continue
		case likeDocker:
			link, err := parseLink(name)
			if err != nil {
				return nil, fmt.Errorf("telling bridges apart: %w", err)
			}
			if certain {
				b.foreign = append(b.foreign, link)
				continue
			}
			b.doubtful = append(b.doubtful, link)
		case certain || b.covers(name):
			continue
		}
		findings = append(findings, doubt(name, likeDocker))
	}
	return findings, nil
}

func doubt(name string, likeDocker bool) Finding {
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

// from says what comes from a container: that is for Docker to decide, so that
// icc=false holds and egress stays as it is. Only what a container sends to a port
// that another network publishes may be for UFW to decide (strict).
func (b bridges) from(strict bool) []Rule {
	rules := []Rule{{Match: Match{State: Established}, Verdict: Pass, Why: "existing connection"}}
	for _, i := range b.doubtful {
		rules = append(rules, Rule{Match: Match{In: i, Out: i}, Verdict: Pass, Why: "within one bridge"})
	}
	for _, i := range slices.Concat(b.foreign, b.doubtful) {
		rules = append(rules, Rule{Match: Match{In: i}, Verdict: next, Why: "not a bridge of Docker"})
	}
	for _, i := range b.docker {
		if strict {
			rules = append(rules, b.strict(i)...)
		}
		rules = append(rules, Rule{Match: Match{In: i}, Verdict: Docker, Why: "sent by a container"})
	}
	return append(rules, Rule{Verdict: next, Why: "from outside"})
}

// strict sends a container's packets to published ports on to the rules, but not
// those that stay on its bridge. A pattern stands for many bridges and can't tell.
func (b bridges) strict(i Interface) []Rule {
	published := Rule{Match: Match{In: i, Published: true}, Verdict: next, Why: "from a container to a published port"}
	if strings.HasSuffix(string(i), "+") {
		return []Rule{published}
	}
	return []Rule{{Match: Match{In: i, Out: i}, Verdict: Docker, Why: "within one bridge"}, published}
}

// to says what goes to a container.
func (b bridges) to() []Rule {
	var rules []Rule
	for _, i := range b.foreign {
		rules = append(rules, Rule{Match: Match{Out: i}, Verdict: Pass, Why: "not a bridge of Docker"})
	}
	for _, i := range b.docker {
		rules = append(rules, Rule{Match: Match{Out: i}, Verdict: next, Why: "to a container"})
	}
	return append(rules, Rule{Verdict: Pass, Why: "not to a container"})
}
