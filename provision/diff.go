package provision

import (
	"maps"
	"slices"
	"strings"
	"time"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/resource"
)

// Cause is why a change is needed.
type Cause string

// The causes. Without memory of earlier runs a change counts as FirstRun.
const (
	FirstRun       Cause = "first run"
	PolicyChanged  Cause = "policy changed"
	SourceChanged  Cause = "policy, UFW or Docker changed" // what firewall rules are made of
	Drift          Cause = "drift"                         // somebody changed what molo had written
	CertificateDue Cause = "certificate due"
	Released       Cause = "no longer in the policy"
	Retry          Cause = "interrupted run"
)

// Change is the step from one state of a resource to another. A nil Have means
// that it is created, a nil Want that it is removed.
type Change struct {
	ID    resource.ID
	Have  resource.Resource
	Want  resource.Resource
	Cause Cause
	From  Origin
	// Keep says, for a key, how many of the objects around it were there before it was
	// created: where it is removed again they stay, even if that leaves them empty.
	Keep int
}

// Inverse returns the change that takes c back.
func (c Change) Inverse() Change {
	c.Have, c.Want = c.Want, c.Have
	return c
}

// Step is what one part of the host needs.
type Step struct {
	Part     Part
	Changes  []Change
	Activate []Activation
	Waiting  []Activation      // due, but not now
	Effects  []firewall.Effect // what the changes mean for published ports
	Unread   []facts.Unread    // what could not be read, so that this step is incomplete
	// Undo takes back what an interrupted run had written before this step.
	Undo []Change
}

// Empty reports whether the step does nothing.
func (s Step) Empty() bool { return len(s.Changes) == 0 && len(s.Activate) == 0 }

// Plan is everything that has to be done, in order. It is data: it prints, it is
// stored, and each of its steps can be taken back.
type Plan []Step

// Empty reports whether the plan does nothing.
func (p Plan) Empty() bool { return !slices.ContainsFunc(p, func(s Step) bool { return !s.Empty() }) }

// Unread lists what could not be read.
func (p Plan) Unread() []facts.Unread {
	var all []facts.Unread
	for _, s := range p {
		all = append(all, s.Unread...)
	}
	return all
}

// Have is what was read of a host: the states of resources, and those that could
// not be read.
type Have struct {
	State  map[resource.ID]resource.Resource
	Unread []facts.Unread
	// Depth says, of keys that are not there, how many of the objects around them are.
	Depth map[resource.ID]int
	// Blind holds the IDs that could not be read.
	Blind map[resource.ID]bool
}

// Diff compares what is wanted with what is there. memory explains: who wrote what
// is there, what was there before molo, what an interrupted run left to be done.
// An empty memory costs explanations, not safety.
func Diff(parts []Part, have Have, memory Memory) Plan {
	var plan Plan
	for _, part := range parts {
		step := Step{Part: part, Unread: unreadOf(part, have)}
		step.Changes = append(wanted(part, have, memory), released(part, have, memory)...)
		pending, interrupted := memory.Pending[part.Name]
		if interrupted {
			step.Undo = inverse(pending.Changes)
		}
		step.Activate, step.Waiting = activations(part, step.Changes, pending.Activate, memory)
		said := part.Attached
		if step.Empty() {
			said = part.Residual
		}
		step.Part.Notes = slices.Concat(part.Notes, said, absent(part, have), held(part, memory))
		if why := memory.refused(step); why != "" {
			step.Part.Blocked = why
		}
		plan = append(plan, step)
	}
	return plan
}

func unreadOf(part Part, have Have) []facts.Unread {
	var all []facts.Unread
	for _, u := range have.Unread {
		if u.Part == part.Name {
			all = append(all, u)
		}
	}
	return all
}

// wanted returns the changes that make what is there what it should be.
func wanted(part Part, have Have, memory Memory) []Change {
	var changes []Change
	for _, w := range part.Want {
		id := w.ID()
		old := have.State[id]
		if have.Blind[id] || w.Equal(old) || w.Keep && old != nil {
			continue
		}
		changes = append(changes, Change{ID: id, Have: old, Want: w.Resource, Cause: cause(w.Resource, memory), From: w.From, Keep: keep(id, have, memory)})
	}
	return changes
}

// keep says how many of the objects around a key are the owner's. One that is there only
// because molo created another key in it does not count.
func keep(id resource.ID, have Have, memory Memory) int {
	n := have.Depth[id]
	if n == 0 {
		return 0
	}
	file, path := resource.SplitKey(id)
	for other, owned := range memory.Owned {
		otherFile, otherPath := resource.SplitKey(other)
		created := owned.Prior.Resource == nil && owned.Keep < n
		if other.Kind() == "key" && otherFile == file && created && slices.Equal(path[:owned.Keep+1], otherPath[:min(owned.Keep+1, len(otherPath))]) {
			n = owned.Keep
		}
	}
	return n
}

