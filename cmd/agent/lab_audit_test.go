package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/audit"
)

// hardened are the members of a daemon.json that passes every check that it can pass in
// the lab.
func hardened() map[string]string {
	return map[string]string{
		"icc": `false`, "ip": `"127.0.0.1"`, "no-new-privileges": `true`, "live-restore": `true`, "log-driver": `"local"`, "userland-proxy": `false`,
		"userns-remap": `"default"`, "default-ulimits": `{"nofile": {"Name": "nofile", "Hard": 1024, "Soft": 1024}}`,
	}
}

// everyAuditRelease runs a test on a host of each release with nothing wrong that can
// be right in the lab.
func everyAuditRelease(t *testing.T, test func(w *world)) {
	everyRelease(t, func(w *world) {
		w.updated()
		w.write("/etc/audit/rules.d/docker.rules", "-w / -k everything\n")
		w.sh(tidyNginx)
		test(w)
	})
}

// tidyNginx mends what the lint finds in Debian's nginx as it comes: its default site
// tells the version, and its workers may have too few files open.
const tidyNginx = "rm /etc/nginx/sites-enabled/default; sed -i '1i worker_rlimit_nofile 65535;' /etc/nginx/nginx.conf"

// updated makes a host whose updates come by themselves, from an archive with what it
// has installed.
func (w *world) updated() {
	w.Helper()
	w.write("/usr/bin/unattended-upgrade", "#!/bin/sh\n")
	w.write("/etc/apt/apt.conf.d/20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\nAPT::Periodic::Update-Package-Lists \"1\";\n")
	w.write("/etc/apt/apt.conf.d/50unattended-upgrades", "Unattended-Upgrade::Origins-Pattern { \"origin=Debian,codename=${distro_codename},label=Debian\"; };\n")
	w.sh(`systemctl unmask apt-daily-upgrade.timer && mkdir -p /etc/systemd/system/apt-daily-upgrade.timer.d &&
		printf '[Timer]\nOnCalendar=\nOnCalendar=2099-01-01\nPersistent=false\n' >/etc/systemd/system/apt-daily-upgrade.timer.d/x.conf &&
		systemctl daemon-reload && systemctl start apt-daily-upgrade.timer`)
	w.archive("Debian", "")
}

// archive makes the only archive that apt knows: with the versions that are installed,
// and something behind them.
func (w *world) archive(origin, behind string) {
	w.Helper()
	w.sh(fmt.Sprintf(`mkdir -p /srv/repo && cd /srv/repo && : >Packages && for p in %s; do
		printf 'Package: %%s\nVersion: %%s%s\nArchitecture: amd64\nMaintainer: x\nDescription: x\nFilename: x.deb\nSize: 1\nSHA256: %%064d\n\n' $p $(dpkg-query -Wf '${Version}' $p) 0 >>Packages; done
		. /etc/os-release && printf 'Origin: %s\nLabel: %s\nSuite: stable\nCodename: %%s\nDate: Tue, 24 Nov 2026 0%%d:00:00 UTC\nSHA256:\n %%s %%s Packages\n' $VERSION_CODENAME %d \
		$(sha256sum Packages | cut -d' ' -f1) $(stat -c %%s Packages) >Release &&
		echo 'deb [trusted=yes] file:/srv/repo ./' >/etc/apt/sources.list && rm -rf /var/lib/apt/lists && apt-get update -qq`, strings.Join(w.packages(), " "), behind, origin, origin, len(behind)%9))
}

// packages lists those of Docker's that are installed.
func (w *world) packages() []string {
	w.Helper()
	return strings.Fields(w.sh(`dpkg-query -Wf '${db:Status-Status} ${Package}\n' docker.io docker-cli docker-buildx docker-compose containerd runc 2>/dev/null | sed -n 's/^installed //p'`))
}

// eachPackage is a finding of each of Docker's packages.
func (w *world) eachPackage(what string) []string {
	w.Helper()
	var all []string
	for _, p := range w.packages() {
		all = append(all, what+" "+p)
	}
	return all
}

// daemon restarts dockerd with the hardened settings and these; an empty one is left out.
func (w *world) daemon(change ...string) {
	w.Helper()
	w.write("/etc/docker/daemon.json", daemonFile(change...))
	w.sh("systemctl reset-failed docker.service docker.socket; systemctl daemon-reload; systemctl restart docker.socket docker.service")
}

