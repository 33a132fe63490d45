package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"molo/internal/daemonjson"
	"molo/internal/facts"
	"molo/internal/jsontext"
	"molo/internal/policy"
	"molo/internal/resource"
)

// DaemonJSON is the file dockerd is configured by.
const DaemonJSON = "/etc/docker/daemon.json"

// DockerUnit is the unit that runs dockerd.
const DockerUnit = "docker.service"

// setting is one leaf of daemon.json that molo wants.
type setting struct {
	path  []string
	value any
	from  Origin
}

// reloads reports whether SIGHUP brings the setting into force; else it takes a restart.
func (s setting) reloads() bool {
	key, _ := daemonjson.Find(s.path[0])
	return key.Reload
}

func (s setting) id() resource.ID { return resource.KeyID(DaemonJSON, s.path...) }

// dockerPart compiles the block docker.
func dockerPart(p *policy.Docker, d facts.Docker, now time.Time) (Part, error) {
	part := Part{Name: PartDocker, Fallback: []Probe{DockerRuns{Running: survivors(d)}}, Against: against(d)}
	if p == nil {
		part.Activate = activateDocker(nil, d, nil, remap{}, now)
		if current, named := remapInForce(d); (!named || current != "") && inUse(d) {
			part.Holds = map[resource.ID]Note{resource.KeyID(DaemonJSON, "userns-remap"): {
				Text: "userns-remap stays in " + DaemonJSON + ": without it " + inventory(d) + " would vanish from Docker's view",
			}}
		}
		return part, nil
	}
	remap := decideRemap(p, d, waits(p, now))
	settings, notes := dockerSettings(p, d, remap)
	if err := checkDaemon(settings, d); err != nil {
		return Part{}, err
	}
	for _, s := range settings {
		raw, err := json.Marshal(s.value)
		if err != nil {
			return Part{}, fmt.Errorf("%s: writing %s as JSON: %w", s.from, strings.Join(s.path, "."), err)
		}
		part.Want = append(part.Want, Wanted{Resource: resource.Key{File: DaemonJSON, Path: s.path, Value: raw}, From: s.from})
	}
	part.Notes = notes
	if err := part.mapIDs(p, d, remap); err != nil {
		return Part{}, err
	}
	if remap.refused != "" {
		part.Violations = append(part.Violations, remap.refused)
	}
	if d.Installed && d.Major >= 23 {
		part.Checks = []Check{DockerConfig{Flags: d.Flags}}
	}
	part.Activate = activateDocker(p, d, settings, remap, now)
	part.settle(p, d, remap, now)
	return part, nil
}

// against is what decides whether dockerd runs with the settings: its version, and what
// else is in the file.
func against(d facts.Docker) string {
	sum := sha256.Sum256([]byte(d.Config))
	return d.Version + " " + hex.EncodeToString(sum[:])[:16]
}

// dockerSettings lists what daemon.json must say, in the order in which new keys
// are written, and what the owner should know about it.
func dockerSettings(p *policy.Docker, d facts.Docker, remap remap) ([]setting, []Note) {
	all := []setting{
		{path: []string{"icc"}, value: p.ICC.V, from: From(p.ICC.Range)},
		{path: []string{"no-new-privileges"}, value: p.NoNewPrivileges.V, from: From(p.NoNewPrivileges.Range)},
		{path: []string{"live-restore"}, value: p.LiveRestore.V, from: From(p.LiveRestore.Range)},
		{path: []string{"ip"}, value: p.PublishAddress.V.String(), from: From(p.PublishAddress.Range)},
	}
	var notes []Note
	if d.Effective.Swarm && p.LiveRestore.V {
		all = slices.DeleteFunc(all, func(s setting) bool { return s.path[0] == "live-restore" })
		notes = append(notes, Note{"live-restore is left off: dockerd refuses it together with swarm", From(p.LiveRestore.Range).String()})
	}
	all = append(all, networkSettings(p, d)...)
	all = append(all, logSettings(p.Log)...)
	if remap.value != nil {
		all = append(all, setting{path: []string{"userns-remap"}, value: *remap.value, from: From(p.UsernsRemap.Range)})
	}
	notes = append(notes, remap.notes...)
	for _, s := range p.Settings.V {
		// What molo asks for by itself, such as ip6tables, the owner may say as well.
		all = slices.DeleteFunc(all, func(own setting) bool { return len(own.path) == 1 && own.path[0] == s.Key })
		all = append(all, leaves(s)...)
	}
	return all, notes
}

