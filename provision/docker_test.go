package provision

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// hardened is an empty block docker with its defaults.
func hardened() *policy.Docker {
	return &policy.Docker{
		ICC: At(1, false), NoNewPrivileges: At(1, true), LiveRestore: At(1, true),
		PublishAddress: At(1, netip.MustParseAddr("127.0.0.1")), UsernsRemap: At(1, "auto"), Restart: At(1, "auto"),
		Log:   policy.Log{Driver: At(1, "local"), MaxSize: At(1, "10m"), MaxFile: At(1, 5)},
		Range: hcl.Range{Filename: "policies.hcl", Start: hcl.Pos{Line: 1}},
	}
}

// stock is a running engine as Debian installs it.
func stock(major int) facts.Docker {
	d := facts.Docker{
		Installed: true, Running: true, Major: major, Flags: []string{"-H", "fd://"},
		Effective: facts.Effective{ICC: Bool(true), PublishAddress: "0.0.0.0", LiveRestore: Bool(false), LogDriver: "json-file", UsernsRemap: Bool(false)},
	}
	if major >= 23 {
		d.Effective.NoNewPrivileges = Bool(false)
	}
	return d
}

func with(d facts.Docker, edit func(*facts.Docker)) facts.Docker {
	edit(&d)
	return d
}

// remapped is an engine that runs with userns-remap, as daemon.json has it.
func remapped(major int) facts.Docker {
	d := stock(major)
	d.Config, d.Root, d.Effective.UsernsRemap = `{"userns-remap": "default"}`, "/var/lib/docker/100000.100000", Bool(true)
	d.SubIDs = facts.SubIDs{UIDs: "dockremap:100000:65536\nbuild:200000:65536\n", GIDs: "dockremap:100000:65536\nbuild:200000:65536\n"}
	return d
}

func web() facts.Container { return facts.Container{ID: "c1", Name: "web", Running: true} }

// daemonJSON spells the keys a part wants as one line each.
func daemonJSON(part Part) string {
	var out strings.Builder
	for _, w := range part.Want {
		key, ok := w.Resource.(resource.Key)
		if !ok {
			continue // ids for containers
		}
		out.WriteString(strings.Join(key.Path, " ") + " = " + string(key.Value) + "\n")
	}
	return out.String()
}

