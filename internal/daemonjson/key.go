package daemonjson

import "slices"

// Effect is when a change of a key is felt.
type Effect int

// The effects, from the mildest on.
const (
	// ByReload: as soon as dockerd got SIGHUP.
	ByReload Effect = iota + 1
	// ByRestart: when dockerd has restarted.
	ByRestart
	// ByEmptyRestart: when dockerd has restarted while no container ran. With running
	// ones, which live-restore makes possible, docker0 stays as it was: "there are
	// running containers, updated network configuration will not take affect".
	ByEmptyRestart
	// NextStart: by each container when it starts the next time.
	NextStart
	// NewContainers: by containers that are created from then on. Those that are there
	// keep what they were created with, also when they are restarted.
	NewContainers
	// NewNetworks: by networks that are created from then on.
	NewNetworks
	// NewRoot: by a dockerd that looks for its data elsewhere. Images, containers and
	// volumes of before are out of its sight, and containers that run under
	// live-restore go on without anyone to manage them, until the key is put back.
	NewRoot
)

// String says the effect in words.
func (e Effect) String() string {
	switch e {
	case ByReload:
		return "at a reload"
	case ByRestart:
		return "at a restart"
	case ByEmptyRestart:
		return "at a restart while no container runs"
	case NextStart:
		return "when a container starts next"
	case NewContainers:
		return "for containers created from then on"
	case NewNetworks:
		return "for networks created from then on"
	case NewRoot:
		return "at a restart; what was there goes out of sight"
	}
	return "unknown"
}

// Key is a top-level key of daemon.json.
type Key struct {
	Name    string
	Type    Type
	First   Version  // the first release of Docker that has it
	Last    Version  // the last one, before dockerd refuses to start with it; zero while it is there
	Default string   // as JSON, of the newest release that has the key; "" where dockerd finds out itself
	Effect  Effect   // when a change is felt
	Reload  bool     // SIGHUP is enough for dockerd to take a change; else it is a restart
	Resets  bool     // SIGHUP also notices that the key is gone, and puts the default back
	Flags   []string // dockerd's flags for the same thing, without dashes; one letter is a shorthand
	Shared  bool     // the list is a set, of which several parties may each own elements
	Instead string   // of a key that is gone or going: what to do about it

	ignored Version // the release since which dockerd does not even look at the value; zero for none
}

// In reports whether dockerd of a release takes the key.
func (k Key) In(v Version) bool {
	return !v.Before(k.First) && (k.Last == (Version{}) || !k.Last.Before(v))
}

// flat reports whether dockerd sees the key as one value. It takes any other object
// apart and holds its members for keys of daemon.json: proxies is made for that, but
// it happens to every object.
func (k Key) flat() bool {
	return k.Name != "proxies" && (k.Type.Kind == Map || k.Type.Kind == Object)
}

// Merged reports whether a flag and the key may be given both, and add up.
func (k Key) Merged() bool { return k.Name == "runtimes" }

// Keys returns all keys that any release of Docker since 1.10 has, in alphabetical
// order. Names of dockerd's own configuration that it refuses in daemon.json, such
// as containerd-plugin-namespace and resolv-conf, are not keys.
func Keys() []Key {
	keys := slices.Concat(networkKeys(), bridgeKeys(), containerKeys(), imageKeys(), daemonKeys(), apiKeys(), goneKeys())
	slices.SortFunc(keys, func(a, b Key) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return keys
}

// Find returns the key of that name, which is compared exactly, as dockerd does.
func Find(name string) (Key, bool) {
	for _, k := range Keys() {
		if k.Name == name {
			return k, true
		}
	}
	return Key{}, false
}
