package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"molo/internal/resource"
)

// Memory is what molo remembers between runs. Nothing in it is needed to make a
// host match its policy; it explains changes, lets go of resources, and finishes
// what a run that died had begun.
type Memory struct {
	Version int                   `json:"version"`
	Owned   map[resource.ID]Owned `json:"owned,omitempty"`
	Pending map[string]Pending    `json:"pending,omitempty"` // by part: written, not yet proven
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
	m.Owned = clone(m.Owned)
	for _, c := range m.Pending[part].Changes {
		owned, known := m.Owned[c.ID]
		switch {
		case c.Cause == Released:
			delete(m.Owned, c.ID)
			continue
		case !known:
			owned = Owned{Part: part, Prior: resource.Box{Resource: c.Have}, Keep: c.Keep}
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
