package daemonjson

import (
	"slices"
	"strings"
	"testing"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// felt is what a daemon.json does to containers, and how to see it.
type felt struct {
	key   string
	value string
	see   string // a shell command, with $id and $pid of a container; none for what only another key needs
}

// feltByContainers lists keys whose effect shows in a container.
func feltByContainers(v Version) []felt {
	inspect := func(field string) string { return "docker inspect --format '{{." + field + "}}' $id" }
	all := []felt{
		{"no-new-privileges", `true`, "grep NoNewPrivs /proc/$pid/status"},
		{"log-driver", `"local"`, inspect("HostConfig.LogConfig.Type")},
		{"log-opts", `{"max-size": "3m"}`, inspect("HostConfig.LogConfig.Config")},
		{"default-shm-size", `"32M"`, inspect("HostConfig.ShmSize")},
		{"default-ipc-mode", `"shareable"`, inspect("HostConfig.IpcMode")},
		{"default-cgroupns-mode", `"host"`, inspect("HostConfig.CgroupnsMode")},
		{"runtimes", `{"own": {"path": "/usr/sbin/runc"}}`, ""},
		{"default-runtime", `"own"`, inspect("HostConfig.Runtime")},
		{"default-ulimits", `{"nofile": {"Name": "nofile", "Hard": 1234, "Soft": 1234}}`, "grep 'Max open files' /proc/$pid/limits"},
		{"dns", `["192.0.2.53"]`, "grep ^nameserver $(" + inspect("ResolvConfPath") + ")"},
		{"dns-search", `["example.no"]`, "grep ^search $(" + inspect("ResolvConfPath") + ")"},
		{"dns-opts", `["ndots:2"]`, "grep ^options $(" + inspect("ResolvConfPath") + ")"},
		{"cgroup-parent", `"own.slice"`, "grep -o 'own.slice' /proc/$pid/cgroup"},
		{"init", `true`, "readlink /proc/$pid/exe"},
	}
	if !v.Before(Version{23, 0}) {
		all = append(all, felt{"seccomp-profile", `"unconfined"`, "grep Seccomp: /proc/$pid/status"})
	}
	return all
}

// TestWhatAChangeReachesOnRealDaemons changes daemon.json, restarts dockerd and looks
// at a container that was there before, which has started again, and at a new one: the
// old one has what takes effect at its next start, the new one everything.
func TestWhatAChangeReachesOnRealDaemons(t *testing.T) {
	labHosts(t, func(t *testing.T, h *lab.Host) {
		sh := func(line string) string { t.Helper(); return labtest.Output(t, h, "sh", "-c", line) }
		written := feltByContainers(engine(t, h))
		all := slices.DeleteFunc(slices.Clone(written), func(f felt) bool { return f.see == "" })
		see := func(name string) map[string]string {
			t.Helper()
			got := map[string]string{}
			for _, f := range all {
				got[f.key] = sh("id=" + name + "; pid=$(docker inspect --format '{{.State.Pid}}' $id); { " + f.see + "; } || true")
			}
			return got
		}
		sh("docker run -d --name old try:1 -http :80")
		before := see("old")
		if err := h.WriteFile("/etc/docker/daemon.json", []byte(fileOf(written)), 0o644); err != nil {
			t.Fatal(err)
		}
		sh("systemctl restart docker && docker start old && docker run -d --name new try:1 -http :80")
		old, fresh := see("old"), see("new")
		for _, f := range all {
			k, _ := Find(f.key)
			if fresh[f.key] == before[f.key] {
				t.Errorf("%s: a new container does not have it: %s", f.key, fresh[f.key])
			}
			if changed := old[f.key] != before[f.key]; changed != (k.Effect == NextStart) {
				t.Errorf("%s: the old container changed: %t (%s), and the table says %v", f.key, changed, strings.TrimSpace(old[f.key]), k.Effect)
			}
		}
	})
}

func fileOf(all []felt) string {
	var members []string
	for _, f := range all {
		members = append(members, `"`+f.key+`": `+f.value)
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// TestWhatDocker0KeepsOnRealDaemons changes docker0 under a container that live-restore
// keeps running, and looks at it after a restart, and after one without a container.
func TestWhatDocker0KeepsOnRealDaemons(t *testing.T) {
	const live = `{"live-restore": true}`
	const changed = `{"live-restore": true, "icc": false, "ip": "127.0.0.1", "ip-masq": false, "mtu": 1400, "bip": "172.30.0.1/16", "ipv6": true, "fixed-cidr-v6": "2001:db8:1::/64"}`
	seen := map[string]string{
		"icc": `index .Options "com.docker.network.bridge.enable_icc"`, "ip": `index .Options "com.docker.network.bridge.host_binding_ipv4"`,
		"ip-masq": `index .Options "com.docker.network.bridge.enable_ip_masquerade"`, "mtu": `index .Options "com.docker.network.driver.mtu"`,
		"bip": `(index .IPAM.Config 0).Gateway`, "ipv6": ".EnableIPv6",
	}
	labHosts(t, func(t *testing.T, h *lab.Host) {
		sh := func(line string) string { t.Helper(); return labtest.Output(t, h, "sh", "-c", line) }
		restart := func(text string) {
			t.Helper()
			if err := h.WriteFile("/etc/docker/daemon.json", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			sh("systemctl reset-failed docker; systemctl restart docker") // three starts in a minute are the limit
		}
		see := func() map[string]string {
			t.Helper()
			got := map[string]string{}
			for key, field := range seen {
				got[key] = sh("docker network inspect bridge --format '{{" + field + "}}'")
			}
			return got
		}
		restart(live)
		sh("docker run -d --name web try:1 -http :80")
		before := see()
		restart(changed)
		during := see()
		sh("docker rm --force web")
		restart(changed)
		after := see()
		for key := range seen {
			if k, _ := Find(key); k.Effect != ByEmptyRestart {
				t.Errorf("%s: the table says %v", key, k.Effect)
			}
			if during[key] != before[key] {
				t.Errorf("%s changed under a running container, from %s to %s", key, before[key], during[key])
			}
			if after[key] == before[key] {
				t.Errorf("%s did not change without a container: %s", key, after[key])
			}
		}
	})
}
