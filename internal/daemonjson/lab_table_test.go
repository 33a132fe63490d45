package daemonjson

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// probeScript has dockerd read a daemon.json for each name on its input, with a value
// that hardly any key takes, and prints the last thing it says. It can't go on after
// that: its pidfile is impossible.
const probeScript = `
while read -r name; do
	printf '{"%s": [{}]}' "$name" >/root/probe.json
	said=$(timeout 20 dockerd --config-file /root/probe.json --pidfile /dev/null/x --data-root /root/probe --exec-root /root/probe 2>&1 |
		grep -v -e level=info -e level=warn | tail -n 1)
	echo "$name $said"
done`

// TestTableOnRealDaemons holds names, types and flags of the table to what dockerd of
// every release says about them.
func TestTableOnRealDaemons(t *testing.T) {
	names := probed()
	labHosts(t, func(t *testing.T, h *lab.Host) {
		v := engine(t, h)
		cmd := h.Command(t.Context(), "sh", "-c", probeScript)
		cmd.Stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != len(names) {
			t.Fatalf("%d answers about %d names", len(lines), len(names))
		}
		for _, line := range lines {
			name, said, _ := strings.Cut(line, " ")
			// dockerd looks for the members of proxies among its keys. An array has none.
			flattened := name == "proxies" && understood(said) == "unknown"
			if got, want := foretold(name, v), understood(said); got != want && !flattened {
				t.Errorf("%s: the table says %q, dockerd %q: %s", name, got, want, said)
			}
		}
		for _, name := range helped(labtest.Output(t, h, "dockerd", "--help")) {
			if _, known := newIndex().byFlag[name]; !known && !slices.Contains(keyless(), name) {
				t.Errorf("the table has no flag %s", name)
			}
		}
	})
}

