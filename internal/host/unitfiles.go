package host

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"molo/internal/facts"
	"molo/internal/unitfile"
	"molo/provision"
)

// unitDirs are where systemd looks for units; earlier ones win (systemd.unit(5)).
func unitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// unitArguments returns what a service is started with, as its files say.
func (h *Host) unitArguments(name string) ([]unitfile.Argument, error) {
	files, err := h.unitFiles(name)
	if err != nil {
		return nil, err
	}
	unit := unitfile.Parse(files...)
	var environment []unitfile.File
	for _, path := range unit.EnvironmentFiles() {
		text, err := h.readOptional(path)
		if err != nil {
			return nil, err
		}
		environment = append(environment, unitfile.File{Path: path, Text: text})
	}
	return unit.Arguments(environment...), nil
}

// unitFiles reads a unit and its drop-ins, in the order of systemd.
func (h *Host) unitFiles(name string) ([]unitfile.File, error) {
	var main []unitfile.File
	dropIns := map[string]unitfile.File{} // by file name
	for _, dir := range unitDirs() {
		text, err := h.readOptional(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if text != "" && main == nil {
			main = []unitfile.File{{Path: filepath.Join(dir, name), Text: text}}
		}
		found, err := filepath.Glob(h.path(filepath.Join(dir, name+".d", "*.conf")))
		if err != nil {
			return nil, fmt.Errorf("looking for drop-ins of %s: %w", name, err)
		}
		for _, path := range found {
			base := filepath.Base(path)
			if _, known := dropIns[base]; known {
				continue
			}
			inside := filepath.Join(dir, name+".d", base)
			if text, err = h.readOptional(inside); err != nil {
				return nil, err
			}
			dropIns[base] = unitfile.File{Path: inside, Text: text}
		}
	}
	for _, base := range slices.Sorted(maps.Keys(dropIns)) {
		main = append(main, dropIns[base])
	}
	return main, nil
}

// dockerFlags fills in dockerd's flags: those of the process, else those that its unit
// would start it with; and the lines that they come from.
func (h *Host) dockerFlags(d *facts.Docker, pid uint32) error {
	arguments, err := h.unitArguments(provision.DockerUnit)
	if err != nil {
		return err
	}
	d.FlagsFrom = map[string]string{}
	for _, a := range arguments {
		d.FlagsFrom[a.Text] = cmp.Or(d.FlagsFrom[a.Text], a.Where)
	}
	if pid > 0 {
		d.Flags = processFlags(pid)
		return nil
	}
	for _, a := range arguments {
		d.Flags = append(d.Flags, a.Text)
	}
	return nil
}
