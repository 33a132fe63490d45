package firewall

import "molo/internal/resource"

// RulesInBuckets renders a program as Rules does, but in another shape.
func (p *Program) RulesInBuckets(from, leaf, ways, grows, depth int) []resource.Rules {
	return p.rules(shape{from: from, leaf: leaf, ways: ways, grows: grows, depth: depth})
}

// RulesInOneList renders every list as one chain.
func (p *Program) RulesInOneList() []resource.Rules { return p.rules(shape{from: 1 << 30}) }
