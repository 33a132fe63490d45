package provision

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"molo/internal/facts"
)

// Watch is a rule of the kernel's audit for one path.
type Watch struct {
	Path  string `json:"path"`
	Dir   bool   `json:"dir,omitempty"` // with all that is below
	Perms string `json:"perms"`         // of "rwxa": read, write, execute, attributes
}

// Field returns the field of a rule that holds the path (auditctl(8)). A rule for a file
// may be there before the file is, if its directory is; one for a directory may not.
func (w Watch) Field() string {
	if w.Dir {
		return "dir"
	}
	return "path"
}

// arches are the ways into the kernel that rules are for. A rule without one is looked at
// after every system call there is, says auditctl since audit 4; and one for 64 bits alone
// does not see programs of 32 bits.
func arches() []string { return []string{"b64", "b32"} }

// AuditLoaded asks the kernel whether these are molo's rules, and the only ones.
type AuditLoaded struct {
	Watches []Watch
}

func (AuditLoaded) probe() {}

// Differ compares the rules that "auditctl -l" printed with those wanted.
func (l AuditLoaded) Differ(printed []string) (missing, extra []string) {
	loaded := map[string]bool{}
	for _, line := range printed {
		if rule, key := watchOf(line); key == AuditKey {
			loaded[rule] = true
		}
	}
	for _, w := range l.Watches {
		for _, arch := range arches() {
			rule := arch + " " + w.Path + " " + permissions(w.Perms)
			if !loaded[rule] {
				missing = append(missing, rule)
			}
			loaded[rule] = false
		}
	}
	for rule, more := range loaded {
		if more {
			extra = append(extra, rule)
		}
	}
	slices.Sort(extra)
	return missing, extra
}

// watchOf reads one line of auditctl -l, such as "-a always,exit -F arch=b64 -S all -F
// path=PATH -F perm=wa -F key=KEY", or "-w PATH -p wa -k KEY" for a rule of another hand.
func watchOf(line string) (rule, key string) {
	var arch, path, perms string
	words := strings.Fields(line)
	for i := 0; i+1 < len(words); i++ {
		option, value := words[i], words[i+1]
		if option == "-F" {
			option, value, _ = strings.Cut(value, "=")
		}
		switch option {
		case "arch":
			arch = value
		case "-w", "path", "dir":
			path = strings.TrimSuffix(value, "/")
		case "-p", "perm":
			perms = permissions(value)
		case "-k", "key":
			key = value
		}
	}
	return arch + " " + path + " " + perms, key
}

// permissions writes letters of "rwxa" in this order.
func permissions(letters string) string {
	var all strings.Builder
	for _, letter := range "rwxa" {
		if strings.ContainsRune(letters, letter) {
			all.WriteRune(letter)
		}
	}
	return all.String()
}

// auditWatches lists what is watched.
//
// Quiet is what an attacker has to change: configuration, units, programs, and the rights
// to the socket; none of it changes from day to day. /var/lib/docker and /run/containerd
// do, with every container, and flood the log of a busy host until the kernel gives up.
// CIS asks for them all the same, and for every read; there the directories themselves
// are watched, not what is below.
func auditWatches(profile string, paths []facts.Path) []Watch {
	perms := "wa"
	if profile == "cis" {
		perms = "rwa"
	}
	all := []Watch{{Path: "/run/docker.sock", Perms: "wa"}} // reading it is every request
	for _, path := range attackerMakes() {
		all = append(all, Watch{Path: path, Perms: perms})
	}
	for _, p := range paths {
		w := Watch{Path: cmp.Or(p.Real, p.Path), Dir: p.Kind == facts.KindDir, Perms: perms}
		busy := slices.Contains([]facts.Use{facts.UseContainerd, facts.UseRuntimeDir, facts.UseDataRoot}, p.Use)
		if p.Use == facts.UseDockerSock || busy && profile != "cis" {
			continue
		}
		w.Dir = w.Dir && !busy
		if p.Use == facts.UseProgram && profile == "cis" {
			w.Perms = "rwxa"
		}
		all = append(all, w)
	}
	return tidy(all, profile == "cis")
}

// attackerMakes lists files that are not there on a stock host and that change what
// systemd and Docker do as soon as somebody makes them.
func attackerMakes() []string {
	all := []string{"/etc/docker"}
	for _, unit := range []string{DockerUnit, "docker.socket", "containerd.service"} {
		all = append(all, "/etc/systemd/system/"+unit, "/etc/systemd/system/"+unit+".d")
	}
	return all
}

// tidy leaves out what can't be spelled in a rule, what is there twice, and, but for
// everything, what is below a directory that is watched as a whole.
func tidy(all []Watch, everything bool) []Watch {
	plain := regexp.MustCompile(`^/[A-Za-z0-9._:@+,/-]+$`)
	dirs := map[string]bool{}
	for _, w := range all {
		dirs[w.Path] = dirs[w.Path] || w.Dir
	}
	seen := map[string]bool{}
	var kept []Watch
	for _, w := range all {
		below := false
		for dir, whole := range dirs {
			below = below || whole && strings.HasPrefix(w.Path, dir+"/")
		}
		if !plain.MatchString(w.Path) || seen[w.Path] || w.Dir != dirs[w.Path] || below && !everything {
			continue
		}
		seen[w.Path] = true
		kept = append(kept, w)
	}
	slices.SortFunc(kept, func(a, b Watch) int { return cmp.Compare(a.Path, b.Path) })
	return kept
}
