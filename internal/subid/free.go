package subid

import "slices"

// Count is how many ids a user's containers need, and how many dockerd and useradd(8)
// give: all that 16 bits can tell apart.
const Count = 65536

// firstFree is where useradd(8) and dockerd begin to look (SUB_UID_MIN of login.defs(5)).
const firstFree = 100000

// Free returns the first id of Count ids, from firstFree on, that are nobody's in either
// file and no account's; false where there are none.
func (f Files) Free() (first uint32, ok bool) {
	taken := slices.Concat(f.UID.Ranges, f.GID.Ranges)
	for _, a := range slices.Concat(f.Users, f.Groups) {
		taken = append(taken, Range{First: a.ID, Count: 1})
	}
	slices.SortFunc(taken, func(a, b Range) int { return int(int64(a.First) - int64(b.First)) })
	next := uint64(firstFree)
	for _, r := range taken {
		if end := uint64(r.First) + uint64(r.Count); uint64(r.First) < next+Count && end > next {
			next = end
		}
	}
	return uint32(next), next+Count <= 1<<32-1
}
