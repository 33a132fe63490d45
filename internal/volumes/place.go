package volumes

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Place is where a directory really is: two names for it, by way of a bind mount or
// of another mount namespace, are one place.
type Place struct {
	Device string // of the file system, as mountinfo has it: "8:1"
	Path   string // in the file system
}

// inside reports whether a place is another one or below it.
func (p Place) inside(o Place) bool { return p.Device == o.Device && inside(p.Path, o.Path) }

// inside reports whether a clean path is another one or below it.
func inside(name, dir string) bool {
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}

// overlap reports whether one of two clean paths is inside the other.
func overlap(a, b string) bool { return inside(a, b) || inside(b, a) }

// Mount is one line of /proc/PID/mountinfo (proc(5)).
type Mount struct {
	ID    string
	Place        // what is mounted
	Point string // where
}

// ParseMounts reads a mountinfo.
func ParseMounts(text string) ([]Mount, error) {
	var all []Mount
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			return nil, fmt.Errorf("mountinfo: %q has too few fields", strings.TrimSpace(line))
		}
		all = append(all, Mount{ID: fields[0], Place: Place{Device: fields[2], Path: unescape(fields[3])}, Point: unescape(fields[4])})
	}
	return all, nil
}

// unescape replaces what the kernel writes for blanks and backslashes: "\040".
func unescape(field string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(field, `\`)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		if len(after) >= 3 {
			if n, err := strconv.ParseUint(after[:3], 8, 8); err == nil {
				out.WriteByte(byte(n))
				field = after[3:]
				continue
			}
		}
		out.WriteByte('\\')
		field = after
	}
}

// Locate returns the place of a path on the mount that has this id.
func Locate(mounts []Mount, id, name string) (Place, error) {
	for _, m := range mounts {
		if m.ID == id && inside(name, m.Point) {
			return Place{m.Device, path.Join(m.Path, strings.TrimPrefix(name, m.Point))}, nil
		}
	}
	return Place{}, errors.New("no mount holds it")
}

// Elsewhere returns what a process has mounted that is no copy of a mount of its
// host: what was given to a container, or to a service with mounts of its own.
func Elsewhere(host, process []Mount) []Place {
	known := map[Mount]bool{}
	if rootOf(host) == rootOf(process) {
		for _, m := range host {
			known[Mount{Place: m.Place, Point: m.Point}] = true
		}
	}
	var all []Place
	for _, m := range process {
		if !known[Mount{Place: m.Place, Point: m.Point}] {
			all = append(all, m.Place)
		}
	}
	return all
}

// rootOf returns what is mounted as the root directory. In a container, nothing is a
// copy of the host's.
func rootOf(mounts []Mount) Place {
	var root Place
	for _, m := range mounts {
		if m.Point == "/" {
			root = m.Place // the last one hides those before
		}
	}
	return root
}