// daemonFile spells daemon.json, one member a line in the order of the names.
func daemonFile(change ...string) string {
	members := hardened()
	for i := 0; i < len(change); i += 2 {
		if members[change[i]] = change[i+1]; change[i+1] == "" {
			delete(members, change[i])
		}
	}
	var lines []string
	for key, value := range members {
		lines = append(lines, fmt.Sprintf("  %q: %s", key, value))
	}
	slices.Sort(lines)
	return "{\n" + strings.Join(lines, ",\n") + "\n}\n"
}

// report runs an audit and returns its report.
func (w *world) report(args ...string) audit.Report {
	w.Helper()
	r, err := w.host.Run(w.Context(), append([]string{"molo", "audit", "--json"}, args...)...)
	if err != nil || r.Code != 0 && r.Code != 3 {
		w.Fatalf("molo audit: %v, exit code %d\n%s%s", err, r.Code, r.Stdout, r.Stderr)
	}
	var report audit.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		w.Fatalf("%v\n%s", err, r.Stdout)
	}
	return report
}

// finds checks all that an audit finds: what fails, is unknown or exempt. Of the audit
// rules only whether, not which of many files.
func (w *world) finds(what string, args []string, want ...string) {
	w.Helper()
	got := map[string]bool{}
	for _, f := range w.report(args...).Findings {
		if f.Status == audit.Pass || f.Status == audit.NotApplicable {
			continue
		}
		if f.Slug == "host-audit-rules" {
			f.Where = ""
		}
		got[strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Status, f.Slug, f.Where))] = true
	}
	all := map[string]bool{}
	for _, one := range want {
		all[one] = true
	}
	if diff := cmp.Diff(all, got); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// always is what is found on every host of the lab: a container on a kernel without
// AppArmor, memory controller, an audit that can be asked, or authorization plugin.
func always(more ...string) []string {
	return append(more, "fail daemon-authorization dockerd", "fail host-cgroups /sys/fs/cgroup", "fail host-lsm", "fail host-virtualization", "unknown host-audit-rules")
}

// without leaves one out.
func without(all []string, one string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == one })
}

