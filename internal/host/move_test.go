package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"molo/internal/subid"
	"molo/internal/volumes"
)

// engine does with volumes what dockerd does, in one data root.
type engine struct {
	root   string
	labels map[string]map[string]string // of the volumes it knows
	held   bool                         // a container refers to its volumes
	data   bool                         // a container has written to new ones
}

func (e *engine) create(_ context.Context, name string, labels map[string]string) (string, error) {
	path := volumes.DataOf(e.root, name)
	if _, known := e.labels[name]; known {
		return path, nil
	}
	e.labels[name] = labels
	err := os.MkdirAll(path, 0o755)
	if e.data {
		err = os.WriteFile(filepath.Join(path, "new"), nil, 0o644)
	}
	return path, err
}

func (e *engine) remove(_ context.Context, name string) (bool, error) {
	if e.held {
		return false, nil
	}
	delete(e.labels, name)
	return true, os.RemoveAll(filepath.Join(e.root, volumes.Dir, name))
}

// roots are two data roots, the one with a mapping below the other, and a dockerd that
// uses either.
type roots struct {
	t      *testing.T
	plain  string
	mapped string
	engine *engine
	files  subid.Files
}

func newRoots(t *testing.T) *roots {
	t.Helper()
	needRoot(t)
	r := &roots{t: t, plain: filepath.Join(t.TempDir(), "docker")}
	r.mapped = filepath.Join(r.plain, "100000.100000")
	for _, dir := range []string{r.plain, r.mapped} {
		if err := os.MkdirAll(filepath.Join(dir, volumes.Dir), 0o701); err != nil {
			t.Fatal(err)
		}
	}
	line := "dockremap:100000:65536\n"
	r.files = subid.Files{UID: subid.Parse(subid.UIDFile, line), GID: subid.Parse(subid.GIDFile, line)}
	r.use(r.mapped)
	return r
}

// use has dockerd start with a data root: it knows the volumes that are there.
func (r *roots) use(root string) {
	r.t.Helper()
	r.engine = &engine{root: root, labels: map[string]map[string]string{}}
	entries, err := os.ReadDir(filepath.Join(root, volumes.Dir))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			r.engine.labels[e.Name()] = nil
		}
	}
}

// remap plans and does what a run of molo would, but for asking who uses the data.
func (r *roots) remap(ctx context.Context, back bool) error {
	r.t.Helper()
	var s volumes.State
	var err error
	if s.Roots, err = rootsOf(r.engine.root, r.engine.root == r.mapped, r.files); err != nil {
		r.t.Fatal(err)
	}
	for _, root := range s.Roots {
		copies, err := copiesIn(root.Path)
		if err != nil {
			r.t.Fatal(err)
		}
		s.Copies = append(s.Copies, copies...)
	}
	jobs, err := volumes.Plan(s, volumes.Request{Args: []string{"db"}, Back: back})
	if err != nil {
		return err
	}
	v, err := survey(context.Background(), jobs[0].Source(), jobs[0])
	if err != nil {
		return err
	}
	tally, err := remap(ctx, jobs[0], v, r.engine)
	if err == nil && tally.Left > 0 {
		err = fmt.Errorf("left alone: %v", tally.LeftList)
	}
	return err
}

func (r *roots) must(back bool) {
	r.t.Helper()
	if err := r.remap(r.t.Context(), back); err != nil {
		r.t.Fatal(err)
	}
}

// is compares the data in a data root, and checks that no other has any of the volume.
func (r *roots) is(root, want string) {
	r.t.Helper()
	if diff := cmp.Diff(want, snapshot(r.t, volumes.DataOf(root, "db"), false)); diff != "" {
		r.t.Fatalf("%s (-want +got):\n%s", root, diff)
	}
	for _, other := range []string{r.plain, r.mapped} {
		if other == root {
			continue
		}
		if _, err := os.Lstat(filepath.Join(other, volumes.Dir, "db")); !errors.Is(err, os.ErrNotExist) {
			r.t.Fatalf("%s still has something of the volume (error %v)", other, err)
		}
	}
	_, known := r.engine.labels["db"]
	if visible := root == r.engine.root; known != visible {
		r.t.Fatalf("dockerd knows the volume: %t, want %t", known, visible)
	}
}

