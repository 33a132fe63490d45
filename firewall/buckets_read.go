package firewall

import (
	"fmt"
	"slices"
	"strings"

	"molo/internal/resource"
)

// inOneList puts the buckets of the list In back into its one chain.
func inOneList(chains []resource.Chain, l layout) ([]resource.Chain, error) {
	r := bucketReader{in: l.chain + "-IN", log: l.chain + "-LOG-", chains: map[string][]resource.Rule{}}
	for _, c := range chains {
		r.chains[c.Name] = c.Rules
	}
	var all []resource.Chain
	for _, c := range chains {
		if strings.HasPrefix(c.Name, r.in+"-") || strings.HasPrefix(c.Name, r.log) {
			continue
		}
		if c.Name == r.in {
			var err error
			if c.Rules, err = r.list(); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// bucketReader follows the ways that packets go through buckets.
type bucketReader struct {
	in, log string // how names of chains begin
	chains  map[string][]resource.Rule
}

// list returns the rules of the list In: those of each tree that is called, then the
// rest.
func (r bucketReader) list() ([]resource.Rule, error) {
	var called, rest []resource.Rule
	for _, rule := range r.chains[r.in] {
		name, jump := strings.CutPrefix(rule.Spec, "-j ")
		if !jump || !strings.HasPrefix(name, r.in+"-") {
			rest = append(rest, rule)
			continue
		}
		chain, err := r.bucket(name)
		if err != nil {
			return nil, err
		}
		tree, err := r.tree(chain)
		if err != nil {
			return nil, err
		}
		called = slices.Concat(called, rest, tree)
		rest = nil
	}
	tree, err := r.tree(rest)
	return append(called, tree...), err
}

// bucket returns a chain of a tree, once: so a loop, which no kernel would load, ends.
func (r bucketReader) bucket(name string) ([]resource.Rule, error) {
	chain, ok := r.chains[name]
	if !ok {
		return nil, fmt.Errorf("reading the buckets: there is no chain %s, or two ways to it", name)
	}
	delete(r.chains, name)
	return chain, nil
}

func (r bucketReader) tree(chain []resource.Rule) ([]resource.Rule, error) {
	ways, err := r.ways(chain, nil)
	if err != nil {
		return nil, err
	}
	return merge(ways)
}

// ways returns, for each bucket, the rules that its packets pass in order.
func (r bucketReader) ways(chain, before []resource.Rule) ([][]resource.Rule, error) {
	var all [][]resource.Rule
	way := slices.Clone(before)
	for _, rule := range chain {
		target := rule.Spec[strings.LastIndexByte(rule.Spec, ' ')+1:]
		switch {
		case strings.HasPrefix(target, r.in+"-"):
			child, err := r.bucket(target)
			if err != nil {
				return nil, err
			}
			further, err := r.ways(child, way)
			if err != nil {
				return nil, err
			}
			all = append(all, further...)
		case strings.HasPrefix(target, r.log):
			way = append(way, r.chains[target]...)
		default:
			way = append(way, rule)
		}
	}
	return append(all, way), nil
}

// merge makes one list that has the order of every list in it. Rules that no list
// has together have no packet in common, so their order does not matter.
func merge(lists [][]resource.Rule) ([]resource.Rule, error) {
	in := map[resource.Rule]int{} // lists that it is in
	for i, list := range lists {
		lists[i] = distinct(list)
		for _, rule := range lists[i] {
			in[rule]++
		}
	}
	var all []resource.Rule
	first := map[resource.Rule][]int{} // lists that begin with it by now
	var moved []int
	for i := range lists {
		moved = append(moved, i)
	}
	for len(moved) > 0 {
		i := moved[0]
		moved = moved[1:]
		if len(lists[i]) == 0 {
			continue
		}
		rule := lists[i][0]
		if first[rule] = append(first[rule], i); len(first[rule]) < in[rule] {
			continue
		}
		all = append(all, rule)
		for _, other := range first[rule] {
			lists[other] = lists[other][1:]
			moved = append(moved, other)
		}
	}
	if len(all) < len(in) {
		return nil, fmt.Errorf("reading the buckets: no list has all rules in their order")
	}
	return all, nil
}

// distinct leaves out the rules that stand in the list before.
func distinct(list []resource.Rule) []resource.Rule {
	seen := map[resource.Rule]bool{}
	return slices.DeleteFunc(list, func(r resource.Rule) bool {
		again := seen[r]
		seen[r] = true
		return again
	})
}