func TestAuditFindsWhatIsWrongWithAHost(t *testing.T) {
	everyAuditRelease(t, func(w *world) {
		w.sh("docker rmi server:1")
		w.daemon()
		w.finds("nothing wrong", nil, always()...)
		newer := "99." + strings.SplitN(strings.TrimSpace(w.sh("uname -r")), ".", 2)[1]
		for _, v := range []struct{ name, do, undo, want string }{
			{"a user in the group docker", "gpasswd -a nobody docker", "gpasswd -d nobody docker", "host-docker-group /etc/group"},
			{"a user whose own group is docker", "usermod -g docker games", "usermod -g games games", "host-docker-group /etc/group"},
			{"a newer kernel", "touch /boot/vmlinuz-" + newer, "rm /boot/vmlinuz-" + newer, "host-reboot /boot/vmlinuz-" + newer},
			{"a package that asks for a reboot", "touch /run/reboot-required; echo libc6 >/run/reboot-required.pkgs", "rm /run/reboot-required*", "host-reboot /run/reboot-required"},
			{"updates that are not installed", "mv /usr/bin/unattended-upgrade /root", "mv /root/unattended-upgrade /usr/bin", "host-updates /etc/apt/apt.conf.d"},
			{"updates that are off", "mv /etc/apt/apt.conf.d/20auto-upgrades /root", "mv /root/20auto-upgrades /etc/apt/apt.conf.d", "host-updates /etc/apt/apt.conf.d"},
			{"updates without new lists", "sed -i s/Lists.*/Lists\\ 0\\;/ /etc/apt/apt.conf.d/20auto-upgrades", "sed -i s/Lists.*/Lists\\ 1\\;/ /etc/apt/apt.conf.d/20auto-upgrades", "host-updates /etc/apt/apt.conf.d"},
			{"updates that are off together with all else", "echo 'APT::Periodic::Enable 0;' >/etc/apt/apt.conf.d/99off", "rm /etc/apt/apt.conf.d/99off", "host-updates /etc/apt/apt.conf.d"},
			{"a package that is held", "apt-mark hold runc", "apt-mark unhold runc", "host-docker-updates runc"},
			{"a package that is kept back", "echo 'Unattended-Upgrade::Package-Blacklist { \"runc\"; };' >/etc/apt/apt.conf.d/99back", "rm /etc/apt/apt.conf.d/99back", "host-docker-updates runc"},
			{"updates that nothing starts", "systemctl stop apt-daily-upgrade.timer", "systemctl start apt-daily-upgrade.timer", "host-updates apt-daily-upgrade.timer"},
			{"a daemon.json that everybody writes", "chmod 0622 /etc/docker/daemon.json", "chmod 0644 /etc/docker/daemon.json", "file-mode /etc/docker/daemon.json"},
			{"a daemon.json of a user", "chown nobody /etc/docker/daemon.json", "chown root /etc/docker/daemon.json", "file-owner /etc/docker/daemon.json"},
			{"a drop-in of a user", "mkdir -p /etc/systemd/system/docker.service.d; touch /etc/systemd/system/docker.service.d/y.conf; echo '[Service]' >/etc/systemd/system/docker.service.d/y.conf; chown nobody /etc/systemd/system/docker.service.d/y.conf", "rm /etc/systemd/system/docker.service.d/y.conf", "file-owner /etc/systemd/system/docker.service.d/y.conf"},
			{"a socket for everybody", "chmod 0666 /run/docker.sock", "chmod 0660 /run/docker.sock", "file-mode /run/docker.sock"},
			{"a registry certificate that can be written", "mkdir -p /etc/docker/certs.d/r; touch /etc/docker/certs.d/r/ca.crt", "rm -r /etc/docker/certs.d", "file-mode /etc/docker/certs.d/r/ca.crt"},
			{"UFW off", "ufw disable", "ufw --force enable", "network-ufw /etc/ufw/ufw.conf"},
			{"UFW that lets everything in", "ufw default allow incoming", "ufw default deny incoming", "network-ufw /etc/default/ufw"},
			{"UFW's chains out of INPUT", "iptables-save >/root/rules; iptables -F INPUT", "iptables-restore </root/rules", "network-ufw INPUT"},
		} {
			w.sh(v.do)
			w.finds(v.name, nil, always("fail "+v.want)...)
			w.sh(v.undo)
		}
		w.sh("rm /etc/audit/rules.d/docker.rules")
		w.finds("no audit rules", nil, append(without(always(), "unknown host-audit-rules"), "fail host-audit-rules")...)
		w.write("/etc/audit/rules.d/docker.rules", "-w / -k everything\n")
		w.archive("Docker", "")
		w.finds("an archive that updates leave alone", nil, always(w.eachPackage("fail host-docker-updates")...)...)
		w.archive("Debian", "+1")
		w.finds("updates that wait", nil, always(w.eachPackage("fail host-docker-version")...)...)
		w.archive("Debian", "")
		w.finds("nothing wrong again", nil, always()...)
		w.sh("touch -d '20 days ago' /var/lib/apt/lists /var/lib/apt/lists/partial; rm -f /var/lib/apt/periodic/*")
		w.finds("old lists", nil, always("unknown host-docker-version /var/lib/apt/lists")...)
		w.sh("apt-get update -qq")
		w.finds("lists that are asked for and have not changed", nil, always()...)
		w.machine()
	})
}

// machine checks what only a policy asks of the machine.
func (w *world) machine() {
	w.Helper()
	w.sh("mkdir -p /run/cloud-init")
	w.write("/run/cloud-init/instance-data.json", `{"v1": {"cloud_name": "openstack", "region": "no-osl", "availability_zone": "no-osl-1"}}`)
	machine := []string{"--only", "host-region,host-kernel,host-virtualization"}
	w.policy("host {\n  regions = [\"no-osl\"]\n}\n")
	w.finds("the right region", machine, "fail host-virtualization")
	w.policy("host {\n  regions = [\"se-sto\"]\n  kernel = \">= 99.0\"\n}\nexempt \"lab\" {\n  checks = [\"host-virtualization\"]\n  reason = \"a lab\"\n  expires = \"2999-12-31\"\n}\n")
	w.finds("another region and an old kernel", machine, "fail host-region /run/cloud-init/instance-data.json", "fail host-kernel", "exempt host-virtualization")
	w.sh("rm /run/cloud-init/instance-data.json /etc/molo/policies.hcl")
}

