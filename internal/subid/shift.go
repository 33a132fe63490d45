package subid

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// hostIDs is how many ids, from 0 on, may belong to the host's own accounts and to
// those of unmapped containers. A mapping that begins below can't be told from them.
const hostIDs = 65536

// Shift moves the owners of files from some mappings to another. It can be applied
// again and again: what is where it should be stays there.
type Shift struct {
	UID, GID Move
}

// Move is one half of a Shift.
type Move struct {
	From []Segment // of disjoint ids of the host
	To   []Segment // disjoint from those too
}

// Verdict is what a Move makes of an id.
type Verdict int

// The verdicts.
const (
	Settled Verdict = iota // it is where it should be
	Shifted
	Foreign // it is neither there nor in what is moved from
)

// Of says what becomes of an id of the host.
func (m Move) Of(id uint32) (uint32, Verdict) {
	if _, ok := container(m.To, id); ok {
		return id, Settled
	}
	if c, ok := container(m.From, id); ok {
		if h, ok := host(m.To, c); ok {
			return h, Shifted
		}
	}
	return id, Foreign
}

func container(segments []Segment, id uint32) (uint32, bool) {
	for _, s := range segments {
		if id >= s.Host && id-s.Host < s.Count {
			return s.Container + (id - s.Host), true
		}
	}
	return 0, false
}

func host(segments []Segment, id uint32) (uint32, bool) {
	for _, s := range segments {
		if id >= s.Container && id-s.Container < s.Count {
			return s.Host + (id - s.Container), true
		}
	}
	return 0, false
}

// Into moves files into a mapping: from no mapping, and from others.
func Into(to Mapping, others ...Mapping) (Shift, error) {
	return shift(append([]Mapping{to}, others...), func(ids [][]Segment, plain Segment) Move {
		return Move{From: append([]Segment{plain}, slices.Concat(ids[1:]...)...), To: ids[0]}
	})
}

// Back moves files out of mappings.
func Back(from ...Mapping) (Shift, error) {
	return shift(from, func(ids [][]Segment, plain Segment) Move {
		return Move{From: slices.Concat(ids...), To: []Segment{plain}}
	})
}

// shift makes both halves alike.
func shift(mappings []Mapping, move func(ids [][]Segment, plain Segment) Move) (Shift, error) {
	var uids, gids [][]Segment
	for _, m := range mappings {
		uids, gids = append(uids, m.UIDs), append(gids, m.GIDs)
	}
	u, err := plain(uids)
	if err != nil {
		return Shift{}, fmt.Errorf("user ids: %w", err)
	}
	g, err := plain(gids)
	if err != nil {
		return Shift{}, fmt.Errorf("group ids: %w", err)
	}
	return Shift{UID: move(uids, u), GID: move(gids, g)}, nil
}

// plain returns the ids of containers that no mapping changes: as many as the longest
// mapping has, unless the ids of a mapping begin before that. Every id of the host
// must stand for one id of containers.
func plain(mappings [][]Segment) (Segment, error) {
	var count uint64
	all := slices.Concat(mappings...)
	if len(all) == 0 {
		return Segment{}, errors.New("no mapping is known")
	}
	for _, m := range mappings {
		var size uint64
		for _, s := range m {
			size += uint64(s.Count)
		}
		count = max(count, size)
	}
	slices.SortFunc(all, func(a, b Segment) int { return cmp.Compare(a.Host, b.Host) })
	if first := all[0].Host; first < hostIDs {
		return Segment{}, fmt.Errorf("the mapped ids begin at %d, and those below %d may be the host's own", first, hostIDs)
	}
	for i, s := range all[1:] {
		if before := all[i]; s.Host-before.Host < before.Count {
			return Segment{}, fmt.Errorf("id %d is mapped twice", s.Host)
		}
	}
	return Segment{Count: uint32(min(count, uint64(all[0].Host)))}, nil
}
