package volumes

import (
	"slices"
	"strings"
)

// listed is how many entries of a kind a Tally names; the others are counted.
const listed = 100

// Tally counts what is done to a tree, or would be.
type Tally struct {
	Entries      uint64   `json:"entries"`       // files, directories and so on; files with several names once
	Bytes        uint64   `json:"bytes"`         // that they take on disk
	Changed      uint64   `json:"changed"`       // that get other owners
	ChangedBytes uint64   `json:"changed_bytes"` // that these take
	SetID        uint64   `json:"set_id"`        // of these, with set-user-ID or set-group-ID bits
	ACLs         uint64   `json:"acls"`          // of these, with ACLs that name ids
	Capabilities uint64   `json:"capabilities"`  // of these, with file capabilities
	Left         uint64   `json:"left"`          // that are left as they are, in part or whole
	LeftList     []Remark `json:"left_list,omitempty"`
	Mounts       []string `json:"mounts,omitempty"` // in the tree, which were not entered
	Notes        []string `json:"notes,omitempty"`
}

// Remark is something about one entry of a tree.
type Remark struct {
	Path string `json:"path"` // below the tree; "." is the tree itself
	What string `json:"what"`
}

// Count adds an entry.
func (t *Tally) Count(name string, e Entry, c Change, bytes uint64) {
	t.Entries++
	t.Bytes += bytes
	if !c.Empty() {
		t.Changed++
		t.ChangedBytes += bytes
		t.SetID += one(c.SetID != 0)
		t.ACLs += one(len(c.Attrs) > 0)
		t.Capabilities += one(c.Capability != nil)
	}
	if len(c.Left) > 0 {
		t.Leave(name, strings.Join(c.Left, "; "))
	}
}

// Leave adds an entry that is left as it is.
func (t *Tally) Leave(name, why string) {
	t.Left++
	if len(t.LeftList) < listed {
		t.LeftList = append(t.LeftList, Remark{name, why})
	}
}

// Skip adds another file system.
func (t *Tally) Skip(name string) {
	if len(t.Mounts) < listed {
		t.Mounts = append(t.Mounts, name)
	}
}

// Sort puts what is listed in order.
func (t *Tally) Sort() {
	slices.SortFunc(t.LeftList, func(a, b Remark) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(t.Mounts)
}

func one(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}
