package firewall

import (
	"fmt"
	"strings"

	"molo/internal/resource"
)

// onlyThese is what the rules are for that lead from bucket to bucket.
const onlyThese = "only the rules that are about such packets"

// bucketWriter renders the list In of one family in buckets.
type bucketWriter struct {
	layout  layout
	family  Family
	copies  map[*Rule]int
	shared  map[*Rule]string // chains of rules that log and are in many buckets
	buckets []resource.Chain
	logs    []resource.Chain
}

// inBuckets renders the list In: its chain, then the buckets.
func (l layout) inBuckets(f Family, s shape) []resource.Chain {
	w := &bucketWriter{layout: l, family: f, copies: map[*Rule]int{}, shared: map[*Rule]string{}}
	list := make([]*Rule, len(f.In))
	for i := range f.In {
		list[i] = &f.In[i]
	}
	segments := s.segments(list)
	for _, one := range segments {
		w.count(one.tree)
	}
	in := resource.Chain{Name: l.chain + "-IN"}
	for _, one := range segments {
		w.fill(&in, bucket{rules: one.before})
		if !one.called {
			w.fill(&in, one.tree)
			continue
		}
		in.Rules = append(in.Rules, resource.Rule{Spec: "-j " + w.add(one.tree), Why: onlyThese})
	}
	return append(append([]resource.Chain{in}, w.buckets...), w.logs...)
}

func (w *bucketWriter) count(b bucket) {
	for _, r := range b.rules {
		w.copies[r]++
	}
	for _, child := range b.children {
		w.count(child)
	}
}

// add makes a chain of a bucket and returns its name. The numbers go from the top
// of the list down.
func (w *bucketWriter) add(b bucket) string {
	at := len(w.buckets)
	chain := resource.Chain{Name: fmt.Sprintf("%s-IN-%d", w.layout.chain, at+1)}
	w.buckets = append(w.buckets, chain)
	w.fill(&chain, b)
	w.buckets[at] = chain
	return chain.Name
}

func (w *bucketWriter) fill(chain *resource.Chain, b bucket) {
	for _, child := range b.children {
		spec := child.match.spec() + " -g " + w.add(child)
		chain.Rules = append(chain.Rules, resource.Rule{Spec: spec, Why: onlyThese})
	}
	for _, r := range b.rules {
		chain.Rules = append(chain.Rules, w.rules(r)...)
	}
}

// rules renders one rule. One that logs and is in many buckets has a chain of its own,
// or else each copy would log 3 packets a minute.
func (w *bucketWriter) rules(r *Rule) []resource.Rule {
	all := w.layout.kernelRules(w.family, *r, "")
	if w.copies[r] < 2 || !r.Log || len(all) < 2 {
		return all
	}
	if w.shared[r] == "" {
		w.shared[r] = fmt.Sprintf("%s-LOG-%d", w.layout.chain, len(w.logs)+1)
		w.logs = append(w.logs, resource.Chain{Name: w.shared[r], Rules: all})
	}
	return []resource.Rule{{Spec: strings.TrimPrefix(r.Match.spec()+" -g "+w.shared[r], " "), Why: r.Why}}
}
