package audit

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"molo/internal/facts"
)

// updateChecks are about how software is kept up to date.
func updateChecks() []check {
	apt := []facts.Source{facts.FromUpdates}
	return []check{
		{
			slug: "host-updates", title: "Security updates are installed without anybody's doing", area: AreaHost, level: Recommended, needs: apt,
			want:  "unattended-upgrades installed, enabled, its timer active, and package lists refreshed",
			fix:   "apt install unattended-upgrades, then dpkg-reconfigure --priority=low unattended-upgrades",
			judge: unattended,
		},
		{
			slug: "host-docker-updates", title: "These updates include Docker's", area: AreaHost, level: Recommended, needs: apt,
			want:  "an origin pattern for every archive that Docker's packages come from, and none of them held back",
			judge: coverage,
		},
		{
			slug: "host-docker-version", title: "No update of Docker waits to be installed", area: AreaHost, level: Recommended, cis: []string{"1.2.2"}, needs: apt,
			want: "the newest packages that apt knows of", fix: "apt upgrade: with live-restore, containers keep running",
			judge: waiting,
		},
	}
}

func unattended(v *view) []verdict {
	u := v.Facts.Updates
	got := fmt.Sprintf("installed %s, enabled %s, timer %s, lists refreshed %s", yesNo(u.Installed), yesNo(u.Enabled), or(u.Timer, "unknown"), yesNo(u.Refreshes))
	where := "/etc/apt/apt.conf.d"
	configured := u.Installed && u.Enabled && u.Refreshes
	if configured {
		where = "apt-daily-upgrade.timer"
	}
	one := either(configured && u.Timer == "active", where, got)
	if u.Installed && u.Enabled && !u.Refreshes {
		one.fix = `write into /etc/apt/apt.conf.d/20auto-upgrades: APT::Periodic::Update-Package-Lists "1";`
	}
	return []verdict{one}
}

// coverage looks for packages of Docker that are held back, or come from archives which
// unattended-upgrades leaves alone.
func coverage(v *view) []verdict {
	u := v.Facts.Updates
	switch {
	case !u.Installed || !u.Enabled:
		return []verdict{notApplicable("no updates are installed by themselves at all")}
	case len(u.Packages) == 0:
		return []verdict{notApplicable("no package of Docker is installed")}
	}
	var all []verdict
	for _, p := range u.Packages {
		if one, is := heldBack(p, u.Blacklist); is {
			all = append(all, one)
		} else if !slices.ContainsFunc(p.From, func(a facts.Archive) bool { return covered(u.Origins, a, v.Facts.Facts.OS) }) {
			all = append(all, uncovered(p))
		}
	}
	return append(all, passes("all of "+packageNames(u.Packages)))
}

// heldBack reports whether a package is held by apt or kept back from
// unattended-upgrades, whose expressions fit from the start of its name on (Python's
// re.match).
func heldBack(p facts.Package, blacklist []string) (verdict, bool) {
	if p.Held {
		one := fails(p.Name, "is held (apt-mark hold)")
		one.fix = "apt-mark unhold " + p.Name
		return one, true
	}
	for _, text := range blacklist {
		expression, err := regexp.Compile("^(?:" + text + ")")
		if err != nil {
			return unknown(p.Name, fmt.Sprintf("Unattended-Upgrade::Package-Blacklist has %q, which is not understood here", text)), true
		}
		if expression.MatchString(p.Name) {
			one := fails(p.Name, fmt.Sprintf("Unattended-Upgrade::Package-Blacklist has %q", text))
			one.fix = "take the line out of /etc/apt/apt.conf.d/50unattended-upgrades"
			return one, true
		}
	}
	return verdict{}, false
}

func uncovered(p facts.Package) verdict {
	if len(p.From) == 0 {
		one := fails(p.Name, "no archive offers it")
		one.fix = "add the archive that it came from to apt's sources, or install Debian's docker.io"
		return one
	}
	a := p.From[0]
	one := fails(p.Name, fmt.Sprintf("comes from %s (%s), which unattended-upgrades leaves alone", or(a.Origin, "an archive without a name"), or(a.Site, "no site")))
	one.fix = fmt.Sprintf(`write into /etc/apt/apt.conf.d/51docker: Unattended-Upgrade::Origins-Pattern { "origin=%s"; };`, a.Origin)
	return one
}

func packageNames(packages []facts.Package) string {
	var names []string
	for _, p := range packages {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// covered reports whether a pattern of unattended-upgrades fits an archive. Each
// pattern is a list of conditions, and all of them must hold.
func covered(patterns []string, a facts.Archive, os facts.OS) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		for condition := range strings.SplitSeq(pattern, ",") {
			key, want, ok := strings.Cut(strings.TrimSpace(condition), "=")
			if !ok || !matches(substitute(want, os), field(a, key)) {
				return false
			}
		}
		return true
	})
}

// field returns what a condition of unattended-upgrades is about.
func field(a facts.Archive, key string) string {
	switch key {
	case "o", "origin":
		return a.Origin
	case "l", "label":
		return a.Label
	case "a", "suite", "archive":
		return a.Suite
	case "n", "codename":
		return a.Codename
	case "c", "component":
		return a.Component
	case "site":
		return a.Site
	}
	return ""
}

// substitute fills in the variables that patterns may hold.
func substitute(pattern string, os facts.OS) string {
	id := os.ID
	if id == "debian" {
		id = "Debian"
	}
	return strings.NewReplacer("${distro_id}", id, "${distro_codename}", os.Codename).Replace(pattern)
}

// matches compares as fnmatch(3) does, for which a slash is a character like others.
// A value that is not there fits nothing.
func matches(pattern, value string) bool {
	flat := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(flat.Replace(pattern), flat.Replace(value))
	return value != "" && ok && err == nil
}

// fresh is how old package lists may be to tell whether something newer is to be had.
const fresh = 7 * 24 * time.Hour

func waiting(v *view) []verdict {
	u := v.Facts.Updates
	if len(u.Packages) == 0 {
		return []verdict{notApplicable("no package of Docker is installed")}
	}
	var all []verdict
	for _, p := range u.Packages {
		if p.Candidate != p.Installed && p.Candidate != "" {
			all = append(all, fails(p.Name, p.Installed+" is installed, "+p.Candidate+" waits"))
		}
	}
	if age := v.Facts.Read.Sub(u.Lists); len(all) == 0 && age > fresh {
		return []verdict{unknown("/var/lib/apt/lists", staleness(u.Lists, age))}
	}
	return append(all, passes("all of "+packageNames(u.Packages)))
}

// staleness says how old the package lists are.
func staleness(at time.Time, age time.Duration) string {
	if at.IsZero() {
		return "when apt last asked the archives is not known"
	}
	return fmt.Sprintf("apt last asked the archives %d days ago", int(age.Hours()/24))
}
