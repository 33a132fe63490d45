package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"molo/internal/facts"
	"molo/internal/golden"
)

// Verdicts of docker-bench-security 1.6.0. Manual is everything that it neither
// passes nor warns about.
const (
	benchPass   = "pass"
	benchWarn   = "warn"
	benchManual = "manual"
)

// bench is a host as docker-bench-security looks at it: at files and flags, and at
// "docker inspect".
type bench struct {
	facts.Audit
	file map[string]json.RawMessage
}

// flag returns the last flag that starts like this.
func (b bench) flag(prefix string) string {
	last := ""
	for _, f := range b.Facts.Docker.Flags {
		if strings.HasPrefix(f, prefix) {
			last = f
		}
	}
	return last
}

func (b bench) key(name string) string { return jsonText(b.file[name]) }

func warnIf(bad bool) string {
	if bad {
		return benchWarn
	}
	return benchPass
}

// anyContainer warns when one container is bad. Without containers the section is
// left out.
func (b bench) anyContainer(bad func(facts.ContainerDetail) bool) string {
	if len(b.Engine.Containers) == 0 {
		return benchManual
	}
	return warnIf(slices.ContainsFunc(b.Engine.Containers, bad))
}

// mode compares octal modes as if they were decimal numbers.
func (b bench) mode(role facts.Role, most int) string {
	return b.eachFile(role, func(f facts.File) bool {
		decimal, _ := strconv.Atoi(fmt.Sprintf("%o", f.Mode))
		return decimal > most
	})
}

func (b bench) owner(role facts.Role, group string) string {
	return b.eachFile(role, func(f facts.File) bool { return f.Owner != "root" || group != "" && f.Group != group })
}

func (b bench) eachFile(role facts.Role, bad func(facts.File) bool) string {
	all := newView(Input{Facts: b.Audit}).files(role)
	if len(all) == 0 {
		return benchManual
	}
	return warnIf(slices.ContainsFunc(all, bad))
}

// rule looks for a path in the text of the rules that are loaded.
func (b bench) rule(role facts.Role) string {
	all := newView(Input{Facts: b.Audit}).files(role)
	if len(all) == 0 {
		return benchManual
	}
	path := all[0].Path
	if role == facts.RoleDockerd {
		path = "/usr/bin/dockerd"
	}
	return warnIf(!strings.Contains(strings.Join(b.AuditRules.Kernel, "\n"), path))
}

// verdicts is what docker-bench-security 1.6.0 says by its number, as far as its
// answer follows from the facts.
func (b bench) verdicts() map[string]string {
	all := map[string]string{}
	for _, id := range ids() {
		all[id] = benchManual
	}
	for _, section := range []map[string]string{b.host(), b.daemon(), b.files(), b.runtime(), b.swarm()} {
		for id, v := range section {
			all[id] = v
		}
	}
	return all
}

func (b bench) host() map[string]string {
	all := map[string]string{"1.1.1": warnIf(!b.Engine.DataRoot.Separate), "1.2.2": benchPass}
	for _, w := range watched() {
		if w.role != facts.RoleContainerdSock { // a unit that is never there
			all[w.cis] = b.rule(w.role)
		}
	}
	return all
}