// leaves takes a setting of the owner's apart: of an object whose keys are the owner's, and
// of a list that several parties may add to, what the policy does not name stays.
func leaves(s policy.Setting) []setting {
	key, _ := daemonjson.Find(s.Key)
	var all []setting
	add := func(raw json.RawMessage, path ...string) {
		all = append(all, setting{path: path, value: raw, from: From(s.Range)})
	}
	var elements []json.RawMessage
	switch {
	case key.Shared && json.Unmarshal(s.Value, &elements) == nil && len(elements) > 0:
		seen := map[string]bool{}
		for _, e := range elements {
			if name := jsontext.Element(e); !seen[name] {
				seen[name] = true
				add(e, s.Key, name)
			}
		}
	case key.Type.Kind == daemonjson.Map:
		eachMember(key.Type, s.Value, []string{s.Key}, add)
	default:
		add(s.Value, s.Key)
	}
	return all
}

// eachMember visits the members of an object whose keys are the owner's, and those of such
// objects in it.
func eachMember(t daemonjson.Type, raw json.RawMessage, path []string, visit func(json.RawMessage, ...string)) {
	doc, err := jsontext.Parse(raw)
	if t.Kind != daemonjson.Map || err != nil || doc.Empty() {
		visit(raw, path...)
		return
	}
	seen := map[string]bool{}
	for _, leaf := range doc.Leaves() {
		if name := leaf[0]; !seen[name] {
			seen[name] = true
			value, _ := doc.Get(name)
			eachMember(*t.Elem, value, append(slices.Clip(path), name), visit)
		}
	}
}

// networkSettings asks for what the engine's version makes necessary or possible.
func networkSettings(p *policy.Docker, d facts.Docker) []setting {
	var all []setting
	// Until 27.0 ip6tables is off, and a port published on IPv6 meets no rule of
	// Docker's; before 27.0 it is an experimental feature besides.
	if d.Major > 0 && d.Major < 27 {
		all = append(all,
			setting{path: []string{"experimental"}, value: true, from: From(p.Range)},
			setting{path: []string{"ip6tables"}, value: true, from: From(p.Range)})
	}
	// "ip" binds only the ports of docker0's containers. default-network-opts, since
	// 24.0, does it for networks created from now on; older engines ignore it.
	if (d.Major == 0 || d.Major >= 24) && p.PublishAddress.V.Is4() {
		path := []string{"default-network-opts", "bridge", "com.docker.network.bridge.host_binding_ipv4"}
		all = append(all, setting{path: path, value: p.PublishAddress.V.String(), from: From(p.PublishAddress.Range)})
	}
	return all
}

func logSettings(l policy.Log) []setting {
	all := []setting{{path: []string{"log-driver"}, value: l.Driver.V, from: From(l.Driver.Range)}}
	if l.Driver.V != "local" && l.Driver.V != "json-file" {
		return all
	}
	// dockerd takes log options as strings only.
	return append(all,
		setting{path: []string{"log-opts", "max-size"}, value: l.MaxSize.V, from: From(l.MaxSize.Range)},
		setting{path: []string{"log-opts", "max-file"}, value: strconv.Itoa(l.MaxFile.V), from: From(l.MaxFile.Range)})
}

// configured returns the string that daemon.json now holds under a top-level key.
func configured(d facts.Docker, key string) string {
	doc, err := jsontext.Parse([]byte(d.Config))
	if err != nil {
		return "" // checkDaemon reports it
	}
	raw, ok := doc.Get(key)
	var value string
	if !ok || json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return value
}

// count says "1 container", "3 containers".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