// cause tells a drift from a changed policy by what molo wrote last.
func cause(want resource.Resource, memory Memory) Cause {
	if want.ID().Kind() == "certificate" {
		return CertificateDue
	}
	owned, ok := memory.Owned[want.ID()]
	switch {
	case !ok:
		return FirstRun
	case owned.Applied == Fingerprint(want):
		return Drift
	case want.ID().Kind() == "rules":
		return SourceChanged
	case want.ID().Kind() == "access":
		return Drift // what is stricter stays, so that not every run wants the same
	}
	return PolicyChanged
}

// released returns the changes that give back what the policy no longer asks for:
// what was there before molo returns, unless somebody has changed it since.
//
// Where the firewall's rules stay whatever they are, they stay in all tables.
func released(part Part, have Have, memory Memory) []Change {
	if slices.ContainsFunc(part.Want, func(w Wanted) bool { return w.Keep && w.ID().Kind() == "rules" }) {
		return nil
	}
	var changes []Change
	for _, id := range unique(slices.Concat(memory.ownedBy(part.Name), marked(part.Name))) {
		isWanted := slices.ContainsFunc(part.Want, func(w Wanted) bool { return w.ID() == id })
		if id.Kind() == "subid" {
			continue // as long as there are volumes, files in them belong to these ids
		}
		_, holds := part.Holds[id]
		if isWanted || holds || have.Blind[id] || part.Blocked != "" || len(unreadOf(part, have)) > 0 {
			continue
		}
		owned, old := memory.Owned[id], have.State[id]
		ours := old != nil && Fingerprint(old) == owned.Applied || absentLink(old, owned) || slices.Contains(marked(part.Name), id)
		if !ours || same(old, owned.Prior.Resource) {
			continue
		}
		changes = append(changes, Change{ID: id, Have: old, Want: owned.Prior.Resource, Cause: Released, Keep: owned.Keep})
	}
	if part.Name == PartFiles {
		slices.Reverse(changes) // once a directory is loose again, what is below it can't be changed safely
	}
	return changes
}

// held says what of molo's is not given back.
func held(part Part, memory Memory) []Note {
	var notes []Note
	for _, id := range slices.Sorted(maps.Keys(part.Holds)) {
		if _, owned := memory.Owned[id]; owned {
			notes = append(notes, part.Holds[id])
		}
	}
	return notes
}

// absentLink reports whether a link that molo had put aside is still away.
func absentLink(old resource.Resource, owned Owned) bool {
	prior, ok := owned.Prior.Resource.(resource.Link)
	return ok && old == nil && owned.Applied == Fingerprint(resource.Link{Path: prior.Path})
}

func same(a, b resource.Resource) bool {
	if a == nil {
		a, b = b, a
	}
	return a == nil || a.Equal(b)
}

func inverse(changes []Change) []Change {
	var back []Change
	for _, c := range slices.Backward(changes) {
		back = append(back, c.Inverse())
	}
	return back
}

// activations picks those that the changes trigger, those that are due anyway, those that
// an interrupted run still owes and those that were put off; each unit is restarted at
// most once, and not reloaded as well unless that has to come first.
func activations(part Part, changes []Change, owed []Activation, memory Memory) (now, waiting []Activation) {
	var due []Activation
	for _, a := range part.Activate {
		if slices.ContainsFunc(changes, func(c Change) bool { return triggers(a, c, part.Activate) }) {
			due = append(due, a)
		}
	}
	for _, a := range part.Activate {
		if memory.isDue(a) {
			a.Why = "due since " + memory.Due[a.Unit].Since.Format(time.DateTime) + " for " + namesOf(memory.Due[a.Unit].Keys)
			due = append(due, a)
		}
	}
	due = slices.Concat(due, part.Pending, owed)
	var all []Activation
	for _, a := range part.Activate {
		if i := slices.IndexFunc(due, func(d Activation) bool { return d.Unit == a.Unit && d.Verb == a.Verb }); i >= 0 {
			a.Why = due[i].Why
			if a.Waits != "" {
				waiting = append(waiting, a)
			} else {
				all = append(all, a)
			}
		}
	}
	restarted := func(a Activation) bool {
		return slices.ContainsFunc(all, func(b Activation) bool { return b.Unit == a.Unit && b.Verb == Restart })
	}
	now = slices.DeleteFunc(all, func(a Activation) bool { return a.Verb == Reload && len(a.First) == 0 && restarted(a) })
	return now, waiting
}

// namesOf lists keys as they are named in their file.
func namesOf(ids []resource.ID) string {
	var names []string
	for _, id := range ids {
		_, path := resource.SplitKey(id)
		if name := path[0]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// triggers reports whether change c needs activation a.
func triggers(a Activation, c Change, all []Activation) bool {
	if len(a.Keys) > 0 {
		return c.Want != nil && slices.Contains(a.Keys, c.ID)
	}
	named := slices.ContainsFunc(all, func(b Activation) bool { return slices.Contains(b.Keys, c.ID) })
	return !named || c.Want == nil
}
