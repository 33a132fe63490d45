package audit

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"molo/internal/facts"
	"molo/internal/golden"
)

// worst is a container that gets everything wrong that can be.
func worst(f *facts.Audit) *facts.ContainerDetail {
	c := container(f)
	engine(f).UsernsRemap, engine(f).Rootless = ptr(false), false
	anyone := netip.IPv4Unspecified()
	*c = facts.ContainerDetail{
		ID: c.ID, Name: c.Name, Image: "shop:1", ImageID: "sha256:" + strings.Repeat("ab", 32),
		Labels:      map[string]string{"com.docker.compose.service": "shop"},
		Published:   []facts.Publish{{Address: anyone, Port: 80, Container: 80, Protocol: "tcp"}, {Address: netip.IPv6Unspecified(), Port: 80, Container: 80, Protocol: "tcp"}},
		CapAdd:      []string{"SYS_ADMIN", "CAP_CHOWN"},
		SecurityOpt: []string{"seccomp=unconfined", "no-new-privileges=false", "label=disable"}, AppArmorProfile: "unconfined", Unmasked: true,
		Network: "bridge", PidMode: "host", IpcMode: "host", UTSMode: "host", CgroupnsMode: "host", CgroupParent: "x.slice",
		Devices: []string{"/dev/sda"}, Restart: "always", LogDriver: "json-file", LogOpts: map[string]string{"labels": "correct-horse"},
		Mounts: []facts.Mount{
			{Type: "bind", Source: "/etc", Destination: "/host etc", Propagation: "rshared"}, {Type: "bind", Source: "/var/run/docker.sock", Destination: "/d.sock"},
			{Type: "volume", Volume: "data", Source: "/var/lib/docker/volumes/data/_data", Destination: "/data", Writable: true},
		},
		Process: facts.Process{PID: 4711, Seccomp: 0},
	}
	return c
}

func behaviour() facts.Behaviour {
	return facts.Behaviour{
		Capabilities: usual(), PortStart: ptr(1024), Digests: []string{"registry.example.no/shop@sha256:" + strings.Repeat("cd", 32)},
		Changes: []facts.Change{
			{Path: "/run", Kind: facts.Modified}, {Path: "/run/shop.pid", Kind: facts.Added},
			{Path: "/etc", Kind: facts.Modified}, {Path: "/etc/shop.conf", Kind: facts.Modified}, {Path: "/etc/hosts", Kind: facts.Modified},
			{Path: "/cache", Kind: facts.Added}, {Path: "/cache/a", Kind: facts.Added}, {Path: "/cache/a/b", Kind: facts.Added}, {Path: "/core", Kind: facts.Added},
			{Path: "/data", Kind: facts.Added},
		},
	}
}

// hintFor returns the only hint.
func hintFor(t *testing.T, f facts.Audit, text string, b facts.Behaviour) Hint {
	t.Helper()
	all := Hints(Input{Policy: parse(t, text), Facts: f}, map[string]facts.Behaviour{container(&f).ID: b}, nil)
	if len(all) != 1 {
		t.Fatalf("%d hints, want one: %+v", len(all), all)
	}
	return all[0]
}

func TestHintsForTheWorstContainer(t *testing.T) {
	f := clean(t)
	worst(&f)
	h := hintFor(t, f, strict, behaviour())
	var out strings.Builder
	if err := WriteHints(&out, []Hint{h}); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/hints.txt", out.String(), *update)
	if strings.Contains(out.String(), "correct-horse") {
		t.Error("the value of an option of the log is in the hints")
	}
}

func TestHintsOfAContainerThatIsRightAreNone(t *testing.T) {
	f := clean(t)
	if all := Hints(Input{Policy: parse(t, strict), Facts: f}, nil, nil); len(all) != 0 {
		t.Errorf("hints for a container that is right: %+v", all)
	}
}

// TestEachCheckOfContainersHasAWayOut keeps mends complete.
func TestEachCheckOfContainersHasAWayOut(t *testing.T) {
	var want, got []string
	for _, c := range checks() {
		if c.area == AreaContainers && c.slug != "container-stopped" {
			want = append(want, c.slug)
		}
	}
	for _, m := range mends() {
		got = append(got, m.slug)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-checks +mends):\n%s", diff)
	}
}

