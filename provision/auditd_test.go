package provision_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

var onlyAuditd = provision.Options{Only: []string{provision.PartAuditd}}

// debianPaths are those of a Debian host with Docker.
func debianPaths() []facts.Path {
	return []facts.Path{
		path(facts.UseConfigDir, "/etc/containerd", "root", "root", 0o755), path(facts.UseConfig, "/etc/containerd/config.toml", "root", "root", 0o644),
		path(facts.UseConfig, "/etc/default/docker", "root", "root", 0o644), path(facts.UseConfigDir, "/etc/docker", "root", "root", 0o755),
		path(facts.UseConfig, "/etc/docker/daemon.json", "root", "root", 0o644), path(facts.UseConfigDir, "/etc/docker/certs.d", "root", "root", 0o755),
		path(facts.UseCertificate, "/etc/docker/certs.d/registry:5000/ca.crt", "root", "root", 0o444),
		path(facts.UseDropIns, "/etc/systemd/system/docker.service.d", "root", "root", 0o755),
		path(facts.UseUnit, "/etc/systemd/system/docker.service.d/own.conf", "root", "root", 0o644),
		path(facts.UseContainerd, "/run/containerd/containerd.sock", "root", "root", 0o660),
		{Path: "/run/containerd", Use: facts.UseRuntimeDir, Kind: facts.KindDir}, path(facts.UseDockerSock, "/run/docker.sock", "root", "docker", 0o660),
		{Path: "/usr/bin/runc", Real: "/usr/sbin/runc", Use: facts.UseProgram, Kind: facts.KindFile}, path(facts.UseProgram, "/usr/sbin/dockerd", "root", "root", 0o755),
		path(facts.UseUnit, "/usr/lib/systemd/system/docker.service", "root", "root", 0o644),
		path(facts.UseKey, "/srv/my keys/key.pem", "root", "root", 0o400), path(facts.UseDataRoot, "/var/lib/docker", "root", "root", 0o710),
	}
}

// audited is such a host with auditd, whose kernel takes rules and prints them as audit 3 does.
func audited() *hosttest.Host {
	h := &hosttest.Host{State: map[resource.ID]resource.Resource{}, Is: facts.Facts{Paths: debianPaths(), Auditd: facts.Auditd{Installed: true, Running: true}}}
	h.React = func(h *hosttest.Host, did string) {
		if did != "load audit rules" {
			return
		}
		h.Is.Auditd.Rules = nil
		file, _ := h.State[resource.File{Path: provision.AuditRules}.ID()].(resource.File)
		for line := range strings.Lines(string(file.Content)) {
			if rule, ok := strings.CutPrefix(line, "-a always,exit -F arch="); ok {
				arch, rest, _ := strings.Cut(strings.TrimSpace(rule), " ")
				h.Is.Auditd.Rules = append(h.Is.Auditd.Rules, "-a always,exit -F arch="+arch+" -S all "+rest)
			}
		}
	}
	return h
}

func auditPolicy(profile string) *policy.Policy {
	p := dockerPolicy()
	p.Docker.AuditRules = provision.At(9, profile)
	return p
}

// rules lists the rules for 64 bits in short; there has to be one for 32 bits as well.
func rules(t *testing.T, h *hosttest.Host) string {
	t.Helper()
	file, _ := h.State[resource.File{Path: provision.AuditRules}.ID()].(resource.File)
	var all strings.Builder
	for line := range strings.Lines(string(file.Content)) {
		rule, ok := strings.CutPrefix(line, "-a always,exit -F arch=b64 -F ")
		if !ok {
			continue
		}
		all.WriteString(strings.TrimSuffix(rule, " -F key=molo-docker\n") + "\n")
		if !strings.Contains(string(file.Content), "-a always,exit -F arch=b32 -F "+rule) {
			t.Errorf("there is no rule for 32 bits: %s", rule)
		}
	}
	return all.String()
}

