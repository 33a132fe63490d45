package volumes

import (
	"fmt"

	"molo/internal/subid"
)

// The extended attributes that name ids (acl(5), capabilities(7)), and molo's own.
const (
	AccessACL  = "system.posix_acl_access"
	DefaultACL = "system.posix_acl_default"
	Capability = "security.capability"
	// Note keeps what chown(2) takes from a file until it is given back. Only root of
	// the host can write it.
	Note = "trusted.molo.remap"
)

// The bits of a mode that matter here (inode(7)).
const (
	typeMask  = 0o170000
	typeDir   = 0o040000
	typeFile  = 0o100000
	typeLink  = 0o120000
	setIDBits = 0o006000
)

// Entry is a file, directory, link or the like, as it was found.
type Entry struct {
	Mode     uint32 // with its type
	UID, GID uint32
	Links    uint64            // how many names it has
	Here     uint64            // how many of them are in the tree
	Frozen   string            // the attribute that keeps everybody from changing it
	Attrs    map[string][]byte // those of the above that it has
}

// IsDir reports whether it is a directory.
func (e Entry) IsDir() bool { return e.Mode&typeMask == typeDir }

// IsLink reports whether it is a symbolic link.
func (e Entry) IsLink() bool { return e.Mode&typeMask == typeLink }

// Change is what becomes of an Entry. What is nil or zero stays as it is.
type Change struct {
	Owner      *Owner
	SetID      uint32            // bits of the mode that have to be there in the end
	Attrs      map[string][]byte // ACLs, written before the owner changes
	Capability []byte            // written after that
	Note       []byte            // written before, and removed when all is done
	Noted      bool              // there is a note to remove
	Left       []string          // what stays as it is, and why
}

// Owner is a user and a group.
type Owner struct{ UID, GID uint32 }

// Empty reports whether nothing changes.
func (c Change) Empty() bool {
	return c.Owner == nil && len(c.Attrs) == 0 && c.Capability == nil && !c.Noted
}

// Judge says what becomes of an entry when ids shift.
func Judge(e Entry, s subid.Shift) Change {
	c := Change{Attrs: map[string][]byte{}}
	c.owner(e, s)
	for _, name := range []string{AccessACL, DefaultACL} {
		acl, left := shiftACL(e.Attrs[name], s)
		if acl != nil {
			c.Attrs[name] = acl
		}
		c.Left = append(c.Left, left...)
	}
	if err := c.special(e, s); err != nil {
		return Change{Left: []string{err.Error()}}
	}
	switch {
	case c.Empty():
	case e.Frozen != "":
		return Change{Left: []string{"it is " + e.Frozen + ", so its owner can't change"}}
	case !e.IsDir() && e.Links > 1 && e.Here != e.Links:
		return Change{Left: []string{fmt.Sprintf("it has %d names, and only %d of them are here", e.Links, e.Here)}}
	}
	return c
}

// owner shifts the ids of the owner.
func (c *Change) owner(e Entry, s subid.Shift) {
	uid, u := s.UID.Of(e.UID)
	gid, g := s.GID.Of(e.GID)
	if u == subid.Foreign {
		c.Left = append(c.Left, fmt.Sprintf("its user %d is no id of containers", e.UID))
	}
	if g == subid.Foreign {
		c.Left = append(c.Left, fmt.Sprintf("its group %d is no id of containers", e.GID))
	}
	if uid != e.UID || gid != e.GID {
		c.Owner = &Owner{uid, gid}
	}
}

// special keeps what a change of the owner takes from a file: set-user-ID and
// set-group-ID bits, and capabilities, which besides name the root user that they
// are given by. A file that somebody was interrupted at has a note.
func (c *Change) special(e Entry, s subid.Shift) error {
	if e.IsDir() || e.IsLink() {
		return nil // they keep theirs
	}
	kept := note{setID: e.Mode & setIDBits, capability: e.Attrs[Capability]}
	if raw, ok := e.Attrs[Note]; ok {
		before, err := parseNote(raw)
		if err != nil {
			return err
		}
		c.Noted = true
		kept.setID |= before.setID
		if kept.capability == nil {
			kept.capability = before.capability
		}
	}
	capability, left := shiftCapability(kept.capability, s)
	c.Left = append(c.Left, left...)
	loses := c.Owner != nil || c.Noted
	if loses {
		c.SetID = kept.setID
	}
	if loses || string(capability) != string(e.Attrs[Capability]) {
		c.Capability = capability
	}
	if c.Owner != nil && !c.Noted && (kept.setID != 0 || kept.capability != nil) {
		c.Note, c.Noted = kept.bytes(), true
	}
	return nil
}
