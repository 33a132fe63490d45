package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// kernelEntry is one entry of the attribute settings of the block sysctl.
type kernelEntry struct {
	name  string // its path under /proc/sys
	value string
	leave bool // null: one of the recommended settings that is left alone
	at    hcl.Range
}

// sysctl makes a Sysctl of its section: the recommended settings, as far as the owner
// leaves them, and the owner's own.
func (d *decoder) sysctl(s *section) *Sysctl {
	if s == nil {
		return nil
	}
	entries := get[[]kernelEntry](s, "settings").V
	result := &Sysctl{Range: s.header}
	for _, r := range RecommendedKernelSettings() {
		if !slices.ContainsFunc(entries, func(e kernelEntry) bool { return e.name == r.Name }) {
			r.Range = s.header
			result.Settings = append(result.Settings, r)
		}
	}
	for _, e := range entries {
		if !e.leave {
			result.Settings = append(result.Settings, KernelSetting{Name: e.name, Value: e.value, Own: true, Why: "Asked for by the policy.", Range: e.at})
		}
	}
	slices.SortFunc(result.Settings, func(a, b KernelSetting) int { return strings.Compare(a.Name, b.Name) })
	return result
}

// readKernelSettings reads the object settings: settings of the kernel by their names,
// null for a recommended one that is to be left alone.
func readKernelSettings(n node) (any, []fault) {
	if n.kind != isObject {
		return nil, wrongType(n, isObject, `write names and values in braces: { "vm.swappiness" = 10 }`)
	}
	var entries []kernelEntry
	var faults []fault
	for _, m := range n.members {
		e, f := kernelEntryOf(m)
		if f == nil {
			f = twice(entries, e)
		}
		if f != nil {
			faults = append(faults, *f)
			continue
		}
		entries = append(entries, e)
	}
	return entries, faults
}

// twice reports a setting that is there already in the other spelling.
func twice(before []kernelEntry, e kernelEntry) *fault {
	if !slices.ContainsFunc(before, func(b kernelEntry) bool { return b.name == e.name }) {
		return nil
	}
	return &fault{summary: "Setting listed twice", why: fmt.Sprintf("%s is set already, spelled in another way.", KernelName(e.name)), hint: "keep one of the two", at: e.at}
}

func kernelEntryOf(m member) (kernelEntry, *fault) {
	e := kernelEntry{at: m.key.at}
	if m.key.kind != isString {
		return e, &wrongType(m.key, isString, "write the name in quotes")[0]
	}
	var f *fault
	if e.name, f = kernelPath(m.key.text); f == nil {
		e.value, e.leave, f = kernelValue(m.value)
	}
	if f == nil {
		f = unsettable(e)
	}
	if f == nil && e.leave && !recommended(e.name) {
		f = &fault{
			summary: "Nothing to leave alone",
			why:     fmt.Sprintf("null leaves a recommended setting as it is, and %s is none of them.", KernelName(e.name)),
			hint:    didYouMean(m.key.text, recommendedNames(), "take it out: molo does not touch it"),
		}
	}
	if f != nil && f.at == (hcl.Range{}) {
		f.at = m.key.at
	}
	return e, f
}

// kernelPath reads the name of a setting as sysctl.d(5) does, in dots or in slashes, and
// returns its path under /proc/sys. The first separator decides: in the other spelling a
// dot may be part of the name of an interface.
func kernelPath(name string) (string, *fault) {
	result := name
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		result = swapped(name)
	}
	parts := strings.Split(result, "/")
	odd := func(part string) bool {
		foreign := func(r rune) bool {
			return !alphanumeric(r) && (r < 'A' || r > 'Z') && !strings.ContainsRune("-_.@:", r)
		}
		return part == "" || part == "." || part == ".." || part[0] == '-' || strings.ContainsFunc(part, foreign)
	}
	if len(parts) > 3 && parts[3] == "*" && perInterface(result) {
		parts = slices.Delete(parts, 3, 4)
	}
	if len(parts) < 2 || len(name) > 200 || result[0] < 'a' || result[0] > 'z' || slices.ContainsFunc(parts, odd) {
		return "", &fault{
			summary: "Invalid name of a setting",
			why:     fmt.Sprintf("%q is not the name of a setting of the kernel.", name),
			hint:    `write it as sysctl(8) does, such as "vm.swappiness"; "net.ipv4.conf.*.log_martians" stands for all interfaces`,
		}
	}
	return result, nil
}

// swapped exchanges dots and slashes.
func swapped(name string) string { return strings.NewReplacer(".", "/", "/", ".").Replace(name) }

// perInterface reports whether a setting is one that every interface has.
func perInterface(name string) bool {
	return strings.HasPrefix(name, "net/ipv4/conf/") || strings.HasPrefix(name, "net/ipv6/conf/")
}

// KernelName returns the name of a setting as sysctl(8) prints it.
func KernelName(path string) string { return swapped(path) }

func kernelValue(n node) (value string, leave bool, f *fault) {
	switch n.kind {
	case isNull:
		return "", true, nil
	case isNumber:
		if i, exact := n.number.Int64(); n.number.IsInt() && exact == 0 {
			return fmt.Sprint(i), false, nil
		}
	case isString:
		if f := plain(n.text); f != nil {
			at := f.in(n)
			return "", false, &at
		}
		if value := strings.Join(strings.Fields(n.text), " "); value != "" {
			return value, false, nil
		}
	}
	return "", false, &fault{
		summary: "Invalid value of a setting",
		why:     "A setting of the kernel is a whole number, or text that is not empty.",
		hint:    `write 1 or 0 for on and off, or "4096 87380 6291456" where it takes several numbers`,
		at:      n.at,
	}
}

// unsettable reports a setting that molo does not touch, and why.
func unsettable(e kernelEntry) *fault {
	for _, r := range refusedKernelSettings() {
		matches, err := path.Match(r.pattern, e.name)
		if err != nil {
			panic("policy: the table holds a pattern that is none: " + r.pattern)
		}
		if matches && (r.value == "" || r.value == e.value) {
			return &fault{summary: "Setting not possible", why: r.why, hint: r.hint}
		}
	}
	return nil
}

func recommended(name string) bool {
	return slices.ContainsFunc(RecommendedKernelSettings(), func(s KernelSetting) bool { return s.Name == name })
}

func recommendedNames() []string {
	var names []string
	for _, s := range RecommendedKernelSettings() {
		names = append(names, KernelName(s.Name))
	}
	return names
}