func TestAVolumeMovesWithItsOwners(t *testing.T) {
	r := newRoots(t)
	tree(t, volumes.DataOf(r.plain, "db"))
	before := snapshot(t, volumes.DataOf(r.plain, "db"), false)
	r.must(false)
	r.is(r.mapped, expected(before))
	r.must(false)
	r.is(r.mapped, expected(before))

	r.must(true) // while dockerd still runs with the mapping
	r.is(r.plain, before)
	r.must(true)
	r.is(r.plain, before)

	r.must(false)
	r.use(r.plain)
	r.must(true) // once it runs without
	r.is(r.plain, before)
}

// TestAMoveGoesOnWhereItWasInterrupted interrupts before every single thing that a
// move does, and goes on in either direction.
func TestAMoveGoesOnWhereItWasInterrupted(t *testing.T) {
	for _, test := range []struct {
		name         string
		remapped     bool // dockerd runs with the mapping
		first, again bool // back
	}{
		{"in, and on", true, false, false},
		{"in, and back", true, false, true},
		{"back, and on", true, true, true},
		{"back, and in again", true, true, false},
		{"back once dockerd runs without, and on", false, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRoots(t)
			tree(t, volumes.DataOf(r.plain, "db"))
			before := snapshot(t, volumes.DataOf(r.plain, "db"), false)
			end, want := r.plain, before
			if !test.again {
				end, want = r.mapped, expected(before)
			}
			for n, interrupted := 0, true; interrupted; n++ {
				r.use(r.mapped)
				r.must(!test.first)
				if !test.remapped {
					r.use(r.plain)
				}
				err := r.remap(&countdown{Context: t.Context(), left: n}, test.first)
				if interrupted = err != nil; interrupted && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				whole(t, r, n, before)
				r.must(test.again)
				if test.first == test.again {
					r.is(end, want)
				} else if diff := cmp.Diff(want, snapshot(t, volumes.DataOf(end, "db"), false)); diff != "" {
					t.Fatalf("interrupted at step %d (-want +got):\n%s", n, diff)
				}
				if !interrupted && n < 60 {
					t.Errorf("only %d steps were interrupted", n)
				}
			}
		})
	}
}

// whole checks that the data is in one place, and that what dockerd sees of it has
// the owners that its containers have.
func whole(t *testing.T, r *roots, n int, before string) {
	t.Helper()
	_, inPlain := os.Lstat(filepath.Join(volumes.DataOf(r.plain, "db"), "su"))
	_, inMapped := os.Lstat(filepath.Join(volumes.DataOf(r.mapped, "db"), "su"))
	if (inPlain == nil) == (inMapped == nil) {
		t.Fatalf("after %d steps the data is in both data roots, or in none: %v, %v", n, inPlain, inMapped)
	}
	want := before
	if r.engine.root == r.mapped {
		want = expected(before)
	}
	if seen := r.engine.root == r.plain == (inPlain == nil); !seen {
		return
	}
	if diff := cmp.Diff(want, snapshot(t, volumes.DataOf(r.engine.root, "db"), false)); diff != "" {
		t.Fatalf("after %d steps dockerd sees data with other owners (-want +got):\n%s", n, diff)
	}
}

func TestDataThatCameMeanwhileIsNotOverwritten(t *testing.T) {
	r := newRoots(t)
	tree(t, volumes.DataOf(r.plain, "db"))
	r.engine.data = true
	err := r.remap(t.Context(), false)
	if want := volumes.DataOf(r.mapped, "db") + " has data by now: nothing was overwritten"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %q", err, want)
	}
	for _, name := range []string{filepath.Join(volumes.DataOf(r.plain, "db"), "su"), filepath.Join(volumes.DataOf(r.mapped, "db"), "new")} {
		if _, err := os.Lstat(name); err != nil {
			t.Error(err)
		}
	}
}

