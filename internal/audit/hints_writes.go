package audit

import (
	"path"
	"slices"
	"strings"

	"molo/internal/facts"
)

// maxPlaces is how many directories a hint mounts; a container that writes to more
// is not made for a read-only file system.
const maxPlaces = 16

// written are the directories that take what a container writes.
type written struct {
	tmpfs, volumes []string
	lost           []string // files for which no directory can be mounted
}

// writes finds the directories for changes. What is new below /run, /tmp and /var is
// there again after a start, so that it can be in memory; elsewhere, and where a file
// of the image was changed, the image's files must stay: in a volume.
func writes(changes []facts.Change, mounts []facts.Mount) written {
	kinds := map[string]facts.ChangeKind{}
	for _, c := range changes {
		kinds[path.Clean(c.Path)] = c.Kind
	}
	var w written
	for _, c := range changes {
		at := path.Clean(c.Path)
		if !path.IsAbs(at) || hasChild(changes, at) || given(at, mounts) {
			continue
		}
		dir, inMemory := placeOf(c, at, kinds)
		switch {
		case dir == "/" || !mountable(dir) || len(w.tmpfs)+len(w.volumes) >= maxPlaces:
			w.lost = append(w.lost, at)
		case inMemory:
			w.tmpfs = append(w.tmpfs, dir)
		default:
			w.volumes = append(w.volumes, dir)
		}
		w.tmpfs, w.volumes = outermost(w.tmpfs, nil), outermost(w.volumes, nil)
	}
	w.tmpfs = outermost(w.tmpfs, w.volumes)
	w.lost = w.lost[:min(len(w.lost), maxPlaces)]
	return w
}

// placeOf returns the directory that a change needs, and whether it may begin empty.
func placeOf(c facts.Change, at string, kinds map[string]facts.ChangeKind) (dir string, inMemory bool) {
	dir = path.Dir(at)
	if c.Dir {
		dir = at
	}
	for kinds[path.Dir(dir)] == facts.Added { // the outermost directory that is new
		dir = path.Dir(dir)
	}
	fresh := c.Kind == facts.Added || c.Dir
	return dir, fresh && (kinds[dir] == facts.Added || scratch(dir))
}

// scratch reports whether a directory holds what programs make anew when they start.
func scratch(dir string) bool {
	return slices.ContainsFunc([]string{"/run", "/tmp", "/var"}, func(top string) bool { return within(dir, top) && dir != "/var" })
}

func hasChild(changes []facts.Change, dir string) bool {
	return slices.ContainsFunc(changes, func(c facts.Change) bool { return strings.HasPrefix(c.Path, strings.TrimSuffix(dir, "/")+"/") })
}

// given reports whether a path is made by Docker, or is in or around a mount, so that
// a read-only root does not touch it.
func given(at string, mounts []facts.Mount) bool {
	docker := []string{"/dev", "/proc", "/sys", "/.dockerenv", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab"}
	return slices.ContainsFunc(docker, func(p string) bool { return within(at, p) }) ||
		slices.ContainsFunc(mounts, func(m facts.Mount) bool { return within(at, m.Destination) || within(m.Destination, at) })
}

// mountable reports whether --tmpfs and --volume can name a directory: they split at
// colons, and a shell and YAML should show it as it is.
func mountable(dir string) bool {
	return plain(dir) && len(dir) <= maxText && !strings.ContainsAny(dir, ":,")
}

// outermost leaves out directories inside others of the list or of besides.
func outermost(dirs, besides []string) []string {
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	return slices.DeleteFunc(slices.Clone(dirs), func(d string) bool {
		return slices.ContainsFunc(slices.Concat(dirs, besides), func(o string) bool { return o != d && within(d, o) }) || slices.Contains(besides, d)
	})
}
