package provision

import (
	"slices"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Connections is what Cut works on: the kernel's table of tracked connections.
const Connections = "connections"

// firewallPart compiles the block firewall. Rules come into force when they are
// loaded; connections that exist by then pass until they are cut.
func firewallPart(p *policy.Firewall, f facts.Facts) (Part, error) {
	part := Part{Name: PartFirewall, Stays: true, Program: &firewall.Program{}}
	if p == nil {
		return part, nil
	}
	if f.Offline {
		part.Notes = []Note{{"these are the files of an image: the firewall rules are loaded on the running host", From(p.Range).String()}}
		return part, nil
	}
	if slices.ContainsFunc(f.Unknown, func(u facts.Unread) bool { return u.Part == PartFirewall }) {
		return shut(p, f) // the plan says what could not be read
	}
	program, err := firewall.Compile(p, f)
	if err != nil {
		return Part{}, err
	}
	part.Program = program
	for _, rules := range program.Rules() {
		part.Want = append(part.Want, Wanted{rules, From(p.Range), program.Keep})
	}
	if p.CutEstablished.V {
		part.Activate = []Activation{{Unit: Connections, Verb: Cut, Rules: program, Consequence: "those to ports that close"}}
	}
	for _, finding := range program.Findings {
		text := finding.What
		if finding.Hint != "" {
			text += " (" + finding.Hint + ")"
		}
		part.Notes = append(part.Notes, Note{text, finding.Where})
		if finding.Fails {
			part.Violations = append(part.Violations, finding.Where+": "+text)
		}
	}
	return part, nil
}

// shutPart is what holds while the rules can't be made, because of why.
func shutPart(p *policy.Firewall, f facts.Facts, why error) (Part, error) {
	if p == nil || why == nil {
		return Part{}, why
	}
	part, err := shut(p, f)
	part.Violations = []string{why.Error()}
	return part, err
}

// shut leaves rules that are loaded as they are, whatever they are; where there are none,
// as after a boot, published ports are shut.
func shut(p *policy.Firewall, f facts.Facts) (Part, error) {
	program, err := firewall.Shut(p, f, "ufw's rules could not be read")
	if err != nil {
		return Part{}, err
	}
	part := Part{Name: PartFirewall, Stays: true, Program: program}
	for _, rules := range program.Rules() {
		part.Want = append(part.Want, Wanted{rules, From(p.Range), true})
	}
	return part, nil
}

// Bridges returns the names of Docker's bridges in rules of the filter table, those apart
// that were not trusted.
func Bridges(r resource.Rules) (docker, untrusted []string) { return firewall.Bridges(r) }

// effects says what the changes of the firewall's rules mean for published ports.
// What can't be said is a note: it must not stop an uninstall.
func (s *Step) effects(have Have, f facts.Facts) {
	if s.Part.Program == nil || len(s.Changes) == 0 || f.Offline {
		return
	}
	before, _ := firewall.Loaded(loadedRules(have), families(f))
	effects, err := firewall.Effects(before, s.Part.Program, f)
	if err != nil {
		s.Part.Notes = append(s.Part.Notes, Note{Text: "what the change means for published ports can't be said: " + err.Error()})
	}
	s.Effects = effects
}

// loadedRules returns the rules of molo's that were read.
func loadedRules(have Have) []resource.Rules {
	var all []resource.Rules
	for _, id := range marked(PartFirewall) {
		if r, ok := have.State[id].(resource.Rules); ok {
			all = append(all, r)
		}
	}
	return all
}

func families(f facts.Facts) []resource.Family {
	if f.IPv6 {
		return []resource.Family{resource.IPv4, resource.IPv6}
	}
	return []resource.Family{resource.IPv4}
}

// Denies reports whether the rules would refuse a connection if it were made now.
func (a Activation) Denies(f facts.Flow) bool { return a.Rules.Ends(packetOf(f), f.Links) }