func TestAContainerMayStillReferToAVolumeThatWentBack(t *testing.T) {
	r := newRoots(t)
	tree(t, volumes.DataOf(r.plain, "db"))
	before := snapshot(t, volumes.DataOf(r.plain, "db"), false)
	r.must(false)
	r.engine.held = true
	r.must(true)
	if diff := cmp.Diff(before, snapshot(t, volumes.DataOf(r.plain, "db"), false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.must(false) // into a volume that dockerd knows, without data
	r.engine.held = false
	r.is(r.mapped, expected(before))
}

func TestCopiesIn(t *testing.T) {
	root := t.TempDir()
	if got, err := copiesIn(root); got != nil || err != nil {
		t.Errorf("without volumes: %v, error %v", got, err)
	}
	dir := filepath.Join(root, volumes.Dir)
	for name, text := range map[string]string{
		"full/_data/x": "", "empty/_data/.gone": "", "bound/_data/.gone": "", "bound/opts.json": `{"MountDevice":"/srv/x","MountType":"none"}`,
		"quota/_data/x": "", "quota/opts.json": `{"Quota":{"Size":5}}`, "gone/.gone": "", "metadata.db": "", "x/_data/y": "", "..odd/_data/y": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(name) == ".gone" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := copiesIn(root)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range got {
		if c.Data == (c.Mount == "") {
			t.Errorf("%s is on the mount %q", c.Name, c.Mount)
		}
		got[i].Mount = ""
	}
	want := []volumes.Copy{
		{Name: "bound", Root: root, Data: true, Empty: true, Device: "/srv/x"}, {Name: "empty", Root: root, Data: true, Empty: true},
		{Name: "full", Root: root, Data: true}, {Name: "gone", Root: root}, {Name: "quota", Root: root, Data: true, Quota: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "gone/_data")); err != nil {
		t.Fatal(err)
	}
	if _, err := copiesIn(root); err == nil {
		t.Error("data that is a link is no error")
	}
}

func TestRootsOf(t *testing.T) {
	base := t.TempDir()
	for _, dir := range []string{"100000.100000", "200000.200000", "overlay2", "1.2.3"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := subid.Parse(subid.UIDFile, "dockremap:100000:65536\n")
	files := subid.Files{UID: file, GID: file}
	for _, test := range []struct {
		name, own string
		remapped  bool
		want      []string
	}{
		{"with a mapping", filepath.Join(base, "100000.100000"), true, []string{"/100000.100000 known", " ", "/200000.200000 unknown"}},
		{"without", base, false, []string{" ", "/100000.100000 known", "/200000.200000 unknown"}},
		{"without, in a directory of such a name", filepath.Join(base, "100000.100000"), false, []string{"/100000.100000 "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			roots, err := rootsOf(test.own, test.remapped, files)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range roots {
				text := r.Path[len(base):] + " "
				if r.Mapping != nil {
					text += "known"
				}
				if r.Unknown != "" {
					text += "unknown"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := rootsOf(filepath.Join(base, "overlay2"), true, files); err == nil {
		t.Error("a data root that is not named after the mapping is no error")
	}
}

func TestLabelsIn(t *testing.T) {
	root := t.TempDir()
	if got, err := labelsIn(root); got != nil || err != nil {
		t.Errorf("without a database: %v, error %v", got, err)
	}
	path := filepath.Join(root, volumes.Dir, "metadata.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("volumes"))
		if err != nil {
			return err
		}
		return errors.Join(b.Put([]byte("db"), []byte(`{"Labels":{"a":"b"}}`)), b.Put([]byte("web"), []byte(`{"Labels":null}`)))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := labelsIn(root); fmt.Sprint(err) != "another dockerd uses "+root {
		t.Errorf("while somebody has it open: error %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := labelsIn(root)
	if diff := cmp.Diff(map[string]map[string]string{"db": {"a": "b"}, "web": nil}, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}
