package daemonjson

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// twice warns of keys that are written more than once. dockerd takes the last,
// silently; of objects it takes all together.
func twice(c *check) { c.twiceIn(c.file, nil) }

func (c *check) twiceIn(v value, path []string) {
	seen := map[string]int{}
	for _, m := range v.members {
		at := append(slices.Clone(path), m.name)
		if seen[m.name]++; seen[m.name] == 2 {
			c.warn("the key is written more than once, and dockerd silently takes the last", "remove all but one", at...)
		}
		c.twiceIn(m.value, at)
	}
	for _, item := range v.items {
		c.twiceIn(item, path)
	}
}

// names looks at the names of keys as dockerd does: it holds the members of any
// object for keys of daemon.json, except where it knows the key to be an object.
func names(c *check) {
	for _, name := range c.file.names() {
		if v, _ := c.file.get(name); v.kind == Object && !c.flat(name) {
			c.wrapper(name, v)
		} else {
			c.name(name, name)
		}
	}
}

func (c *check) flat(name string) bool {
	k, ok := c.table.byName[name]
	return ok && k.flat() && k.In(c.version)
}

// wrapper looks at the names in an object that dockerd takes apart. When it knows
// them all it starts, and then reads only the objects that are keys themselves.
func (c *check) wrapper(name string, v value) {
	before := len(c.problems)
	for _, inner := range v.names() {
		c.name(inner, name, inner)
	}
	k, known := c.table.byName[name]
	switch failed := len(c.problems) > before; {
	case known && k.In(c.version) && name != "proxies":
		c.problems = c.problems[:before] // types has the better words
	case known && k.In(c.version):
		if !failed {
			c.strangers(k, v)
		}
	case failed && known:
		c.problems = c.problems[:before]
		c.unavailable(k, name)
	case failed:
		c.problems[before].Hint = fmt.Sprintf("take %q out: Docker %s knows no such key, and so it looks for keys inside", name, c.version)
	default:
		c.warn(fmt.Sprintf("Docker %s knows no such key, and silently ignores the object", c.version), meant(name), name)
	}
}

// unavailable says since when, or until when, Docker has a key.
func (c *check) unavailable(k Key, path ...string) {
	if c.version.Before(k.First) {
		c.fatal(fmt.Sprintf("Docker has this key since %s, and this one is %s", k.First, c.version), "take it out, or upgrade Docker first", path...)
		return
	}
	c.fatal(fmt.Sprintf("Docker %s was the last that had this key", k.Last), k.Instead, path...)
}

// strangers warns of what stands in proxies, passes for a key of daemon.json and is
// none of the proxies.
func (c *check) strangers(k Key, v value) {
	for _, inner := range v.names() {
		if _, ok := k.Type.field(inner); !ok {
			c.warn("dockerd ignores this key here", "write it at the top level", k.Name, inner)
		}
	}
}

// name looks at one name, which stands at path.
func (c *check) name(name string, path ...string) {
	k, known := c.table.byName[name]
	switch {
	case known && k.In(c.version):
		if !c.reads(k) {
			c.warn("dockerd takes this key and ignores it", k.Instead, path...)
		}
	case name == "validate" && c.since(23, 0): // onlyValidates looks at it
	case c.table.flagIn(name, c.version):
		c.spelledAsFlag(name, path)
	case known:
		c.unavailable(k, path...)
	default:
		c.unheard(fmt.Sprintf("no Docker up to %s knows this key", Newest()), meant(name), path...)
	}
}

// spelledAsFlag warns of the name of a flag that is not the key's: dockerd takes it,
// and forgets what it says.
func (c *check) spelledAsFlag(name string, path []string) {
	hint := "take it out"
	if k, ok := c.table.byFlag[name]; ok {
		hint = fmt.Sprintf("write %q", k.Name)
		if k.Name == "proxies" {
			if len(path) == 2 && path[0] == k.Name {
				return // where it belongs
			}
			hint = `write it in the object "proxies"`
		}
	}
	c.warn("dockerd has a flag of this name, but no key: it starts, and silently ignores the value", hint, path...)
}

// meant returns a hint with the key that a name most likely stands for.
func meant(name string) string {
	if known := nearest(name); known != "" {
		return fmt.Sprintf("did you mean %q?", known)
	}
	return "take it out"
}

// collisions looks for what dockerd is told twice. It does not start then, even when
// both say the same.
func collisions(c *check) {
	for _, path := range c.flattened() {
		name := path[len(path)-1]
		k, known := c.table.byName[name]
		if known && k.Merged() {
			continue
		}
		for _, f := range c.flags {
			if f.name == name || known && slices.Contains(k.Flags, f.name) {
				c.fatal(fmt.Sprintf("dockerd already gets --%s from its command line, and refuses to be told twice, even the same", f.name),
					"take the key out here, or the flag out of the unit (systemctl cat docker.service) or of /etc/default/docker", path...)
				break
			}
		}
	}
}

// flattened lists the paths of all names that dockerd takes for keys.
func (c *check) flattened() [][]string {
	var all [][]string
	for _, name := range c.file.names() {
		v, _ := c.file.get(name)
		if v.kind != Object || c.flat(name) {
			all = append(all, []string{name})
			continue
		}
		for _, inner := range v.names() {
			all = append(all, []string{name, inner})
		}
	}
	return all
}

// onlyValidates looks for the name of a flag that dockerd obeys in daemon.json: it then
// checks the file, and ends.
func onlyValidates(c *check) {
	for _, path := range c.flattened() {
		v := c.file
		for _, name := range path {
			v, _ = v.get(name)
		}
		on, err := strconv.ParseBool(v.literal)
		switch {
		case path[len(path)-1] != "validate" || !c.since(23, 0):
		case err == nil && on:
			c.fatal("it turns --validate on, with which dockerd checks the file and ends", "take it out", path...)
		default:
			c.spelledAsFlag("validate", path)
		}
	}
}

// types looks for values of a type that dockerd's decoder refuses.
func types(c *check) {
	for _, m := range c.file.members {
		k, known := c.table.byName[m.name]
		if !known || !c.reads(k) || c.untyped[m.name] {
			continue
		}
		if bad := k.Type.mismatch(m.value); bad != nil {
			c.untyped[m.name] = true
			c.fatal(bad.Error(), bad.Hint(), append([]string{m.name}, bad.Path...)...)
		}
	}
}

// nearest returns the key whose name is most like a given one, or "" when none is
// near. Short names must be closer: "ip" is two letters away from "icc".
func nearest(name string) string {
	best, found := 3, ""
	if len(name) < 5 {
		best = 2
	}
	for _, k := range Keys() {
		if d := distance(fold(name), fold(k.Name)); d < best {
			best, found = d, k.Name
		}
	}
	return found
}

// fold makes spellings comparable that differ only in case and in _ for -.
func fold(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// distance is how many letters have to be added, taken away or replaced to make b of
// a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
