package provision

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"molo/internal/daemonjson"
	"molo/internal/facts"
	"molo/internal/resource"
)

// Trouble is what dockerd would make of something in daemon.json, and its owner would not
// expect.
type Trouble struct {
	Key   []string // from the outermost inwards; empty: the whole file
	Text  string   // what, why, and what to do
	Stops bool     // it must not come to that: dockerd or containers would not start, or share their ids with somebody
	Later bool     // dockerd of a later release would not start
	// Looked says that this comes of a look at the host, such as a file that is gone, and
	// not of the text: dockerd may have been started while it was there.
	Looked bool
}

// foresee keeps changes of daemon.json back of which dockerd or its containers would not
// start, and notes what else will surprise. What dockerd lives with today keeps nothing
// back: it knows better. Nor does what an owner gets back whose policy has no block docker
// any more. But what has gone since dockerd started kills it at a restart, and again at the
// one that would put things back, whatever asks for it; a plugin that has gone kills it at
// a reload.
func (s *Step) foresee(ctx context.Context, h Host, d facts.Docker) error {
	if s.Part.Name != PartDocker || s.Part.Blocked != "" {
		return nil
	}
	after, err := h.Foresee(ctx, d, s.Changes)
	if err != nil {
		return fmt.Errorf("foreseeing what dockerd makes of %s: %w", DaemonJSON, err)
	}
	var lives []Trouble
	if d.Running && !d.ConfigNewer && slices.ContainsFunc(after, func(t Trouble) bool { return t.Stops }) {
		if lives, err = h.Foresee(ctx, d, nil); err != nil {
			return fmt.Errorf("foreseeing what dockerd makes of %s: %w", DaemonJSON, err)
		}
	}
	stops := s.outOfSight(d)
	for _, t := range after {
		where := s.Part.whoWants(t.Key)
		known := slices.ContainsFunc(lives, t.same)
		if t.Stops && (!known && !s.Empty() && len(s.Part.Want) > 0 || t.Looked && len(s.Activate) > 0) {
			stops = append(stops, strings.TrimPrefix(where+": "+t.Text, ": "))
			continue
		}
		s.Part.Notes = append(s.Part.Notes, Note{t.Text, where})
	}
	s.Part.Notes = append(s.Part.Notes, s.laterNotes(d)...)
	s.Part.Blocked = strings.Join(stops, "\n")
	return nil
}

// outOfSight refuses to have dockerd look for its data elsewhere while there is some: it
// would start as if it were new, and containers that run would be nobody's. What
// userns-remap moves is decided on where that is made.
func (s Step) outOfSight(d facts.Docker) []string {
	var all []string
	for _, c := range s.Changes {
		if c.effect() != daemonjson.NewRoot || c.Title() == "userns-remap" || len(s.Part.Want) == 0 || !inUse(d) || isThere(c, d) {
			continue
		}
		all = append(all, fmt.Sprintf("%s: %s is not changed: %s would vanish from Docker's view\n"+
			"hint: while Docker is stopped, bring its data along, and write the key into %s yourself", c.From, c.Title(), inventory(d), DaemonJSON))
	}
	return all
}

// isThere reports whether dockerd runs with what a change writes.
func isThere(c Change, d facts.Docker) bool {
	key, ok := c.Want.(resource.Key)
	switch value := strings.Trim(string(key.Value), `"`); {
	case !ok:
		return false
	case c.Title() == "data-root":
		value = path.Clean(value)
		return d.Root == value || isTrue(d.Effective.UsernsRemap) && path.Dir(d.Root) == value
	case c.Title() == "storage-driver":
		return value == d.Effective.StorageDriver
	}
	return false
}

func (t Trouble) same(other Trouble) bool {
	return t.Text == other.Text && slices.Equal(t.Key, other.Key)
}

// whoWants names the line of the policy that asks for a key; none where it is the owner's.
func (p Part) whoWants(key []string) string {
	for _, w := range p.Want {
		if _, path := resource.SplitKey(w.ID()); len(key) > 0 && len(path) > 0 && path[0] == key[0] {
			return w.From.String()
		}
	}
	return ""
}

// effect says when a change of daemon.json is felt; zero for other changes.
func (c Change) effect() daemonjson.Effect {
	if r, ok := either(c).(resource.Key); ok && r.File == DaemonJSON {
		key, _ := daemonjson.Find(r.Path[0])
		return key.Effect
	}
	return 0
}

// holds says when a key that dockerd has read is felt, where that is neither at once nor
// with its restart alone.
func (c Change) holds() string {
	if e := c.effect(); e > daemonjson.ByRestart {
		return e.String()
	}
	return ""
}

// laterNotes says which changes are not felt by what is there. What waits for a restart
// without containers is said elsewhere, also after the change.
func (s Step) laterNotes(d facts.Docker) []Note {
	own := 0
	for _, n := range d.Networks {
		if n.Name != "bridge" && n.Name != "host" && n.Name != "none" {
			own++
		}
	}
	var notes []Note
	for _, there := range []struct {
		effect daemonjson.Effect
		n      int
		noun   string
	}{
		{daemonjson.NextStart, len(running(d)), "container"},
		{daemonjson.NewContainers, len(d.Containers), "container"},
		{daemonjson.NewNetworks, own, "network"},
	} {
		var keys []string
		for _, c := range s.Changes {
			if c.effect() == there.effect && !slices.Contains(keys, c.Title()) {
				keys = append(keys, c.Title())
			}
		}
		if there.n > 0 && len(keys) > 0 {
			text := fmt.Sprintf("holds %s, %s: %s", there.effect, keepAsIs(there.n, there.noun), strings.Join(keys, ", "))
			notes = append(notes, Note{Text: text})
		}
	}
	return notes
}

func keepAsIs(n int, noun string) string {
	if n == 1 {
		return count(n, noun) + " keeps what it has"
	}
	return count(n, noun) + " keep what they have"
}