func engine(t *testing.T, h *lab.Host) Version {
	t.Helper()
	v, err := ParseVersion(strings.TrimSuffix(strings.Fields(labtest.Output(t, h, "dockerd", "--version"))[2], ","))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// probed lists the names of keys, of flags, and of what only dockerd's own
// configuration has.
func probed() []string {
	names := append(keyless(), "containerd-plugin-namespace", "default-init", "resolv-conf", "swarm-raft-election-tick", "swarm-raft-heartbeat-tick", "quantum-tunnel")
	for _, k := range Keys() {
		names = append(names, k.Name)
		for _, name := range k.Flags {
			if len(name) > 1 {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// foretold says in a word what Check thinks of a name.
func foretold(name string, v Version) string {
	in := Input{
		Config: fmt.Appendf(nil, `{"%s": [{}]}`, name), Version: v,
		Flags: []string{"--config-file", "/root/probe.json", "--pidfile", "/dev/null/x", "--data-root", "/root/probe", "--exec-root", "/root/probe"},
	}
	for _, p := range Check(in) {
		switch {
		case p.Outcome != NoStart:
		case strings.Contains(p.Why, "command line"):
			return "told twice"
		case strings.HasPrefix(p.Why, "dockerd takes a"):
			k, _ := Find(name)
			return kindName(k.Type.Kind)
		case strings.Contains(p.Why, "key"):
			return "unknown"
		}
	}
	return "taken"
}

// understood says the same of what dockerd answered.
func understood(said string) string {
	switch {
	case strings.Contains(said, "don't match any configuration option"):
		return "unknown"
	case strings.Contains(said, "both as a flag"):
		return "told twice"
	case strings.Contains(said, "invalid size"):
		return kindName(String)
	case strings.Contains(said, "/dev/null"):
		return "taken"
	}
	of := regexp.MustCompile(`cannot unmarshal (array|object) .* of type ([\w.*\[\]]+)`).FindStringSubmatch(said)
	switch {
	case of == nil:
		return "?"
	case of[1] == "object": // the list's element, so it is a list
		return kindName(List)
	case strings.HasPrefix(of[2], "map["):
		return kindName(Map)
	case strings.HasPrefix(of[2], "int") || strings.HasPrefix(of[2], "uint"):
		return kindName(Int)
	case of[2] == "bool":
		return kindName(Bool)
	case of[2] == "string" || of[2] == "net.IP" || of[2] == "log.OutputFormat":
		return kindName(String)
	}
	return kindName(Object)
}

func kindName(k Kind) string {
	return map[Kind]string{Bool: "boolean", Int: "number", String: "string", List: "list", Map: "map", Object: "object"}[k]
}

// helped lists the flags of dockerd's help.
func helped(help string) []string {
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^ *(?:-(\w), )?--([a-z0-9-]+)`).FindAllStringSubmatch(help, -1) {
		names = append(names, match[2])
		if match[1] != "" && match[1] != "v" && match[1] != "h" {
			names = append(names, match[1])
		}
	}
	return names
}

// reloaded is a daemon.json that differs from every default, as far as a host can do
// with it.
const reloaded = `{
	"debug": true, "labels": ["rack=1"], "live-restore": true, "max-concurrent-downloads": 6, "max-concurrent-uploads": 7, "max-download-attempts": 8,
	"shutdown-timeout": 30, "features": {"nosuch": true}, "insecure-registries": ["registry.example.no:5000"], "registry-mirrors": ["https://mirror.example.no/"],
	"runtimes": {"own": {"path": "/usr/sbin/runc"}}, "default-runtime": "own", "default-shm-size": "128M", "default-ipc-mode": "shareable",
	"default-cgroupns-mode": "host", "icc": false, "ip": "127.0.0.1", "mtu": 1400, "iptables": true, "userland-proxy": false, "no-new-privileges": true,
	"log-driver": "local", "log-opts": {"max-size": "1m"}, "log-level": "warn", "metrics-addr": "127.0.0.1:9323", "bip": "172.30.0.1/16",
	"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 1024, "Soft": 1024}}, "default-address-pools": [{"base": "10.200.0.0/16", "size": 24}],
	"cgroup-parent": "own.slice", "dns": ["192.0.2.53"], "dns-opts": ["ndots:2"], "dns-search": ["example.no"], "ip-masq": false, "init": true,
	"userns-remap": "default", "node-generic-resources": ["gpu=2"], "swarm-default-advertise-addr": "127.0.0.1", "exec-opts": ["native.cgroupdriver=cgroupfs"],
	"group": "root", "raw-logs": true, "seccomp-profile": "/etc/hostname", "init-path": "/nonexistent", "network-control-plane-mtu": 1450
}`

// TestReloadOnRealDaemons has dockerd reload a file in which everything is new, and
// then an empty one, and compares what it says it runs with: only what the table says
// SIGHUP brings is new, and only what the table says it resets goes away.
func TestReloadOnRealDaemons(t *testing.T) {
	var file map[string]any
	if err := json.Unmarshal([]byte(reloaded), &file); err != nil {
		t.Fatal(err)
	}
	labHosts(t, func(t *testing.T, h *lab.Host) {
		before := reload(t, h, "{}")
		after := reload(t, h, reloaded)
		without := reload(t, h, "{}")
		for name := range file {
			k, ok := Find(name)
			if !ok {
				t.Fatalf("%s is no key", name)
			}
			old, taken, left := fmt.Sprint(before[name]), fmt.Sprint(after[name]), fmt.Sprint(without[name])
			// Before 23.0 a reload writes switches that are also flags into the running
			// configuration (moby#20289). What dockerd did with them at its start stays.
			byTheWay := !k.Reload && k.Type.Kind == Bool && slices.Contains(k.Flags, name) && engine(t, h).Before(Version{23, 0})
			if (taken != old) != k.Reload && !byTheWay {
				t.Errorf("%s: a reload changed %s to %s, and the table says reload %t", name, old, taken, k.Reload)
			}
			if k.Reload && (left != taken) != k.Resets {
				t.Errorf("%s: a reload without it changed %s to %s, and the table says resets %t", name, taken, left, k.Resets)
			}
		}
	})
}

// reload writes daemon.json, sends SIGHUP and returns the configuration that dockerd
// then logs.
func reload(t *testing.T, h *lab.Host, text string) map[string]any {
	t.Helper()
	if err := h.WriteFile("/etc/docker/daemon.json", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	line := labtest.Output(t, h, "sh", "-c", `
lines() { journalctl -u docker.service -o cat | grep -c 'Reloaded configuration'; }
before=$(lines)
systemctl reload docker.service
timeout 20 sh -c 'while [ "$(journalctl -u docker.service -o cat | grep -c "Reloaded configuration")" = '"$before"' ]; do sleep 0.05; done'
journalctl -u docker.service -o cat | grep 'Reloaded configuration' | tail -n 1`)
	begin, end := strings.IndexByte(line, '{'), strings.LastIndexByte(line, '}')
	if begin < 0 || end < begin {
		t.Fatalf("no configuration in the log: %s", line)
	}
	object := strings.ReplaceAll(strings.ReplaceAll(line[begin:end+1], `\"`, `"`), `\\`, `\`)
	var config map[string]any
	if err := json.Unmarshal([]byte(object), &config); err != nil {
		t.Fatalf("reading the configuration in the log: %v\n%s", err, object)
	}
	return config
}