// TestAMendedContainerPasses applies what each hint wants and audits again.
func TestAMendedContainerPasses(t *testing.T) {
	f := clean(t)
	c := *worst(&f)
	c.Privileged = true
	v := newView(Input{Policy: parse(t, "containers {}\n"), Facts: f})
	m := newMender(v, c, behaviour())
	m.mendAll(nil)
	after := m.want.ContainerDetail
	after.Process = facts.Process{}
	after.ProcessLabel = "container_t"
	after.Mounts = slices.DeleteFunc(slices.Clone(after.Mounts), func(one facts.Mount) bool { return slices.Contains(m.want.noMounts, one.Destination) })
	if diff := cmp.Diff([]string{"container-health-check"}, v.failed(after, nil)); diff != "" {
		t.Errorf("what still fails (-want +got):\n%s", diff)
	}
}

func TestWritesBecomeMounts(t *testing.T) {
	added := func(paths ...string) []facts.Change {
		var all []facts.Change
		for _, p := range paths {
			all = append(all, facts.Change{Path: p, Kind: facts.Added})
		}
		return all
	}
	for name, c := range map[string]struct {
		changes []facts.Change
		mounts  []facts.Mount
		want    written
	}{
		"nothing":                                {},
		"a file below /var":                      {changes: added("/var/lib/x/y"), want: written{tmpfs: []string{"/var/lib/x"}}},
		"a file in /var itself needs its others": {changes: added("/var/y"), want: written{volumes: []string{"/var"}}},
		"a file beside those of the image":       {changes: added("/opt/app/x"), want: written{volumes: []string{"/opt/app"}}},
		"a new directory":                        {changes: added("/cache", "/cache/x"), want: written{tmpfs: []string{"/cache"}}},
		"a file in the root":                     {changes: added("/core"), want: written{lost: []string{"/core"}}},
		"a removed file":                         {changes: []facts.Change{{Path: "/var/x/y", Kind: facts.Removed}}, want: written{volumes: []string{"/var/x"}}},
		"a directory that was only touched":      {changes: []facts.Change{{Path: "/tmp", Kind: facts.Modified, Dir: true}}, want: written{tmpfs: []string{"/tmp"}}},
		"what a mount takes":                     {changes: added("/data", "/logs"), mounts: []facts.Mount{{Destination: "/data"}, {Destination: "/logs/app"}}},
		"one inside another":                     {changes: added("/tmp/a/b", "/tmp/c"), want: written{tmpfs: []string{"/tmp"}}},
		"in memory inside a volume":              {changes: append(added("/var/y"), added("/var/run/x")...), want: written{volumes: []string{"/var"}}},
		"a name that no flag can hold":           {changes: added("/tmp/a:b/c"), want: written{lost: []string{"/tmp/a:b/c"}}},
		"a name that a terminal obeys":           {changes: added("/tmp/\x1b[2J/c"), want: written{lost: []string{"/tmp/\x1b[2J/c"}}},
		"a path that is none":                    {changes: added("x/y", "")},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, writes(c.changes, c.mounts), cmp.AllowUnexported(written{}), emptyIsNil()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// emptyIsNil takes lists without items for the same.
func emptyIsNil() cmp.Option {
	return cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())
}

func TestFlagsStandForThemselvesInAShell(t *testing.T) {
	for word, want := range map[string]string{
		"/tmp:size=64m": "/tmp:size=64m", "a b": "'a b'", "it's": `'it'\''s'`, "$(reboot)": "'$(reboot)'", "~": "'~'",
	} {
		if got := quoted(word); got != want {
			t.Errorf("%q is quoted as %s, want %s", word, got, want)
		}
	}
}

// FuzzOverride checks that names, options and paths that others chose stay inside one
// service of one YAML document, whatever they are.
func FuzzOverride(f *testing.F) {
	f.Add("web", "/tmp/x", "apparmor=x")
	f.Add("a: {b", "/run/\n- x", "!reset null")
	f.Add("${X}", "/var/'\"#", "&a *b")
	data, err := os.ReadFile("testdata/clean.json")
	if err != nil || len(data) == 0 {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, file, option string) {
		facts0 := clean(t)
		c := worst(&facts0)
		c.Labels, c.Name, c.SecurityOpt, c.CgroupParent = nil, name, append(c.SecurityOpt, option), option
		h := hintFor(t, facts0, strict, facts.Behaviour{Changes: []facts.Change{{Path: file, Kind: facts.Added}}})
		if h.Override == "" {
			return
		}
		var file2 struct {
			Services map[string]map[string]yaml.Node `yaml:"services"`
		}
		if err := yaml.Unmarshal([]byte(h.Override), &file2); err != nil || len(file2.Services) != 1 {
			t.Errorf("%v: %d services\n%s", err, len(file2.Services), h.Override)
		}
		for _, flag := range slices.Concat(h.Add, h.LeaveOut) {
			if !plain(flag) {
				t.Errorf("a flag %q", flag)
			}
		}
	})
}
