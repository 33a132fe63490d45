package subid

import (
	"errors"
	"fmt"
	"path"
	"slices"
)

// enough is how many ids the users of a container may have: all 16-bit numbers, of
// which 65534 is "nobody".
const enough = 65536

// Check says what is wrong with the ranges that a value of userns-remap names. A
// dataRoot is dockerd's if it runs with that value already, else empty.
//
// Without a user dockremap, "default" has nothing to check: dockerd makes both the
// user and ranges that nobody has.
func Check(f Files, remap, dataRoot string) []Problem {
	user := f.User(remap)
	_, exists := f.number(user)
	if !exists && user == DefaultUser {
		return nil
	}
	problems := slices.Concat(f.UID.Bad, f.GID.Bad)
	if !exists {
		problems = append(problems, Problem{UsersFile, "there is no user " + user})
	}
	problems = append(problems, f.check(f.UID, user, "user", f.Users)...)
	problems = append(problems, f.check(f.GID, user, "group", f.Groups)...)
	m, err := f.Mapping(user)
	if is := path.Base(dataRoot); err == nil && dataRoot != "" && m.Root() != is {
		problems = append(problems, Problem{f.UID.Path, fmt.Sprintf("the ids of %s are those of %s now, and dockerd runs with %s", user, m.Root(), is)})
	}
	return problems
}

// check looks at one file, and at the accounts whose ids should not be in the ranges.
func (f Files) check(file File, user, kind string, accounts []Account) []Problem {
	mine, err := f.ranges(file, user)
	if p, is := errors.AsType[Problem](err); is {
		return []Problem{p}
	}
	var all []Problem
	bad := func(r Range, format string, args ...any) {
		all = append(all, Problem{place(file.Path, r.Line), fmt.Sprintf(format, args...)})
	}
	var size uint64
	for _, r := range mine {
		size += uint64(r.Count)
		if r.First < hostIDs {
			bad(r, "%s's ids begin at %d: those below %d may be the host's own", user, r.First, hostIDs)
		}
		for _, o := range file.Ranges {
			if o != r && r.overlaps(o) && (!slices.Contains(mine, o) || r.Line < o.Line) {
				bad(r, "%s of %s overlaps %s of %s in line %d", r, user, o, o.Owner, o.Line)
			}
		}
		for _, a := range accounts {
			if a.ID >= r.First && a.ID <= r.Last() {
				bad(r, "%s of %s holds %d, which is the %s %s of the host", r, user, a.ID, kind, a.Name)
			}
		}
	}
	if size < enough {
		bad(mine[0], "%s has %d ids, and containers use up to %d", user, size, enough)
	}
	return all
}
