package host

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/resource"
	"molo/provision"
)

// image is a host made of files.
func image(t *testing.T, files map[string]string) *Host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	h, err := New(root, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *Host) text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(h.path(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func change(want resource.Resource, id resource.ID) provision.Change {
	return provision.Change{ID: id, Want: want}
}

func key(value string, path ...string) provision.Change {
	k := resource.Key{File: "/etc/docker/daemon.json", Path: path, Value: []byte(value)}
	return change(k, k.ID())
}

func mustWrite(t *testing.T, h *Host, changes ...provision.Change) {
	t.Helper()
	if err := h.Write(context.Background(), changes); err != nil {
		t.Fatal(err)
	}
}

func TestKeysAreMergedIntoTheOwnersFile(t *testing.T) {
	h := image(t, map[string]string{"/etc/docker/real.json": "{ \"b\":1.50 }\n"})
	if err := os.Symlink("real.json", h.path("/etc/docker/daemon.json")); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, h, key("false", "icc"), key(`"10m"`, "log-opts", "max-size"))
	want := "{ \"b\":1.50, \"icc\":false, \"log-opts\":{\"max-size\":\"10m\"} }\n"
	if diff := cmp.Diff(want, h.text(t, "/etc/docker/real.json")); diff != "" {
		t.Errorf("the file behind the link (-want +got):\n%s", diff)
	}
	info, err := os.Lstat(h.path("/etc/docker/daemon.json"))
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v, %v", info, err)
	}
	if info, err = os.Stat(h.path("/etc/docker/real.json")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, want 0640 as it was (%v)", info.Mode(), err)
	}
	if diff := cmp.Diff("{ \"b\":1.50 }\n", h.text(t, "/var/lib/molo/backup/etc/docker/daemon.json")); diff != "" {
		t.Errorf("backup (-want +got):\n%s", diff)
	}
	gone := []provision.Change{{ID: key("", "icc").ID}, {ID: key("", "log-opts", "max-size").ID}}
	mustWrite(t, h, gone...)
	if diff := cmp.Diff("{ \"b\":1.50 }\n", h.text(t, "/etc/docker/real.json")); diff != "" {
		t.Errorf("after the keys were taken away (-want +got):\n%s", diff)
	}
}

func TestAFileThatMoloMadeGoesWithItsLastKey(t *testing.T) {
	h := image(t, nil)
	mustWrite(t, h, key("false", "icc"))
	mustWrite(t, h, provision.Change{ID: key("", "icc").ID})
	if _, err := os.Stat(h.path("/etc/docker/daemon.json")); !os.IsNotExist(err) {
		t.Errorf("daemon.json is still there: %v", err)
	}
}

func TestABrokenFileIsNotTouched(t *testing.T) {
	h := image(t, map[string]string{"/etc/docker/daemon.json": "{ \"icc\": true, }"})
	if err := h.Write(context.Background(), []provision.Change{key("false", "icc")}); err == nil {
		t.Fatal("merging into broken JSON went well")
	}
	if got := h.text(t, "/etc/docker/daemon.json"); got != "{ \"icc\": true, }" {
		t.Errorf("the file was changed to %q", got)
	}
}

