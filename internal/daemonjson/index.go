package daemonjson

import "slices"

// index finds rows of the table. Check makes it once.
type index struct {
	byName map[string]Key
	byFlag map[string]Key
}

func newIndex() *index {
	ix := &index{byName: map[string]Key{}, byFlag: map[string]Key{}}
	for _, k := range Keys() {
		ix.byName[k.Name] = k
		for _, name := range k.Flags {
			ix.byFlag[name] = k
		}
	}
	return ix
}

// flagIn reports whether dockerd of a release has a flag of that name. Some flags are
// younger than their key.
func (ix *index) flagIn(name string, v Version) bool {
	switch name {
	case "validate":
		return !v.Before(Version{23, 0})
	case "feature":
		return !v.Before(Version{27, 0})
	case "host-gateway-ip":
		return !v.Before(Version{20, 10})
	}
	k, ok := ix.byFlag[name]
	return ok && len(name) > 1 && k.In(v) || slices.Contains(keyless(), name)
}

// keyless lists the flags of dockerd that set no key. As keys of daemon.json dockerd
// takes even these, and ignores them.
func keyless() []string {
	return []string{"config-file", "containerd-plugins-namespace", "help", "restart", "validate", "version"}
}
