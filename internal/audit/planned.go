package audit

import (
	"slices"
	"time"

	"molo/internal/facts"
	"molo/internal/policy"
)

// Planned judges a container that has not been started: what is known of it comes from
// a file. It returns what fails, and what the file leaves to the image as unknown.
func Planned(p *policy.Policy, c facts.ContainerDetail, volumes []facts.Volume, now time.Time) []Finding {
	v := newView(Input{Policy: p})
	v.Facts.Read = now
	v.Facts.Machine.AppArmor, v.Facts.Machine.CgroupVersion = true, 2
	if securityOpt(c.SecurityOpt, "label") == "disable" {
		v.Facts.Machine.SELinux = "enforcing"
	}
	v.Facts.Engine = facts.Engine{Containers: []facts.ContainerDetail{c}, Volumes: volumes, MemoryLimit: true, PidsLimit: true}
	docker := &v.Facts.Facts.Docker
	docker.Installed = true
	remapped := c.UsernsMode == "host" || p != nil && p.Docker != nil && p.Docker.UsernsRemap.V != "off"
	docker.Effective.UsernsRemap = &remapped
	var all []Finding
	for _, check := range checks() {
		if check.area != AreaContainers || slices.Contains(running(), check.slug) {
			continue
		}
		for _, f := range v.run(check) {
			if f.Status == Fail {
				f.clean()
				all = append(all, f)
			}
		}
	}
	return all
}

// running lists the checks that take a container that runs.
func running() []string { return []string{"container-stopped", "container-sshd"} }

// LevelOf is the level of a check under a policy.
func LevelOf(p *policy.Policy, slug string) Level {
	if p == nil {
		p = &policy.Policy{}
	}
	for _, c := range checks() {
		if c.slug != slug {
			continue
		}
		if c.asks != nil && c.asks(p).asked {
			return Required
		}
		return c.level
	}
	return Recommended
}

// Waived reports whether a policy lets a check off.
func Waived(p *policy.Policy, slug string) bool {
	return p != nil && slices.ContainsFunc(checks(), func(c check) bool { return c.slug == slug && c.asks != nil && c.asks(p).waived })
}

// SecretName reports whether a variable has the name of a secret.
func SecretName(name string) bool {
	return secrets(facts.Image{Environment: []string{name}}).status == Fail
}

// RootUser reports whether a user, as images and containers name it, is root.
func RootUser(user string) bool { return isRoot(user) }

// Printable makes a text safe for a terminal, and short.
func Printable(text string) string { return printable(text) }
