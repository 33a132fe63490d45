package daemonjson

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// brief writes problems as "path: outcome", one a line.
func brief(problems []Problem) string {
	var lines []string
	for _, p := range problems {
		outcome := map[Outcome]string{NoStart: "no start", NoContainers: "no containers", NoStartLater: "no start with " + p.Version.String(), Warning: "warning"}[p.Outcome]
		lines = append(lines, strings.Join(p.Path, ".")+": "+outcome)
	}
	return strings.Join(lines, "\n")
}

func TestCheck(t *testing.T) {
	v20, v26, v28, v29 := Version{20, 10}, Version{26, 1}, Version{28, 5}, Version{29, 7}
	for _, tt := range []struct {
		name    string
		config  string
		version Version
		edit    func(*Input)
		want    string
	}{
		{"nothing is fine", `{}`, v26, nil, ""},
		{"so is what molo writes", `{"icc": false, "ip": "127.0.0.1", "log-driver": "local", "log-opts": {"max-size": "10m", "max-file": "5"}}`, v29, nil, ""},

		{"a key of a later release", `{"firewall-backend": "nftables"}`, v26, nil, "firewall-backend: no start"},
		{"a key that the next release lacks", `{"graph": "/srv"}`, v20, nil, "graph: no start with 24.0"},
		{"a key that went twice: with a value, and for good", `{"api-cors-header": "*"}`, v20, nil, "api-cors-header: no start with 28.0"},
		{"an unknown key of a release that the table does not know", `{"quantum-tunnel": true}`, Version{30, 0}, nil, "quantum-tunnel: warning"},
		{"an unknown log option there", `{"log-opts": {"quantum": "1"}}`, Version{30, 0}, nil, "log-opts.quantum: warning"},
		{"a value that a later release refuses", `{"exec-opts": ["nosuch=1"]}`, v26, nil, "exec-opts.0: warning\nexec-opts.0: no start with 28.0"},
		{"a key twice inside", `{"log-opts": {"max-size": "1m", "max-size": "2m"}}`, v26, nil, "log-opts.max-size: warning"},

		{"an unknown engine, and a value that none takes", `{"bip": "bad"}`, Version{}, nil, "bip: no start"},
		{"an unknown engine, and a key that only some have", `{"proxies": {"no-proxy": "localhost"}}`, Version{}, nil, "proxies: no start with 20.10"},
		{"an unknown engine, and a container that only some start", `{"fixed-cidr": "192.0.2.1/32"}`, Version{}, nil, "fixed-cidr: warning"},
		{"an unknown engine, and nothing wrong", `{"icc": false}`, Version{}, nil, ""},

		{"no file at all, and flags", ``, v26, func(in *Input) { in.Config, in.Flags = nil, []string{"--icc=false", "--iptables=false"} }, "iptables: no start"},
		{"a flag without a key", `{"icc": false}`, v26, func(in *Input) { in.Flags = []string{"--config-file", "/x", "--restart"} }, ""},
		{"a flag and the key inside proxies", `{"proxies": {"http-proxy": "http://192.0.2.1"}}`, v26, func(in *Input) { in.Flags = []string{"--http-proxy=http://192.0.2.1"} }, "proxies.http-proxy: no start"},
		{"a flag that two keys have", `{"host-gateway-ip": "192.0.2.1"}`, v28, func(in *Input) { in.Flags = []string{"--host-gateway-ip", "192.0.2.1"} }, "host-gateway-ip: no start"},
		{"a driver by flag, and its options", `{"log-opts": {"labels": "x"}}`, v26, func(in *Input) { in.Flags = []string{"--log-driver=local"} }, "log-opts.labels: no start"},

		{"a plugin that may be there", `{"authorization-plugins": ["opa"], "log-driver": "loki"}`, v26, nil, "log-driver: warning"},
		{"a plugin that is there", `{"authorization-plugins": ["opa"], "log-driver": "loki", "log-opts": {"loki-url": "x"}}`, v26, func(in *Input) { in.Host.Plugin = yes }, ""},
		{"a plugin that is not there", `{"authorization-plugins": ["opa"], "log-driver": "loki"}`, v26, func(in *Input) { in.Host.Plugin = no }, "authorization-plugins.0: no start\nlog-driver: no containers"},
		{"a driver in the wrong case needs no look", `{"log-driver": "Local"}`, v26, nil, "log-driver: no containers"},
		{"files that may be there", `{"seccomp-profile": "/x", "tls": true, "tlscert": "/c", "tlskey": "/k", "data-root": "/d"}`, v26, nil, ""},
		{"files that are there", `{"seccomp-profile": "/x", "tls": true, "tlscert": "/c", "tlskey": "/k"}`, v26, func(in *Input) { in.Host.File, in.Host.Read = yes, holds(`{}`) }, ""},
		{"a profile that is no JSON", `{"seccomp-profile": "/x"}`, v26, func(in *Input) { in.Host.File, in.Host.Read = yes, holds(`x`) }, "seccomp-profile: no containers"},
		{"files that are not there", `{"seccomp-profile": "/x", "tls": true, "tlscert": "/c", "tlskey": "/k", "tlscacert": "/a"}`, v26, func(in *Input) { in.Host.File = no }, "tlscert: no start\ntlskey: no start\ntlscacert: no start\nseccomp-profile: no start"},
		{"a file for a directory", `{"data-root": "/d"}`, v26, func(in *Input) { in.Host.File = yes }, "data-root: no start"},
		{"a user who may be there", `{"userns-remap": "build:build"}`, v26, nil, ""},
		{"a user with IDs", `{"userns-remap": "build:build"}`, v26, func(in *Input) { in.Host.User, in.Host.Group, in.Host.SubIDs = yes, yes, yes }, ""},
		{"a user without", `{"userns-remap": "build:build"}`, v26, func(in *Input) { in.Host.User, in.Host.Group, in.Host.SubIDs = yes, yes, no }, "userns-remap: no start"},
		{"a group that is not there", `{"userns-remap": "build:build"}`, v26, func(in *Input) { in.Host.User, in.Host.Group = yes, no }, "userns-remap: no start"},
		{"too many words for a user", `{"userns-remap": "a:b:c"}`, v26, nil, "userns-remap: no start"},
		{"a bridge that may be there", `{"bridge": "br0"}`, v26, nil, ""},
		{"a bridge that is not there", `{"bridge": "br0"}`, v26, func(in *Input) { in.Host.Interface = no }, "bridge: no start"},
		{"an address that may be there", `{"ip": "192.0.2.1", "metrics-addr": "127.0.0.1:9323"}`, v26, nil, ""},
		{"an address that is not there", `{"ip": "192.0.2.1", "metrics-addr": "192.0.2.1:9323"}`, v26, func(in *Input) { in.Host.Address = nowhere }, "metrics-addr: no start\nip: warning"},
		{"metrics for everybody", `{"metrics-addr": "0.0.0.0:9323"}`, v26, func(in *Input) { in.Host.Address = nowhere }, "metrics-addr: warning"},

		{"cgroups of version 1", `{"cgroup-parent": "/docker", "cpu-rt-period": 1000000}`, v26, func(in *Input) { in.CgroupV1 = true }, ""},
		{"systemd on cgroups of version 1", `{"cgroup-parent": "/docker", "exec-opts": ["native.cgroupdriver=systemd"]}`, v26, func(in *Input) { in.CgroupV1 = true }, "cgroup-parent: no start"},
		{"live-restore in a swarm", `{"live-restore": true}`, v26, func(in *Input) { in.Swarm = true }, "live-restore: no start"},
		{"live-restore off in a swarm", `{"live-restore": false}`, v26, func(in *Input) { in.Swarm = true }, ""},
		{"nftables in a swarm", `{"firewall-backend": "nftables"}`, v29, func(in *Input) { in.Swarm = true }, "firewall-backend: no start"},
		{"nftables in a swarm that can", `{"firewall-backend": "nftables", "features": {"swarm-nftables": true}}`, v29, func(in *Input) { in.Swarm = true }, ""},
		{"nftables without rules in a swarm", `{"firewall-backend": "nftables", "iptables": false, "icc": true}`, v29, func(in *Input) { in.Swarm = true }, ""},

		{"29 has words of its own", `{"firewall-backend": "pf", "bridge-accept-fwmark": "x", "min-api-version": "1.9"}`, v29, nil, "firewall-backend: no start\nbridge-accept-fwmark: no start\nmin-api-version: no start"},
		{"which it takes", `{"firewall-backend": "iptables", "bridge-accept-fwmark": "0x1/0x3", "min-api-version": "1.44", "nri-opts": {"enable": true}, "default-stop-timeout": 5}`, v29, nil, ""},
		{"an unknown word in nri-opts", `{"nri-opts": {"enabled": true}}`, v29, nil, "nri-opts: no start"},
		{"CRI in a containerd inside of dockerd", `{"cri-containerd": true, "features": {"embedded-containerd": true}}`, v29, nil, "cri-containerd: no start"},
		{"a snapshotter for a storage driver", `{"storage-driver": "stargz"}`, v29, nil, "storage-driver: warning"},
		{"a snapshotter that is asked for", `{"storage-driver": "stargz", "features": {"containerd-snapshotter": true}}`, v26, nil, ""},
		{"overlay2.size needs quotas", `{"storage-opts": ["overlay2.size=1g"]}`, v26, nil, "storage-opts.0: warning"},
		{"btrfs needs btrfs", `{"storage-driver": "btrfs"}`, v26, nil, "storage-driver: warning"},
		{"the options of another driver are its own affair", `{"storage-driver": "zfs", "storage-opts": ["zfs.fsname=x"]}`, v26, nil, "storage-driver: warning"},
		{"fluentd must answer", `{"log-driver": "fluentd", "log-opts": {"fluentd-retry-wait": "x", "fluentd-buffer-limit": "y", "fluentd-request-ack": "z"}}`, v26, nil, "log-opts.fluentd-request-ack: no start\nlog-opts.fluentd-retry-wait: no start\nlog-opts.fluentd-buffer-limit: no start\nlog-driver: warning"},
		{"a socket of syslog that is not there", `{"log-driver": "syslog", "log-opts": {"syslog-address": "unix:///x", "syslog-format": "x"}}`, v26, func(in *Input) { in.Host.File = no }, "log-opts.syslog-address: no start\nlog-opts.syslog-format: no start"},
		{"a runtime of containerd's that may be there", `{"default-runtime": "io.containerd.kata.v2"}`, v26, nil, "default-runtime: warning"},
		{"which 20.10 does not take", `{"default-runtime": "io.containerd.kata.v2"}`, v20, nil, "default-runtime: no start"},
		{"options of a runtime that is a program", `{"runtimes": {"own": {"path": "/x", "options": {}}, "kata": {"runtimeType": "io.containerd.kata.v2", "runtimeArgs": ["x"]}}}`, v26, nil, "runtimes.own: no start\nruntimes.kata: no start"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Config: []byte(tt.config), Version: tt.version}
			if tt.edit != nil {
				tt.edit(&in)
			}
			got := Check(in)
			if diff := cmp.Diff(tt.want, brief(got)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, got)
			}
		})
	}
}

