package volumes

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"molo/internal/subid"
)

// Docker's names below a data root (volume/local of Docker 20.10 to 28.5).
const (
	Dir  = "volumes" // holds a directory for each volume
	Data = "_data"   // in that, what containers see
)

// State is what a host has of volumes, and who uses them.
type State struct {
	Roots      []Root // the one that dockerd uses first; the one without mapping is among them
	Copies     []Copy
	Containers []Container // of all data roots, running or not
	Users      []User
	Trees      []Tree // the paths that were asked for
	Guarded    []Guarded
}

// Root is a data root of dockerd.
type Root struct {
	Path    string
	Mapping *subid.Mapping // nil if container ids are those of the host
	Unknown string         // why a mapping can't be known
	Mount   string         // the mount that its volumes are on
}

// remapped says that container ids are others than those of the host.
func (r Root) remapped() bool { return r.Mapping != nil || r.Unknown != "" }

// Copy is what one data root has of a volume. There may be one in each.
type Copy struct {
	Name   string
	Root   string            // path
	Data   bool              // the directory of its data is there
	Empty  bool              // there is nothing in it
	Device string            // what Docker mounts over its data: other data, which stays where it is
	Quota  bool              // Docker bounds its size by the file system's means
	Mount  string            // the mount that its data is on
	Labels map[string]string // unknown where dockerd has them
	Place  Place
}

// Tree is a path that was asked for.
type Tree struct {
	Path  string
	Place Place
	Wrong string // why it can't be worked on
}

// User is somebody who has something mounted.
type User struct {
	Who    string // "container web"
	Volume string // its name, if it is one
	Source string // its path, as Docker has it
	Place  Place  // as the kernel has it; the zero value if Docker said it
}

// IsRootName reports whether a directory is named like a data root: after the first
// ids of a mapping.
func IsRootName(name string) bool {
	return regexp.MustCompile(`^[0-9]{1,10}\.[0-9]{1,10}$`).MatchString(name)
}

// IsName reports whether Docker would take it as the name of a volume
// (RestrictedNamePattern of Docker 20.10 to 28.5).
func IsName(name string) bool {
	return regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`).MatchString(name)
}

// DataOf is where a volume's data is in a data root.
func DataOf(root, name string) string { return path.Join(root, Dir, name, Data) }

// copies returns the copies of a volume in the order of the data roots.
func (s State) copies(name string) []Copy {
	var all []Copy
	for _, r := range s.Roots {
		for _, c := range s.Copies {
			if c.Name == name && c.Root == r.Path {
				all = append(all, c)
			}
		}
	}
	return all
}

func (s State) root(path string) Root {
	i := slices.IndexFunc(s.Roots, func(r Root) bool { return r.Path == path })
	return s.Roots[i]
}

// visible says whether dockerd uses a data root.
func (s State) visible(root string) bool { return s.Roots[0].Path == root }

// Base is the data root without mapping, in which the others are.
func (s State) Base() string {
	dir, name := path.Split(s.Roots[0].Path)
	if s.Roots[0].remapped() && IsRootName(name) {
		return path.Clean(dir)
	}
	return s.Roots[0].Path
}

// users names the containers that mount a volume, or anything that overlaps one of
// these paths. If Docker knows of none, it names the processes that have a mount of
// what is at a place; what they have mounted above it does not count, because every
// service with mounts of its own has the root of the file system.
func (s State) users(volume string, paths []string, at Place) []string {
	var containers, processes []string
	for _, u := range s.Users {
		uses := volume != "" && u.Volume == volume
		for _, p := range paths {
			uses = uses || u.Source != "" && overlap(path.Clean(u.Source), p)
		}
		if uses {
			containers = append(containers, u.Who)
		}
		if u.Place.Device != "" && u.Place.inside(at) {
			processes = append(processes, u.Who)
		}
	}
	if len(containers) == 0 {
		containers = processes
	}
	slices.Sort(containers)
	return slices.Compact(containers)
}

// said joins names: "a", "a and b", "a, b and c".
func said(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
