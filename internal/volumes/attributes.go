package volumes

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"molo/internal/subid"
)

// A POSIX ACL is a version and entries of a tag, permissions and an id, all
// little-endian (linux/posix_acl_xattr.h).
const (
	aclVersion = 2
	aclHeader  = 4
	aclEntry   = 8
	aclUser    = 0x02
	aclGroup   = 0x08
)

// shiftACL shifts the ids that an ACL names. It returns nil if none changes.
func shiftACL(acl []byte, s subid.Shift) (changed []byte, left []string) {
	if acl == nil {
		return nil, nil
	}
	if len(acl) < aclHeader || (len(acl)-aclHeader)%aclEntry != 0 || binary.LittleEndian.Uint32(acl) != aclVersion {
		return nil, []string{"its ACL is of a kind that molo does not know"}
	}
	out := append([]byte(nil), acl...)
	for at := aclHeader; at < len(out); at += aclEntry {
		move, kind := s.UID, "user"
		switch binary.LittleEndian.Uint16(out[at:]) {
		case aclUser:
		case aclGroup:
			move, kind = s.GID, "group"
		default:
			continue // the owner, the group, the mask and the others have no ids
		}
		id := binary.LittleEndian.Uint32(out[at+4:])
		shifted, verdict := move.Of(id)
		if verdict == subid.Foreign {
			left = append(left, fmt.Sprintf("its ACL names the %s %d, which is no id of containers", kind, id))
		}
		binary.LittleEndian.PutUint32(out[at+4:], shifted)
	}
	if string(out) == string(acl) {
		return nil, left
	}
	return out, left
}

// The revisions of file capabilities (linux/capability.h). Those of revision 3 count
// only below the user namespace whose root has the id at their end; those before
// count everywhere.
const (
	capRevision  = 0xff000000
	capRevision2 = 0x02000000
	capRevision3 = 0x03000000
	capLength2   = 20
	capLength3   = 24
)

// shiftCapability makes capabilities those of the namespace that the ids shift to:
// given by root of containers as before, and without effect for anybody else.
func shiftCapability(raw []byte, s subid.Shift) (changed []byte, left []string) {
	if raw == nil {
		return nil, nil
	}
	root := uint32(0)
	revision := uint32(0)
	if len(raw) >= 4 {
		revision = binary.LittleEndian.Uint32(raw) & capRevision
	}
	switch {
	case revision == capRevision2 && len(raw) == capLength2:
	case revision == capRevision3 && len(raw) == capLength3:
		root = binary.LittleEndian.Uint32(raw[capLength2:])
	default:
		return raw, []string{"its capabilities are of a kind that molo does not know"}
	}
	shifted, verdict := s.UID.Of(root)
	switch verdict {
	case subid.Foreign:
		return raw, []string{fmt.Sprintf("its capabilities are those of a root user %d, which is no id of containers", root)}
	case subid.Settled:
		return raw, nil
	}
	out := append([]byte(nil), raw[:capLength2]...)
	flags := binary.LittleEndian.Uint32(raw) &^ capRevision
	if shifted == 0 {
		binary.LittleEndian.PutUint32(out, flags|capRevision2)
		return out, nil
	}
	binary.LittleEndian.PutUint32(out, flags|capRevision3)
	return binary.LittleEndian.AppendUint32(out, shifted), nil
}

// note is what a file had before its owner changed.
type note struct {
	setID      uint32
	capability []byte
}

func (n note) bytes() []byte {
	return fmt.Appendf(nil, "setid=%o capability=%x", n.setID, n.capability)
}

func parseNote(raw []byte) (note, error) {
	bad := fmt.Errorf("its attribute %s says %q, which nobody of molo wrote", Note, raw)
	bits, capability, ok := strings.Cut(string(raw), " ")
	bits, ok1 := strings.CutPrefix(bits, "setid=")
	capability, ok2 := strings.CutPrefix(capability, "capability=")
	setID, err := strconv.ParseUint(bits, 8, 32)
	if !ok || !ok1 || !ok2 || err != nil || setID&^setIDBits != 0 {
		return note{}, bad
	}
	n := note{setID: uint32(setID)}
	if capability != "" {
		if n.capability, err = hex.DecodeString(capability); err != nil {
			return note{}, bad
		}
	}
	return n, nil
}
