package volumes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReportAsText(t *testing.T) {
	move := Job{Name: "db", Tree: DataOf(mapped, "db"), From: base, To: mapped}
	report := Report{DryRun: true, Results: []Result{
		{Job: move, Status: Planned, InUse: []string{"container web"}, Tally: Tally{
			Entries: 1204, Bytes: 1234567890, Changed: 1203, ChangedBytes: 999, SetID: 2, ACLs: 1, Capabilities: 1, Left: 102,
			LeftList: []Remark{{"a/\x1b[2Jb", "its user 70000 is no id of containers"}}, Mounts: []string{"mnt"},
		}},
		{Job: Job{Name: "/srv/data", Tree: "/srv/data"}, Status: Nothing, Tally: Tally{Entries: 1, Bytes: 4096}},
	}}
	want := `db: would come into the mapping, from /var/lib/docker to /var/lib/docker/100000.100000
  1204 entries, 1.2 GB; other owners for 1203 entries, 999 B (2 with set-id bits, 1 with an ACL, 1 with capabilities)
  * mnt: a mount, not entered
  ! mounted by container web, which has to stop first
  x "a/\x1b[2Jb": left alone, its user 70000 is no id of containers
  x and 101 more
/srv/data: nothing to do
  1 entry, 4.1 kB
Nothing was changed: this was a dry run.
`
	if diff := cmp.Diff(want, text(t, &report)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	report = Report{Back: true, Results: []Result{
		{Job: move, Status: Changed, Tally: Tally{Entries: 1, Changed: 1, ChangedBytes: 1000, Bytes: 1000, Notes: []string{"a note"}}},
		{Job: Job{Name: "/srv/data"}, Status: Failed, Error: "no space\nhint: make some"},
	}}
	want = `db: came out of the mapping, from /var/lib/docker to /var/lib/docker/100000.100000
  1 entry, 1.0 kB; other owners for 1 entry, 1.0 kB
  * a note
/srv/data: failed to come out of the mapping
  0 entries, 0 B
  x no space
    hint: make some
`
	if diff := cmp.Diff(want, text(t, &report)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func text(t *testing.T, r *Report) string {
	t.Helper()
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSize(t *testing.T) {
	for bytes, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999949: "999.9 kB", 999950: "1.0 MB", 1 << 40: "1.1 TB", 1<<64 - 1: "18.4 EB"} {
		if got := size(bytes); got != want {
			t.Errorf("%d bytes are %q, want %q", bytes, got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for arg, want := range map[string]string{"/srv/data-1.x_y": "/srv/data-1.x_y", "/srv/a b": "'/srv/a b'", "/srv/$(x)'y": `'/srv/$(x)'\''y'`, "": "''"} {
		if got := shellWord(arg); got != want {
			t.Errorf("%q is %s, want %s", arg, got, want)
		}
	}
}

func TestTheTallyNamesOnlySoMany(t *testing.T) {
	var tally Tally
	for range listed + 5 {
		tally.Count("b", Entry{}, Change{Left: []string{"why", "and why"}}, 1)
		tally.Skip("mnt")
	}
	tally.Leave("a", "x")
	tally.Sort()
	if tally.Left != listed+6 || len(tally.LeftList) != listed || len(tally.Mounts) != listed || tally.LeftList[0].What != "why; and why" {
		t.Errorf("%d left, %d listed, %d mounts, first %v", tally.Left, len(tally.LeftList), len(tally.Mounts), tally.LeftList[0])
	}
}

func TestList(t *testing.T) {
	other := func(name, root, device string) Copy {
		return Copy{Name: name, Root: root, Data: true, Device: device}
	}
	copies := []Copy{dataIn(mapped), dataIn(base), other("cache", mapped, ""), other("bound", base, "/srv/bound"), other("nfs", base, ":/export"), {Name: "gone", Root: base}}
	containers := []Container{
		{"web", base, []Mounted{{Volume: "db"}, {Source: "/srv/up loads"}, {Source: "/run/docker.sock"}, {Volume: "bound"}}},
		{"app", base, []Mounted{{Volume: "db"}, {Source: "/srv/up loads"}, {Volume: "nfs"}}},
		{"new", mapped, []Mounted{{Volume: "db"}, {Source: "/srv/in-sight"}}},
	}
	s := remapped(copies...)
	s.Containers = containers
	want := `Docker keeps its data in /var/lib/docker/100000.100000.
VOLUME         DATA ROOT                       SIZE    MOUNTED BY
bound          /srv/bound (out of sight)       -       web
cache          /var/lib/docker/100000.100000   -       -
db             /var/lib/docker (out of sight)  4.1 kB  app, web
db             /var/lib/docker/100000.100000   -       new
nfs            :/export (out of sight)         -       app
DIRECTORY                                              MOUNTED BY
/srv/bound                                             web
/srv/up loads                                          app, web
hint: molo volumes remap --dry-run db /srv/bound '/srv/up loads'
`
	list := List(s)
	bytes := uint64(4096)
	list.Volumes[2].Bytes = &bytes
	if diff := cmp.Diff(want, listText(t, list)); diff != "" {
		t.Errorf("with userns-remap (-want +got):\n%s", diff)
	}
	s = plainly(dataIn(base), other("cache", mapped, ""))
	s.Containers = containers
	want = `Docker keeps its data in /var/lib/docker.
VOLUME         DATA ROOT                                     SIZE  MOUNTED BY
cache          /var/lib/docker/100000.100000 (out of sight)  -     -
db             /var/lib/docker                               -     app, web
DIRECTORY                                                          MOUNTED BY
/srv/in-sight                                                      new
hint: molo volumes remap --dry-run --back cache /srv/in-sight
`
	if diff := cmp.Diff(want, listText(t, List(s))); diff != "" {
		t.Errorf("without userns-remap (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("Docker keeps its data in /var/lib/docker.\n", listText(t, List(plainly()))); diff != "" {
		t.Errorf("without volumes (-want +got):\n%s", diff)
	}
}

func listText(t *testing.T, l *Listing) string {
	t.Helper()
	var out strings.Builder
	if err := l.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