func TestAuditFindsWhatIsWrongWithTheDaemon(t *testing.T) {
	everyAuditRelease(t, func(w *world) {
		w.sh("docker rmi server:1")
		daemon := []string{"--only", "daemon,host-partition,network-exposure"}
		old := w.host.Release() == "bookworm"
		for _, v := range []struct {
			name   string
			change []string
			want   []string
		}{
			{"nothing wrong", nil, nil},
			{"icc", []string{"icc", ""}, []string{"daemon-icc dockerd"}},
			{"ip", []string{"ip", `"0.0.0.0"`}, []string{"daemon-publish-address /etc/docker/daemon.json:4"}},
			{"no-new-privileges", []string{"no-new-privileges", ""}, []string{"daemon-no-new-privileges dockerd"}},
			{"live-restore", []string{"live-restore", "false"}, []string{"daemon-live-restore /etc/docker/daemon.json:5"}},
			{"log-driver", []string{"log-driver", ""}, []string{"daemon-log-driver dockerd"}},
			{"userns-remap", []string{"userns-remap", ""}, []string{"daemon-userns dockerd"}},
			{"userland-proxy", []string{"userland-proxy", "true"}, []string{"daemon-userland-proxy /etc/docker/daemon.json:8"}},
			{"default-ulimits", []string{"default-ulimits", ""}, []string{"daemon-ulimits dockerd"}},
			{"debug", []string{"debug", "true"}, []string{"daemon-log-level /etc/docker/daemon.json:2"}},
			{"log-level", []string{"log-level", `"error"`}, []string{"daemon-log-level /etc/docker/daemon.json:7"}},
			{"iptables", []string{"icc", "true", "iptables", "false", "ip6tables", "false"}, []string{"daemon-iptables /etc/docker/daemon.json:6", "daemon-icc /etc/docker/daemon.json:3"}},
			{"insecure-registries", []string{"insecure-registries", `["r.example.no", "198.51.100.0/24"]`}, []string{"daemon-insecure-registries /etc/docker/daemon.json:4"}},
			{"cgroup-parent", []string{"cgroup-parent", `"x.slice"`}, []string{"daemon-cgroup-parent /etc/docker/daemon.json:2"}},
			{"metrics-addr", []string{"metrics-addr", `"0.0.0.0:9323"`, "experimental", "true"}, []string{"daemon-metrics /etc/docker/daemon.json:8"}},
			{"data-root", []string{"data-root", `"/srv/docker"`, "storage-driver", `"vfs"`}, []string{"host-partition /srv/docker"}},
			{"a key that Docker 29 lacks", []string{"api-cors-header", `""`}, []string{"daemon-next-engine /etc/docker/daemon.json:2"}},
			{"seccomp-profile", []string{"seccomp-profile", `"unconfined"`}, []string{"daemon-seccomp /etc/docker/daemon.json:8"}},
		} {
			if v.name == "seccomp-profile" && old {
				continue // 20.10 takes the word for the name of a file
			}
			w.daemon(v.change...)
			want := []string{"fail daemon-authorization dockerd"}
			for _, one := range v.want {
				want = append(want, "fail "+one)
			}
			w.finds(v.name, daemon, want...)
		}
		w.drifts()
		w.reloaded()
		w.refused()
		w.listens(daemon)
		w.swarms(daemon)
	})
}

// drifts checks what is said of a file that dockerd has not read yet: one that is
// only written does not make the host any better.
func (w *world) drifts() {
	w.Helper()
	w.daemon("icc", "", "live-restore", "false")
	w.write("/etc/docker/daemon.json", daemonFile())
	w.finds("a file that dockerd has not read", []string{"--only", "daemon-drift,daemon-icc,daemon-live-restore,daemon-userland-proxy"},
		"fail daemon-drift /etc/docker/daemon.json:3", "fail daemon-drift /etc/docker/daemon.json:5",
		"fail daemon-icc /etc/docker/daemon.json:3", "fail daemon-live-restore /etc/docker/daemon.json:5", "unknown daemon-userland-proxy /etc/docker/daemon.json:8")
	for _, f := range w.report("--only", "daemon-icc").Findings {
		if diff := cmp.Diff(&audit.Sides{File: "false", Effective: "true"}, f.Sides); diff != "" {
			w.Errorf("sides (-want +got):\n%s", diff)
		}
	}
}

