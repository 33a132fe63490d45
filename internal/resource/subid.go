package resource

import "fmt"

// SubIDs is a line of /etc/subuid or /etc/subgid (subuid(5)): the ids of the host that
// stand for the ids of a user's containers.
type SubIDs struct {
	File  string `json:"file"`
	User  string `json:"user"`
	First uint32 `json:"first"`
	Count uint32 `json:"count"`
}

// ID returns "subid:FILE#USER": what counts is whether the user has ids there at all.
func (s SubIDs) ID() ID { return SubIDsID(s.File, s.User) }

// SubIDsID returns the ID of a user's ids in a file.
func SubIDsID(file, user string) ID { return ID("subid:" + file + "#" + user) }

// Equal compares the ids.
func (s SubIDs) Equal(other Resource) bool {
	o, ok := other.(SubIDs)
	return ok && s == o
}

// String spells the line.
func (s SubIDs) String() string { return fmt.Sprintf("%s:%d:%d", s.User, s.First, s.Count) }
