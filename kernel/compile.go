// Package kernel compiles the block sysctl of a policy: the values that settings of the
// kernel should have now, the file that sets them at boot, and what other files have to
// say about them.
package kernel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// File sets the settings at boot: after what packages bring (10 to 50), and before
// what an owner wants to have the last word.
const File = "/etc/sysctl.d/60-molo.conf"

// Compiled is what a block sysctl comes to on one host.
type Compiled struct {
	Now      []Setting     // in the order of the policy
	Boot     resource.File // nil content: nothing is to be set
	Findings []Finding
}

// Setting is the value of a setting and the line that asks for it.
type Setting struct {
	resource.Sysctl
	Range hcl.Range
}

// Finding is something the owner should know.
type Finding struct {
	What  string
	Where string // "/etc/sysctl.d/99-own.conf:3"; "": the line of the policy
	Range hcl.Range
}

// Watched lists the settings whose values decide what is wanted: the recommended ones. A
// * stands for every interface.
func Watched() []string {
	var names []string
	for _, s := range policy.RecommendedKernelSettings() {
		names = append(names, s.Name)
	}
	return names
}

// Expand returns the settings that a name with a * stands for.
func Expand(name string, interfaces []string) []string {
	if !strings.Contains(name, "/*/") {
		return []string{name}
	}
	var names []string
	for _, i := range append([]string{"all", "default"}, interfaces...) {
		names = append(names, strings.Replace(name, "*", i, 1))
	}
	return names
}

// Compile compiles a block. Offline, nothing is known of the kernel and only the file
// counts.
func Compile(p *policy.Sysctl, f facts.Facts) (Compiled, error) {
	c := compiler{policy: p, facts: f}
	for _, text := range f.Sysctl.Files {
		if text.Path == File {
			c.mine = c.mine.read(text)
		} else {
			c.others = c.others.read(text)
		}
	}
	if f.UFW.Enabled {
		c.ufw = c.ufw.read(f.Sysctl.UFW)
	}
	var sheet []paragraph
	for _, s := range p.Settings {
		if part := c.setting(s); len(part.Lines) > 0 {
			sheet = append(sheet, part)
		}
	}
	text, err := render(sheet)
	if err != nil {
		return Compiled{}, err
	}
	c.result.Boot = resource.File{Path: File, Mode: 0o644, Content: text}
	c.overridden()
	return c.result, nil
}

// compiler holds what settings are judged by.
type compiler struct {
	policy            *policy.Sysctl
	facts             facts.Facts
	mine, others, ufw assignments
	result            Compiled
}

// setting takes one setting of the policy over, and returns what the file says of it.
func (c *compiler) setting(s policy.KernelSetting) paragraph {
	names := Expand(s.Name, c.facts.Sysctl.Interfaces)
	names = slices.DeleteFunc(names, func(name string) bool { return c.hasOwn(s, name) })
	there := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return c.missing(s, name) })
	part := paragraph{Why: s.Why}
	if len(there) == 0 {
		c.find(s, "", "this kernel has no setting "+policy.KernelName(s.Name))
		return part
	}
	for _, name := range there {
		value := c.wanted(s, name)
		if u, sets := c.ufw.of(name); sets && u.value != value {
			c.find(s, u.place(), fmt.Sprintf("ufw sets %s = %s whenever it starts, and %s is not set: take the line out there", policy.KernelName(name), u.value, value))
			continue
		}
		c.result.Now = append(c.result.Now, Setting{resource.Sysctl{Name: name, Value: value}, s.Range})
		// A line with the very name wins over patterns in every file.
		if name == s.Name || value != s.Value || strings.Contains(name, "/all/") || strings.Contains(name, "/default/") {
			part.add(name, value)
		}
	}
	if s.Name != there[0] {
		part.add(s.Name, s.Value)
	}
	return part
}

// hasOwn reports whether another setting of the policy is about just this name.
func (c *compiler) hasOwn(s policy.KernelSetting, name string) bool {
	return name != s.Name && slices.ContainsFunc(c.policy.Settings, func(o policy.KernelSetting) bool { return o.Name == name })
}

// missing reports whether the kernel lacks a recommended setting. Of the owner's own
// ones nothing is known before they are read.
func (c *compiler) missing(s policy.KernelSetting, name string) bool {
	_, there := c.facts.Sysctl.Live[name]
	return !s.Own && !c.facts.Offline && !there
}

// wanted is the value of a setting, or a stricter one where that is in force already, or
// will be after the next boot.
func (c *compiler) wanted(s policy.KernelSetting, name string) string {
	value, rank := s.Value, -1
	stricter := func(other string) {
		if r := slices.Index(s.Stricter, other); r > rank {
			value, rank = other, r
		}
	}
	stricter(c.facts.Sysctl.Live[name])
	for _, all := range []assignments{c.mine, c.others, c.ufw} {
		if a, ok := all.of(name); ok {
			stricter(a.value)
		}
	}
	return value
}

// overridden finds the lines of other files that win over ours at boot.
func (c *compiler) overridden() {
	var all assignments
	ours := facts.Text{Path: File, Text: string(c.result.Boot.Content)}
	files := slices.DeleteFunc(slices.Clone(c.facts.Sysctl.Files), func(t facts.Text) bool { return t.Path == File })
	at := slices.IndexFunc(files, func(t facts.Text) bool { return base(t.Path) > base(File) })
	if at < 0 {
		at = len(files)
	}
	all = all.read(slices.Insert(files, at, ours)...)
	for _, s := range c.result.Now {
		if a, ok := all.of(s.Name); ok && a.value != s.Value {
			c.result.Findings = append(c.result.Findings, Finding{
				What:  fmt.Sprintf("%s will be %s again after the next boot, not %s: this line wins over molo's", policy.KernelName(s.Name), a.value, s.Value),
				Where: a.place(), Range: s.Range,
			})
		}
	}
}

func (c *compiler) find(s policy.KernelSetting, where, what string) {
	c.result.Findings = append(c.result.Findings, Finding{What: what, Where: where, Range: s.Range})
}

func base(path string) string { return path[strings.LastIndex(path, "/")+1:] }

func (a assignment) place() string { return fmt.Sprintf("%s:%d", a.file, a.line) }
