package subid

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Files is what a host says about its ids.
type Files struct {
	UID, GID      File
	Users, Groups []Account
}

// ParseFiles reads the texts of UIDFile, GIDFile, UsersFile and GroupsFile.
func ParseFiles(uids, gids, users, groups string) Files {
	return Files{UID: Parse(UIDFile, uids), GID: Parse(GIDFile, gids), Users: ParseAccounts(users), Groups: ParseAccounts(groups)}
}

// Segment says that Count ids of containers, from Container on, are those from Host
// on, on the host.
type Segment struct {
	Container uint32 `json:"container"`
	Host      uint32 `json:"host"`
	Count     uint32 `json:"count"`
}

// Mapping is what the ids of containers are on the host.
type Mapping struct {
	UIDs []Segment `json:"uids"`
	GIDs []Segment `json:"gids"`
}

// Root is the name of the data root that dockerd keeps for a mapping: the ids that
// root of a container has on the host, "100000.100000".
func (m Mapping) Root() string {
	if len(m.UIDs) == 0 || len(m.GIDs) == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d", m.UIDs[0].Host, m.GIDs[0].Host)
}

// DefaultUser is whose ranges "userns-remap": "default" means.
const DefaultUser = "dockremap"

// User returns the user that a value of userns-remap means: "default", a user or
// "user:group", by name or number. Only the user decides on the ranges, in
// /etc/subgid too (setupRemappedRoot of Docker 20.10 to 28.5).
func (f Files) User(remap string) string {
	user, _, _ := strings.Cut(remap, ":")
	if user == "default" {
		return DefaultUser
	}
	for _, a := range f.Users {
		if user == strconv.FormatUint(uint64(a.ID), 10) {
			return a.Name
		}
	}
	return user
}

// Mapping is that of a user's ranges. dockerd strings them together in the order of
// the files.
func (f Files) Mapping(user string) (Mapping, error) {
	uids, err := f.segments(f.UID, user)
	if err != nil {
		return Mapping{}, err
	}
	gids, err := f.segments(f.GID, user)
	return Mapping{uids, gids}, err
}

func (f Files) segments(file File, user string) ([]Segment, error) {
	ranges, err := f.ranges(file, user)
	if err != nil {
		return nil, err
	}
	var all []Segment
	var next uint32
	for _, r := range ranges {
		if next+r.Count < next {
			return nil, Problem{place(file.Path, r.Line), "the ranges of " + user + " are longer than all ids there are"}
		}
		all = append(all, Segment{Container: next, Host: r.First, Count: r.Count})
		next += r.Count
	}
	return all, nil
}

// ranges finds a user's ranges. Lines that name the user by number are the only ones
// that count up to some version of dockerd, and some of many from then on.
func (f Files) ranges(file File, user string) ([]Range, error) {
	number, known := f.number(user)
	var byName, byNumber []Range
	for _, r := range file.Ranges {
		switch {
		case r.Owner == user:
			byName = append(byName, r)
		case known && r.Owner == number:
			byNumber = append(byNumber, r)
		}
	}
	switch {
	case len(byName) > 0 && len(byNumber) > 0:
		return nil, Problem{
			place(file.Path, byName[0].Line),
			fmt.Sprintf("%s has ranges by name and, in line %d, by number: which count depends on the version of Docker", user, byNumber[0].Line),
		}
	case len(byName)+len(byNumber) == 0:
		return nil, Problem{file.Path, "there is no range for " + user}
	}
	return slices.Concat(byName, byNumber), nil
}

func (f Files) number(user string) (string, bool) {
	for _, a := range f.Users {
		if a.Name == user {
			return strconv.FormatUint(uint64(a.ID), 10), true
		}
	}
	return "", false
}

// At finds the mapping that a data root is named after.
func (f Files) At(root string) (Mapping, error) {
	owners := map[string]bool{}
	for _, r := range f.UID.Ranges {
		owners[f.User(r.Owner)] = true
	}
	var found []Mapping
	var whose []string
	for _, owner := range slices.Sorted(maps.Keys(owners)) {
		m, err := f.Mapping(owner)
		if err == nil && m.Root() == root {
			found, whose = append(found, m), append(whose, owner)
		}
	}
	switch {
	case len(found) == 0:
		return Mapping{}, fmt.Errorf("no user's ranges in %s and %s begin at %s: how many ids are mapped can't be known",
			f.UID.Path, f.GID.Path, strings.Replace(root, ".", " and ", 1))
	case slices.ContainsFunc(found, func(m Mapping) bool { return !m.equal(found[0]) }):
		return Mapping{}, fmt.Errorf("the ranges of %s in %s and %s begin at the same ids", strings.Join(whose, " and "), f.UID.Path, f.GID.Path)
	}
	return found[0], nil
}

func (m Mapping) equal(o Mapping) bool {
	return slices.Equal(m.UIDs, o.UIDs) && slices.Equal(m.GIDs, o.GIDs)
}
