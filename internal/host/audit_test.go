package host

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"

	"molo/internal/audit"
	"molo/internal/facts"
)

const aptPolicy = `Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 https://download.docker.com/linux/debian bookworm/stable amd64 Packages
     release o=Docker,a=bookworm,l=Docker CE,c=stable,b=amd64
     origin download.docker.com
 500 http://deb.debian.org/debian bookworm/main amd64 Packages
     release v=12.5,o=Debian,a=stable,n=bookworm,l=Debian,c=main,b=amd64
     origin deb.debian.org
Pinned packages:
     docker-ce -> 5:29.7.2-1~debian.12~bookworm with priority 990
`

const aptPackages = `docker.io:
  Installed: (none)
  Candidate: 20.10.24+dfsg1-1+deb12u1+b2
  Version table:
     20.10.24+dfsg1-1+deb12u1+b2 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
docker-ce:
  Installed: 5:29.7.1-1~debian.12~bookworm
  Candidate: 5:29.7.2-1~debian.12~bookworm
  Version table:
     5:29.7.2-1~debian.12~bookworm 500
        500 https://download.docker.com/linux/debian bookworm/stable amd64 Packages
 *** 5:29.7.1-1~debian.12~bookworm 100
        100 /var/lib/dpkg/status
runc:
  Installed: 1.1.5
  Candidate: 1.1.5
  Version table:
 *** 1.1.5 100
        100 /var/lib/dpkg/status
`