func yes(string) bool           { return true }
func no(string) bool            { return false }
func nowhere(a netip.Addr) bool { return a.IsLoopback() }

func holds(s string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(s), nil }
}

func TestAFileThatCanNotBeReadSaysNothing(t *testing.T) {
	in := Input{Config: []byte(`{"seccomp-profile": "/x"}`), Version: Version{26, 1}}
	in.Host.Read = func(string) ([]byte, error) { return nil, fs.ErrPermission }
	if got := Check(in); len(got) > 0 {
		t.Error(got)
	}
}

func TestTextThatIsNoJSONIsShownWithItsPlace(t *testing.T) {
	in := Input{Config: []byte("{\n  // no\n}"), Version: Version{26, 1}}
	got := Check(in)
	want := "daemon.json: line 2, column 3: JSON has no comments: dockerd does not start\nhint: remove it"
	if len(got) != 1 || got[0].String() != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	const secret = "hunter2"
	for _, config := range []string{
		`{"registry-mirrors": ["https://me:hunter2@mirror.example.no"]}`,
		`{"proxies": {"http-proxy": "http://me:hunter2@192.0.2.1", "nosuch": "hunter2"}}`,
		`{"http-proxy": "http://me:hunter2@192.0.2.1"}`,
		`{"log-driver": "splunk", "log-opts": {"splunk-tocken": "hunter2"}}`,
		`{"log-driver": "splunk", "log-opts": {"splunk-token": ["hunter2"]}}`,
		`{"insecure-registries": ["http://me:hunter2@registry.example.no/x"]}`,
	} {
		if said := fmt.Sprint(Check(Input{Config: []byte(config), Version: Version{26, 1}})); strings.Contains(said, secret) {
			t.Errorf("%s: %s", config, said)
		}
	}
}