func TestQuietRulesWatchWhatAnAttackerChanges(t *testing.T) {
	h := audited()
	if err := apply(t, h, auditPolicy("quiet"), onlyAuditd).Failed(); err != nil {
		t.Fatal(err)
	}
	want := `dir=/etc/containerd -F perm=wa
path=/etc/default/docker -F perm=wa
dir=/etc/docker -F perm=wa
path=/etc/systemd/system/containerd.service -F perm=wa
path=/etc/systemd/system/containerd.service.d -F perm=wa
path=/etc/systemd/system/docker.service -F perm=wa
dir=/etc/systemd/system/docker.service.d -F perm=wa
path=/etc/systemd/system/docker.socket -F perm=wa
path=/etc/systemd/system/docker.socket.d -F perm=wa
path=/run/docker.sock -F perm=wa
path=/usr/lib/systemd/system/docker.service -F perm=wa
path=/usr/sbin/dockerd -F perm=wa
path=/usr/sbin/runc -F perm=wa
`
	if diff := cmp.Diff(want, rules(t, h)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if _, there := h.State[resource.File{Path: provision.AuditTmpfiles}.ID()]; there {
		t.Error("a directory is made that no rule needs")
	}
}

func TestCISRulesWatchEveryPathOfTheBenchmark(t *testing.T) {
	h := audited()
	if err := apply(t, h, auditPolicy("cis"), onlyAuditd).Failed(); err != nil {
		t.Fatal(err)
	}
	got := rules(t, h)
	for _, want := range []string{
		"path=/etc/docker/daemon.json -F perm=rwa\n", "path=/etc/containerd/config.toml -F perm=rwa\n", "path=/run/containerd -F perm=rwa\n",
		"path=/run/containerd/containerd.sock -F perm=rwa\n", "path=/var/lib/docker -F perm=rwa\n", "path=/usr/sbin/runc -F perm=rwxa\n",
		"path=/run/docker.sock -F perm=wa\n", "dir=/etc/docker -F perm=rwa\n", "path=/usr/lib/systemd/system/docker.service -F perm=rwa\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no rule %s", want)
		}
	}
	if strings.Contains(got, "dir=/var/lib/docker") || strings.Contains(got, "dir=/run/containerd") || strings.Contains(got, "my keys") {
		t.Errorf("rules that flood the log, or that auditctl can't read:\n%s", got)
	}
	if _, there := h.State[resource.File{Path: provision.AuditTmpfiles}.ID()]; !there {
		t.Error("at boot there is no /run/containerd, and the rules after it would be lost")
	}
}

func TestAuditRulesComeAndGo(t *testing.T) {
	h := audited()
	apply(t, h, auditPolicy("cis"), onlyAuditd)
	if report := apply(t, h, auditPolicy("cis"), onlyAuditd); report.Changed() {
		t.Errorf("a second apply changed something:\n%s", shown(t, report))
	}
	h.Log()
	h.Is.Auditd.Rules = append(h.Is.Auditd.Rules[1:], "-w /etc/passwd -p wa -k own")
	said := shown(t, apply(t, h, auditPolicy("cis"), onlyAuditd))
	if !strings.Contains(said, "! load audit rules: of molo's rules, 1 are not loaded and 0 are that should not be\n") {
		t.Errorf("a rule deleted by hand is not named:\n%s", said)
	}
	apply(t, h, auditPolicy("off"), onlyAuditd)
	if h.String() != "" || len(h.Is.Auditd.Rules) > 0 {
		t.Errorf("with audit_rules = \"off\" there are still\n%s%s", h, h.Is.Auditd.Rules)
	}
}

func TestRulesThatCanNotBeLoadedNowAreSaid(t *testing.T) {
	tests := []struct {
		name string
		is   facts.Auditd
		want string
	}{
		{"auditd is stopped", facts.Auditd{Installed: true}, "auditd does not run: its rules take effect when it starts"},
		{"locked", facts.Auditd{Installed: true, Running: true, Locked: true}, "the kernel's audit is locked (auditctl -e 2): the rules take effect at the next boot"},
		{
			"in a container", facts.Auditd{Installed: true, Running: true, Refusal: "auditctl: exit status 255"},
			"the kernel does not let its audit be changed from here, as in a container: the rules take effect where auditd can load them (auditctl: exit status 255)",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := audited()
			h.Is.Auditd = test.is
			report := apply(t, h, auditPolicy("quiet"), onlyAuditd)
			if err := report.Failed(); err != nil {
				t.Fatal(err)
			}
			notes := report.Parts[0].Notes
			if len(notes) != 1 || notes[0].Text != test.want {
				t.Errorf("notes %+v, want %q", notes, test.want)
			}
			if log := h.Log(); rules(t, h) == "" || strings.Contains(log, "load") {
				t.Errorf("the rules are not there, or were loaded all the same:\n%s", log)
			}
		})
	}
}

