package host

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"molo/internal/facts"
)

// dockerPackages lists the packages that the engine is made of, Debian's and Docker's.
func dockerPackages() []string {
	return []string{
		"docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd", "runc", "docker-ce", "docker-ce-cli", "docker-buildx-plugin", "docker-compose-plugin", "containerd.io",
	}
}

// updates asks apt how the host is kept up to date.
func (h *Host) updates(ctx context.Context) (facts.Updates, error) {
	config, err := h.exec(ctx, nil, "apt-config", "dump")
	if err != nil {
		return facts.Updates{}, err
	}
	u := updatesOf(string(config))
	u.Installed = h.exists("/usr/bin/unattended-upgrade")
	timer, err := h.unit(ctx, "apt-daily-upgrade.timer")
	if err != nil {
		return u, err
	}
	u.Timer = timer.Active
	archives, err := h.exec(ctx, nil, "apt-cache", "policy")
	if err != nil {
		return u, err
	}
	packages, err := h.exec(ctx, nil, "apt-cache", append([]string{"policy"}, dockerPackages()...)...)
	if err != nil {
		return u, err
	}
	u.Packages = packagesOf(string(packages), archivesOf(string(archives)))
	held, err := h.exec(ctx, nil, "apt-mark", "showhold")
	if err != nil {
		return u, err
	}
	for i, p := range u.Packages {
		u.Packages[i].Held = slices.Contains(strings.Fields(string(held)), p.Name)
	}
	u.Lists = h.listsOf()
	return u, nil
}

// listsOf returns when apt last asked the archives. It leaves lists that have not changed
// as they are, but works in the directory partial each time; the stamps are those of its
// own timer and of update-notifier.
func (h *Host) listsOf() time.Time {
	var newest time.Time
	for _, path := range []string{"/var/lib/apt/lists", "/var/lib/apt/lists/partial", "/var/lib/apt/periodic/update-stamp", "/var/lib/apt/periodic/update-success-stamp"} {
		if info, err := os.Stat(h.path(path)); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest
}

// updatesOf reads what "apt-config dump" prints: lines such as
// APT::Periodic::Unattended-Upgrade "1";
func updatesOf(dump string) facts.Updates {
	var u facts.Updates
	periodic := true // unless told otherwise
	for line := range strings.Lines(dump) {
		key, value, ok := strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), ";"), " ")
		value = strings.Trim(value, `"`)
		switch {
		case !ok || value == "":
		case strings.EqualFold(key, "APT::Periodic::Unattended-Upgrade"):
			u.Enabled = value != "0"
		case strings.EqualFold(key, "APT::Periodic::Enable"):
			periodic = value != "0"
		case strings.EqualFold(key, "APT::Periodic::Update-Package-Lists"):
			u.Refreshes = value != "0"
		case strings.EqualFold(key, "Unattended-Upgrade::Package-Blacklist::"):
			u.Blacklist = append(u.Blacklist, value)
		case strings.EqualFold(key, "Unattended-Upgrade::Origins-Pattern::"):
			u.Origins = append(u.Origins, value)
		case strings.EqualFold(key, "Unattended-Upgrade::Allowed-Origins::"):
			// "Docker:bookworm" is the older way to write this.
			origin, archive, _ := strings.Cut(value, ":")
			u.Origins = append(u.Origins, "origin="+origin+",archive="+archive)
		}
	}
	u.Enabled, u.Refreshes = u.Enabled && periodic, u.Refreshes && periodic
	return u
}

// archivesOf reads what "apt-cache policy" prints: for each index of packages its
// address, and below it the fields of its Release file and its site.
func archivesOf(policy string) map[string]facts.Archive {
	all := map[string]facts.Archive{}
	index := ""
	for line := range strings.Lines(policy) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		a := all[index]
		switch words[0] {
		case "release":
			all[index] = released(a, strings.TrimPrefix(strings.TrimSpace(line), "release "))
		case "origin":
			a.Site = words[1]
			all[index] = a
		default:
			index = indexOf(words)
		}
	}
	delete(all, "")
	return all
}

// indexOf names an index of packages, without the priority in front: "500 URL
// bookworm/main amd64 Packages".
func indexOf(words []string) string {
	if len(words) < 3 || natural(words[0]) < 0 {
		return ""
	}
	return strings.Join(words[1:], " ")
}

// released reads "v=12.5,o=Debian,a=stable,n=bookworm,l=Debian,c=main,b=amd64". A
// comma can be part of a value; what follows it then names no field.
func released(a facts.Archive, fields string) facts.Archive {
	for pair := range strings.SplitSeq(fields, ",") {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "o":
			a.Origin = value
		case "l":
			a.Label = value
		case "a":
			a.Suite = value
		case "n":
			a.Codename = value
		case "c":
			a.Component = value
		}
	}
	return a
}

// packagesOf reads what "apt-cache policy NAMES" prints of packages that are installed.
func packagesOf(policy string, archives map[string]facts.Archive) []facts.Package {
	var all []facts.Package
	var p *facts.Package
	for line := range strings.Lines(policy) {
		words := strings.Fields(line)
		name, isName := strings.CutSuffix(strings.TrimRight(line, "\n"), ":")
		switch {
		case isName && !strings.HasPrefix(line, " "):
			all = append(all, facts.Package{Name: name})
			p = &all[len(all)-1]
		case p == nil || len(words) < 2:
		case words[0] == "Installed:":
			p.Installed = words[1]
		case words[0] == "Candidate:":
			p.Candidate = words[1]
		default:
			if a, ok := archives[indexOf(words)]; ok && a != (facts.Archive{}) && a.Suite != "now" {
				p.From = append(p.From, a)
			}
		}
	}
	var installed []facts.Package
	for _, one := range all {
		if one.Installed != "" && one.Installed != "(none)" {
			installed = append(installed, one)
		}
	}
	return installed
}