func (b bench) daemon() map[string]string {
	tcp := strings.Contains(string(b.file["hosts"]), "tcp://") || slices.ContainsFunc(b.Facts.Docker.Flags, func(f string) bool {
		value, ok := strings.CutPrefix(f, "-H=")
		return ok && !strings.HasPrefix(value, "unix://") && !strings.HasPrefix(value, "fd://")
	})
	api := benchManual
	if tcp {
		api = warnIf(b.key("tlsverify") != "true" && b.flag("--tlsverify") == "")
	}
	level := or(b.key("log-level"), strings.TrimPrefix(b.flag("--log-level="), "--log-level="))
	for i, f := range b.Facts.Docker.Flags {
		if f == "-l" {
			level = b.Facts.Docker.Flags[i+1]
		}
	}
	return map[string]string{
		"2.2":  warnIf(b.flag("--icc") != "--icc=false" && b.key("icc") != "false"),
		"2.3":  warnIf(level != "" && level != "info"),
		"2.4":  warnIf(b.flag("--iptables") == "--iptables=false" || b.key("iptables") == "false"),
		"2.5":  warnIf(b.flag("--insecure-registry") != "" || !slices.Contains([]string{"", "[]"}, b.key("insecure-registries"))),
		"2.6":  warnIf(b.Engine.StorageDriver == "aufs"),
		"2.7":  api,
		"2.9":  warnIf(b.key("userns-remap") == "" && b.flag("--userns-remap") == ""),
		"2.10": warnIf(b.flag("--cgroup-parent") != ""),
		"2.11": warnIf(strings.Contains(b.key("storage-opts"), "dm.basesize") || strings.Contains(b.flag("--storage-opt"), "dm.basesize")),
		"2.12": warnIf(slices.Contains([]string{"", "[]"}, b.key("authorization-plugins")) && b.flag("--authorization-plugin") == ""),
		"2.13": warnIf(b.Facts.Docker.Effective.LogDriver == "json-file"),
		"2.14": warnIf(b.flag("--no-new-privileges") == "" && b.key("no-new-privileges") != "true"),
		"2.15": warnIf(!*b.Facts.Docker.Effective.LiveRestore && !b.Engine.Swarm.Active),
		"2.16": warnIf(b.key("userland-proxy") != "false" && b.flag("--userland-proxy") != "--userland-proxy=false"),
	}
}

func (b bench) files() map[string]string {
	all := map[string]string{}
	for _, g := range guardedFiles() {
		group := g.group
		if g.role == facts.RoleRegistryCert {
			group = "" // only the owner
		}
		most, _ := strconv.Atoi(fmt.Sprintf("%o", g.mode))
		all[g.owner], all[g.max] = b.owner(g.role, group), b.mode(g.role, most)
	}
	all["3.14"] = b.eachFile(facts.RoleServerKey, func(f facts.File) bool { return f.Mode != 0o400 })
	return all
}

func (b bench) runtime() map[string]string {
	type c = facts.ContainerDetail
	opts := func(one c) string { return strings.Join(one.SecurityOpt, " ") }
	sensitive := []string{"/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"}
	return map[string]string{
		"4.1": b.anyContainer(func(one c) bool { return slices.Contains([]string{"", "0", "root"}, one.User) }),
		"4.6": warnIf(slices.ContainsFunc(b.Engine.Images, func(i facts.Image) bool { return i.Unread == "" && !i.HealthCheck })),
		"5.1": warnIf(b.Engine.Swarm.Active),
		"5.2": b.anyContainer(func(one c) bool { return one.AppArmorProfile == "" || one.AppArmorProfile == "unconfined" }),
		"5.3": b.anyContainer(func(one c) bool { return len(one.SecurityOpt) == 0 }),
		"5.4": b.anyContainer(func(one c) bool {
			return slices.ContainsFunc(capabilities(one.CapAdd), func(n string) bool { return !slices.Contains(usual(), n) })
		}),
		"5.5": b.anyContainer(func(one c) bool { return one.Privileged }),
		"5.6": b.anyContainer(func(one c) bool {
			return slices.ContainsFunc(one.Mounts, func(m facts.Mount) bool { return m.Writable && slices.Contains(sensitive, m.Source) })
		}),
		"5.7": b.anyContainer(func(one c) bool { return one.Process.SSHD }),
		"5.8": b.anyContainer(func(one c) bool {
			return slices.ContainsFunc(one.Published, func(p facts.Publish) bool { return p.Port < 1024 })
		}),
		"5.9":  b.anyContainer(func(one c) bool { return len(one.Published) > 0 }),
		"5.10": b.anyContainer(func(one c) bool { return one.Network == "host" }),
		"5.11": b.anyContainer(func(one c) bool { return one.Memory == 0 }),
		"5.12": b.anyContainer(func(one c) bool { return !one.CPU }),
		"5.13": b.anyContainer(func(one c) bool { return !one.ReadOnly }),
		"5.14": b.anyContainer(func(one c) bool {
			return slices.ContainsFunc(one.Published, func(p facts.Publish) bool { return !p.Address.IsValid() || p.Address.String() == "0.0.0.0" })
		}),
		"5.15": b.anyContainer(func(one c) bool { return one.Restart == "on-failure" && one.Retries > 5 }),
		"5.16": b.anyContainer(func(one c) bool { return one.PidMode == "host" }),
		"5.17": b.anyContainer(func(one c) bool { return one.IpcMode == "host" }),
		"5.20": b.anyContainer(func(one c) bool {
			return slices.ContainsFunc(one.Mounts, func(m facts.Mount) bool { return strings.Contains(m.Propagation, "shared") })
		}),
		"5.21": b.anyContainer(func(one c) bool { return one.UTSMode == "host" }),
		"5.22": b.anyContainer(func(one c) bool {
			return strings.Contains(opts(one), "seccomp:unconfined") || strings.Contains(opts(one), "seccomp=unconfined")
		}),
		"5.25": b.anyContainer(func(one c) bool { return one.CgroupParent != "" }),
		"5.26": b.anyContainer(func(one c) bool {
			return b.key("no-new-privileges") != "true" && b.flag("--no-new-privileges") == "" && !strings.Contains(opts(one), "no-new-privileges")
		}),
		"5.27": b.anyContainer(func(one c) bool { return !one.HealthCheck }),
		"5.29": b.anyContainer(func(one c) bool { return one.Pids == 0 || one.Pids == -1 }),
		"5.31": b.anyContainer(func(one c) bool { return one.UsernsMode == "host" }),
		"5.32": b.anyContainer(func(one c) bool {
			return slices.ContainsFunc(one.Mounts, func(m facts.Mount) bool { return strings.Contains(m.Source, "docker.sock") })
		}),
	}
}

