package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"molo/internal/policy"
	"molo/internal/resource"
)

// Trail is what one run did, whole and in order, so that it can be taken back.
type Trail struct {
	Run   string `json:"run"`
	Steps []Done `json:"steps"`
}

// Done is a step that held.
type Done struct {
	Part     string       `json:"part"`
	Changes  []Change     `json:"changes"`
	Activate []Activation `json:"activate"`
}

// Unconfirmed is a run that is taken back unless somebody says in time that the host can
// still be reached.
type Unconfirmed struct {
	Run      string    `json:"run"`
	Deadline time.Time `json:"deadline"`
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

// follow returns the memory with a step added to the trail of its run.
func (m Memory) follow(run string, s Step) Memory {
	// A certificate stays: it harms nobody, and authorities limit how many they issue.
	if run == "" || s.Part.Name == PartCertificates {
		return m
	}
	trail := Trail{Run: run}
	if m.Trail != nil && m.Trail.Run == run {
		trail.Steps = slices.Clone(m.Trail.Steps)
	}
	trail.Steps = append(trail.Steps, Done{Part: s.Part.Name, Changes: s.Changes, Activate: s.Activate})
	m.Trail = &trail
	return m
}

// Rollback takes back what a run did, last step first. What somebody has changed since is
// left alone, and makes the part fail.
func Rollback(ctx context.Context, h Host, s Store, trail Trail) (*Report, error) {
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
	for _, done := range slices.Backward(trail.Steps) {
		step, err := takeBack(ctx, h, done)
		if i := slices.IndexFunc(parts, func(p Part) bool { return p.Name == done.Part }); i >= 0 {
			step.Part.Fallback = parts[i].Fallback
		}
		err = errors.Join(err, putBack(ctx, h, step, inverse(step.Changes)))
		report.add(step, err)
		memory = memory.undone(step.Changes)
	}
	memory.Trail = nil
	return report, s.Save(ctx, memory)
}

// takeBack makes the step that undoes another, as far as nobody has changed what that
// one left.
func takeBack(ctx context.Context, h Host, done Done) (Step, error) {
	step := Step{Part: Part{Name: done.Part}, Activate: done.Activate}
	var ids []resource.ID
	for _, c := range done.Changes {
		ids = append(ids, c.ID)
	}
	have, err := h.Read(ctx, ids)
	if err != nil {
		return step, fmt.Errorf("reading the host: %w", err)
	}
	var changed []string
	for _, c := range inverse(done.Changes) {
		switch now := have.State[c.ID]; {
		case same(now, c.Want):
			continue // it is back already
		case !same(now, c.Have):
			changed = append(changed, c.Title())
			continue
		}
		step.Changes = append(step.Changes, c)
	}
	if len(step.Changes) == 0 {
		step.Activate = nil
	}
	if len(changed) > 0 {
		return step, fmt.Errorf("left alone, because somebody changed it since: %s", strings.Join(changed, ", "))
	}
	return step, nil
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
		case c.Want != nil: // the run had let it go
			m.Owned[c.ID] = Owned{Part: PartOf(c.ID), Applied: Fingerprint(c.Want), Prior: resource.Box{Resource: c.Have}, Keep: c.Keep}
		}
	}
	return m
}
