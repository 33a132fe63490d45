package provision_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

func TestAFileThatDockerdWouldDieOfIsNotWritten(t *testing.T) {
	ctx := context.Background()
	h, p := dockerHost(), dockerPolicy()
	h.Troubles = []provision.Trouble{
		{Key: []string{"log-opts", "labels"}, Text: "daemon.json: log-opts.labels: unknown: dockerd does not start", Stops: true},
		{Key: []string{"icc"}, Text: "icc: no good", Stops: true},
		{Key: []string{"labels"}, Text: "labels: odd"},
	}
	report, err := provision.Apply(ctx, h, h, p, provision.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Log()) > 0 {
		t.Errorf("it did %q", h.Log())
	}
	var out strings.Builder
	if err := provision.WriteText(&out, report.Parts); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"x daemon.json: log-opts.labels: unknown", "policies.hcl:2: icc: no good", "* labels: odd"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestWhatHasGoneSinceDockerdStartedKeepsARestartBack(t *testing.T) {
	for _, tt := range []struct {
		name  string
		gone  bool // since dockerd started; else it is in the text, and dockerd lives with it
		drops bool // the block docker
	}{{"text", false, false}, {"a file", true, false}, {"a file, with the block dropped", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			h, p := dockerHost(), dockerPolicy()
			if tt.drops {
				applied(t, h, p, provision.Options{})
				h.Log()
				h.Is.Docker.Containers, p.Docker = nil, nil
			}
			h.Lives = []provision.Trouble{{Key: []string{"seccomp-profile"}, Text: "seccomp-profile: no such file", Stops: true, Looked: tt.gone}}
			report, err := provision.Apply(t.Context(), h, h, p, provision.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if back, did := report.Failed() != nil, h.Log() != ""; back != tt.gone || did == tt.gone {
				t.Errorf("kept back %t, done something %t: want %t, %t", back, did, tt.gone, !tt.gone)
			}
		})
	}
}

func TestWhatIsFeltLaterIsSaidWithCounts(t *testing.T) {
	h, p := dockerHost(), dockerPolicy()
	h.Is.Docker.Networks = []facts.Network{{Name: "bridge"}, {Name: "shop"}, {Name: "mon"}}
	p.Docker.Settings = provision.At(9, []policy.Setting{{Key: "dns", Value: json.RawMessage(`["192.0.2.53"]`), Range: provision.At(9, 0).Range}})
	plan, _, err := provision.MakePlan(context.Background(), h, h, p, provision.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range plan.Outcomes() {
		for _, n := range o.Notes {
			if strings.HasPrefix(n.Text, "holds ") {
				got = append(got, n.Text)
			}
		}
	}
	want := []string{
		"holds when a container starts next, 1 container keeps what it has: dns",
		"holds for containers created from then on, 1 container keeps what it has: no-new-privileges, log-driver",
		"holds for networks created from then on, 2 networks keep what they have: default-network-opts.bridge.com.docker.network.bridge.host_binding_ipv4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestSettingsAreTakenApartWhereOthersMayAdd(t *testing.T) {
	for _, tt := range []struct{ name, key, value, want string }{
		{"a list that several may add to", "labels", `["a=1","b=2","a=1"]`, `labels []"a=1" = "a=1"; labels []"b=2" = "b=2"`},
		{"a list of one party's", "exec-opts", `["native.cgroupdriver=systemd"]`, `exec-opts = ["native.cgroupdriver=systemd"]`},
		{"an object with the owner's names", "default-ulimits", `{"nofile":{"Name":"nofile","Hard":9,"Soft":9}}`, `default-ulimits nofile = {"Name":"nofile","Hard":9,"Soft":9}`},
		{"an object with dockerd's names", "builder", `{"gc":{"enabled":true}}`, `builder = {"gc":{"enabled":true}}`},
		{"switches", "features", `{"buildkit":true,"cdi":false}`, `features buildkit = true; features cdi = false`},
		{"a text", "data-root", `"/srv"`, `data-root = "/srv"`},
		{"nothing in it", "features", `{}`, `features = {}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			p := dockerPolicy()
			p.Docker.Settings = provision.At(9, []policy.Setting{{Key: tt.key, Value: json.RawMessage(tt.value)}})
			parts, err := provision.Desired(p, dockerHost().Is, provision.PartDocker)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range parts[0].Want {
				if key, ok := w.Resource.(resource.Key); ok && key.Path[0] == tt.key {
					got = append(got, strings.Join(key.Path, " ")+" = "+string(key.Value))
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNothingGoesOutOfSightByASetting(t *testing.T) {
	for _, tt := range []struct {
		name, key, value string
		root             string
		empty            bool
		want             string
	}{
		{"another place", "data-root", `"/srv/docker"`, "/var/lib/docker", false, "policies.hcl:9: data-root is not changed: 1 container (web), 0 images and 0 volumes would vanish from Docker's view"},
		{"where it is", "data-root", `"/srv/docker/"`, "/srv/docker", false, ""},
		{"where it is, with userns-remap", "data-root", `"/srv/docker"`, "/srv/docker/100000.100000", false, ""},
		{"the directory around it", "data-root", `"/srv"`, "/srv/docker", false, "data-root is not changed"},
		{"beside where it is", "data-root", `"/srv/d"`, "/srv/docker", false, "data-root is not changed"},
		{"another place, and nothing is there", "data-root", `"/srv/docker"`, "/var/lib/docker", true, ""},
		{"another driver", "storage-driver", `"vfs"`, "/var/lib/docker", false, "storage-driver is not changed"},
		{"the driver that it has", "storage-driver", `"overlay2"`, "/var/lib/docker", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, p := dockerHost(), dockerPolicy()
			h.Is.Docker.Root, h.Is.Docker.Effective.StorageDriver = tt.root, "overlay2"
			h.Is.Docker.Effective.UsernsRemap = provision.Bool(strings.Contains(tt.root, "100000"))
			if tt.empty {
				h.Is.Docker.Containers = nil
			}
			at := provision.At(9, 0).Range
			p.Docker.Settings = provision.At(9, []policy.Setting{{Key: tt.key, Value: json.RawMessage(tt.value), Range: at}})
			plan, _, err := provision.MakePlan(context.Background(), h, h, p, provision.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, step := range plan {
				got += step.Part.Blocked
			}
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("kept back because of %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAPlaceThatThePolicyNamesNoMoreIsNotLeftBehind(t *testing.T) {
	h, p := dockerHost(), dockerPolicy()
	h.Is.Docker.Containers, h.Is.Docker.Root = nil, "/srv/docker"
	at := provision.At(9, 0).Range
	p.Docker.Settings = provision.At(9, []policy.Setting{{Key: "data-root", Value: json.RawMessage(`"/srv/docker"`), Range: at}})
	applied(t, h, p, provision.Options{})
	p.Docker.Settings, h.Is.Docker.Images = provision.At(9, []policy.Setting(nil)), 1
	plan, _, err := provision.MakePlan(t.Context(), h, h, p, provision.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range plan {
		if step.Part.Name == provision.PartDocker && !strings.Contains(step.Part.Blocked, "data-root is not changed") {
			t.Errorf("kept back because of %q", step.Part.Blocked)
		}
	}
}
