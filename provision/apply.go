package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// A second round is normal where the first one changes facts (a restarted engine,
// later a first certificate).
const (
	// maxRounds is how many rounds may find again what an earlier one had dealt with: a
	// host that undoes what is done to it does not converge.
	maxRounds = 3
	// maxMoves bounds the rounds in all. A host that moves on meanwhile, because its
	// owner is at work with ufw, gets more of them.
	maxMoves = 12
)

// ErrNotConverged says that the host still differs from the policy after all rounds.
var ErrNotConverged = errors.New("the host still differs from the policy")

// Apply makes the host match the policy, and looks again until nothing is left to
// do. A part that fails is put back and does not stop the others. The error is for
// what stopped everything; failures of parts are in the Report.
func Apply(ctx context.Context, h Host, s Store, p *policy.Policy, o Options) (*Report, error) {
	report := &Report{}
	if o.about(PartCertificates) {
		if err := h.Refresh(ctx, certificate.Wants(p.Sites)); err != nil {
			return report, err
		}
	}
	for {
		plan, f, err := MakePlan(ctx, h, s, p, o)
		if err != nil {
			return report, err
		}
		report.look(plan, f)
		plan = report.open(plan)
		switch {
		case plan.Empty():
			return report, settle(ctx, s, plan)
		case report.Rounds >= maxRounds && report.again(plan), report.Rounds == maxMoves:
			return report, fmt.Errorf("after %d rounds: %w", report.Rounds, ErrNotConverged)
		}
		if err := checkAll(ctx, h, plan); err != nil {
			return report, err
		}
		for _, step := range plan {
			report.add(step, applyStep(ctx, h, s, step, o, f.Time))
		}
		report.Rounds++
	}
}

// settle takes over what a run that died had written, where it is all there and nothing is
// left to do: it is molo's, and given back one day.
func settle(ctx context.Context, s Store, plan Plan) error {
	for _, step := range plan {
		if len(step.Undo) == 0 || !step.Empty() || step.hindrance() != nil {
			continue
		}
		memory, err := s.Load(ctx)
		if err != nil {
			return fmt.Errorf("reading what earlier runs did: %w", err)
		}
		if err := s.Save(ctx, memory.proven(step.Part.Name)); err != nil {
			return fmt.Errorf("noting what was done: %w", err)
		}
	}
	return nil
}

// checkAll tests every staged change before the first one is written.
func checkAll(ctx context.Context, h Host, plan Plan) error {
	var problems []error
	for _, step := range plan {
		for _, check := range step.Part.Checks {
			if len(step.Changes) > 0 {
				problems = append(problems, h.Check(ctx, check, step.Changes))
			}
		}
	}
	return errors.Join(problems...)
}

// applyStep writes, activates and proves one step, or puts it back.
func applyStep(ctx context.Context, h Host, s Store, step Step, o Options, now time.Time) error {
	if step.Empty() {
		return nil
	}
	before, err := s.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading what earlier runs did: %w", err)
	}
	// A run that dies after its writes must not leave a restart that nobody knows is due.
	memory := before.intend(step).follow(o, step).await(step, now)
	noted := s.Save(ctx, memory)
	if noted != nil {
		noted = fmt.Errorf("noting what is about to be done: %w", noted)
	}
	if noted != nil && !step.Part.Stays {
		return noted
	}
	// Rules that nobody has noted are better than published ports that nothing shuts: a
	// disk may be full, or a boot go wrong.
	tried, err := carryOut(ctx, h, step)
	err = errors.Join(noted, err)
	if owed := new(owedError); errors.As(err, &owed) {
		return errors.Join(err, s.Save(ctx, memory.proven(step.Part.Name).owe(step.Part.Name, owed.activation)))
	}
	if err != nil && step.Part.Stays {
		return errors.Join(err, s.Save(context.WithoutCancel(ctx), memory.forget(step.Part.Name)))
	}
	if err != nil {
		if len(tried) > 0 && ctx.Err() == nil {
			memory = memory.refuse(step, now, err)
		}
		step.Activate = tried // a service that was not touched needs no restart
		return errors.Join(err, giveUp(ctx, h, s, step, memory, before))
	}
	return s.Save(ctx, memory.proven(step.Part.Name).putOff(step, now))
}

// giveUp puts back a step that failed. A caller that gives up must not leave the part half
// done.
func giveUp(ctx context.Context, h Host, s Store, step Step, memory, before Memory) error {
	ctx = context.WithoutCancel(ctx)
	if back := putBack(ctx, h, step, memory.Pending[step.Part.Name].Changes, nil); back != nil {
		return errors.Join(fmt.Errorf("putting back what was there: %w", back), s.Save(ctx, memory))
	}
	memory.Trail, memory.Due = before.Trail, before.Due
	return s.Save(ctx, memory.forget(step.Part.Name))
}

// carryOut does a step, and returns the activations that it came to.
func carryOut(ctx context.Context, h Host, step Step) (tried []Activation, err error) {
	if err := h.Write(ctx, step.Changes); err != nil {
		return nil, err
	}
	for i, a := range step.Activate {
		err := h.Run(ctx, a)
		if err != nil && a.Verb == Cut {
			err = &owedError{a, err}
		}
		if err != nil {
			return step.Activate[:i+1], err
		}
	}
	return step.Activate, nil
}

// owedError is the failure of an activation without which the changes hold all the
// same: old rules must not come back because connections could not be cut.
type owedError struct {
	activation Activation
	err        error
}

func (e *owedError) Error() string { return e.err.Error() }
func (e *owedError) Unwrap() error { return e.err }

// putBack restores what was there before the changes and brings the units back.
// It goes on after an error: a unit that runs matters more than a clean story. Containers
// that dockerd would lose sight of are stopped before its restart.
func putBack(ctx context.Context, h Host, step Step, changes []Change, lost []facts.Container) error {
	back := inverse(changes)
	last := slices.DeleteFunc(slices.Clone(back), func(c Change) bool { return !isFirst(step, c.ID) })
	back = slices.DeleteFunc(back, func(c Change) bool { return isFirst(step, c.ID) })
	problems := []error{h.Write(ctx, back)}
	for _, a := range step.Activate {
		if len(a.First) > 0 || a.Verb == Cut {
			continue // still in force; not to be undone
		}
		stopped := a.Stops
		a.Until, a.Stops = nil, nil // it proved the new state
		if a.Verb == Restart {
			a.Stops, lost = lost, nil
		}
		problems = append(problems, h.Run(ctx, a))
		if len(stopped) > 0 {
			problems = append(problems, h.Run(ctx, Activation{Unit: a.Unit, Verb: Revive, Stops: stopped}))
		}
	}
	for _, probe := range slices.Concat(step.Part.Fallback, servedBefore(changes)) {
		problems = append(problems, h.Probe(ctx, probe))
	}
	if err := errors.Join(problems...); err != nil {
		return err // another try has to find what comes last still there
	}
	return h.Write(ctx, last)
}

func isFirst(step Step, id resource.ID) bool {
	return slices.ContainsFunc(step.Activate, func(a Activation) bool { return slices.Contains(a.First, id) })
}
