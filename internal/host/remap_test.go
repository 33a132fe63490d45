package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"molo/internal/subid"
	"molo/internal/volumes"
)

// shifts are into the usual mapping and back.
func shifts(t *testing.T) (into, back subid.Shift) {
	t.Helper()
	segments := []subid.Segment{{Container: 0, Host: 100000, Count: 65536}}
	m := subid.Mapping{UIDs: segments, GIDs: segments}
	into, err1 := subid.Into(m)
	back, err2 := subid.Back(m)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return into, back
}

// needRoot skips a test that gives files away.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI=true says that the tests run as root")
	}
	t.Skip("SKIPPED: only root can change owners")
}

// tree makes a tree of everything that may be in a volume.
func tree(t *testing.T, top string) {
	t.Helper()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string, uid, gid int, mode uint32) {
		t.Helper()
		text := []byte(name)
		name = filepath.Join(top, name)
		do(os.WriteFile(name, text, 0o600))
		do(os.Chown(name, uid, gid))
		do(unix.Chmod(name, mode))
	}
	for dir, id := range map[string]int{"": 0, "d": 1000, "d/deep": 33, "shared": 0, "locked": 65535} {
		name := filepath.Join(top, dir)
		do(os.MkdirAll(name, 0o755))
		do(os.Chown(name, id, id))
	}
	do(unix.Chmod(filepath.Join(top, "shared"), 0o3775))
	do(unix.Chmod(filepath.Join(top, "locked"), 0))
	file("f", 0, 0, 0o644)
	file("d/u", 1000, 33, 0o640)
	file("d/deep/last", 65535, 65535, 0o600)
	file("locked/in", 5, 6, 0)
	file("su", 0, 0, 0o4755)
	file("sg", 1000, 50, 0o2755)
	file("both", 1, 2, 0o6711)
	file("cap", 0, 0, 0o755)
	do(unix.Setxattr(filepath.Join(top, "cap"), volumes.Capability, []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	file("capsu", 0, 0, 0o4755)
	do(unix.Setxattr(filepath.Join(top, "capsu"), volumes.Capability, []byte("\x00\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	file("acl", 7, 7, 0o640)
	do(unix.Setxattr(filepath.Join(top, "acl"), volumes.AccessACL, posixACL(1000, 33), 0))
	do(unix.Setxattr(filepath.Join(top, "d"), volumes.DefaultACL, posixACL(5, 6), 0))
	file("name1", 9, 9, 0o4711)
	do(os.Link(filepath.Join(top, "name1"), filepath.Join(top, "d/name2")))
	do(os.Symlink("/etc/passwd", filepath.Join(top, "out")))
	do(os.Symlink("/nowhere", filepath.Join(top, "d/dangling")))
	do(os.Lchown(filepath.Join(top, "d/dangling"), 1000, 1000))
	do(unix.Mkfifo(filepath.Join(top, "pipe"), 0o620))
	do(unix.Mknod(filepath.Join(top, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	do(unix.Setxattr(filepath.Join(top, "f"), "user.note", []byte("kept"), 0))
}

// posixACL names a user and a group besides those who have the file.
func posixACL(uid, gid uint32) []byte {
	out := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [][3]uint32{{1, 6, 1<<32 - 1}, {2, 4, uid}, {4, 4, 1<<32 - 1}, {8, 4, gid}, {16, 4, 1<<32 - 1}, {32, 0, 1<<32 - 1}} {
		out = binary.LittleEndian.AppendUint16(out, uint16(e[0]))
		out = binary.LittleEndian.AppendUint16(out, uint16(e[1]))
		out = binary.LittleEndian.AppendUint32(out, e[2])
	}
	return out
}

// snapshot describes everything in a tree, with access and change times if asked for.
// It leaves no trace itself.
func snapshot(t *testing.T, top string, times bool) string {
	t.Helper()
	var out strings.Builder
	var visit func(name string)
	visit = func(name string) {
		out.WriteString(entryLine(t, top, name, times) + "\n")
		dir, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NOATIME, 0)
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		names, err := dir.Readdirnames(0)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		for _, child := range names {
			visit(filepath.Join(name, child))
		}
	}
	visit(top)
	return out.String()
}

func entryLine(t *testing.T, top, name string, times bool) string {
	t.Helper()
	var s unix.Stat_t
	if err := unix.Lstat(name, &s); err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("%s %o %d:%d x%d %d.%d", strings.TrimPrefix(name, top), s.Mode, s.Uid, s.Gid, s.Nlink, s.Mtim.Sec, s.Mtim.Nsec)
	if times {
		line += fmt.Sprintf(" %v %v", s.Atim, s.Ctim)
	}
	buffer := make([]byte, 4096)
	n, err := unix.Llistxattr(name, buffer)
	if err != nil {
		t.Fatal(err)
	}
	names := splitNames(buffer[:n])
	slices.Sort(names)
	for _, attr := range names {
		n, err := unix.Lgetxattr(name, attr, buffer)
		if err != nil {
			t.Fatal(err)
		}
		line += fmt.Sprintf(" %s=%x", attr, buffer[:n])
	}
	if s.Mode&unix.S_IFMT == unix.S_IFREG && !times {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		line += fmt.Sprintf(" %q", data)
	}
	return line
}

// run surveys and remaps a tree in place.
func remapTree(ctx context.Context, top string, shift subid.Shift) (volumes.Tally, error) {
	j := volumes.Job{Name: top, Tree: top, Shift: shift}
	s, err := survey(context.Background(), top, j)
	if err != nil {
		return s.Tally, err
	}
	return remap(ctx, j, s, nil)
}

func remapAll(t *testing.T, top string, shift subid.Shift) volumes.Tally {
	t.Helper()
	tally, err := remapTree(t.Context(), top, shift)
	if err != nil {
		t.Fatal(err)
	}
	if tally.Left > 0 {
		t.Errorf("left alone: %v", tally.LeftList)
	}
	return tally
}

func TestATreeIsRemappedAndBack(t *testing.T) {
	needRoot(t)
	into, back := shifts(t)
	top := filepath.Join(t.TempDir(), "t")
	tree(t, top)
	before := snapshot(t, top, false)
	first := remapAll(t, top, into)
	wantTally := volumes.Tally{Entries: 20, Changed: 20, SetID: 5, ACLs: 2, Capabilities: 2}
	first.Bytes, first.ChangedBytes = 0, 0
	if diff := cmp.Diff(wantTally, first); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	there := snapshot(t, top, false)
	if diff := cmp.Diff(expected(before), there); diff != "" {
		t.Errorf("into the mapping (-want +got):\n%s", diff)
	}
	timed := snapshot(t, top, true)
	if again := remapAll(t, top, into); again.Changed != 0 {
		t.Errorf("a second run changes %d entries", again.Changed)
	}
	if diff := cmp.Diff(timed, snapshot(t, top, true)); diff != "" {
		t.Errorf("a second run (-before +after):\n%s", diff)
	}
	remapAll(t, top, back)
	if diff := cmp.Diff(before, snapshot(t, top, false)); diff != "" {
		t.Errorf("and back (-was +is):\n%s", diff)
	}
}

// expected rewrites a snapshot as the shift should.
func expected(before string) string {
	var out strings.Builder
	for line := range strings.Lines(before) {
		var uid, gid int
		fields := strings.SplitN(line, " ", 4)
		fmt.Sscanf(fields[2], "%d:%d", &uid, &gid)
		fields[2] = fmt.Sprintf("%d:%d", uid+100000, gid+100000)
		out.WriteString(strings.Join(fields, " "))
	}
	return strings.NewReplacer(
		// Revision 3, with the root of the namespace at the end: 100000 is 0x186a0.
		"capability=0100000200200000000000000000000000000000", "capability=0100000300200000000000000000000000000000a0860100",
		"capability=0000000200200000000000000000000000000000", "capability=0000000300200000000000000000000000000000a0860100",
		fmt.Sprintf("access=%x", posixACL(1000, 33)), fmt.Sprintf("access=%x", posixACL(101000, 100033)),
		fmt.Sprintf("default=%x", posixACL(5, 6)), fmt.Sprintf("default=%x", posixACL(100005, 100006)),
	).Replace(out.String())
}

func TestASurveyChangesNothing(t *testing.T) {
	needRoot(t)
	into, _ := shifts(t)
	top := filepath.Join(t.TempDir(), "t")
	tree(t, top)
	before := snapshot(t, top, true)
	s, err := survey(t.Context(), top, volumes.Job{Tree: top, Shift: into})
	if err != nil || s.Tally.Changed != 20 {
		t.Errorf("%d changes, error %v; want 20", s.Tally.Changed, err)
	}
	if diff := cmp.Diff(before, snapshot(t, top, true)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// countdown is a context that is cancelled when it has been asked so many times, and
// does something then.
type countdown struct {
	context.Context
	left int
	then func()
}

func (c *countdown) Err() error {
	if c.left--; c.left == -1 && c.then != nil {
		c.then()
	}
	if c.left < 0 && c.then == nil {
		return context.Canceled
	}
	return nil
}

func (c *countdown) Done() <-chan struct{} { return nil }

// TestARemapGoesOnWhereItWasInterrupted interrupts before every single thing that is
// done to a tree, and goes on in either direction.
func TestARemapGoesOnWhereItWasInterrupted(t *testing.T) {
	needRoot(t)
	into, back := shifts(t)
	model := filepath.Join(t.TempDir(), "t")
	tree(t, model)
	for _, test := range []struct {
		name        string
		first, then subid.Shift
		prepare     subid.Shift
	}{
		{"in, and on", into, into, back},
		{"in, and back", into, back, back},
		{"back, and on", back, back, into},
		{"back, and in again", back, into, into},
	} {
		t.Run(test.name, func(t *testing.T) {
			remapAll(t, model, test.prepare)
			remapAll(t, model, test.then)
			want := snapshot(t, model, false)
			remapAll(t, model, test.prepare)
			for n := 0; ; n++ {
				_, err := remapTree(&countdown{Context: t.Context(), left: n}, model, test.first)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				remapAll(t, model, test.then)
				if diff := cmp.Diff(want, snapshot(t, model, false)); diff != "" {
					t.Fatalf("interrupted at step %d (-want +got):\n%s", n, diff)
				}
				remapAll(t, model, test.prepare)
				if err == nil {
					if n < 60 {
						t.Errorf("only %d steps were interrupted", n)
					}
					return
				}
			}
		})
	}
}

// TestADirectorySwappedForALinkLeadsNowhere swaps a directory for a link to another
// tree at every step of a walk, for good or back and forth.
func TestADirectorySwappedForALinkLeadsNowhere(t *testing.T) {
	needRoot(t)
	into, _ := shifts(t)
	for n := 0; n < 150; n++ {
		dir := t.TempDir()
		top, outside := filepath.Join(dir, "t"), filepath.Join(dir, "outside")
		tree(t, top)
		tree(t, outside)
		before := snapshot(t, outside, true)
		link := filepath.Join(dir, "link")
		if err := os.Symlink(outside, link); err != nil {
			t.Fatal(err)
		}
		at := []string{"d", "d/deep", "locked", "f", "su"}[n%5]
		swap := func() {
			if err := unix.Renameat2(unix.AT_FDCWD, filepath.Join(top, at), unix.AT_FDCWD, link, unix.RENAME_EXCHANGE); err != nil {
				t.Fatal(err)
			}
		}
		ctx := &countdown{Context: t.Context(), left: n, then: swap}
		j := volumes.Job{Tree: top, Shift: into}
		s, err := survey(ctx, top, j)
		if err == nil {
			_, err = remap(ctx, j, s, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, snapshot(t, outside, true)); diff != "" {
			t.Fatalf("%s was swapped at step %d (-before +after):\n%s", at, n, diff)
		}
	}
}

func TestWhatIsLeftAlone(t *testing.T) {
	needRoot(t)
	into, _ := shifts(t)
	dir := t.TempDir()
	top := filepath.Join(dir, "t")
	tree(t, top)
	for name, id := range map[string]int{"d/u": 70000, "pipe": 99999} {
		if err := os.Lchown(filepath.Join(top, name), id, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(top, "f"), filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	freeze(t, filepath.Join(top, "sg"), unix.STATX_ATTR_IMMUTABLE)
	freeze(t, filepath.Join(top, "d/deep"), unix.STATX_ATTR_APPEND)
	left := map[string]string{}
	for line := range strings.Lines(snapshot(t, top, false)) {
		if name, _, _ := strings.Cut(line, " "); slices.Contains([]string{"/d/u", "/pipe", "/f", "/sg", "/d/deep"}, name) {
			left[name] = line
		}
	}
	tally, err := remapTree(t.Context(), top, into)
	if err != nil {
		t.Fatal(err)
	}
	want := []volumes.Remark{
		{Path: "d/deep", What: "it is append-only (chattr -a), so its owner can't change"},
		{Path: "d/u", What: "its user 70000 is no id of containers; its group 70000 is no id of containers"},
		{Path: "f", What: "it has 2 names, and only 1 of them are here"},
		{Path: "pipe", What: "its user 99999 is no id of containers; its group 99999 is no id of containers"},
		{Path: "sg", What: "it is immutable (chattr -i), so its owner can't change"},
	}
	if diff := cmp.Diff(want, tally.LeftList); diff != "" || tally.Left != 5 || tally.Changed != 15 {
		t.Errorf("%d left, %d changed; want 5 and 15 (-want +got):\n%s", tally.Left, tally.Changed, diff)
	}
	for line := range strings.Lines(snapshot(t, top, false)) {
		name, _, _ := strings.Cut(line, " ")
		if was, ok := left[name]; ok && was != line {
			t.Errorf("was %s\nis  %s", was, line)
		} else if !ok && !strings.Contains(line, ":10") && !strings.Contains(line, ":16") {
			t.Errorf("the rest was not done: %s", line)
		}
	}
}

// freeze sets a file attribute (ioctl_iflags(2)) until the test ends.
func freeze(t *testing.T, name string, flag int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags|flag)
	}
	if err != nil {
		t.Fatalf("the file system of the temporary directory knows no chattr: %v", err)
	}
	t.Cleanup(func() {
		unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
		f.Close()
	})
}

// TestMountsAreNotEntered mounts things in a mount namespace that ends with its
// thread.
func TestMountsAreNotEntered(t *testing.T) {
	needRoot(t)
	into, _ := shifts(t)
	dir := t.TempDir()
	top, outside := filepath.Join(dir, "t"), filepath.Join(dir, "outside")
	tree(t, top)
	tree(t, outside)
	before := snapshot(t, outside, true)
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock it: the runtime ends the thread
		failed <- func() error {
			if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
				return err
			}
			err := errors.Join(
				unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
				unix.Mount(outside, filepath.Join(top, "locked"), "", unix.MS_BIND, ""), // of the same file system
				unix.Mount(filepath.Join(outside, "su"), filepath.Join(top, "f"), "", unix.MS_BIND, ""),
				unix.Mount("none", filepath.Join(top, "d/deep"), "tmpfs", 0, ""),
			)
			if err != nil {
				return err
			}
			tally, err := remapTree(t.Context(), top, into)
			if diff := cmp.Diff([]string{"d/deep", "f", "locked"}, tally.Mounts); diff != "" || tally.Left > 0 {
				t.Errorf("%d left; mounts (-want +got):\n%s", tally.Left, diff)
			}
			var s unix.Stat_t
			if err := unix.Stat(filepath.Join(top, "d/deep"), &s); err != nil || s.Uid != 0 {
				t.Errorf("the mount in the tree belongs to %d, error %v", s.Uid, err)
			}
			return err
		}()
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, snapshot(t, outside, true)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestTheTopOfATree(t *testing.T) {
	needRoot(t)
	into, _ := shifts(t)
	dir := t.TempDir()
	tree(t, filepath.Join(dir, "t"))
	if err := os.Symlink(filepath.Join(dir, "t"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, filepath.Join(dir, "t"), false)
	for _, name := range []string{"link", "link/d"} {
		_, err := remapTree(t.Context(), filepath.Join(dir, name), into)
		if want := "there is a symbolic link in the path\nhint: readlink -f " + filepath.Join(dir, name); fmt.Sprint(err) != want {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	if _, err := remapTree(t.Context(), filepath.Join(dir, "none"), into); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path that is not there: error %v", err)
	}
	if diff := cmp.Diff(before, snapshot(t, filepath.Join(dir, "t"), false)); diff != "" {
		t.Errorf("through the link (-was +is):\n%s", diff)
	}
	// A single file is a tree too: compose files mount many.
	if tally := remapAll(t, filepath.Join(dir, "t/su"), into); tally.Changed != 1 || tally.SetID != 1 {
		t.Errorf("a single file: %+v", tally)
	}
}
