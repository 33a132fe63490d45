package volumes

import (
	"fmt"
	"slices"
)

// whole lists directories of the system, of which nothing may belong to containers.
func whole() []string {
	return []string{
		"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr",
		"/var/lib/apt", "/var/lib/cloud", "/var/lib/containerd", "/var/lib/docker", "/var/lib/dpkg", "/var/lib/molo", "/var/lib/systemd",
	}
}

// shared lists directories that belong to the system, while some below them may
// belong to containers.
func shared() []string {
	return []string{
		"/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/backups", "/var/cache", "/var/lib",
		"/var/local", "/var/log", "/var/mail", "/var/opt", "/var/spool", "/var/tmp",
	}
}

// Guarded is a directory that must keep its owners.
type Guarded struct {
	Path  string
	Place Place // the zero value if there is no such directory
	Below bool  // also what is below it
	Hint  string
}

// Guard lists the directories that must keep their owners: of the system, Docker's
// own, and those in which people log in. Their places are left open.
func Guard(dataRoot string, homes []string) []Guarded {
	all := []Guarded{{Path: dataRoot, Below: true, Hint: "name volumes by their names"}}
	for _, dir := range whole() {
		if dir == dataRoot {
			continue
		}
		all = append(all, Guarded{Path: dir, Below: true, Hint: "copy what a container needs to a directory of its own"})
	}
	for _, dir := range append(shared(), homes...) {
		if !slices.ContainsFunc(all, func(g Guarded) bool { return g.Path == dir }) {
			all = append(all, Guarded{Path: dir, Hint: "name the directories below it that containers mount"})
		}
	}
	return all
}

// refuse says why a path must keep its owners, or nothing.
func refuse(guarded []Guarded, name string, at Place) error {
	for _, g := range guarded {
		if g.Path == name || g.located() && g.Place == at {
			return fmt.Errorf("%s must keep its owners\nhint: %s", g.Path, g.Hint)
		}
	}
	for _, g := range guarded {
		switch {
		case inside(g.Path, name) || g.located() && g.Place.inside(at):
			return fmt.Errorf("%s is in it, and must keep its owners\nhint: name the directories that containers mount", g.Path)
		case g.Below && (inside(name, g.Path) || g.located() && at.inside(g.Place)):
			return fmt.Errorf("it is in %s, where everything must keep its owners\nhint: %s", g.Path, g.Hint)
		}
	}
	return nil
}

func (g Guarded) located() bool { return g.Place != Place{} }