func (b bench) swarm() map[string]string {
	open := slices.ContainsFunc(b.Surface.Sockets, func(s facts.Socket) bool { return s.Port == 2377 && s.Address.IsUnspecified() })
	clear := slices.ContainsFunc(b.Engine.Networks, func(n facts.NetworkDetail) bool {
		_, encrypted := n.Options["encrypted"]
		return n.Driver == "overlay" && !encrypted
	})
	s := b.Engine.Swarm
	return map[string]string{
		"7.1": benchPass, "7.2": warnIf(s.Active && open), "7.3": warnIf(clear), "7.5": warnIf(s.Active && s.Manager && !s.AutoLock),
	}
}

// ours is what the findings say by number.
func ours(findings []Finding) map[string]string {
	all := map[string]string{}
	for _, f := range findings {
		for _, r := range f.References {
			switch {
			case f.Status == Fail || f.Status == Exempt:
				all[r.ID] = benchWarn
			case f.Status == Unknown && all[r.ID] == "":
				all[r.ID] = benchManual
			case all[r.ID] == "":
				all[r.ID] = benchPass
			}
		}
	}
	return all
}

// benchScenarios are the hosts with one thing wrong, and some that only differ for
// docker-bench-security.
func benchScenarios() []violation {
	more := []violation{
		{name: "a clean host"},
		{name: "a rule for a directory with a longer name", broken: func(f *facts.Audit) { f.AuditRules.Kernel[1] = "-w /etc/docker-backup -p wa" }},
		{name: "no kernel rule for Debian's dockerd", broken: func(f *facts.Audit) { f.AuditRules.Kernel[0] = "-w /usr/bin/dockerd -p x" }},
		{name: "every file of root, with the mode that is asked for", broken: func(f *facts.Audit) { everyFile(f, "root", func(g guarded) uint32 { return g.mode }) }},
		{name: "every file of a user", broken: func(f *facts.Audit) { everyFile(f, "eve", func(g guarded) uint32 { return g.mode }) }},
		{name: "every file with a mode that is less as a number", broken: func(f *facts.Audit) {
			everyFile(f, "root", func(g guarded) uint32 { return 0o377 })
		}},
		{name: "every file open to all", broken: func(f *facts.Audit) { everyFile(f, "root", func(guarded) uint32 { return 0o777 }) }},
		{name: "a certificate of another group", broken: func(f *facts.Audit) { file(f, facts.RoleRegistryCert, "root", "eve", 0o444) }},
		{name: "dm.basesize", broken: func(f *facts.Audit) {
			configure(f, `"storage-opts": ["dm.basesize=20G"]`)
			f.Engine.StorageDriver = "devicemapper"
		}},
		{name: "a hardened file that dockerd has not taken in", broken: func(f *facts.Audit) {
			engine(f).ICC, engine(f).NoNewPrivileges, engine(f).UsernsRemap = ptr(true), ptr(false), ptr(false)
		}},
		{name: "a key that not even root may read", broken: func(f *facts.Audit) { file(f, facts.RoleServerKey, "root", "root", 0) }},
		{name: "restarted 10 times", broken: change(func(c *facts.ContainerDetail) { c.Retries = 10 })},
		{name: "a cgroup-parent by a flag", broken: func(f *facts.Audit) { f.Facts.Docker.Flags = []string{"--cgroup-parent=x.slice"} }},
		{name: "one rule for everything", broken: func(f *facts.Audit) {
			f.Files, f.AuditRules.Kernel = nil, []string{"-w / -p wa"}
			for _, w := range watched() {
				f.Files = append(f.Files, facts.File{Role: w.role, Path: "/x/" + string(w.role), Owner: "root", Group: "root"})
			}
		}},
		{name: "a registry that the file does not name any more", broken: func(f *facts.Audit) { f.Engine.InsecureRegistries = []string{"r.example.no"} }},
		{name: "users that nobody remaps", broken: func(f *facts.Audit) {
			engine(f).UsernsRemap, container(f).UsernsMode, container(f).Process.UID = ptr(false), "host", 1000
			drop(f, "userns-remap")
		}},
		{name: "an overlay network without a swarm", broken: func(f *facts.Audit) {
			f.Engine.Networks = append(f.Engine.Networks, facts.NetworkDetail{Name: "left", Driver: "overlay"})
		}},
		{name: "an API with client certificates, by the file", broken: func(f *facts.Audit) {
			configure(f, `"hosts": ["tcp://0.0.0.0:2376"], "tlsverify": true`)
		}},
	}
	for _, v := range violations() {
		if v.policy == "" && v.foreseen == nil {
			more = append(more, v)
		}
	}
	return more
}

