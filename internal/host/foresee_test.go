package host

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/provision"
)

// stops lists the keys for which dockerd would not start with this daemon.json.
func stops(t *testing.T, h *Host, config string) string {
	t.Helper()
	ids := h.subIDs(func(path string, err error) { t.Fatalf("%s: %v", path, err) })
	all, err := h.Foresee(context.Background(), facts.Docker{Version: "28.5.2", Config: config, SubIDs: ids}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, trouble := range all {
		if trouble.Stops {
			keys = append(keys, strings.Join(trouble.Key, "."))
		}
	}
	return strings.Join(keys, " ")
}

func TestWhatDaemonJSONNamesIsLookedUpOnTheHost(t *testing.T) {
	h := owned(t, map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\ncont:x:1001:1001::/:/bin/false\nalso:x:1002:1002::/:/bin/false\n",
		"/etc/group":  "root:x:0:\ncont:x:1001:\nalso:x:1002:\n",
		"/etc/subuid": "cont:100000:65536\nalso:165000:65536\n", "/etc/subgid": "cont:100000:65536\nalso:200000:65536\n",
		"/etc/docker/seccomp.json":                "{}",
		"/run/docker/plugins/ship.sock":           "",
		"/var/lib/docker/plugins/0a/config.json":  `{"plugin": {"Name": "acme/logs:latest"}}`,
		"/etc/docker/plugins/vault.spec":          "unix:///run/vault.sock",
		"/var/lib/docker/plugins/storage/nothing": "",
	})
	for config, want := range map[string]string{
		`{}`: "",
		`{"seccomp-profile": "/etc/docker/seccomp.json"}`: "",
		`{"seccomp-profile": "/etc/docker/none.json"}`:    "seccomp-profile",
		`{"authorization-plugins": ["vault"]}`:            "",
		`{"authorization-plugins": ["nobody"]}`:           "authorization-plugins.0",
		`{"seccomp-profile": "/etc/docker"}`:              "seccomp-profile",
		`{"data-root": "/var/lib/docker"}`:                "",
		`{"data-root": "/etc/passwd"}`:                    "data-root",
		`{"log-driver": "ship"}`:                          "",
		`{"log-driver": "acme/logs"}`:                     "",
		`{"log-driver": "acme/none"}`:                     "log-driver",
		`{"userns-remap": "also"}`:                        "userns-remap", // overlaps another's
		`{"userns-remap": "default"}`:                     "",             // dockerd makes it
		`{"userns-remap": "nobody-here"}`:                 "userns-remap",
	} {
		if diff := cmp.Diff(want, stops(t, h, config)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", config, diff)
		}
	}
}

func TestWhatIsLookedUpIsToldFromWhatIsInTheText(t *testing.T) {
	h := image(t, nil)
	for config, looked := range map[string]bool{
		`{"seccomp-profile": "/etc/docker/none.json"}`: true,
		`{"authorization-plugins": ["nobody"]}`:        true,
		`{"bip": "10.9.0.0"}`:                          false,
		`{"no-such-key": 1}`:                           false,
	} {
		all, err := h.Foresee(context.Background(), facts.Docker{Version: "28.5.2", Config: config}, nil)
		if err != nil || len(all) == 0 || !all[0].Stops || all[0].Looked != looked {
			t.Errorf("%s: %+v, %v; want looked up %t", config, all, err, looked)
		}
	}
}

func TestNoFileIsNoEmptyFile(t *testing.T) {
	for name, files := range map[string]map[string]string{"no file": {}, "an empty file": {provision.DaemonJSON: ""}} {
		all, err := image(t, files).Foresee(context.Background(), facts.Docker{Version: "20.10.24"}, nil)
		if err != nil || len(all) != len(files) {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}

func TestIDsForContainersAreAddedAndStay(t *testing.T) {
	h := image(t, map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/etc/group": "root:x:0:\n", "/etc/subuid": "anna:100000:65536", "/etc/subgid": "anna:100000:65536\n",
	})
	applyText(t, h, "docker {}\n")
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		if got, want := h.text(t, file), "anna:100000:65536\ndockremap:165536:65536\n"; got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	applyText(t, h, "docker {\n  userns_remap = \"off\"\n}\n")
	if got := h.text(t, "/etc/subuid"); !strings.Contains(got, "dockremap") {
		t.Errorf("the ids of volumes that may be there are gone: %q", got)
	}
}