func TestWithoutAuditdNothingIsWritten(t *testing.T) {
	h := audited()
	h.Is.Auditd = facts.Auditd{}
	p := auditPolicy("quiet")
	p.Docker.AuditRules.Set = false
	if report := apply(t, h, p, onlyAuditd); h.String() != "" || len(report.Parts[0].Notes) > 0 {
		t.Errorf("nobody asked, but there is\n%s%+v", h, report.Parts[0].Notes)
	}
	p.Docker.AuditRules.Set = true
	if report := apply(t, h, p, onlyAuditd); h.String() != "" || len(report.Parts[0].Notes) != 1 {
		t.Errorf("who asks for rules is not told that auditd is missing: %+v", report.Parts[0].Notes)
	}
}

func TestRulesThatTheKernelRefusesArePutBack(t *testing.T) {
	h := audited()
	h.Fail = map[string]error{"load audit rules": errors.New("the kernel did not take /etc/docker wa")}
	report := apply(t, h, auditPolicy("quiet"), onlyAuditd)
	if err := report.Failed(); err == nil || !strings.Contains(err.Error(), "did not take /etc/docker wa") {
		t.Errorf("error %v", err)
	}
	want := "remember 0 owned, pending [auditd]\nwrite file:/etc/audit/rules.d/60-molo-docker.rules\nload audit rules\n" +
		"write file:/etc/audit/rules.d/60-molo-docker.rules\nload audit rules\nremember 0 owned, pending []\n"
	if diff := cmp.Diff(want, h.Log()); diff != "" || h.String() != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
}

func TestLoadedRulesAreComparedHoweverTheyArePrinted(t *testing.T) {
	until := provision.AuditLoaded{Watches: []provision.Watch{{Path: "/etc/docker", Dir: true, Perms: "wa"}}}
	const audit3 = "-a always,exit -F arch=b64 -S all -F dir=/etc/docker -F perm=wa -F key=molo-docker"
	const audit4 = "-a always,exit -F arch=b64 -S open,bind,truncate -F dir=/etc/docker -F perm=aw -F key=molo-docker"
	b32 := func(rule string) string { return strings.Replace(rule, "b64", "b32", 1) }
	tests := []struct {
		name           string
		printed        []string
		missing, extra []string
	}{
		{"by audit 3", []string{audit3, b32(audit3)}, nil, nil},
		{"by audit 4", []string{audit4, b32(audit4)}, nil, nil},
		{"none", nil, []string{"b64 /etc/docker wa", "b32 /etc/docker wa"}, nil},
		{"for 64 bits only", []string{audit4}, []string{"b32 /etc/docker wa"}, nil},
		{"with other rights", []string{audit3, strings.Replace(b32(audit3), "perm=wa", "perm=rwa", 1)}, []string{"b32 /etc/docker wa"}, []string{"b32 /etc/docker rwa"}},
		{"for every way into the kernel", []string{audit3, b32(audit3), "-w /etc/docker/ -p wa -k molo-docker"}, nil, []string{" /etc/docker wa"}},
		{"of somebody else", []string{audit3, b32(audit3), "-w /etc/passwd -p wa -k own", "-D", "-w"}, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			missing, extra := until.Differ(test.printed)
			if diff := cmp.Diff([][]string{test.missing, test.extra}, [][]string{missing, extra}); diff != "" {
				t.Errorf("missing and extra (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzPrintedRules looks for lines of auditctl -l that break the comparison.
func FuzzPrintedRules(f *testing.F) {
	f.Add("-w /etc/docker -p wa -k molo-docker")
	f.Add("-a always,exit -S all -F dir=/etc/docker -F perm=wa -F key=molo-docker")
	f.Add("-F -k")
	f.Fuzz(func(t *testing.T, line string) {
		missing, extra := provision.AuditLoaded{Watches: []provision.Watch{{Path: "/a", Perms: "wa"}}}.Differ([]string{line, line})
		if len(missing) > 2 || len(extra) > 1 {
			t.Fatalf("%q: missing %q, extra %q", line, missing, extra)
		}
	})
}
