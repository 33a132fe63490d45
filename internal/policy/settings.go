package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"molo/internal/daemonjson"
)

// reserved is a key of daemon.json that settings may not hold.
type reserved struct {
	key  string
	off  bool // only the value false is refused
	why  string
	hint string
}

// reservedSettings lists the keys that are refused and that no attribute sets.
func reservedSettings() []reserved {
	const unit = "Debian's docker.service gives dockerd this as a flag, and dockerd refuses to start when daemon.json says it too."
	return []reserved{
		{key: "hosts", why: unit + " A TCP socket would be root for whoever reaches it besides.", hint: "reach the daemon through ssh: docker -H ssh://user@host"},
		{key: "containerd", why: unit, hint: "take it out"},
		{key: "log-opts", why: "In this key stand the bounds of log files, which max_size and max_file of the block log set.",
			hint: "write those; other options of the key can stay in daemon.json, which molo leaves alone"},
		{key: "default-network-opts", why: "In this key stands the address that ports of new networks are published on, which publish_address sets.",
			hint: "write publish_address; other options of the key can stay in daemon.json, which molo leaves alone"},
		{key: "iptables", off: true, why: "Docker would publish ports through a process of its own, past all rules of the block firewall, and containers would lose their way out.",
			hint: "take it out; the block firewall decides who reaches published ports"},
		{key: "ip6tables", off: true, why: "Without its rules for IPv6, ports that are published there meet no firewall.",
			hint: "take it out; the block firewall decides who reaches published ports"},
	}
}

// readSettings reads the object settings: keys of daemon.json that molo has no attribute for.
func readSettings(n node) (any, []fault) {
	if n.kind != isObject {
		return nil, wrongType(n, isObject, `write keys and values in braces: { "max-concurrent-downloads" = 6 }`)
	}
	var settings []Setting
	var faults []fault
	for _, m := range n.members {
		if m.value.kind == isNull {
			continue
		}
		if f := settingKey(m); f != nil {
			faults = append(faults, f.in(m.key))
		}
		var raw bytes.Buffer
		if f := encode(&raw, m.value); f != nil {
			faults = append(faults, *f)
		} else if f := settingType(m.key.text, raw.Bytes()); f != nil {
			faults = append(faults, f.in(m.value))
		}
		settings = append(settings, Setting{Key: m.key.text, Value: raw.Bytes(), Range: m.key.at})
	}
	return settings, faults
}

// settingKey says what is wrong with a key of daemon.json.
func settingKey(m member) *fault {
	key := m.key.text
	if m.key.kind != isString {
		return &wrongType(m.key, isString, "write the key in quotes")[0]
	}
	if !word(key, 64, "-") {
		return &fault{
			summary: "Invalid key",
			why:     fmt.Sprintf("%q is not a key of daemon.json: those have lower-case letters, digits and - only.", key),
			hint:    didYouMean(key, daemonKeys(), "write it as Docker's documentation does"),
		}
	}
	for _, r := range reservedSettings() {
		if r.key == key && (!r.off || m.value.kind != isBool || !m.value.boolean) {
			return &fault{summary: "Setting not possible", why: r.why, hint: r.hint}
		}
	}
	if path, name := attributeFor(key); name != "" {
		return &fault{
			summary: "Setting with an attribute of its own",
			why:     fmt.Sprintf("The key %q of daemon.json is set by the attribute %s, which checks its value.", key, name),
			hint:    fmt.Sprintf("write %s = … in the block %s", name, path),
		}
	}
	return knownKey(key)
}

// knownKey warns of a key that no release of Docker has, or that newer ones lack. Which
// one is on the host is not known here.
func knownKey(key string) *fault {
	known, ok := daemonjson.Find(key)
	switch {
	case !ok:
		return &fault{
			summary: "Unknown key of daemon.json",
			why:     fmt.Sprintf("No release of Docker up to %s knows %q, and dockerd refuses to start with a key that it does not know.", daemonjson.Newest(), key),
			hint:    didYouMean(key, daemonKeys(), "make sure that the Docker on this host knows it"),
			warning: true,
		}
	case known.Last != (daemonjson.Version{}):
		return &fault{
			summary: "Key that newer Docker lacks",
			why:     fmt.Sprintf("Docker %s was the last that had the key %q, and dockerd refuses to start with a key that it does not know.", known.Last, key),
			hint:    known.Instead,
			warning: true,
		}
	}
	return nil
}

// daemonKeys lists the names of all keys of daemon.json.
func daemonKeys() []string {
	var names []string
	for _, k := range daemonjson.Keys() {
		names = append(names, k.Name)
	}
	return names
}

// settingType reports a value of another type than dockerd takes for a key.
func settingType(key string, value json.RawMessage) *fault {
	known, _ := daemonjson.Find(key) // an unknown one takes any value
	bad := known.Type.Mismatch(value)
	if bad == nil {
		return nil
	}
	path := append([]string{key}, bad.Path...)
	return &fault{
		summary: "Wrong type",
		why:     fmt.Sprintf("For %q %s.", strings.Join(path, "."), bad.Error()),
		hint:    bad.Hint(),
	}
}

// attributeFor returns the attribute that sets a key of daemon.json and the path
// of its block, or twice "".
func attributeFor(key string) (path, name string) {
	docker := dockerRow()
	docker.walk(docker.name, func(at string, b *block) {
		for _, a := range b.attrs {
			if a.sets == key {
				path, name = at, a.name
			}
		}
	})
	return path, name
}