func TestWhatAptSaysOfDockersPackages(t *testing.T) {
	want := []facts.Package{
		{
			Name: "docker-ce", Installed: "5:29.7.1-1~debian.12~bookworm", Candidate: "5:29.7.2-1~debian.12~bookworm",
			From: []facts.Archive{{Origin: "Docker", Label: "Docker CE", Suite: "bookworm", Component: "stable", Site: "download.docker.com"}},
		},
		{Name: "runc", Installed: "1.1.5", Candidate: "1.1.5"},
	}
	if diff := cmp.Diff(want, packagesOf(aptPackages, archivesOf(aptPolicy))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatAptSaysOfUpdates(t *testing.T) {
	const dump = `APT "";
APT::Periodic "";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade "";
Unattended-Upgrade::Origins-Pattern "";
Unattended-Upgrade::Origins-Pattern:: "origin=Debian,codename=${distro_codename},label=Debian";
Unattended-Upgrade::Allowed-Origins:: "Docker:bookworm";
Unattended-Upgrade::Package-Blacklist "";
Unattended-Upgrade::Package-Blacklist:: "docker-ce$";
`
	want := facts.Updates{Enabled: true, Refreshes: true, Blacklist: []string{"docker-ce$"}, Origins: []string{"origin=Debian,codename=${distro_codename},label=Debian", "origin=Docker,archive=bookworm"}}
	if diff := cmp.Diff(want, updatesOf(dump)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if updatesOf(`APT::Periodic::Unattended-Upgrade "0";`).Enabled {
		t.Error("0 counts as enabled")
	}
	if updatesOf("APT::Periodic::Enable \"0\";\n" + dump).Enabled {
		t.Error("it counts as enabled, and nothing is done periodically")
	}
	if updatesOf(`APT::Periodic::Update-Package-Lists "0";`).Refreshes || updatesOf("").Refreshes {
		t.Error("lists count as refreshed that are not")
	}
}

func FuzzApt(f *testing.F) {
	f.Add(aptPolicy, aptPackages, "APT::Periodic::Unattended-Upgrade \"1\";")
	f.Fuzz(func(t *testing.T, policy, packages, config string) {
		updatesOf(config)
		for _, p := range packagesOf(packages, archivesOf(policy)) {
			if p.Installed == "" || p.Installed == "(none)" {
				t.Errorf("%+v is not installed", p)
			}
		}
	})
}

func TestHowTheKernelRunsAProcess(t *testing.T) {
	const status = "Name:\tserver\nUmask:\t0022\nUid:\t1000\t101000\t101000\t101000\nGid:\t0\t0\t0\t0\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"
	unread := facts.Process{PID: 7, Unread: "/proc does not tell whose its main process is"}
	for name, c := range map[string]struct {
		status string
		want   facts.Process
	}{
		"whole":             {status, facts.Process{PID: 7, UID: 101000, NoNewPrivileges: true, Seccomp: 2}},
		"without seccomp":   {"Uid:\t0\t0\t0\t0\nNoNewPrivs:\t0\n", facts.Process{PID: 7}},
		"without a user":    {"NoNewPrivs:\t1\n", unread},
		"with half a user":  {"Uid:\t0\t0\n", unread},
		"with a user of -1": {"Uid:\t-1\t-1\t-1\t-1\n", unread},
		"empty":             {"", unread},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, processOf(7, c.status)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAProcessThatHasEndedIsNone(t *testing.T) {
	if got := process(os.Getpid()); got.PID != os.Getpid() || got.Unread != "" {
		t.Errorf("this process is %+v", got)
	}
	if got := process(1 << 30); got != (facts.Process{}) { // more than there can be
		t.Errorf("a process that is not there is %+v", got)
	}
}

func TestAFileThatIsPutThereIsNewWhateverItsTime(t *testing.T) {
	h := image(t, map[string]string{"old": "", "copy": ""})
	past := time.Now().Add(-time.Hour)
	for _, name := range []string{"/old", "/copy"} {
		if err := os.Chtimes(h.path(name), past, past); err != nil {
			t.Fatal(err)
		}
	}
	if !h.newer("/copy", past.Add(time.Minute)) {
		t.Error("a copy that keeps the time of its original counts as one that was there")
	}
	started := time.Now()
	if err := os.Chmod(h.path("/old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h.newer("/old", started) {
		t.Error("a change of the mode counts as one of the text")
	}
	if err := os.WriteFile(h.path("/old"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !h.newer("/old", started) || h.newer("/none", past) {
		t.Error("a file that was written counts as old, or one that is not there as new")
	}
}

func TestADataRootThatIsNotThereIsUnknown(t *testing.T) {
	if got := dataRoot(filepath.Join(t.TempDir(), "docker")); got.Unread == "" {
		t.Errorf("%+v", got)
	}
	if got := dataRoot("/proc/self"); got.Separate || got.Unread != "" {
		t.Errorf("a directory of its parent's file system: %+v", got)
	}
	if got := dataRoot("/proc"); !got.Separate || got.Unread != "" {
		t.Errorf("a file system of its own: %+v", got)
	}
}

func TestANodeThatIsLockedIsPartOfASwarm(t *testing.T) {
	for state, want := range map[swarm.LocalNodeState]facts.Swarm{
		"":                           {},
		swarm.LocalNodeStateInactive: {},
		swarm.LocalNodeStateActive:   {Active: true},
		swarm.LocalNodeStateLocked:   {Active: true, State: "locked"},
		swarm.LocalNodeStatePending:  {Active: true, State: "pending"},
		swarm.LocalNodeStateError:    {Active: true, State: "error"},
	} {
		if diff := cmp.Diff(want, swarmOf(swarm.Info{LocalNodeState: state})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", state, diff)
		}
		if got := effectiveOf(system.Info{Swarm: swarm.Info{LocalNodeState: state}}, nil, 28).Swarm; got != want.Active {
			t.Errorf("%q rules live-restore out: %t, want %t", state, got, want.Active)
		}
	}
}

func TestWhoIsInAGroup(t *testing.T) {
	const groups = "root:x:0:\ndocker:x:109:eve,adam\ndockers:x:110:mallory\nbad\n"
	const users = "root:x:0:0:root:/root:/bin/bash\nci:x:1001:109:CI:/home/ci:/bin/sh\nadam:x:1002:109::/:\nbad:x:109\n"
	if diff := cmp.Diff([]string{"adam", "ci", "eve"}, membersOf("docker", groups, users)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := membersOf("docker", "root:x:0:\n", users); len(got) > 0 {
		t.Errorf("without the group: %v", got)
	}
}

func TestWhatCloudInitWasTold(t *testing.T) {
	got, err := cloudOf([]byte(`{"v1": {"cloud_name": "openstack", "region": "no-osl", "availability_zone": null}, "ds": {"x": [1]}}`))
	if diff := cmp.Diff(facts.Cloud{Provider: "openstack", Region: "no-osl"}, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if _, err := cloudOf([]byte(`{"v1": `)); err == nil {
		t.Error("half a file was read")
	}
}

func TestTheFilesOfAnImageAreJudgedAndItsServicesAreUnknown(t *testing.T) {
	h := image(t, map[string]string{
		"etc/os-release": "ID=debian\nVERSION_CODENAME=bookworm\n", "usr/sbin/dockerd": "", "etc/docker/daemon.json": `{"tlskey": "/etc/docker/key.pem", "data-root": "/srv/docker"}`, "srv/docker/x": "",
		"etc/docker/key.pem": "", "etc/docker/certs.d/r.example.no/ca.crt": "", "usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/sbin/dockerd\n",
		"etc/systemd/system/docker.service.d/x.conf": "[Service]\n", "etc/passwd": "root:x:0:0::/:\n", "etc/group": "root:x:0:\n",
	})
	a, err := h.Audit(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	roles := map[facts.Role][]string{}
	for _, f := range a.Files {
		roles[f.Role] = append(roles[f.Role], f.Path)
	}
	want := map[facts.Role][]string{
		facts.RoleService:      {"/etc/systemd/system/docker.service.d/x.conf", "/usr/lib/systemd/system/docker.service"},
		facts.RoleDaemonJSON:   {"/etc/docker/daemon.json"},
		facts.RoleConfigDir:    {"/etc/docker"},
		facts.RoleServerKey:    {"/etc/docker/key.pem"},
		facts.RoleRegistryCert: {"/etc/docker/certs.d/r.example.no/ca.crt"},
		facts.RoleDockerd:      {"/usr/sbin/dockerd"},
		facts.RoleDataRoot:     {"/srv/docker"},
	}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, source := range []facts.Source{facts.FromEngine, facts.FromMachine, facts.FromSurface, facts.FromUpdates, facts.FromUnits, facts.FromDaemon, facts.FromAuditRules} {
		if a.Unread[source] != errImage.Error() {
			t.Errorf("%s: unread because of %q, want %q", source, a.Unread[source], errImage)
		}
	}
	for _, f := range audit.Check(audit.Input{Facts: a}) {
		byFile := f.Area == audit.AreaFiles || f.Slug == "daemon-start" || f.Slug == "daemon-next-engine"
		if f.Status == audit.Pass && !byFile {
			t.Errorf("%s passes, and nothing runs", f.Slug)
		}
	}
}

func TestModesAsChmodWritesThem(t *testing.T) {
	h := image(t, map[string]string{"x": ""})
	for _, mode := range []uint32{0o644, 0o4755, 0o2755, 0o1777, 0o400} {
		if err := os.Chmod(h.path("/x"), os.FileMode(mode&0o777)|map[bool]os.FileMode{true: os.ModeSetuid}[mode&0o4000 != 0]|
			map[bool]os.FileMode{true: os.ModeSetgid}[mode&0o2000 != 0]|map[bool]os.FileMode{true: os.ModeSticky}[mode&0o1000 != 0]); err != nil {
			t.Fatal(err)
		}
		if got := h.guarded(facts.RoleDockerd, "/x"); len(got) != 1 || got[0].Mode != mode {
			t.Errorf("%04o was read as %+v", mode, got)
		}
	}
}

func TestThe50NewestReportsAreKept(t *testing.T) {
	h := image(t, nil)
	for i := range 53 {
		r := audit.Report{Version: audit.ReportVersion, ID: string(rune('A' + i)), Hostname: "demo"}
		if err := h.RecordAudit(r); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := filepath.Glob(h.path("/var/lib/molo/audits/*.json"))
	if err != nil || len(kept) != 50 || strings.HasSuffix(kept[0], "/A.json") {
		t.Fatalf("kept %d, the oldest %v, error %v", len(kept), kept[:1], err)
	}
	var last audit.Report
	data, err := os.ReadFile(kept[49])
	if err != nil || json.Unmarshal(data, &last) != nil || last.Hostname != "demo" {
		t.Errorf("%s, error %v", data, err)
	}
	if info, err := os.Stat(kept[49]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}
