package volumes

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"molo/internal/subid"
)

// Listing is what there is of volumes, in sight of dockerd or not.
type Listing struct {
	DataRoot string         `json:"data_root"` // that dockerd uses
	Remapped bool           `json:"remapped"`  // it is that of a mapping
	Mapping  *subid.Mapping `json:"mapping,omitempty"`
	Volumes  []Listed       `json:"volumes"`
	// Directories are mounted by containers that are out of sight. Those that must
	// keep their owners are left out.
	Directories []Directory `json:"directories,omitempty"`
}

// Listed is what one data root has of a volume.
type Listed struct {
	Name      string   `json:"name"`
	DataRoot  string   `json:"data_root"`
	InSight   bool     `json:"in_sight"`
	Path      string   `json:"path"`             // of the data
	Device    string   `json:"device,omitempty"` // what Docker mounts over the data
	MountedBy []string `json:"mounted_by,omitempty"`
	Bytes     *uint64  `json:"bytes,omitempty"` // only when asked for
}

// Directory is a directory of the host that containers mount.
type Directory struct {
	Path      string   `json:"path"`
	MountedBy []string `json:"mounted_by"`
}

// List sorts what a host has.
func List(s State) *Listing {
	l := &Listing{DataRoot: s.Roots[0].Path, Remapped: s.Roots[0].remapped(), Mapping: s.Roots[0].Mapping, Volumes: []Listed{}}
	for _, c := range s.Copies {
		if !c.Data {
			continue
		}
		l.Volumes = append(l.Volumes, Listed{
			Name: c.Name, DataRoot: c.Root, InSight: s.visible(c.Root), Path: DataOf(c.Root, c.Name), Device: c.Device,
			MountedBy: s.mounting(func(o Container, m Mounted) bool { return o.Root == c.Root && m.Volume == c.Name }),
		})
	}
	slices.SortFunc(l.Volumes, func(a, b Listed) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.DataRoot, b.DataRoot))
	})
	l.Directories = s.hidden()
	return l
}

// hidden lists the directories that containers out of sight mount.
func (s State) hidden() []Directory {
	names := map[string][]string{}
	for _, c := range s.Containers {
		if s.visible(c.Root) {
			continue
		}
		for _, m := range c.Mounts {
			dir := m.Source
			for _, v := range s.Copies {
				if v.Root == c.Root && v.Name == m.Volume && isDirectory(v.Device) {
					dir = v.Device
				}
			}
			if dir != "" && refuse(s.Guarded, dir, Place{}) == nil {
				names[dir] = append(names[dir], c.Name)
			}
		}
	}
	var all []Directory
	for _, dir := range slices.Sorted(maps.Keys(names)) {
		slices.Sort(names[dir])
		all = append(all, Directory{dir, slices.Compact(names[dir])})
	}
	return all
}

// mounting names the containers that mount something.
func (s State) mounting(what func(Container, Mounted) bool) []string {
	var names []string
	for _, c := range s.Containers {
		if slices.ContainsFunc(c.Mounts, func(m Mounted) bool { return what(c, m) }) {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hint is the command that brings along what is out of sight.
func (l *Listing) hint() string {
	var args []string
	for _, v := range l.Volumes {
		if !v.InSight && v.Device == "" && !slices.Contains(args, v.Name) {
			args = append(args, v.Name)
		}
	}
	for _, d := range l.Directories {
		args = append(args, shellWord(d.Path))
	}
	switch {
	case len(args) == 0:
		return ""
	case !l.Remapped:
		args = append([]string{"--back"}, args...)
	}
	return "molo volumes remap --dry-run " + strings.Join(args, " ")
}