// FuzzCheck holds Check to what is certain of any text: it does not panic, what is no
// JSON object is refused by the engines that refuse it, and what one engine refuses
// does not depend on who asks twice.
func FuzzCheck(f *testing.F) {
	for _, file := range matrix(f) {
		f.Add(file.config, strings.Join(file.flags, " "), uint8(len(file.name)))
	}
	f.Fuzz(func(t *testing.T, config []byte, flags string, which uint8) {
		all := append(releases(), Version{}, Version{30, 0})
		in := Input{Config: config, Version: all[int(which)%len(all)], Flags: strings.Fields(flags), Swarm: which%2 == 0}
		if which%3 == 0 {
			in.Host = labHost()
		}
		got := Check(in)
		dies := slices.ContainsFunc(got, func(p Problem) bool { return p.Outcome == NoStart })
		if in.Version != (Version{}) && !dies && noObject(config, in.Version) {
			t.Errorf("Docker %s would start with %q", in.Version, config)
		}
		for _, p := range got {
			if p.Why == "" || p.Hint == "" || p.String() == "" || p.Outcome < NoStart || p.Outcome > Warning {
				t.Errorf("badly said: %+v", p)
			}
		}
		if diff := cmp.Diff(got, Check(in)); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}

// noObject reports whether a text does not even begin as a JSON object or null, after
// what the engine skips.
func noObject(config []byte, v Version) bool {
	rest := string(config)
	if !v.Before(Version{23, 0}) {
		if strings.HasPrefix(rest, "\xff\xfe") || strings.HasPrefix(rest, "\xfe\xff") {
			return false
		}
		rest = strings.TrimSpace(strings.TrimPrefix(rest, "\xef\xbb\xbf"))
		if rest == "" {
			return false
		}
	}
	rest = strings.TrimLeft(rest, " \t\r\n")
	return !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, "null")
}
