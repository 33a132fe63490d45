package firewall

import "slices"

// shape says when and how a list becomes buckets.
type shape struct {
	from  int // rules from which a list becomes buckets
	leaf  int // rules up to which a bucket is not split again
	ways  int // into how many parts a bucket is split
	grows int // how many times as many rules there may be as in the list
	depth int // how often a bucket is split
}

// usualShape is what Rules renders.
//
// BenchmarkConnectToAPublishedPort, on two cores of an AMD EPYC with iptables 1.8.9
// (nft), compares how long it takes to connect to the port of the last of n rules with
// how long it takes (31 to 37 µs) where DOCKER-USER is empty:
//
//	n rules with a port     10    100    200   1000   10000
//	in one list            1.1    1.6    2.0    7.2     200   times as long
//	in buckets               -      -    1.3    1.3     1.5
//
// At 128 rules buckets begin to pay: below, a list costs some 25 µs at most, and an owner
// can read it. With iptables-legacy 10000 rules take 24 times as long in one list, 1.3
// in buckets. 9000 banned addresses before 1000 rules with a port take 27 and 1.6. What
// buckets help least is rules with and without a port by turns, where each part of a
// cut holds many rules of the other kind: a rule with a port behind each 99 banned
// addresses takes 13 and 2.4. Rules with neither port nor source, such as those for an
// interface, are in every bucket.
//
// nftables counts jumps and gotos alike and takes 16 on one path
// (NFT_JUMP_STACK_SIZE): four lead to the list In, one may call the buckets of denies,
// four lead through them, and one to a rule that logs.
func usualShape() shape { return shape{from: 128, leaf: 48, ways: 16, grows: 3, depth: 4} }

// bucket is a chain of a tree: the list In, or the part of it that can match the
// packets that come here. Each packet ends up with a part that holds all rules that
// match it, in the order of the list, so that the same rule decides as in the list.
type bucket struct {
	match    Match // of the packets that are sent here
	children []bucket
	rules    []*Rule // for packets that none of the children takes
}

// segment is a piece of the list In: rules that stay in its chain, then a tree.
type segment struct {
	before []*Rule
	tree   bucket
	// called says that a packet which the tree does not drop comes back for the rest.
	called bool
}

// segments cuts a list into what each packet passes in turn. A long run of denies,
// such as a list of banned addresses, is a tree of its own: a tree for denies and for
// other rules together would hold each of the others many times. Only denies can be
// called so, since the RETURN of an allowed packet leads back as well.
func (s shape) segments(list []*Rule) []segment {
	var all []segment
	for {
		at, n := s.denies(list)
		if n < s.from {
			break
		}
		all = append(all, segment{before: list[:at], tree: s.grow(Match{}, list[at:at+n]), called: true})
		list = list[at+n:]
	}
	at := slices.IndexFunc(list, (*Rule).splits)
	if at < 0 {
		at = len(list)
	}
	return append(all, segment{before: list[:at], tree: s.grow(Match{}, list[at:])})
}

// denies finds a run of denies near the top of the list. The rule at the end of the
// list, which decides on all packets, is never part of it.
func (s shape) denies(list []*Rule) (at, n int) {
	for at = range min(s.leaf, len(list)) {
		n = 0
		for at+n < len(list)-1 && list[at+n].Verdict == Deny {
			n++
		}
		if n >= s.from && list[at].splits() {
			return at, n
		}
	}
	return 0, 0
}

// splits reports whether a rule is about few enough packets to be left out of most
// buckets.
func (r *Rule) splits() bool {
	return r.Match.Source.IsValid() || r.Match.Protocol.hasPorts() && !anyPort(r.Match.Ports)
}

// grow makes a tree of rules.
func (s shape) grow(within Match, rules []*Rule) bucket {
	return s.branch(within, rules, s.grows*len(rules), s.depth)
}

// branch makes a tree for the packets within a match that holds no more than a number
// of rules, which is at least that of the rules given: each split shares it out.
func (s shape) branch(within Match, rules []*Rule, budget, depth int) bucket {
	if depth == 0 || len(rules) <= s.leaf {
		return bucket{rules: rules}
	}
	best, ok := s.best(within, rules, budget)
	if !ok {
		return bucket{rules: rules}
	}
	grow := func(p part) bucket {
		return s.branch(p.within, p.rules, budget*len(p.rules)/best.total(), depth-1)
	}
	b := grow(best.rest)
	var children []bucket
	for _, p := range best.parts {
		child := grow(p)
		child.match = p.match
		children = append(children, child)
	}
	b.children = append(children, b.children...)
	return b
}

// best finds the split that leaves the shortest lists.
func (s shape) best(within Match, rules []*Rule, budget int) (split, bool) {
	var best split
	for ways := min(s.ways, 1+len(rules)/s.leaf); ways > 1 && len(best.parts) == 0; ways /= 4 {
		for _, c := range []cut{cutPorts(true, within, rules, ways), cutPorts(false, within, rules, ways), cutSources(within, rules, ways)} {
			one := c.split(within, rules)
			helps := len(one.parts) > 0 && one.longest() <= len(rules)*3/4 && one.total() <= budget
			if helps && (len(best.parts) == 0 || one.cost() < best.cost()) {
				best = one
			}
		}
	}
	return best, len(best.parts) > 0
}

// part is the packets of a bucket that one match picks, and the rules for them.
type part struct {
	match  Match // as the kernel checks it
	within Match // what is known of the packets then
	rules  []*Rule
}

// split divides the packets of a bucket among parts; the rest is those that no part
// picks.
type split struct {
	parts []part
	rest  part
}

func (s split) lengths() []int {
	all := []int{len(s.rest.rules)}
	for _, p := range s.parts {
		all = append(all, len(p.rules))
	}
	return all
}

func (s split) longest() int { return slices.Max(s.lengths()) }

func (s split) total() int {
	sum := 0
	for _, n := range s.lengths() {
		sum += n
	}
	return sum
}

// cost punishes long lists and copies of rules alike.
func (s split) cost() int {
	sum := 0
	for _, n := range s.lengths() {
		sum += n * n
	}
	return sum
}
