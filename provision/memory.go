package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"molo/internal/resource"
)

// Memory is what molo remembers between runs. Nothing in it is needed to make a
// host match its policy; it explains changes, lets go of resources, and finishes
// what a run that died had begun.
type Memory struct {
	Version int                   `json:"version"`
	Owned   map[resource.ID]Owned `json:"owned,omitempty"`
	Pending map[string]Pending    `json:"pending,omitempty"` // by part: written, not yet proven
	Due     map[string]Due        `json:"due,omitempty"`     // by unit: restarts that were put off
	Refused map[string]Refused    `json:"refused,omitempty"` // by part: what was tried last and put back

	Trail       *Trail       `json:"trail,omitempty"` // of the last run that changed something
	Unconfirmed *Unconfirmed `json:"unconfirmed,omitempty"`
	Paused      *Pause       `json:"paused,omitempty"`
}

// Due is a restart that changes need and that has not happened: a window was shut, or
// the policy leaves it to a person.
type Due struct {
	Since time.Time     `json:"since"` // when the first of the changes was written
	Last  time.Time     `json:"last"`  // and the last
	Keys  []resource.ID `json:"keys"`
}

// Refused is what a service did not run with. It is not tried again until something
// about it changes: a timer would restart the service for ever.
type Refused struct {
	Digest  string    `json:"digest"`  // of the changes
	Against string    `json:"against"` // Part.Against
	At      time.Time `json:"at"`
	Why     string    `json:"why"`
}

// Owned is a resource that molo has written.
type Owned struct {
	Part    string       `json:"part"`
	Applied string       `json:"applied"` // Fingerprint of what molo wrote last
	Prior   resource.Box `json:"prior"`   // what was there before molo; empty: nothing
	Keep    int          `json:"keep,omitempty"`
}

// Pending is the intent of a step, noted before its first write and forgotten
// when the step is proven or put back.
type Pending struct {
	Changes  []Change     `json:"changes"`
	Activate []Activation `json:"activate"`
}

// Fingerprint stands for the state of a resource in Memory.
func Fingerprint(r resource.Resource) string {
	switch it := r.(type) {
	case resource.Rules:
		return it.Digest
	case resource.Certificate:
		r = resource.Certificate{Site: it.Site} // whichever of those that were ordered
	case resource.Key:
		r = resource.Key{File: it.File, Path: it.Path, Value: compact(it.Value)}
	}
	data, err := json.Marshal(resource.Box{Resource: r})
	if err != nil {
		return "" // never equal to what was applied: counts as changed by somebody
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:16]
}

func (m Memory) ownedBy(part string) []resource.ID {
	var ids []resource.ID
	for _, id := range slices.Sorted(maps.Keys(m.Owned)) {
		if m.Owned[id].Part == part {
			ids = append(ids, id)
		}
	}
	return ids
}

// intend returns the memory with the step noted as begun. The first state of an
// interrupted run stays what a failure goes back to.
func (m Memory) intend(s Step) Memory {
	m.Pending = clone(m.Pending)
	changes := slices.Clone(s.Changes)
	for _, undo := range s.Undo {
		i := slices.IndexFunc(changes, func(c Change) bool { return c.ID == undo.ID })
		if i < 0 {
			changes = append(changes, undo.Inverse())
		} else {
			changes[i].Have = undo.Want
		}
	}
	m.Pending[s.Part.Name] = Pending{Changes: changes, Activate: s.Activate}
	return m
}

// proven returns the memory after a step whose changes hold.
func (m Memory) proven(part string) Memory {
	m.Owned, m.Refused = clone(m.Owned), clone(m.Refused)
	delete(m.Refused, part)
	for _, c := range m.Pending[part].Changes {
		owned, known := m.Owned[c.ID]
		switch {
		case c.Cause == Released:
			delete(m.Owned, c.ID)
			continue
		case !known:
			owned = Owned{Part: part, Prior: resource.Box{Resource: prior(c)}, Keep: c.Keep}
		}
		owned.Applied = Fingerprint(c.Want)
		m.Owned[c.ID] = owned
	}
	return m.forget(part)
}

// owe returns the memory with an activation noted that the next run has to make up for.
func (m Memory) owe(part string, a Activation) Memory {
	m.Pending = clone(m.Pending)
	m.Pending[part] = Pending{Activate: []Activation{a}}
	return m
}

// prior is what a change can be taken back to. No certificate is: what was ordered
// before is molo's own, and older.
func prior(c Change) resource.Resource {
	if c.ID.Kind() == "certificate" {
		return nil
	}
	return c.Have
}

// putOff returns the memory after a step: what it restarted is due no more, what waits is.
func (m Memory) putOff(s Step, now time.Time) Memory {
	m.Due = clone(m.Due)
	for _, a := range s.Activate {
		if a.Verb == Restart {
			delete(m.Due, a.Unit)
		}
	}
	return m.await(s, now)
}

// await returns the memory with the restarts noted that wait.
func (m Memory) await(s Step, now time.Time) Memory {
	m.Due = clone(m.Due)
	for _, a := range s.Waiting {
		due := m.Due[a.Unit]
		if due.Since.IsZero() || a.Began.After(due.Last) {
			due = Due{Since: now}
		}
		for _, c := range s.Changes {
			if triggers(a, c, s.Part.Activate) && !slices.Contains(due.Keys, c.ID) {
				due.Keys, due.Last = append(slices.Clone(due.Keys), c.ID), now
			}
		}
		if !due.Last.IsZero() {
			m.Due[a.Unit] = due
		}
	}
	return m
}

// isDue reports whether a restart was put off and has not happened since.
func (m Memory) isDue(a Activation) bool {
	due, ok := m.Due[a.Unit]
	return ok && a.Verb == Restart && !a.Began.IsZero() && !a.Began.After(due.Last)
}

// refuse returns the memory after a step that was put back.
func (m Memory) refuse(s Step, now time.Time, why error) Memory {
	if s.Part.Against == "" {
		return m
	}
	m.Refused = clone(m.Refused)
	m.Refused[s.Part.Name] = Refused{Digest: digest(s.Changes), Against: s.Part.Against, At: now, Why: why.Error()}
	return m
}

// refused says why a step must not be tried again, if so.
func (m Memory) refused(s Step) string {
	r, ok := m.Refused[s.Part.Name]
	if !ok || len(s.Changes) == 0 || r.Against != s.Part.Against || r.Digest != digest(s.Changes) {
		return ""
	}
	return fmt.Sprintf("this was tried at %s and put back; it is not tried again until the policy, the file or the engine changes\n%s\nhint: molo apply --retry",
		r.At.Format(time.DateTime), r.Why)
}

// digest stands for what changes want.
func digest(changes []Change) string {
	var all []string
	for _, c := range changes {
		print := "nothing"
		if c.Want != nil {
			print = Fingerprint(c.Want)
		}
		all = append(all, string(c.ID)+" "+print)
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, "\n")))
	return hex.EncodeToString(sum[:])[:16]
}

// forget returns the memory with nothing pending for the part.
func (m Memory) forget(part string) Memory {
	m.Pending = clone(m.Pending)
	delete(m.Pending, part)
	return m
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}
