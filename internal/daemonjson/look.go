package daemonjson

import "slices"

// check is one look at a daemon.json with the eyes of one release of dockerd.
type check struct {
	in       Input
	version  Version
	table    *index
	file     value // what dockerd reads: an object, or null
	flags    []given
	untyped  map[string]bool // keys whose value is of a wrong type: nothing more is said about them
	problems []Problem
}

func look(in Input, ix *index, v Version) []Problem {
	c := &check{in: in, version: v, table: ix, flags: ix.parseFlags(in.Flags), untyped: map[string]bool{}}
	if in.Config != nil && !c.readFile() {
		return c.problems
	}
	for _, rule := range rules() {
		rule(c)
	}
	return c.problems
}

// rules lists all that is looked at once there is an object.
func rules() []func(*check) {
	return slices.Concat(
		[]func(*check){twice, names, collisions, onlyValidates, types},
		daemonRules(), networkRules(), registryRules(), storageRules(), containerRules(), logRules(),
	)
}

func (c *check) fatal(why, hint string, path ...string) {
	c.problems = append(c.problems, Problem{Path: path, Outcome: NoStart, Why: why, Hint: hint})
}

func (c *check) unusable(why, hint string, path ...string) {
	c.problems = append(c.problems, Problem{Path: path, Outcome: NoContainers, Why: why, Hint: hint})
}

func (c *check) warn(why, hint string, path ...string) {
	c.problems = append(c.problems, Problem{Path: path, Outcome: Warning, Why: why, Hint: hint})
}

// unheard is fatal where the table knows all that the release knows, and a warning
// where the release is newer.
func (c *check) unheard(why, hint string, path ...string) {
	if Newest().Before(c.version) {
		c.warn(why, hint, path...)
		return
	}
	c.fatal(why, hint, path...)
}

func (c *check) since(major, minor int) bool { return !c.version.Before(Version{major, minor}) }

// reads reports whether dockerd of this release reads the value of a key.
func (c *check) reads(k Key) bool {
	return k.In(c.version) && (k.ignored == (Version{}) || c.version.Before(k.ignored))
}

// value returns the value of a key of daemon.json that dockerd reads and that is of
// the right type.
func (c *check) value(name string) (value, bool) {
	if c.untyped[name] || !c.reads(c.table.byName[name]) {
		return value{}, false
	}
	v, ok := c.file.get(name)
	return v, ok && !v.null()
}

// setting returns a string, or a boolean as text, from daemon.json or from a flag.
func (c *check) setting(name string) string {
	if v, ok := c.value(name); ok {
		return v.literal
	}
	k := c.table.byName[name]
	for _, f := range slices.Backward(c.flags) {
		if slices.Contains(k.Flags, f.name) {
			return f.value
		}
	}
	if k.Type.Kind == Bool {
		return k.Default
	}
	return ""
}

func (c *check) on(name string) bool { return c.setting(name) == "true" }

// strings returns the strings of a list in daemon.json.
func (c *check) strings(name string) []string {
	v, _ := c.value(name)
	return v.strings()
}

// missing reports whether a file is known not to be there.
func (c *check) missing(path string) bool { return c.in.Host.File != nil && !c.in.Host.File(path) }
