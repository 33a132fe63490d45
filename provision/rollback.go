package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Trail is what one run did, whole and in order, so that it can be taken back.
type Trail struct {
	Run    string `json:"run"`
	Policy string `json:"policy,omitempty"` // the digest of the policy that led there
	Steps  []Done `json:"steps"`
}

// Done is a step that was begun and has not been put back.
type Done struct {
	Part     string       `json:"part"`
	Changes  []Change     `json:"changes"`
	Activate []Activation `json:"activate"`
	// Stopped are the containers that the step stopped, which start again when it is back.
	Stopped []facts.Container `json:"stopped,omitempty"`
	// Owed says that taking it back has begun: whatever is back already, its service may
	// not have been told.
	Owed bool `json:"owed,omitempty"`
}

// Unconfirmed is a run that is taken back unless somebody says in time that the host can
// still be reached.
type Unconfirmed struct {
	Run      string    `json:"run"`
	Deadline time.Time `json:"deadline"` // for people: clocks can be set
	// Boot and Uptime are what counts: the boot it belongs to, which takes the timer with
	// it, and how long that has run by the deadline.
	Boot   string        `json:"boot"`
	Uptime time.Duration `json:"uptime"`
}

// Pause says that molo changes nothing by itself for a while.
type Pause struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until somebody ends it
	// Policy is the digest of the policy that the pause is about; another policy ends it.
	// Empty: any.
	Policy string `json:"policy,omitempty"`
}

// Holds reports whether the pause still counts.
func (p *Pause) Holds(now time.Time, digest string) bool {
	return p != nil && (p.Until.IsZero() || now.Before(p.Until)) && (p.Policy == "" || p.Policy == digest)
}

// follow returns the memory with a step that is about to be done added to the trail of its
// run: what dies in the middle can be taken back as well.
func (m Memory) follow(o Options, s Step) Memory {
	// A certificate stays: it harms nobody, and authorities limit how many they issue.
	if o.Run == "" || s.Part.Name == PartCertificates {
		return m
	}
	trail := Trail{Run: o.Run, Policy: o.Policy}
	if m.Trail != nil && m.Trail.Run == o.Run {
		trail.Steps = slices.Clone(m.Trail.Steps)
	}
	done := Done{Part: s.Part.Name, Changes: m.Pending[s.Part.Name].Changes, Activate: s.Activate}
	for _, a := range s.Activate {
		done.Stopped = append(done.Stopped, a.Stops...)
	}
	trail.Steps = append(trail.Steps, done)
	m.Trail = &trail
	return m
}

// Rollback takes back what a run did, last step first, or what it did to these parts. What
// somebody has changed since is left alone, and makes the part fail. A step that could not
// be taken back stays in the trail that is remembered, to be tried again.
func Rollback(ctx context.Context, h Host, s Store, trail Trail, only ...string) (*Report, error) {
	report := &Report{}
	f, err := h.Facts(ctx)
	if err != nil {
		return report, fmt.Errorf("reading the host: %w", err)
	}
	report.Facts = f
	memory, err := s.Load(ctx)
	if err != nil {
		return report, fmt.Errorf("reading what earlier runs did: %w", err)
	}
	parts, err := Desired(&policy.Policy{}, f)
	if err != nil {
		parts = nil // what a part has to fall back to is not known then
	}
	left := Trail{Run: trail.Run, Policy: trail.Policy, Steps: slices.Clone(trail.Steps)}
	var problems []error
	for i, done := range slices.Backward(trail.Steps) {
		if !(Options{Only: only}).about(done.Part) {
			continue
		}
		_, interrupted := memory.Pending[done.Part]
		back, err := takeBack(ctx, h, done, f.Docker, interrupted || done.Owed)
		if err == nil {
			left.Steps[i].Owed = true
			problems = append(problems, s.Save(ctx, memory.rolled(left))) // whoever is cut off can't wait for a disk
			back.step.Part.Fallback = fallback(parts, back)
			err = back.carryOut(ctx, h, f.Docker)
		}
		report.add(back.step, errors.Join(back.changed, err))
		if err != nil {
			continue
		}
		left.Steps = slices.Delete(left.Steps, i, i+1)
		memory = memory.undone(back.whole).forget(done.Part).notDue(back.whole)
	}
	return report, errors.Join(append(problems, s.Save(ctx, memory.rolled(left)))...)
}

// fallback is what has to hold once a step is back.
func fallback(parts []Part, b takenBack) []Probe {
	i := slices.IndexFunc(parts, func(p Part) bool { return p.Name == b.step.Part.Name })
	switch {
	case i < 0 || b.idle:
		return nil
	case len(b.lost) > 0:
		return []Probe{DockerRuns{}} // what is lost does not run any more
	}
	return parts[i].Fallback
}

// rolled returns the memory after a trail was taken back, but for what is left of it.
// Another run's trail stays: that one has not been taken back.
func (m Memory) rolled(left Trail) Memory {
	switch {
	case m.Trail == nil || m.Trail.Run != left.Run:
	case len(left.Steps) == 0:
		m.Trail = nil
	default:
		left.Steps = slices.Clone(left.Steps)
		m.Trail = &left
	}
	return m
}

// sameRules reports whether these are the same rules, wherever the way into them is now:
// Docker puts its own rules in front of it when it starts.
func sameRules(a, b resource.Resource) bool {
	one, ok := a.(resource.Rules)
	other, also := b.(resource.Rules)
	if !ok || !also {
		return false
	}
	one.Hooks = other.Hooks
	return one.Equal(other)
}

// undone returns the memory after changes were taken back; these are their inverses.
func (m Memory) undone(back []Change) Memory {
	m.Owned = clone(m.Owned)
	for _, c := range back {
		owned, known := m.Owned[c.ID]
		switch {
		case known && same(owned.Prior.Resource, c.Want):
			delete(m.Owned, c.ID)
		case known:
			owned.Applied = Fingerprint(c.Want)
			m.Owned[c.ID] = owned
		case c.Want != nil && c.Cause == Released: // the run had let it go
			m.Owned[c.ID] = Owned{Part: PartOf(c.ID), Applied: Fingerprint(c.Want), Prior: resource.Box{Resource: c.Have}, Keep: c.Keep}
		}
	}
	return m
}

// notDue returns the memory without restarts that only these changes needed.
func (m Memory) notDue(back []Change) Memory {
	m.Due = clone(m.Due)
	for unit, due := range m.Due {
		due.Keys = slices.DeleteFunc(slices.Clone(due.Keys), func(id resource.ID) bool {
			return slices.ContainsFunc(back, func(c Change) bool { return c.ID == id })
		})
		if m.Due[unit] = due; len(due.Keys) == 0 {
			delete(m.Due, unit)
		}
	}
	return m
}
