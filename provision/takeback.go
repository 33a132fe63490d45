package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/resource"
)

// takenBack is how a step is taken back.
type takenBack struct {
	step    Step
	whole   []Change          // that hold once it is back, those also that do already
	changed error             // what somebody has changed since
	first   bool              // dockerd has to be told to keep containers before it is restarted
	idle    bool              // the service does not run, and nothing is to be done to it
	lost    []facts.Container // that run in the data root that dockerd is taken away from
}

// takeBack says how to undo a step, as far as nobody has changed what it left. Of one that
// was interrupted, or that was being taken back before, it is not known what its service
// runs with.
func takeBack(ctx context.Context, h Host, done Done, d facts.Docker, interrupted bool) (takenBack, error) {
	b := takenBack{step: Step{Part: Part{Name: done.Part}}}
	var ids []resource.ID
	for _, c := range done.Changes {
		ids = append(ids, c.ID)
	}
	have, err := h.Read(ctx, ids)
	if err != nil {
		return b, fmt.Errorf("reading the host: %w", err)
	}
	var others []string
	for _, c := range inverse(done.Changes) {
		switch now := have.State[c.ID]; {
		case sameRules(c.Have, c.Want):
			continue // they were only hooked in again
		case same(now, c.Want):
			b.whole = append(b.whole, c)
			continue
		case !same(now, c.Have) && !sameRules(c.Have, now):
			others = append(others, c.Title())
			continue
		}
		b.step.Changes, b.whole = append(b.step.Changes, c), append(b.whole, c)
	}
	if len(others) > 0 {
		b.changed = fmt.Errorf("left alone, because somebody changed it since: %s", strings.Join(others, ", "))
	}
	dead := done.Part == PartDocker && d.Failed
	b.lost = lost(b.step.Changes, d)
	b.first = interrupted && d.Running
	if dead || reached(done, b.step.Changes, interrupted) {
		b.step.Activate = revived(done)
	}
	b.idle = done.Part == PartDocker && !d.Running && len(b.step.Activate) == 0
	return b, nil
}

// revived is what the step did to its service, with the containers that start again after
// its restart.
func revived(done Done) []Activation {
	all := slices.Clone(done.Activate)
	for i := range all {
		if all[i].Verb == Restart {
			all[i].Stops = done.Stopped
		}
	}
	return all
}

// reached reports whether a step, of which these changes are still to be taken back, may
// have come to its service. What comes first is written before that, and goes last.
func reached(done Done, changes []Change, interrupted bool) bool {
	for _, a := range done.Activate {
		if interrupted && len(a.First) > 0 {
			return slices.ContainsFunc(changes, func(c Change) bool { return slices.Contains(a.First, c.ID) })
		}
	}
	return interrupted || len(changes) > 0
}

// lost lists the containers that run in the data root that a step takes dockerd away from.
// One that dockerd does not run with is none.
func lost(changes []Change, d facts.Docker) []facts.Container {
	i := slices.IndexFunc(changes, func(c Change) bool { return c.ID == resource.KeyID(DaemonJSON, "userns-remap") })
	if i < 0 {
		return nil
	}
	want := ""
	if key, ok := changes[i].Want.(resource.Key); ok && json.Unmarshal(key.Value, &want) != nil {
		return running(d)
	}
	if current, named := remapInForce(d); named && current == want {
		return nil
	}
	return running(d)
}

// carryOut takes the step back. It has dockerd keep containers before it is restarted: a
// step that was interrupted may not have come to that.
func (b takenBack) carryOut(ctx context.Context, h Host, d facts.Docker) error {
	for _, a := range b.step.Activate {
		if !b.first || len(a.First) == 0 {
			continue
		}
		on := true
		a.Until = DockerRuns{Effective: facts.Effective{LiveRestore: &on}, Running: running(d)}
		if err := h.Run(ctx, a); err != nil {
			return err
		}
	}
	return putBack(ctx, h, b.step, inverse(b.step.Changes), b.lost)
}
