package kernel

import (
	"path"
	"slices"
	"strings"

	"molo/internal/facts"
)

// assignment is one line of a file of sysctl.d(5).
type assignment struct {
	name  string // the path under /proc/sys, or a pattern of them
	value string
	none  bool // "-NAME": patterns do not hold for it
	file  string
	line  int
}

// assignments are the lines that count, in the order in which they are carried out.
type assignments []assignment

// read adds the lines of a file as systemd-sysctl does (src/sysctl/sysctl.c of systemd
// 252 to 262): a later line takes the place of an earlier one for the same name, and goes
// behind all others if it says something else.
func (all assignments) read(files ...facts.Text) assignments {
	for _, f := range files {
		number := 0
		for text := range strings.Lines(f.Text) {
			number++
			a, ok := parseLine(text)
			if !ok {
				continue
			}
			a.file, a.line = f.Path, number
			i := slices.IndexFunc(all, func(b assignment) bool { return b.name == a.name })
			if i >= 0 && all[i].value == a.value && all[i].none == a.none {
				continue
			}
			if i >= 0 {
				all = slices.Delete(slices.Clone(all), i, i+1)
			}
			all = append(all, a)
		}
	}
	return all
}

// parseLine reads "NAME = VALUE", "-NAME = VALUE", whose failure does not matter, and
// "-NAME".
func parseLine(text string) (assignment, bool) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' || text[0] == ';' {
		return assignment{}, false
	}
	name, value, sets := strings.Cut(text, "=")
	name, quiet := strings.CutPrefix(name, "-")
	if !sets && !quiet {
		return assignment{}, false
	}
	name = strings.TrimSpace(name)
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		name = strings.NewReplacer(".", "/", "/", ".").Replace(name)
	}
	name = strings.TrimPrefix(path.Clean(name), "/")
	return assignment{name: name, value: strings.Join(strings.Fields(value), " "), none: !sets}, true
}

// of returns what holds for a setting after all lines: a line with its name, wherever it
// stands, else the last pattern.
func (all assignments) of(name string) (assignment, bool) {
	var last assignment
	found := false
	for _, a := range all {
		switch {
		case a.name == name:
			return a, !a.none
		case !a.none && a.matches(name):
			last, found = a, true
		}
	}
	return last, found
}

// matches reports whether the line is a pattern for the setting.
func (a assignment) matches(name string) bool {
	if !strings.ContainsAny(a.name, "*?[") {
		return false
	}
	ok, err := path.Match(strings.ReplaceAll(a.name, "[!", "[^"), name)
	return err == nil && ok // a pattern that is none matches nothing
}
