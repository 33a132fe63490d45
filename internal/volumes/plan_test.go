package volumes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"molo/internal/subid"
)

const (
	base   = "/var/lib/docker"
	mapped = base + "/100000.100000"
	older  = base + "/200000.200000"
)

func rootAt(path string, first uint32) Root {
	r := Root{Path: path, Mount: "22/8:1"}
	if first > 0 {
		segments := []subid.Segment{{Container: 0, Host: first, Count: 65536}}
		r.Mapping = &subid.Mapping{UIDs: segments, GIDs: segments}
	}
	return r
}

// remapped is dockerd with userns-remap, plain is dockerd without.
func remapped(copies ...Copy) State {
	return State{Roots: []Root{rootAt(mapped, 100000), rootAt(base, 0)}, Copies: copies, Guarded: Guard(base, nil)}
}

func plainly(copies ...Copy) State {
	return State{Roots: []Root{rootAt(base, 0), rootAt(mapped, 100000)}, Copies: copies, Guarded: Guard(base, nil)}
}

func dataIn(root string) Copy {
	return Copy{Name: "db", Root: root, Data: true, Mount: "22/8:1", Place: Place{"8:1", DataOf(root, "db")}}
}

func emptyIn(root string) Copy { c := dataIn(root); c.Empty = true; return c }
func goneIn(root string) Copy  { return Copy{Name: "db", Root: root} }

func with(c Copy, change func(*Copy)) Copy { change(&c); return c }