func TestDaemonSettingsFollowTheEngineAndWhatIsThere(t *testing.T) {
	const base = "icc = false\nno-new-privileges = true\nlive-restore = true\nip = \"127.0.0.1\"\n"
	const ip6tables = "experimental = true\nip6tables = true\n"
	const networks = "default-network-opts bridge com.docker.network.bridge.host_binding_ipv4 = \"127.0.0.1\"\n"
	const logs = "log-driver = \"local\"\nlog-opts max-size = \"10m\"\nlog-opts max-file = \"5\"\n"
	const userns = "userns-remap = \"default\"\n"
	tests := []struct {
		name   string
		policy func(*policy.Docker)
		docker facts.Docker
		want   string
	}{
		{"20.10 gets ip6tables, which is experimental there", nil, stock(20), base + ip6tables + logs + userns},
		{"26.1 knows options for new networks as well", nil, stock(26), base + ip6tables + networks + logs + userns},
		{"28 has ip6tables on by itself", nil, stock(28), base + networks + logs + userns},
		{"an engine that is not there yet gets what every engine takes", nil, facts.Docker{}, base + networks + logs + userns},
		{
			"userns-remap stays off where a container would vanish", nil,
			with(stock(28), func(d *facts.Docker) { d.Containers = []facts.Container{web()} }), base + networks + logs,
		},
		{
			"userns-remap stays off where a stopped engine has data on disk", nil,
			with(stock(28), func(d *facts.Docker) { d.Running, d.DataOnDisk = false, true }), base + networks + logs,
		},
		{
			"userns-remap stays on once it is on, whatever came since", nil,
			with(remapped(28), func(d *facts.Docker) { d.Images, d.Containers = 3, []facts.Container{web()} }), base + networks + logs + userns,
		},
		{
			"the owner's own userns user is kept", nil,
			with(stock(28), func(d *facts.Docker) { d.Config = `{"userns-remap": "build"}` }),
			base + networks + logs + "userns-remap = \"build\"\n",
		},
		{
			"live-restore stays away from a swarm", nil,
			with(stock(28), func(d *facts.Docker) { d.Effective.Swarm = true }),
			strings.Replace(base, "live-restore = true\n", "", 1) + networks + logs + userns,
		},
		{
			"journald has no bounds of its own", func(p *policy.Docker) { p.Log.Driver = At(2, "journald") },
			stock(28), base + networks + "log-driver = \"journald\"\n" + userns,
		},
		{
			"what the owner says of a key holds", func(p *policy.Docker) {
				p.Settings = At(3, []policy.Setting{{Key: "experimental", Value: json.RawMessage("false")}})
			},
			stock(20), base + "ip6tables = true\n" + logs + userns + "experimental = false\n",
		},
		{
			"settings pass through", func(p *policy.Docker) {
				p.Settings = At(3, []policy.Setting{{Key: "mtu", Value: json.RawMessage("1400")}})
			},
			stock(28), base + networks + logs + userns + "mtu = 1400\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := hardened()
			if tt.policy != nil {
				tt.policy(p)
			}
			part, err := dockerPart(p, tt.docker, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, daemonJSON(part)); diff != "" {
				t.Errorf("daemon.json (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSettingsThatDockerdWouldDieOfAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		docker facts.Docker
		want   string
	}{
		{
			"a flag of the unit that daemon.json would repeat",
			with(stock(26), func(d *facts.Docker) { d.Flags = append(d.Flags, "--icc=true") }),
			"policies.hcl:1: dockerd already gets --icc=true from its unit",
		},
		{
			"a log option of the unit",
			with(stock(26), func(d *facts.Docker) { d.Flags = []string{"--log-opt", "max-size=1m"} }),
			"dockerd already gets --log-opt from its unit",
		},
		{
			"a daemon.json with a comment",
			with(stock(26), func(d *facts.Docker) { d.Config = "{\n  // no\n}" }),
			"/etc/docker/daemon.json: line 2, column 3: JSON has no comments",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := dockerPart(hardened(), tt.docker, time.Time{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestAFlagThatAddsUpWithItsKeyIsNoCollision(t *testing.T) {
	p := hardened()
	p.Settings = At(3, []policy.Setting{{Key: "runtimes", Value: json.RawMessage(`{"crun":{"path":"/usr/bin/crun"}}`)}})
	d := with(stock(28), func(d *facts.Docker) { d.Flags = append(d.Flags, "--add-runtime=kata=/usr/bin/kata") })
	if _, err := dockerPart(p, d, time.Time{}); err != nil {
		t.Error(err)
	}
}

func TestContainersThatKeepOldSettingsAreNamed(t *testing.T) {
	d := with(stock(28), func(d *facts.Docker) {
		d.Containers = []facts.Container{
			{ID: "1", Name: "web", Running: true, LogDriver: "json-file", NoNewPrivileges: Bool(false)},
			{ID: "2", Name: "db", Running: true, LogDriver: "json-file", LogOptions: map[string]string{"max-size": "1m"}, NoNewPrivileges: Bool(false)},
			{ID: "3", Name: "sudo", Running: true, LogDriver: "local", NoNewPrivileges: Bool(false), PrivilegesKept: true},
			{ID: "4", Name: "new", Running: true, LogDriver: "local", NoNewPrivileges: Bool(true)},
			{ID: "5", Name: "off", LogDriver: "json-file"},
		}
	})
	part, err := dockerPart(hardened(), d, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range part.Notes {
		if strings.Contains(n.Text, "recreate") {
			got = append(got, n.Where+" "+n.Text)
		}
	}
	want := []string{
		"policies.hcl:1 2 containers were created before no-new-privileges and keep their old setting: recreate web, db",
		"policies.hcl:1 1 container was created before logs were bounded and keeps its old setting: recreate web",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// activated lists what a step does to units, with its consequence.
func activated(s Step) []string {
	var all []string
	for _, a := range s.Activate {
		all = append(all, string(a.Verb)+": "+a.Consequence)
	}
	return all
}

func stepFor(t *testing.T, p *policy.Docker, d facts.Docker, have map[resource.ID]resource.Resource, m Memory) Step {
	t.Helper()
	part, err := dockerPart(p, d, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return Diff([]Part{part}, Have{State: have}, m)[0]
}

// written is a host on which the part's keys are in daemon.json.
func written(t *testing.T, p *policy.Docker, d facts.Docker) map[resource.ID]resource.Resource {
	t.Helper()
	part, err := dockerPart(p, d, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	state := map[resource.ID]resource.Resource{}
	for _, w := range part.Want {
		state[w.ID()] = w.Resource
	}
	return state
}

func TestDockerIsReloadedOrRestartedOnlyAsMuchAsNeeded(t *testing.T) {
	settled := with(stock(28), func(d *facts.Docker) {
		d.Effective = facts.Effective{ICC: Bool(false), PublishAddress: "127.0.0.1", LiveRestore: Bool(true), NoNewPrivileges: Bool(true), LogDriver: "local", UsernsRemap: Bool(true)}
		d.Config, d.Root, d.SubIDs = remapped(28).Config, remapped(28).Root, remapped(28).SubIDs
	})
	liveRestoreID := resource.KeyID(DaemonJSON, "live-restore")
	running := with(stock(28), func(d *facts.Docker) { d.Containers = []facts.Container{web()} })
	tests := []struct {
		name   string
		docker facts.Docker
		policy func(*policy.Docker)
		have   func(map[resource.ID]resource.Resource)
		want   []string
	}{
		{"nothing differs", settled, nil, nil, nil},
		{
			"only live-restore differs: SIGHUP is enough", settled, nil,
			func(s map[resource.ID]resource.Resource) { delete(s, liveRestoreID) }, []string{"reload: "},
		},
		{
			"a restart includes the reload when no container runs", stock(28), nil,
			func(s map[resource.ID]resource.Resource) { clear(s) }, []string{"restart: no container is running"},
		},
		{
			"live-restore is proven before a restart that containers have to outlive", running, nil,
			func(s map[resource.ID]resource.Resource) { clear(s) },
			[]string{"reload: ", "restart: 1 container keeps running (live-restore)"},
		},
		{
			"without live-restore the plan says what stops", running,
			func(p *policy.Docker) { p.LiveRestore = At(2, false) },
			func(s map[resource.ID]resource.Resource) { clear(s) },
			[]string{"restart: stops 1 container; those with a restart policy come back"},
		},
		{
			"restart = manual never restarts", running, func(p *policy.Docker) { p.Restart = At(2, "manual") },
			func(s map[resource.ID]resource.Resource) { clear(s) }, []string{"reload: "},
		},
		{
			"an engine that does not run is left alone",
			with(stock(28), func(d *facts.Docker) { d.Running = false }), nil,
			func(s map[resource.ID]resource.Resource) { clear(s) }, nil,
		},
		{
			"an engine that failed is tried again with a changed file",
			with(stock(28), func(d *facts.Docker) { d.Running, d.Failed = false, true }), nil,
			func(s map[resource.ID]resource.Resource) { clear(s) }, []string{"restart: how many containers run is not known"},
		},
		{
			"a file that dockerd has not read yet is brought into force",
			with(stock(28), func(d *facts.Docker) { d.ConfigNewer = true }), nil, nil,
			[]string{"restart: no container is running"},
		},
		{
			"a dockerd that read the file and runs otherwise is not restarted for ever",
			stock(28), nil, nil, nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := hardened()
			if tt.policy != nil {
				tt.policy(p)
			}
			have := written(t, p, tt.docker)
			if tt.have != nil {
				tt.have(have)
			}
			if diff := cmp.Diff(tt.want, activated(stepFor(t, p, tt.docker, have, Memory{}))); diff != "" {
				t.Errorf("activations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunningContainersKeepTheOldNetworkUntilTheyStop(t *testing.T) {
	d := with(stock(28), func(d *facts.Docker) {
		d.Containers = []facts.Container{web()}
		d.Effective.LiveRestore, d.Effective.NoNewPrivileges, d.Effective.LogDriver = Bool(true), Bool(true), "local"
	})
	step := stepFor(t, hardened(), d, written(t, hardened(), d), Memory{})
	if !step.Empty() {
		t.Errorf("the step does something: %v", activated(step))
	}
	want := "waits until dockerd restarts while no container runs: icc=true (want false), ip=0.0.0.0 (want 127.0.0.1)"
	if notes := step.Part.Notes; len(notes) != 2 || notes[1].Text != want {
		t.Errorf("got notes %q, want the second to be %q", notes, want)
	}
}

func TestUserNamespacesAreMovedOnlyWithLeave(t *testing.T) {
	used := func(d *facts.Docker) {
		d.Images, d.Volumes, d.VolumeNames = 2, 1, []string{"data"}
		d.Containers = []facts.Container{web(), {ID: "c2", Name: "cadvisor", Privileged: true}}
	}
	tests := []struct {
		name    string
		remap   string
		leave   bool
		docker  facts.Docker
		want    string // userns-remap in daemon.json
		says    []string
		stops   int // by a restart; -1: there is none
		refused bool
	}{
		{"on an empty host", "default", false, stock(28), `"default"`, nil, 0, false},
		{"by default, where there is something", "auto", false, with(stock(28), used), "", []string{"stays off: 2 containers (web, cadvisor), 2 images and 1 volume (data) would vanish"}, 0, false},
		{"on request, where there is something", "default", false, with(stock(28), used), "", nil, 0, true},
		{"on request and with leave", "build", true, with(stock(28), used), `"build"`, []string{"out of Docker's view afterwards, until userns_remap is what it was: 2 containers", "need --userns=host to start: cadvisor"}, 1, false},
		{"by default, with leave", "auto", true, with(stock(28), used), `"default"`, []string{"out of Docker's view"}, 1, false},
		{"off again, without leave", "off", false, with(remapped(28), used), "", nil, 0, true},
		{"off again, with leave", "off", true, with(remapped(28), used), `""`, []string{"out of Docker's view"}, 1, false},
		{"to another user, with leave", "build", true, with(remapped(28), used), `"build"`, []string{"out of Docker's view"}, 1, false},
		{"written before, by a run that was killed", "default", true, with(stock(28), func(d *facts.Docker) { used(d); d.Config = `{"userns-remap": "default"}` }), `"default"`, []string{"out of Docker's view"}, 1, false},
		{"written by hand, by default", "auto", false, with(stock(28), func(d *facts.Docker) { used(d); d.Config = `{"userns-remap": "default"}` }), `""`, []string{"stays off"}, 0, false},
		{"taken out by hand", "off", false, with(remapped(28), func(d *facts.Docker) { used(d); d.Config = `{}` }), `"default"`, nil, 0, true},
		{"taken out by hand, by default", "auto", false, with(remapped(28), func(d *facts.Docker) { used(d); d.Config = `{}` }), `"default"`, nil, 0, false},
		{"changed by hand to another user", "auto", false, with(remapped(28), func(d *facts.Docker) { used(d); d.Config = `{"userns-remap": "build"}` }), `"default"`, nil, 0, false},
		{"where the ids of what runs are nobody's any more", "off", false, with(remapped(28), func(d *facts.Docker) { used(d); d.Root = "/var/lib/docker/7.7" }), "", nil, 0, true},
		{"with leave, while dockerd does not run", "default", true, with(stock(28), func(d *facts.Docker) { d.Running, d.DataOnDisk = false, true }), "", nil, -1, true},
		{"as it is", "default", true, with(remapped(28), used), `"default"`, []string{"need --userns=host to start: cadvisor"}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := hardened()
			p.UsernsRemap, p.UsernsMigration = At(5, tt.remap), At(6, tt.leave)
			part, err := dockerPart(p, tt.docker, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for line := range strings.Lines(daemonJSON(part)) {
				if value, ok := strings.CutPrefix(line, "userns-remap = "); ok {
					got = strings.TrimSpace(value)
				}
			}
			if got != tt.want {
				t.Errorf("userns-remap is %s, want %s", got, tt.want)
			}
			var said string
			for _, n := range part.Notes {
				said += n.Text + "\n"
			}
			for _, want := range tt.says {
				if !strings.Contains(said, want) {
					t.Errorf("the notes lack %q:\n%s", want, said)
				}
			}
			if refused := len(part.Violations) > 0; refused != tt.refused {
				t.Errorf("violations: %q", part.Violations)
			}
			if tt.stops < 0 {
				return
			}
			restart := part.Activate[len(part.Activate)-1]
			if restart.Verb != Restart || len(restart.Stops) != tt.stops {
				t.Errorf("%s stops %d containers, want %d (%s)", restart.Verb, len(restart.Stops), tt.stops, restart.Consequence)
			}
		})
	}
}
