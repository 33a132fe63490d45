package provision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

// guarded is a host of these paths and nothing else. Its facts are what was written.
func guarded(paths ...facts.Path) *hosttest.Host {
	h := &hosttest.Host{State: map[resource.ID]resource.Resource{}, Is: facts.Facts{Paths: paths}}
	for _, p := range paths {
		a := resource.Access{Path: p.Path, Owner: p.Owner, Group: p.Group, Mode: p.Mode}
		h.State[a.ID()] = a
	}
	h.React = func(h *hosttest.Host, did string) {
		a, ok := h.State[resource.ID(strings.TrimPrefix(did, "write "))].(resource.Access)
		if !ok {
			return
		}
		for i := range h.Is.Paths {
			p := &h.Is.Paths[i]
			if p.Path == a.Path {
				p.Owner, p.Group, p.Mode = a.Owner, a.Group, a.Mode
			}
			p.Loose = slices.DeleteFunc(slices.Clone(p.Loose), func(l facts.Loose) bool { return l.Path == a.Path })
		}
	}
	return h
}

func path(use facts.Use, name, owner, group string, mode uint32, loose ...facts.Loose) facts.Path {
	p := facts.Path{Path: name, Use: use, Kind: facts.KindFile, Owner: owner, Group: group, Mode: mode, Loose: loose}
	switch use {
	case facts.UseConfigDir, facts.UseDropIns, facts.UseDataRoot:
		p.Kind = facts.KindDir
	case facts.UseDockerSock, facts.UseContainerd:
		p.Kind = facts.KindSocket
	}
	return p
}

var onlyFiles = provision.Options{Only: []string{provision.PartFiles}}

func TestModesAreBoundsAndOwnersAreRoot(t *testing.T) {
	tests := []struct {
		name string
		have facts.Path
		want string
	}{
		{"a unit that everybody can write", path(facts.UseUnit, "/u", "root", "root", 0o666), "root:root 0644"},
		{"0622 is more than 0644, though the number is smaller", path(facts.UseUnit, "/u", "root", "root", 0o622), "root:root 0600"},
		{"a unit that only root reads stays so", path(facts.UseUnit, "/u", "root", "root", 0o600), "root:root 0600"},
		{"setuid and its like go", path(facts.UseConfig, "/c", "root", "root", 0o6755), "root:root 0644"},
		{"somebody's daemon.json, strict in its mode", path(facts.UseConfig, "/c", "deploy", "deploy", 0o600), "root:root 0600"},
		{"a directory", path(facts.UseConfigDir, "/d", "root", "staff", 0o2775), "root:root 0755"},
		{"a certificate", path(facts.UseCertificate, "/c", "root", "root", 0o644), "root:root 0444"},
		{"a key", path(facts.UseKey, "/k", "root", "root", 0o640), "root:root 0400"},
		{"Docker's socket", path(facts.UseDockerSock, "/s", "root", "users", 0o666), "root:docker 0660"},
		{"Docker's socket for root alone is stricter", path(facts.UseDockerSock, "/s", "root", "root", 0o600), "root:root 0600"},
		{"containerd's socket", path(facts.UseContainerd, "/s", "root", "docker", 0o660), "root:root 0660"},
		{"a program is not a matter of modes", path(facts.UseProgram, "/p", "root", "root", 0o777), "root:root 0777"},
		{"neither is the data root", path(facts.UseDataRoot, "/r", "root", "100000", 0o710), "root:100000 0710"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := guarded(test.have)
			if err := apply(t, h, dockerPolicy(), onlyFiles).Failed(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("access:"+test.have.Path+" "+test.want+"\n", h.String()); diff != "" {
				t.Errorf("after an apply (-want +got):\n%s", diff)
			}
			before := h.String()
			if report := apply(t, h, dockerPolicy(), onlyFiles); report.Changed() {
				t.Errorf("a second apply changed %+v", report.Parts)
			}
			apply(t, h, &policy.Policy{}, onlyFiles)
			have := test.have
			prior := resource.Access{Path: have.Path, Owner: have.Owner, Group: have.Group, Mode: have.Mode}
			if diff := cmp.Diff("access:"+have.Path+" "+prior.String()+"\n", h.String()); diff != "" {
				t.Errorf("after the block is gone, what was there before (-want +got):\n%s\nit was %s", diff, before)
			}
		})
	}
}