func TestGenerationsReplaceEachOtherWhole(t *testing.T) {
	h := image(t, nil)
	tree := func(text string) provision.Change {
		r := resource.Tree{Dir: "/etc/nginx/molo", Files: map[string][]byte{"http.conf": []byte(text), "sites/a.conf": []byte("a")}}
		return change(r, r.ID())
	}
	read := func() resource.Resource {
		t.Helper()
		got, err := h.readTree("/etc/nginx/molo")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := read(); got != nil {
		t.Fatalf("a tree that is not there reads as %v", got)
	}
	for _, text := range []string{"1", "2", "3", "4", "5"} {
		mustWrite(t, h, tree(text))
		if got := read(); !tree(text).Want.Equal(got) {
			t.Fatalf("wrote generation %s, read %v", text, got)
		}
	}
	kept, err := filepath.Glob(h.path("/etc/nginx/molo/gen-*"))
	if err != nil || len(kept) != keptGenerations {
		t.Errorf("kept %d generations, want %d (%v)", len(kept), keptGenerations, err)
	}
	edited := h.path("/etc/nginx/molo/current/sites/a.conf")
	if err := os.WriteFile(edited, []byte("b"), 0o644); err != nil {
		t.Fatal(err)
	}
	if tree("5").Want.Equal(read()) {
		t.Error("a file edited by hand counts as unchanged")
	}
	byHand := read().(resource.Tree)
	mustWrite(t, h, tree("5"))
	if !tree("5").Want.Equal(read()) {
		t.Error("writing the generation again does not mend it")
	}
	kept = []string{h.path("/etc/nginx/molo/gen-" + resource.Generation(byHand.Files) + "/sites/a.conf")}
	if data, err := os.ReadFile(kept[0]); err != nil || string(data) != "b" {
		t.Errorf("the edit is lost: %q, %v", data, err)
	}
	if err := os.WriteFile(edited, []byte("c"), 0o644); err != nil {
		t.Fatal(err)
	}
	byHand = read().(resource.Tree)
	mustWrite(t, h, tree("6"))
	kept[0] = h.path("/etc/nginx/molo/gen-" + resource.Generation(byHand.Files) + "/sites/a.conf")
	if data, err := os.ReadFile(kept[0]); err != nil || string(data) != "c" {
		t.Errorf("an edit of the generation before is lost: %q, %v", data, err)
	}
	mustWrite(t, h, provision.Change{ID: tree("5").ID})
	if got := read(); got != nil {
		t.Errorf("after removal: %v", got)
	}
}

func TestATreeCanNotLeaveItsDirectory(t *testing.T) {
	h := image(t, nil)
	r := resource.Tree{Dir: "/etc/nginx/molo", Files: map[string][]byte{"../../passwd": []byte("x")}}
	if err := h.Write(context.Background(), []provision.Change{change(r, r.ID())}); err == nil {
		t.Error("a file outside the tree was written")
	}
}

func TestALinkIsPutAsideAndBack(t *testing.T) {
	h := image(t, map[string]string{"/etc/nginx/sites-enabled/x": ""})
	link := resource.Link{Path: "/etc/nginx/sites-enabled/default", Target: "../sites-available/default"}
	absent := resource.Link{Path: link.Path}
	mustWrite(t, h, change(link, link.ID()))
	if got, err := h.readLink(link.Path); err != nil || !link.Equal(got) {
		t.Fatalf("got %v, %v, want the link", got, err)
	}
	mustWrite(t, h, change(absent, absent.ID()))
	if got, err := h.readLink(link.Path); err != nil || !absent.Equal(got) {
		t.Errorf("got %v, %v, want no link", got, err)
	}
}

func TestDamagedMemoryCountsAsNone(t *testing.T) {
	for name, text := range map[string]string{
		"cut off": `{"version": 1, "owned": {`, "of another version": `{"version": 99, "owned": {"file:/x": {}}}`, "empty": "",
	} {
		h := image(t, map[string]string{"/var/lib/molo/state.json": text})
		memory, err := h.Load(context.Background())
		if err != nil || len(memory.Owned) != 0 {
			t.Errorf("%s: got %v, %v, want an empty memory", name, memory, err)
		}
		if err := h.Save(context.Background(), memory); err != nil {
			t.Fatal(err)
		}
		if got := h.text(t, "/var/lib/molo/state.json.unread"); got != text {
			t.Errorf("%s: set aside is %q", name, got)
		}
	}
}

func TestMemorySurvivesTheDisk(t *testing.T) {
	h := image(t, nil)
	icc := resource.Key{File: "/etc/docker/daemon.json", Path: []string{"icc"}, Value: []byte("true"), Raw: true}
	link := resource.Link{Path: "/etc/nginx/sites-enabled/default", Target: "x"}
	want := provision.Memory{
		Version: memoryVersion,
		Owned:   map[resource.ID]provision.Owned{icc.ID(): {Part: "docker", Applied: "1", Prior: resource.Box{Resource: icc}}},
		Pending: map[string]provision.Pending{"nginx": {
			Changes:  []provision.Change{{ID: link.ID(), Have: link, Cause: provision.Drift, From: provision.Origin{File: "policies.hcl", Line: 3}}},
			Activate: []provision.Activation{{Unit: "nginx.service", Verb: provision.Reload}},
		}},
	}
	if err := h.Save(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	got, err := h.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("memory (-saved +loaded):\n%s", diff)
	}
	info, err := os.Stat(h.memoryPath())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600 (%v)", info.Mode(), err)
	}
}

func TestTheRunLockNamesItsHolder(t *testing.T) {
	h := image(t, nil)
	unlock, err := h.Lock("molo apply")
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Lock("molo apply --again")
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() || locked.Holder.Command != "molo apply" {
		t.Errorf("got %v, want the holder", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = h.Lock("molo apply"); err != nil {
		t.Fatalf("after unlocking: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}
