package volumes

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"molo/internal/subid"
)

func usual(t testing.TB) subid.Mapping {
	segments := []subid.Segment{{Container: 0, Host: 100000, Count: 65536}}
	return subid.Mapping{UIDs: segments, GIDs: segments}
}

func into(t testing.TB) subid.Shift {
	t.Helper()
	s, err := subid.Into(usual(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func back(t testing.TB) subid.Shift {
	t.Helper()
	s, err := subid.Back(usual(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// acl makes an ACL of entries of a tag, permissions and an id.
func acl(entries ...[3]uint32) []byte {
	out := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		out = binary.LittleEndian.AppendUint16(out, uint16(e[0]))
		out = binary.LittleEndian.AppendUint16(out, uint16(e[1]))
		out = binary.LittleEndian.AppendUint32(out, e[2])
	}
	return out
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const none = 0xffffffff // the id of entries that name nobody

func TestJudge(t *testing.T) {
	plain := acl([3]uint32{1, 7, none}, [3]uint32{2, 5, 1000}, [3]uint32{8, 4, 33}, [3]uint32{16, 7, none}, [3]uint32{32, 0, none})
	mapped := acl([3]uint32{1, 7, none}, [3]uint32{2, 5, 101000}, [3]uint32{8, 4, 100033}, [3]uint32{16, 7, none}, [3]uint32{32, 0, none})
	cap2 := unhex(t, "0100000200200000"+"000000000000000000000000")
	cap3 := unhex(t, "0100000300200000"+"000000000000000000000000"+"a0860100")
	attr := func(pairs ...any) map[string][]byte {
		m := map[string][]byte{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1].([]byte)
		}
		return m
	}
	const file, dir, link = typeFile | 0o644, typeDir | 0o755, typeLink | 0o777
	for _, test := range []struct {
		name  string
		shift subid.Shift
		entry Entry
		want  Change
	}{
		{"a file gets its owners", into(t), Entry{Mode: file, UID: 0, GID: 33, Links: 1, Here: 1}, Change{Owner: &Owner{100000, 100033}}},
		{"so does a directory", into(t), Entry{Mode: dir, UID: 5, GID: 5, Links: 3, Here: 3}, Change{Owner: &Owner{100005, 100005}}},
		{"and a link", into(t), Entry{Mode: link, Links: 1, Here: 1}, Change{Owner: &Owner{100000, 100000}}},
		{"what has them stays", into(t), Entry{Mode: file, UID: 100000, GID: 100033, Links: 1, Here: 1}, Change{}},
		{"a half that is done stays", into(t), Entry{Mode: file, UID: 100000, GID: 33, Links: 1, Here: 1}, Change{Owner: &Owner{100000, 100033}}},
		{
			"an id of nobody stays, and the other half does not", into(t), Entry{Mode: file, UID: 70000, GID: 33, Links: 1, Here: 1},
			Change{Owner: &Owner{70000, 100033}, Left: []string{"its user 70000 is no id of containers"}},
		},
		{
			"two ids of nobody", into(t), Entry{Mode: file, UID: 70000, GID: 65536, Links: 1, Here: 1},
			Change{Left: []string{"its user 70000 is no id of containers", "its group 65536 is no id of containers"}},
		},
		{"back, a file gets its owners", back(t), Entry{Mode: file, UID: 100000, GID: 165535, Links: 1, Here: 1}, Change{Owner: &Owner{0, 65535}}},
		{"back, what has them stays", back(t), Entry{Mode: file, UID: 0, GID: 65535, Links: 1, Here: 1}, Change{}},
		{
			"a set-user-ID bit is noted and given back", into(t), Entry{Mode: typeFile | 0o4755, Links: 1, Here: 1},
			Change{Owner: &Owner{100000, 100000}, SetID: 0o4000, Note: []byte("setid=4000 capability="), Noted: true},
		},
		{
			"a set-group-ID bit without execution as well", into(t), Entry{Mode: typeFile | 0o2644, Links: 1, Here: 1},
			Change{Owner: &Owner{100000, 100000}, SetID: 0o2000, Note: []byte("setid=2000 capability="), Noted: true},
		},
		{"a directory keeps its bits by itself", into(t), Entry{Mode: typeDir | 0o2775, Links: 2, Here: 2}, Change{Owner: &Owner{100000, 100000}}},
		{"a set-user-ID file that is done stays", into(t), Entry{Mode: typeFile | 0o4755, UID: 100000, GID: 100000, Links: 1, Here: 1}, Change{}},
		{
			"a file that lost its bits has a note of them", into(t),
			Entry{Mode: typeFile | 0o755, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(Note, []byte("setid=6000 capability="))},
			Change{SetID: 0o6000, Noted: true},
		},
		{
			"a note outlives a change of direction", back(t),
			Entry{Mode: typeFile | 0o755, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(Note, []byte("setid=4000 capability="))},
			Change{Owner: &Owner{0, 0}, SetID: 0o4000, Noted: true},
		},
		{
			"a file with a note that is not molo's is left", into(t),
			Entry{Mode: typeFile | 0o4755, Links: 1, Here: 1, Attrs: attr(Note, []byte("setid=7777 capability="))},
			Change{Left: []string{`its attribute trusted.molo.remap says "setid=7777 capability=", which nobody of molo wrote`}},
		},
		{
			"capabilities become those of the mapping's root", into(t), Entry{Mode: file, Links: 1, Here: 1, Attrs: attr(Capability, cap2)},
			Change{Owner: &Owner{100000, 100000}, Capability: cap3, Note: []byte("setid=0 capability=" + hex.EncodeToString(cap2)), Noted: true},
		},
		{
			"capabilities of a file that has its owners", into(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(Capability, cap2)},
			Change{Capability: cap3},
		},
		{"capabilities that are done stay", into(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(Capability, cap3)}, Change{}},
		{
			"back, capabilities are for everybody again", back(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(Capability, cap3)},
			Change{Owner: &Owner{0, 0}, Capability: cap2, Note: []byte("setid=0 capability=" + hex.EncodeToString(cap3)), Noted: true},
		},
		{
			"capabilities that were lost are in the note", into(t),
			Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(Note, []byte("setid=0 capability="+hex.EncodeToString(cap2)))},
			Change{Capability: cap3, Noted: true},
		},
		{
			"back, capabilities that were lost on the way in", back(t),
			Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(Note, []byte("setid=0 capability="+hex.EncodeToString(cap2)))},
			Change{Owner: &Owner{0, 0}, Capability: cap2, Noted: true},
		},
		{
			"capabilities of somebody else's root are left", into(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(Capability, append(cap3[:20:20], 0, 0, 9, 0))},
			Change{Left: []string{"its capabilities are those of a root user 589824, which is no id of containers"}},
		},
		{
			"capabilities of an unknown kind are kept", into(t), Entry{Mode: file, Links: 1, Here: 1, Attrs: attr(Capability, []byte{0, 0, 0, 9})},
			Change{
				Owner: &Owner{100000, 100000}, Capability: []byte{0, 0, 0, 9}, Note: []byte("setid=0 capability=00000009"), Noted: true,
				Left: []string{"its capabilities are of a kind that molo does not know"},
			},
		},
		{
			"ids in ACLs move", into(t), Entry{Mode: dir, UID: 100000, GID: 100000, Links: 2, Here: 2, Attrs: attr(AccessACL, plain, DefaultACL, plain)},
			Change{Attrs: attr(AccessACL, mapped, DefaultACL, mapped)},
		},
		{"ids in ACLs that are done stay", into(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(AccessACL, mapped)}, Change{}},
		{"back, ids in ACLs move", back(t), Entry{Mode: file, Links: 1, Here: 1, Attrs: attr(AccessACL, mapped)}, Change{Attrs: attr(AccessACL, plain)}},
		{
			"an ACL may name nobody", into(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(AccessACL, acl([3]uint32{2, 7, 70000}, [3]uint32{8, 7, 5}))},
			Change{Attrs: attr(AccessACL, acl([3]uint32{2, 7, 70000}, [3]uint32{8, 7, 100005})), Left: []string{"its ACL names the user 70000, which is no id of containers"}},
		},
		{
			"an ACL of an unknown kind is left", into(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Attrs: attr(AccessACL, []byte{3, 0, 0, 0})},
			Change{Left: []string{"its ACL is of a kind that molo does not know"}},
		},
		{
			"what is immutable is left", into(t), Entry{Mode: file, Links: 1, Here: 1, Frozen: "immutable (chattr -i)"},
			Change{Left: []string{"it is immutable (chattr -i), so its owner can't change"}},
		},
		{"what is immutable and done is nobody's trouble", into(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 1, Here: 1, Frozen: "immutable (chattr -i)"}, Change{}},
		{"a file all of whose names are here", into(t), Entry{Mode: file, Links: 3, Here: 3}, Change{Owner: &Owner{100000, 100000}}},
		{
			"a file with names elsewhere is left", into(t), Entry{Mode: file, Links: 3, Here: 2},
			Change{Left: []string{"it has 3 names, and only 2 of them are here"}},
		},
		{"one with names elsewhere that is done is nobody's trouble", into(t), Entry{Mode: file, UID: 100000, GID: 100000, Links: 3, Here: 2}, Change{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Judge(test.entry, test.shift), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(uint32(typeFile|0o4755), uint32(0), uint32(1000), []byte("setid=4000 capability=00"), acl([3]uint32{2, 7, 5}), []byte{1, 0, 0, 2})
	f.Fuzz(func(t *testing.T, mode, uid, gid uint32, kept, list, capability []byte) {
		e := Entry{Mode: mode, UID: uid, GID: gid, Links: 1, Here: 1, Attrs: map[string][]byte{Note: kept, AccessACL: list, Capability: capability}}
		c := Judge(e, into(t))
		// What was done is done.
		if c.Owner != nil {
			e.UID, e.GID = c.Owner.UID, c.Owner.GID
		}
		for name, value := range c.Attrs {
			e.Attrs[name] = value
		}
		if c.Capability != nil {
			e.Attrs[Capability] = c.Capability
		}
		if c.Noted {
			delete(e.Attrs, Note)
		}
		if again := Judge(e, into(t)); !again.Empty() {
			t.Errorf("done, and yet there is this to do: %+v", again)
		}
	})
}