func TestTheOwnersGroupOfTheSocketCounts(t *testing.T) {
	for name, change := range map[string]func(*facts.Facts){
		"as docker.socket says": func(f *facts.Facts) { f.Socket.Group = "operators" },
		"as daemon.json says":   func(f *facts.Facts) { f.Docker.Config = `{"group": "operators"}` },
	} {
		h := guarded(path(facts.UseDockerSock, "/run/docker.sock", "root", "users", 0o660))
		change(&h.Is)
		apply(t, h, dockerPolicy(), onlyFiles)
		if got := h.String(); got != "access:/run/docker.sock root:operators 0660\n" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestDirectoriesAreTightenedBeforeWhatIsBelow(t *testing.T) {
	loose := facts.Loose{Path: "/etc/docker", Why: "can be written by everybody"}
	h := guarded(path(facts.UseConfigDir, "/etc/docker", "root", "root", 0o777), path(facts.UseConfig, "/etc/docker/daemon.json", "root", "root", 0o666, loose))
	if err := apply(t, h, dockerPolicy(), onlyFiles).Failed(); err != nil {
		t.Fatal(err)
	}
	apply(t, h, &policy.Policy{}, onlyFiles)
	var written []string
	for line := range strings.Lines(h.Log()) {
		if what, ok := strings.CutPrefix(line, "write access:"); ok {
			written = append(written, strings.TrimSpace(what))
		}
	}
	want := []string{"/etc/docker", "/etc/docker/daemon.json", "/etc/docker/daemon.json", "/etc/docker"}
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("order, there and back (-want +got):\n%s", diff)
	}
}

func TestPathsThatOthersControlAreLeftAlone(t *testing.T) {
	link := facts.Loose{Path: "/etc/docker/daemon.json", Why: "belongs to user 1000"}
	for _, test := range []struct {
		name  string
		mode  uint32
		fails bool
	}{
		{"with a mode that is fine", 0o644, false},
		{"with a mode that is not", 0o666, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := guarded(path(facts.UseConfig, "/etc/docker/daemon.json", "root", "root", test.mode, link))
			before := h.String()
			report := apply(t, h, dockerPolicy(), onlyFiles)
			if failed := report.Failed(); (failed != nil) != test.fails || failed != nil && !strings.Contains(failed.Error(), "belongs to user 1000") {
				t.Errorf("error %v, want one: %t", failed, test.fails)
			}
			if diff := cmp.Diff(before, h.String()); diff != "" {
				t.Errorf("the host changed (-before +after):\n%s", diff)
			}
			if notes := report.Parts[0].Notes; len(notes) != 1 || !strings.Contains(notes[0].Text, "is left alone: others than root decide where it leads") {
				t.Errorf("notes: %+v", notes)
			}
		})
	}
}

func TestAModeThatCanNotBeChangedPutsTheOthersBack(t *testing.T) {
	h := guarded(path(facts.UseUnit, "/a", "root", "root", 0o666), path(facts.UseUnit, "/b", "root", "root", 0o666))
	before := h.String()
	h.Fail = map[string]error{"write access:/b": errors.New("operation not permitted")}
	if err := apply(t, h, dockerPolicy(), onlyFiles).Failed(); err == nil {
		t.Error("the run counts as good")
	}
	if diff := cmp.Diff(before, h.String()); diff != "" {
		t.Errorf("what was written was not put back (-want +got):\n%s", diff)
	}
}

func TestHandsThatLoosenAModeAreNamedAndUndone(t *testing.T) {
	h := guarded(path(facts.UseConfig, "/c", "root", "root", 0o640), path(facts.UseUnit, "/u", "root", "root", 0o666))
	apply(t, h, dockerPolicy(), onlyFiles)
	loosen := func(name string, mode uint32) {
		a := resource.Access{Path: name, Owner: "root", Group: "root", Mode: mode}
		h.State[a.ID()] = a
		h.React(h, "write "+string(a.ID()))
	}
	loosen("/u", 0o777)
	loosen("/c", 0o664)
	report := apply(t, h, dockerPolicy(), onlyFiles)
	want := "files\n  ~ /c: root:root 0664 -> root:root 0644  # first run\n  ~ /u: root:root 0777 -> root:root 0644  # drift\n\n"
	if diff := cmp.Diff(want, strings.ReplaceAll(shown(t, report), ".:0, ", "")); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestASocketThatSystemdMakesLooseIsSaid(t *testing.T) {
	for mode, want := range map[string]int{"": 0, "0660": 0, "0600": 0, "0666": 1, "662": 1, "x": 0} {
		h := guarded()
		h.Is.Socket = facts.DockerSocket{Mode: mode, ModeFrom: "/etc/systemd/system/docker.socket.d/a.conf:2"}
		if notes := apply(t, h, dockerPolicy(), onlyFiles).Parts[0].Notes; len(notes) != want {
			t.Errorf("SocketMode=%s: notes %+v, want %d", mode, notes, want)
		}
	}
}