// reloaded checks that what dockerd has logged counts, where its file has more than it has
// taken in.
func (w *world) reloaded() {
	w.Helper()
	settings := []string{"--only", "daemon-log-level,daemon-iptables,daemon-metrics,daemon-ulimits,daemon-cgroup-parent,daemon-userland-proxy"}
	w.daemon("cgroup-parent", `"x.slice"`)
	w.write("/etc/docker/daemon.json", daemonFile("debug", "true", "metrics-addr", `"0.0.0.0:9323"`))
	w.sh("systemctl reload docker && timeout 20 sh -c 'until docker info -f {{.Debug}} | grep -q true; do sleep 0.1; done'")
	w.finds("a file that dockerd has taken in as far as it can", settings, "fail daemon-log-level /etc/docker/daemon.json:2", "fail daemon-cgroup-parent dockerd")
}

// refused checks what is said of a file with which dockerd would not come back.
func (w *world) refused() {
	w.Helper()
	w.daemon()
	w.write("/etc/docker/daemon.json", daemonFile("bip", `"10.0.0.1/33"`))
	w.finds("a file that dockerd would not start with", []string{"--only", "daemon-start,daemon-next-engine"}, "fail daemon-start /etc/docker/daemon.json:2")
	w.sh("systemctl reset-failed docker.service docker.socket; ! systemctl restart docker")
	w.finds("a dockerd that does not start", []string{"--only", "daemon-start"}, "fail daemon-start /etc/docker/daemon.json:2")
	w.write("/etc/docker/daemon.json", "{")
	w.finds("half a file", []string{"--only", "daemon-start"}, "fail daemon-start /etc/docker/daemon.json")
}

// listens checks that a socket of systemd's for dockerd is seen.
func (w *world) listens(args []string) {
	w.Helper()
	w.sh("mkdir -p /etc/systemd/system/docker.socket.d && printf '[Socket]\nListenStream=127.0.0.1:2375\n' >/etc/systemd/system/docker.socket.d/tcp.conf")
	w.daemon()
	w.finds("a socket of systemd's", args, "fail daemon-authorization dockerd", "fail daemon-tcp docker.socket")
	w.sh("rm -r /etc/systemd/system/docker.socket.d")
	w.write("/etc/default/docker", "DOCKER_OPTS=\"--tls=false -H tcp://127.0.0.1:2376\"\n")
	w.daemon()
	w.finds("a flag", args, "fail daemon-authorization dockerd", "fail daemon-tcp /etc/default/docker:1")
	w.write("/etc/default/docker", "")
	w.open(args)
}

// open checks that the API counts as open as long as dockerd has it open, whatever its
// file says by then.
func (w *world) open(args []string) {
	w.Helper()
	w.sh("mkdir -p /etc/systemd/system/docker.service.d && printf '[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock\n' >/etc/systemd/system/docker.service.d/hosts.conf")
	w.daemon("hosts", `["fd://", "tcp://127.0.0.1:2375"]`, "tls", "false")
	w.finds("a host in the file", args, "fail daemon-authorization dockerd", "fail daemon-tcp /etc/docker/daemon.json:3")
	w.write("/etc/docker/daemon.json", daemonFile("hosts", `["fd://"]`))
	w.finds("a host that the file had when dockerd started", []string{"--only", "daemon-tcp"}, "fail daemon-tcp dockerd")
	w.daemon("hosts", `["fd://"]`)
	w.finds("a host that is gone", []string{"--only", "daemon-tcp"})
	w.sh("rm -r /etc/systemd/system/docker.service.d")
}

func (w *world) swarms(args []string) {
	w.Helper()
	w.daemon("live-restore", "false")
	w.sh("docker swarm init --advertise-addr 127.0.0.1 --cert-expiry 8760h")
	w.finds("a swarm", args, "fail daemon-authorization dockerd", "fail daemon-swarm", "fail swarm-autolock", "fail swarm-certificates", "fail swarm-encryption ingress", "fail swarm-address 0.0.0.0:2377", "fail swarm-address :::2377")
	w.sh("docker swarm leave --force")
}
