package provision

import (
	"errors"
	"fmt"
	"slices"

	"molo/firewall"
	"molo/internal/facts"
)

// Status is how a part of the host stands.
type Status string

// The statuses, from good to bad.
const (
	OK      Status = "ok"      // as the policy wants it
	Changed Status = "changed" // made so by this run
	Planned Status = "planned" // differs; would be changed
	Unknown Status = "unknown" // could not be read, all of it or in part
	Failed  Status = "failed"  // could not be changed; put back
)

// Outcome is what is planned for a part, or became of it.
type Outcome struct {
	Part     string
	Status   Status
	Changes  []Change
	Activate []Activation
	Waiting  []Activation
	Effects  []firewall.Effect
	Unread   []facts.Unread
	Notes    []Note
	Err      error
}

// Report is what a run did and found, part by part.
type Report struct {
	Rounds int
	Facts  facts.Facts // as of the last look
	Parts  []Outcome
}

// Failed returns the errors of all parts, or nil.
func (r *Report) Failed() error {
	var problems []error
	for _, o := range r.Parts {
		if o.Err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", o.Part, o.Err))
		}
	}
	return errors.Join(problems...)
}

// Changed reports whether the run changed anything.
func (r *Report) Changed() bool {
	return slices.ContainsFunc(r.Parts, func(o Outcome) bool { return o.Status == Changed })
}

// Has reports whether a part has this status.
func (r *Report) Has(part string, status Status) bool { return r.of(part).Status == status }

// Fail notes that a part turned out wrong after all.
func (r *Report) Fail(part string, err error) {
	o := r.of(part)
	o.Status, o.Err = Failed, err
}

// Note adds something the owner should know of a part.
func (r *Report) Note(part string, n Note) {
	o := r.of(part)
	o.Notes = append(o.Notes, n)
}

// Outcomes says of each part of a plan how it stands before anything is done.
func (p Plan) Outcomes() []Outcome {
	var all []Outcome
	for _, s := range p {
		o := Outcome{Part: s.Part.Name, Status: OK, Changes: s.Changes, Activate: s.Activate, Waiting: s.Waiting, Effects: s.Effects, Unread: s.Unread, Notes: s.Part.Notes}
		switch {
		case s.Part.Blocked != "":
			o.Status, o.Err = Failed, errors.New(s.Part.Blocked)
		case len(s.Part.Violations) > 0:
			o.Status, o.Err = Failed, s.Part.violation()
		case !s.Empty():
			o.Status = Planned
		case len(s.Unread) > 0:
			o.Status = Unknown
		}
		all = append(all, o)
	}
	return all
}

// look takes over what the newest plan says of the host itself.
func (r *Report) look(plan Plan, f facts.Facts) {
	r.Facts = f
	for _, s := range plan {
		o := r.of(s.Part.Name)
		o.Notes, o.Waiting, o.Unread = s.Part.Notes, s.Waiting, s.Unread
		if err := s.hindrance(); err != nil && o.Err == nil {
			o.Status, o.Err = Failed, err
		}
	}
}

// hindrance says why a step can't be done, or can't be known to be complete.
func (s Step) hindrance() error {
	var problems []error
	if s.Part.Blocked != "" {
		problems = append(problems, errors.New(s.Part.Blocked))
	}
	if s.Empty() {
		problems = append(problems, s.Part.violation())
	}
	if s.Part.Stays && !s.Empty() {
		return errors.Join(problems...) // what shuts ports comes first, what is wrong is said after it
	}
	for _, u := range s.Unread {
		problems = append(problems, fmt.Errorf("%s could not be read: %s", u.What, u.Why))
	}
	return errors.Join(problems...)
}

// violation joins the violations.
func (p Part) violation() error {
	var problems []error
	for _, v := range p.Violations {
		problems = append(problems, errors.New(v))
	}
	return errors.Join(problems...)
}

// open returns the steps that are still to be done: those of parts that have not failed.
func (r *Report) open(plan Plan) Plan {
	return slices.DeleteFunc(slices.Clone(plan), func(s Step) bool { return r.of(s.Part.Name).Err != nil })
}

// again reports whether a plan wants what had been done already when it was last dealt
// with. What was done before that does not count: an owner may take a rule back.
func (r *Report) again(plan Plan) bool {
	return slices.ContainsFunc(plan, func(s Step) bool {
		done := func(c Change) bool {
			for _, d := range slices.Backward(r.of(s.Part.Name).Changes) {
				if d.ID == c.ID {
					return same(d.Want, c.Want)
				}
			}
			return false
		}
		return slices.ContainsFunc(s.Changes, done) || len(s.Changes) == 0 && !s.Empty()
	})
}

// add notes what became of a step.
func (r *Report) add(s Step, err error) {
	o := r.of(s.Part.Name)
	switch {
	case err != nil:
		o.Status, o.Err = Failed, err
	case !s.Empty():
		o.Status = Changed
	}
	o.Changes = append(o.Changes, s.Changes...)
	o.Activate = append(o.Activate, s.Activate...)
	o.Effects = append(o.Effects, s.Effects...)
}

// of returns the outcome of a part, a new one if need be.
func (r *Report) of(part string) *Outcome {
	i := slices.IndexFunc(r.Parts, func(o Outcome) bool { return o.Part == part })
	if i < 0 {
		r.Parts = append(r.Parts, Outcome{Part: part, Status: OK})
		i = len(r.Parts) - 1
	}
	return &r.Parts[i]
}