// everyFile puts all guarded files there, one of each.
func everyFile(f *facts.Audit, owner string, mode func(guarded) uint32) {
	f.Files = nil
	for _, g := range guardedFiles() {
		group := g.group
		if owner != "root" {
			group = owner
		}
		f.Files = append(f.Files, facts.File{Role: g.role, Path: "/x/" + string(g.role), Owner: owner, Group: group, Mode: mode(g)})
	}
}

// TestVerdictsEqualThoseOfDockerBenchOrTheDifferenceIsOneOfItsDefects compares both on
// every scenario. The differences are a golden file: each one is a row that says
// "done better" and how, and no other row has any.
func TestVerdictsEqualThoseOfDockerBenchOrTheDifferenceIsOneOfItsDefects(t *testing.T) {
	differences, always, warned, passed := map[string][]string{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, v := range benchScenarios() {
		f := clean(t)
		if v.broken != nil {
			v.broken(&f)
		}
		b := bench{Audit: f}
		json.Unmarshal([]byte(f.Facts.Docker.Config), &b.file)
		now := v.now
		if now == nil {
			now = shut()
		}
		got := ours(Check(Input{Facts: f, Now: now, Promised: shut()}))
		for id, theirs := range b.verdicts() {
			if theirs == benchManual || got[id] == benchManual {
				continue
			}
			warned[id], passed[id] = warned[id] || got[id] == benchWarn, passed[id] || got[id] == benchPass
			pair := fmt.Sprintf("%s: docker-bench %s, molo %s", id, theirs, got[id])
			if got[id] == "" || got[id] == theirs || always[pair] {
				continue
			}
			always[pair] = i == 0 // said once, of the clean host
			differences[id] = append(differences[id], pair+": "+v.name)
		}
	}
	var out strings.Builder
	for _, row := range benchmark() {
		slices.Sort(differences[row.id])
		if row.how != better && len(differences[row.id]) > 0 {
			t.Errorf("%s is %q, but:\n%s", row.id, row.how, strings.Join(differences[row.id], "\n"))
		}
		for _, d := range differences[row.id] {
			out.WriteString(d + "\n")
		}
		if row.how == done && !strings.Contains(row.note, "manual") && (!warned[row.id] || !passed[row.id]) {
			t.Errorf("%s: no scenario in which it fails, or none in which it passes", row.id)
		}
	}
	golden.Check(t, "testdata/differences.txt", out.String(), *update)
}