func TestPlan(t *testing.T) {
	in, out := func(root string) string { return DataOf(root, "db") }, Place{"8:1", DataOf(base, "db")}
	labels := map[string]string{"a": "b"}
	for _, test := range []struct {
		name  string
		state State
		back  bool
		arg   string
		want  Job
		wrong string
	}{
		{
			"data out of sight comes into it", remapped(with(dataIn(base), func(c *Copy) { c.Labels = labels })), false, "db",
			Job{Tree: in(mapped), From: base, To: mapped, Labels: labels, Tell: true, Empty: []string{base}, Place: out}, "",
		},
		{
			"into the place of an empty volume", remapped(emptyIn(mapped), dataIn(base)), false, "db",
			Job{Tree: in(mapped), From: base, To: mapped, Tell: true, Empty: []string{base}, Place: out}, "",
		},
		{
			"and of one without data", remapped(goneIn(mapped), dataIn(base)), false, "db",
			Job{Tree: in(mapped), From: base, To: mapped, Tell: true, Empty: []string{base}, Place: out}, "",
		},
		{
			"data in sight stays there", remapped(dataIn(mapped)), false, "db",
			Job{Tree: in(mapped), Place: Place{"8:1", in(mapped)}}, "",
		},
		{
			"what is left out of sight goes", remapped(dataIn(mapped), goneIn(base)), false, "db",
			Job{Tree: in(mapped), Empty: []string{base}, Place: Place{"8:1", in(mapped)}}, "",
		},
		{
			"an empty copy out of sight is nobody's trouble", remapped(dataIn(mapped), emptyIn(base)), false, "db",
			Job{Tree: in(mapped), Place: Place{"8:1", in(mapped)}}, "",
		},
		{
			"data in both is not mixed", remapped(dataIn(mapped), dataIn(base)), false, "db", Job{},
			"db: " + base + " and " + mapped + " both have data of it, and nothing is overwritten\n" +
				"hint: if nobody needs what is in the latter, remove what dockerd sees (docker volume rm db), and try again",
		},
		{"a volume that is nowhere", remapped(), false, "db", Job{}, "db: there is no such volume\nhint: molo volumes lists them"},
		{"a volume without data anywhere", remapped(goneIn(base)), false, "db", Job{}, "db: no data root has data of it: somebody removed its directory _data"},
		{"a name that is none", remapped(), false, "../db", Job{}, "../db: it is neither the name of a volume nor an absolute path"},
		{
			"without a mapping there is nothing to come into", plainly(dataIn(base)), false, "db", Job{},
			"db: dockerd runs without userns-remap: there is no mapping to bring it into\nhint: --back brings it out of one",
		},
		{
			"back, once dockerd runs without", plainly(with(dataIn(mapped), func(c *Copy) { c.Labels = labels })), true, "db",
			Job{Tree: in(base), From: mapped, To: base, Labels: labels, Tell: true, Empty: []string{mapped}, Place: Place{"8:1", in(mapped)}}, "",
		},
		{
			"back, while dockerd still runs with it", remapped(dataIn(mapped)), true, "db",
			Job{Tree: in(base), From: mapped, To: base, Forget: true, Place: Place{"8:1", in(mapped)}}, "",
		},
		{
			"back, after an interruption", remapped(goneIn(mapped), dataIn(base)), true, "db",
			Job{Tree: in(base), Forget: true, Place: out}, "",
		},
		{"back, when it never left", plainly(dataIn(base)), true, "db", Job{Tree: in(base), Place: out}, ""},
		{
			"back, with data in both", plainly(dataIn(base), dataIn(mapped)), true, "db", Job{},
			"db: " + mapped + " and " + base + " both have data of it, and nothing is overwritten\n" +
				"hint: if nobody needs what is in the latter, remove what dockerd sees (docker volume rm db), and try again",
		},
		{
			"back while dockerd still runs with it, with data in both", remapped(dataIn(mapped), dataIn(base)), true, "db", Job{},
			"db: " + mapped + " and " + base + " both have data of it, and nothing is overwritten\n" +
				"hint: if nobody needs what is in the latter, move away " + in(base) + ", and try again",
		},
		{
			"from one mapping to another", State{Roots: []Root{rootAt(mapped, 100000), rootAt(base, 0), rootAt(older, 200000)}, Copies: []Copy{dataIn(older)}}, false, "db",
			Job{Tree: in(mapped), From: older, To: mapped, Tell: true, Empty: []string{older}, Place: Place{"8:1", in(older)}}, "",
		},
		{
			"two data roots out of sight have data", State{Roots: []Root{rootAt(mapped, 100000), rootAt(base, 0), rootAt(older, 200000)}, Copies: []Copy{dataIn(base), dataIn(older)}}, false, "db", Job{},
			"db: " + base + " and " + older + " both have data of it\nhint: remove or rename what is not needed",
		},
		{
			"a mapping that can't be known", State{Roots: []Root{{Path: mapped, Unknown: "no range"}, rootAt(base, 0)}, Copies: []Copy{dataIn(base)}}, false, "db", Job{},
			"db: the ids in " + mapped + ": no range",
		},
		{
			"an older mapping that can't be known, and has the data", State{Roots: []Root{rootAt(base, 0), {Path: mapped, Unknown: "no range"}}, Copies: []Copy{dataIn(mapped)}}, true, "db", Job{},
			"db: the ids in " + mapped + ": no range",
		},
		{
			"a path of a mapping that can't be known", State{Roots: []Root{rootAt(base, 0), {Path: mapped, Unknown: "no range"}}}, true, "/srv/data", Job{},
			"/srv/data: the ids in " + mapped + ": no range",
		},
		{
			"a quota without data", remapped(dataIn(mapped), with(goneIn(base), func(c *Copy) { c.Quota = true })), false, "db", Job{},
			"db: in " + base + " Docker bounds its size, and a rename does not take that along\nhint: create it again with a size, and copy the data",
		},
		{
			"without any mapping there is nothing to come out of", State{Roots: []Root{rootAt(base, 0)}, Copies: []Copy{dataIn(base)}}, true, "db", Job{},
			"db: no data root in " + base + " has a mapping to bring it out of",
		},
		{
			"a volume that Docker mounts a directory over", remapped(with(dataIn(base), func(c *Copy) { c.Device = "/srv/up loads" })), false, "db", Job{},
			"db: in " + base + " Docker mounts /srv/up loads over it, and its data is there\n" +
				"hint: create the volume again with the same options, and bring the directory along: molo volumes remap '/srv/up loads'",
		},
		{
			"a volume that Docker mounts from elsewhere", remapped(with(dataIn(base), func(c *Copy) { c.Device = ":/export" })), false, "db", Job{},
			"db: in " + base + " Docker mounts :/export over it, and its data is there\nhint: create the volume again with the same options",
		},
		{
			"a volume with a quota", remapped(with(dataIn(base), func(c *Copy) { c.Quota = true })), false, "db", Job{},
			"db: in " + base + " Docker bounds its size, and a rename does not take that along\nhint: create it again with a size, and copy the data",
		},
		{
			"a volume on another mount", remapped(with(dataIn(base), func(c *Copy) { c.Mount = "40/8:17" })), false, "db", Job{},
			"db: its data in " + base + " is on another mount than " + mapped + "/volumes: molo renames, and does not copy\nhint: docs/userns.md says how to bring such data along",
		},
		{
			"one that does not have to move may be", remapped(with(dataIn(mapped), func(c *Copy) { c.Mount = "40/8:17" })), false, "db",
			Job{Tree: in(mapped), Place: Place{"8:1", in(mapped)}}, "",
		},
		{"a path keeps its place", remapped(), false, "/srv//data/", Job{Name: "/srv/data", Tree: "/srv/data", Place: Place{"8:1", "/srv/data"}}, ""},
		{"back, a path too", plainly(), true, "/srv/data", Job{Tree: "/srv/data", Place: Place{"8:1", "/srv/data"}}, ""},
		{"back, while dockerd runs with the mapping", remapped(), true, "/srv/data", Job{Tree: "/srv/data", Place: Place{"8:1", "/srv/data"}}, ""},
		{"a path that is not there", remapped(), false, "/srv/none", Job{}, "/srv/none: no such file"},
		{"a path of the system", remapped(), false, "/etc/ssl", Job{}, "/etc/ssl: it is in /etc, where everything must keep its owners\nhint: copy what a container needs to a directory of its own"},
		{"a path of the system that is written oddly", remapped(), false, "/srv/../etc", Job{}, "/etc: /etc must keep its owners\nhint: copy what a container needs to a directory of its own"},
		{"a volume by its path", remapped(dataIn(mapped)), false, DataOf(mapped, "db"), Job{}, DataOf(mapped, "db") + ": it is in " + base + ", where everything must keep its owners\nhint: name volumes by their names"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.state.Trees = []Tree{
				{Path: "/srv/data", Place: Place{"8:1", "/srv/data"}}, {Path: "/srv/none", Wrong: "no such file"}, {Path: "/etc", Place: Place{"8:1", "/etc"}},
				{Path: "/etc/ssl", Place: Place{"8:1", "/etc/ssl"}}, {Path: DataOf(mapped, "db"), Place: Place{"8:1", DataOf(mapped, "db")}},
			}
			jobs, err := Plan(test.state, Request{Args: []string{test.arg}, Back: test.back})
			if test.wrong != "" || err != nil {
				if diff := cmp.Diff(test.wrong, fmt.Sprint(err)); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
				return
			}
			if test.want.Name == "" {
				test.want.Name = test.arg
			}
			if diff := cmp.Diff([]Job{test.want}, jobs, cmpopts.IgnoreFields(Job{}, "Shift"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsAskedForTwiceIsDoneOnce(t *testing.T) {
	jobs, err := Plan(remapped(dataIn(base)), Request{Args: []string{"db", "db"}})
	if err != nil || len(jobs) != 1 {
		t.Errorf("%d jobs, error %v; want 1", len(jobs), err)
	}
}

func TestTheShiftFollowsTheDataRoots(t *testing.T) {
	three := State{Roots: []Root{rootAt(mapped, 100000), rootAt(base, 0), rootAt(older, 200000)}, Copies: []Copy{dataIn(older)}}
	for _, test := range []struct {
		name     string
		state    State
		back     bool
		id, want uint32
	}{
		{"in", remapped(dataIn(base)), false, 33, 100033},
		{"back from what is in use", remapped(dataIn(mapped)), true, 100033, 33},
		{"back from what is out of sight", plainly(dataIn(mapped)), true, 100033, 33},
		{"from an older mapping", three, false, 200033, 100033},
		{"from none beside an older mapping", three, false, 33, 100033},
		{"back from either", three, true, 200033, 33},
	} {
		t.Run(test.name, func(t *testing.T) {
			jobs, err := Plan(test.state, Request{Args: []string{"db"}, Back: test.back})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := jobs[0].Shift.UID.Of(test.id); got != test.want {
				t.Errorf("%d becomes %d, want %d", test.id, got, test.want)
			}
		})
	}
}

func TestWhoUsesData(t *testing.T) {
	container := func(name, volume, source string) User {
		return User{Who: "container " + name, Volume: volume, Source: source}
	}
	process := func(path string) User { return User{Who: `process 7 ("x")`, Place: Place{"8:1", path}} }
	volume := Job{Name: "db", Tree: DataOf(mapped, "db"), From: base, To: mapped, Place: Place{"8:1", DataOf(base, "db")}}
	dir := Job{Name: "/srv/data", Tree: "/srv/data", Place: Place{"8:1", "/disk/data"}}
	for _, test := range []struct {
		name string
		job  Job
		user User
		want string
	}{
		{"the volume by its name", volume, container("web", "db", ""), "container web"},
		{"another volume", volume, container("web", "dbs", "/var/lib/docker/volumes/dbs/_data"), ""},
		{"where it comes from, by its path", volume, container("web", "", DataOf(base, "db")), "container web"},
		{"where it goes, by its path", volume, container("web", "", DataOf(mapped, "db")+"/"), "container web"},
		{"all of Docker's", volume, container("web", "", "/var/lib/docker"), "container web"},
		{"the whole host", dir, container("agent", "", "/"), "container agent"},
		{"the directory", dir, container("web", "", "/srv/data"), "container web"},
		{"something in it", dir, container("web", "", "/srv/data/a/b"), "container web"},
		{"a directory beside it", dir, container("web", "", "/srv/data2"), ""},
		{"a volume called like it", dir, container("web", "data", ""), ""},
		{"a process that has it mounted", dir, process("/disk/data"), `process 7 ("x")`},
		{"a process that has something in it mounted", dir, process("/disk/data/a"), `process 7 ("x")`},
		{"a process that has the file system mounted", dir, process("/"), ""},
		{"a process that has the volume of a dockerd that is no more", volume, process(DataOf(base, "db")), `process 7 ("x")`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := remapped()
			s.Users = []User{test.user, test.user}
			if got := said(s.inUse(test.job)); got != test.want {
				t.Errorf("used by %q, want %q", got, test.want)
			}
		})
	}
	s := remapped()
	s.Users = []User{process("/disk/data"), container("b", "", "/srv/data"), container("a", "", "/srv/data"), container("c", "", "/srv/data")}
	if got, want := said(s.inUse(dir)), "container a, container b and container c"; got != want {
		t.Errorf("used by %q, want %q: the processes are theirs", got, want)
	}
}

// scripted is a host that says what it is told to.
type scripted struct {
	state    State
	survey   Tally
	remap    error
	remapped []string
}

func (s *scripted) VolumeState(context.Context, []string) (State, error) { return s.state, nil }
func (s *scripted) Survey(context.Context, Job) (Survey, error)          { return Survey{Tally: s.survey}, nil }
func (s *scripted) Remap(_ context.Context, j Job, v Survey) (Tally, error) {
	s.remapped = append(s.remapped, j.Name)
	return v.Tally, s.remap
}

func TestRun(t *testing.T) {
	used := remapped(dataIn(base))
	used.Users = []User{{Who: "container web", Volume: "db"}}
	settled := remapped(dataIn(mapped))
	settled.Users = used.Users
	for _, test := range []struct {
		name   string
		host   scripted
		args   string
		dry    bool
		status []Status
		done   []string
		wrong  string // of Run
		failed string // of the report
	}{
		{name: "what is there to do is done", host: scripted{state: remapped(dataIn(base)), survey: Tally{Changed: 1}}, status: []Status{Changed}, done: []string{"db"}},
		{name: "a dry run does nothing", host: scripted{state: remapped(dataIn(base)), survey: Tally{Changed: 1}}, dry: true, status: []Status{Planned}},
		{name: "data that only moves", host: scripted{state: remapped(dataIn(base))}, status: []Status{Changed}, done: []string{"db"}},
		{name: "what is done is not done again", host: scripted{state: remapped(dataIn(mapped))}, status: []Status{Nothing}},
		{name: "and may be in use", host: scripted{state: settled}, status: []Status{Nothing}},
		{
			name: "what is in use is not touched", host: scripted{state: used, survey: Tally{Changed: 1}},
			wrong: "db: mounted by container web\nhint: stop what mounts it, and start it again afterwards",
		},
		{
			name: "a dry run says so", host: scripted{state: used, survey: Tally{Changed: 1}}, dry: true, status: []Status{Planned},
			failed: "db: mounted by container web\nhint: stop what mounts it, and start it again afterwards",
		},
		{
			name: "one refusal refuses all", host: scripted{state: remapped(dataIn(base)), survey: Tally{Changed: 1}}, args: "db nowhere",
			wrong: "nowhere: there is no such volume\nhint: molo volumes lists them",
		},
		{
			name: "what is left alone fails", host: scripted{state: remapped(dataIn(base)), survey: Tally{Changed: 1, Left: 2}},
			status: []Status{Changed}, done: []string{"db"}, failed: "db: 2 entries left alone",
		},
		{
			name: "what is left alone fails when there is nothing to do as well", host: scripted{state: remapped(dataIn(mapped)), survey: Tally{Left: 1}},
			status: []Status{Nothing}, failed: "db: 1 entry left alone",
		},
		{
			name: "an error fails", host: scripted{state: remapped(dataIn(base)), survey: Tally{Changed: 1}, remap: errors.New("no space")},
			status: []Status{Failed}, done: []string{"db"}, failed: "db: no space",
		},
		{
			name: "an interruption says how to go on", host: scripted{state: remapped(dataIn(base)), survey: Tally{Changed: 1}, remap: fmt.Errorf("walking: %w", context.Canceled)},
			status: []Status{Failed}, done: []string{"db"}, failed: "db: interrupted\nhint: the same command goes on where this one ended",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := "db"
			if test.args != "" {
				args = test.args
			}
			report, err := Run(t.Context(), &test.host, Request{Args: strings.Fields(args)}, test.dry)
			if diff := cmp.Diff(test.done, test.host.remapped); diff != "" {
				t.Errorf("done (-want +got):\n%s", diff)
			}
			if err != nil || test.wrong != "" {
				if diff := cmp.Diff(test.wrong, fmt.Sprint(err)); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
				return
			}
			var status []Status
			for _, r := range report.Results {
				status = append(status, r.Status)
			}
			if diff := cmp.Diff(test.status, status); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			failed := ""
			if err := report.Failed(); err != nil {
				failed = err.Error()
			}
			if diff := cmp.Diff(test.failed, failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
		})
	}
}
