package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	trail.Steps = append(trail.Steps, Done{Part: s.Part.Name, Changes: m.Pending[s.Part.Name].Changes, Activate: s.Activate})
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
	left := Trail{Run: trail.Run, Policy: trail.Policy}
	for _, done := range slices.Backward(trail.Steps) {
		if !(Options{Only: only}).about(done.Part) {
			left.Steps = append(left.Steps, done)
			continue
		}
		_, interrupted := memory.Pending[done.Part]
		step, changed, err := takeBack(ctx, h, done, interrupted)
		if i := slices.IndexFunc(parts, func(p Part) bool { return p.Name == done.Part }); i >= 0 {
			step.Part.Fallback = parts[i].Fallback
		}
		if err == nil && interrupted {
			err = firstThings(ctx, h, step, running(f.Docker))
		}
		if err == nil {
			err = putBack(ctx, h, step, inverse(step.Changes), lost(step.Changes, f.Docker))
		}
		report.add(step, errors.Join(changed, err))
		if err != nil {
			left.Steps = append(left.Steps, done)
			continue
		}
		memory = memory.undone(step.Changes).forget(done.Part)
	}
	slices.Reverse(left.Steps)
	return report, s.Save(ctx, memory.rolled(left))
}

// rolled returns the memory after a trail was taken back, but for what is left of it.
// Another run's trail stays: that one has not been taken back.
func (m Memory) rolled(left Trail) Memory {
	switch {
	case m.Trail == nil || m.Trail.Run != left.Run:
	case len(left.Steps) == 0:
		m.Trail = nil
	default:
		m.Trail = &left
	}
	return m
}

// lost lists the containers that run in the data root that a step takes dockerd away from.
func lost(changes []Change, d facts.Docker) []facts.Container {
	moves := func(c Change) bool { return c.ID == resource.KeyID(DaemonJSON, "userns-remap") }
	if slices.ContainsFunc(changes, moves) {
		return running(d)
	}
	return nil
}

// takeBack makes the step that undoes another, as far as nobody has changed what that
// one left. Of one that was interrupted it is not known what its service runs with.
func takeBack(ctx context.Context, h Host, done Done, interrupted bool) (step Step, changed, err error) {
	step = Step{Part: Part{Name: done.Part}, Activate: done.Activate}
	var ids []resource.ID
	for _, c := range done.Changes {
		ids = append(ids, c.ID)
	}
	have, err := h.Read(ctx, ids)
	if err != nil {
		return step, nil, fmt.Errorf("reading the host: %w", err)
	}
	var others []string
	for _, c := range inverse(done.Changes) {
		switch now := have.State[c.ID]; {
		case same(now, c.Want) || sameRules(c.Have, c.Want):
			continue // it is back already, or was only hooked in again
		case !same(now, c.Have) && !sameRules(c.Have, now):
			others = append(others, c.Title())
			continue
		}
		step.Changes = append(step.Changes, c)
	}
	if !reached(step, interrupted) {
		step.Activate = nil
	}
	if len(others) > 0 {
		changed = fmt.Errorf("left alone, because somebody changed it since: %s", strings.Join(others, ", "))
	}
	return step, changed, nil
}

// reached reports whether a step, of which these changes are to be taken back, may have come
// to its service. What comes first is written before that, and goes last.
func reached(step Step, interrupted bool) bool {
	for _, a := range step.Activate {
		if interrupted && len(a.First) > 0 {
			return slices.ContainsFunc(step.Changes, func(c Change) bool { return slices.Contains(a.First, c.ID) })
		}
	}
	return interrupted || len(step.Changes) > 0
}

// firstThings has dockerd keep containers before it is restarted: a step that was
// interrupted may not have come to that.
func firstThings(ctx context.Context, h Host, step Step, stay []facts.Container) error {
	for _, a := range step.Activate {
		if len(a.First) == 0 {
			continue
		}
		on := true
		a.Until = DockerRuns{Effective: facts.Effective{LiveRestore: &on}, Running: stay}
		if err := h.Run(ctx, a); err != nil {
			return err
		}
	}
	return nil
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
