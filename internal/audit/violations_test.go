package audit

import (
	"net/netip"
	"time"

	"molo/internal/facts"
)

// violations lists hosts with one thing wrong each, and what the audit must say.
func violations() []violation {
	var all []violation
	for _, list := range [][]violation{
		hostViolations(), updateViolations(), daemonViolations(), swarmViolations(), fileViolations(), imageViolations(),
		containerViolations(), mountViolations(), networkViolations(), siteViolations(), policyViolations(),
	} {
		all = append(all, list...)
	}
	return all
}

func hostViolations() []violation {
	on := func(v facts.Virtualization) func(*facts.Audit) {
		return func(f *facts.Audit) { f.Machine.Virtualization = v }
	}
	container := []string{"fail required host-virtualization"}
	return []violation{
		{name: "a host in LXC, as systemd says", broken: on(facts.Virtualization{Systemd: "lxc"}), want: container},
		{name: "a host in LXC on a virtual machine", broken: on(facts.Virtualization{Systemd: "kvm", Container: "lxc", Hypervisor: true}), want: container},
		{name: "a host in OpenVZ", broken: on(facts.Virtualization{OpenVZ: true}), want: container},
		{name: "a host in OpenVZ that shows its accounting", broken: on(facts.Virtualization{UserBeans: true}), want: container},
		{name: "a host in something that nobody knows", broken: on(facts.Virtualization{Container: "testbox"}), want: container},
		{name: "a hypervisor that the policy leaves out", policy: "host {}", broken: on(facts.Virtualization{Systemd: "vmware"}), want: container},
		{name: "a hypervisor without a name, where the policy names some", policy: "host {}", broken: on(facts.Virtualization{Hypervisor: true}), want: []string{"unknown required host-virtualization"}},
		{name: "another hypervisor, where the policy does not care", broken: on(facts.Virtualization{Systemd: "vmware"})},
		{name: "a hypervisor without a name, where the policy does not care", broken: on(facts.Virtualization{Hypervisor: true})},
		{name: "bare metal", policy: "host {}", broken: on(facts.Virtualization{})},
		{name: "KVM without systemd, by its firmware", policy: "host {}", broken: on(facts.Virtualization{Hypervisor: true, SystemProduct: "OpenStack Nova"})},
		{
			name: "an old kernel", broken: func(f *facts.Audit) { f.Facts.Kernel = "4.9.0-19-cloud-amd64"; f.Machine.Boot.Kernels = nil },
			want: []string{"fail recommended host-kernel"},
		},
		{
			name: "a kernel older than the policy's", policy: `host { kernel = ">= 6.13" }`, broken: func(*facts.Audit) {}, want: []string{"fail required host-kernel"},
		},
		{
			name: "a newer kernel waits for a reboot", broken: func(f *facts.Audit) {
				f.Machine.Boot.Kernels = []string{"6.12.9-cloud-amd64", "6.12.41-cloud-amd64", "6.12.100-cloud-amd64"}
			}, want: []string{"fail recommended host-reboot /boot/vmlinuz-6.12.100-cloud-amd64"},
		},
		{name: "a newer kernel of another flavour", broken: func(f *facts.Audit) { f.Machine.Boot.Kernels = []string{"6.12.100-rt-amd64"} }},
		{
			name: "a package asks for a reboot", broken: func(f *facts.Audit) { f.Machine.Boot.Asked = true; f.Machine.Boot.Required = []string{"libc6"} },
			want: []string{"fail recommended host-reboot /run/reboot-required"},
		},
		{
			name: "no AppArmor, and SELinux only watches", broken: func(f *facts.Audit) {
				f.Machine.AppArmor, f.Machine.SELinux = false, "permissive"
				container0(f).ProcessLabel = "a"
			},
			want: []string{"fail recommended host-lsm"},
		},
		{
			name: "AppArmor on, and nothing to load a profile with", broken: func(f *facts.Audit) { f.Machine.AppArmorParser = false },
			want: []string{"fail required host-apparmor-parser"},
		},
		{
			name: "neither AppArmor nor what loads its profiles", broken: func(f *facts.Audit) {
				f.Machine.AppArmor, f.Machine.AppArmorParser, f.Machine.SELinux = false, false, "enforcing"
				container0(f).ProcessLabel = "a"
			},
		},
		{
			name: "SELinux in place of AppArmor", broken: func(f *facts.Audit) {
				f.Machine.AppArmor, f.Machine.SELinux = false, "enforcing"
				container0(f).ProcessLabel = "a"
			},
		},
		{name: "control groups of version 1", broken: func(f *facts.Audit) { f.Machine.CgroupVersion = 1 }, want: []string{"fail recommended host-cgroups /sys/fs/cgroup"}},
		{name: "no memory controller", broken: func(f *facts.Audit) { f.Machine.Controllers = []string{"pids"} }, want: []string{"fail recommended host-cgroups /sys/fs/cgroup"}},
		{name: "a user in the group docker", broken: func(f *facts.Audit) { f.Machine.DockerGroup = []string{"eve"} }, want: []string{"fail recommended host-docker-group /etc/group"}},
		{
			name: "a user in the group docker besides the trusted", policy: `host { docker_group = ["deploy"] }`,
			broken: func(f *facts.Audit) { f.Machine.DockerGroup = []string{"deploy", "eve"} }, want: []string{"fail required host-docker-group /etc/group"},
		},
		{name: "Docker's data on the root file system", broken: func(f *facts.Audit) { f.Engine.DataRoot.Separate = false }, want: []string{"fail info host-partition /var/lib/docker"}},
		{
			name: "Docker's data on a file system that can't be looked at", broken: func(f *facts.Audit) {
				f.Engine.DataRoot = facts.DataRoot{Path: "/srv/docker", Unread: "permission denied"}
			}, want: []string{"unknown info host-partition /srv/docker"},
		},
		{
			name: "a host in another country", policy: `host { regions = ["de-fra", "se-sto"] }`,
			want: []string{"fail required host-region /run/cloud-init/instance-data.json"},
		},
		{name: "a host in the zone that the policy names", policy: `host { regions = ["no-osl-1"] }`},
		{
			name: "a host of which nobody knows where it is", policy: `host { regions = ["no-osl"] }`, broken: func(f *facts.Audit) { f.Machine.Cloud = facts.Cloud{Provider: "nocloud"} },
			want: []string{"unknown required host-region /run/cloud-init/instance-data.json"},
		},
		{
			name: "a file that the kernel does not watch", broken: func(f *facts.Audit) { f.AuditRules.Kernel = f.AuditRules.Kernel[1:] },
			want: []string{"fail info host-audit-rules /usr/sbin/dockerd"},
		},
		{
			name: "a rule for one path alone, and a file below it", broken: func(f *facts.Audit) {
				f.AuditRules.Kernel[1] = "-a always,exit -F path=/etc/docker -F perm=wa"
			}, want: []string{"fail info host-audit-rules /etc/docker/daemon.json"},
		},
		{
			name: "a rule that logs nothing", broken: func(f *facts.Audit) { f.AuditRules.Kernel[0] = "-a never,exit -F path=/usr/sbin/dockerd" },
			want: []string{"fail info host-audit-rules /usr/sbin/dockerd"},
		},
		{
			name: "no kernel to ask, and only one rule in a file", broken: func(f *facts.Audit) {
				f.AuditRules = facts.AuditRules{KernelUnread: "permission denied", Files: []string{"-w / -k all"}}
				f.AuditRules.Files = []string{"-w /etc/docker -p wa", "-w /run/containerd", "-w /var/lib/docker", "-w /usr/lib/systemd/system/", "-w /usr/bin/runc", "-w /etc/default/docker"}
			}, want: []string{
				"fail info host-audit-rules /usr/sbin/dockerd",
				"unknown info host-audit-rules /etc/default/docker", "unknown info host-audit-rules /etc/docker", "unknown info host-audit-rules /etc/docker/daemon.json",
				"unknown info host-audit-rules /run/containerd", "unknown info host-audit-rules /run/containerd/containerd.sock", "unknown info host-audit-rules /usr/bin/runc",
				"unknown info host-audit-rules /usr/lib/systemd/system/docker.service", "unknown info host-audit-rules /usr/lib/systemd/system/docker.socket",
				"unknown info host-audit-rules /var/lib/docker",
			},
		},
	}
}

func container0(f *facts.Audit) *facts.ContainerDetail { return container(f) }

func updateViolations() []violation {
	ce := func(f *facts.Audit) {
		f.Updates.Packages = []facts.Package{{
			Name: "docker-ce", Installed: "5:29.7.2-1", Candidate: "5:29.7.2-1",
			From: []facts.Archive{{Origin: "Docker", Label: "Docker CE", Suite: "trixie", Codename: "trixie", Component: "stable", Site: "download.docker.com"}},
		}}
	}
	with := func(pattern string) func(*facts.Audit) {
		return func(f *facts.Audit) { ce(f); f.Updates.Origins = append(f.Updates.Origins, pattern) }
	}
	blacklist := func(expressions ...string) func(*facts.Audit) {
		return func(f *facts.Audit) { f.Updates.Blacklist = expressions }
	}
	uncovered := []string{"fail recommended host-docker-updates docker-ce"}
	return []violation{
		{name: "unattended-upgrades is not installed", broken: func(f *facts.Audit) { f.Updates.Installed = false }, want: []string{"fail recommended host-updates /etc/apt/apt.conf.d"}},
		{name: "unattended-upgrades is not enabled", broken: func(f *facts.Audit) { f.Updates.Enabled = false }, want: []string{"fail recommended host-updates /etc/apt/apt.conf.d"}},
		{name: "nothing starts unattended-upgrades", broken: func(f *facts.Audit) { f.Updates.Timer = "inactive" }, want: []string{"fail recommended host-updates apt-daily-upgrade.timer"}},
		{name: "package lists that nothing refreshes", broken: func(f *facts.Audit) { f.Updates.Refreshes = false }, want: []string{"fail recommended host-updates /etc/apt/apt.conf.d"}},
		{name: "a package that is held", broken: func(f *facts.Audit) { f.Updates.Packages[1].Held = true }, want: []string{"fail recommended host-docker-updates runc"}},
		{name: "a package on the blacklist, by the start of its name", broken: blacklist("docker"), want: []string{"fail recommended host-docker-updates docker.io"}},
		{name: "a package on the blacklist, by an expression", broken: blacklist("linux-|runc$"), want: []string{"fail recommended host-docker-updates runc"}},
		{name: "another package on the blacklist", broken: blacklist("ocker")},
		{
			name: "an expression that only Python knows", broken: blacklist("(?!linux)"),
			want: []string{"unknown recommended host-docker-updates docker.io", "unknown recommended host-docker-updates runc"},
		},
		{name: "package lists of last week", broken: func(f *facts.Audit) { f.Updates.Lists = f.Read.AddDate(0, 0, -6) }},
		{
			name: "package lists of last month", broken: func(f *facts.Audit) { f.Updates.Lists = f.Read.AddDate(0, -1, 0) },
			want: []string{"unknown recommended host-docker-version /var/lib/apt/lists"},
		},
		{
			name: "package lists of nobody knows when", broken: func(f *facts.Audit) { f.Updates.Lists = time.Time{} },
			want: []string{"unknown recommended host-docker-version /var/lib/apt/lists"},
		},
		{
			name: "an update that has waited since last month", broken: func(f *facts.Audit) {
				f.Updates.Lists, f.Updates.Packages[1].Candidate = f.Read.AddDate(0, -1, 0), "2.0"
			}, want: []string{"fail recommended host-docker-version runc"},
		},
		{name: "Docker's own archive is not covered", broken: ce, want: uncovered},
		{name: "a pattern for another origin", broken: with("origin=Dockers,archive=trixie"), want: uncovered},
		{name: "a pattern of which one condition does not hold", broken: with("origin=Docker,component=test"), want: uncovered},
		{name: "a pattern with a condition that nobody knows", broken: with("origin=Docker,colour=blue"), want: uncovered},
		{name: "a pattern for the origin", broken: with("origin=Docker")},
		{name: "a pattern with variables", broken: with("o=Docker,n=${distro_codename}")},
		{name: "a pattern by site, with a wildcard", broken: with("site=*.docker.com")},
		{
			name: "a package that no archive offers", broken: func(f *facts.Audit) { f.Updates.Packages[0].From = nil }, want: []string{"fail recommended host-docker-updates docker.io"},
		},
		{
			name: "an update of runc waits", broken: func(f *facts.Audit) { f.Updates.Packages[1].Candidate = "1.1.15+ds1-2+deb13u1" },
			want: []string{"fail recommended host-docker-version runc"},
		},
	}
}

func daemonViolations() []violation {
	one := func(want string) []string { return []string{want} }
	socket := func(at string, open bool, unread string) func(*facts.Audit) {
		return func(f *facts.Audit) {
			f.DaemonSockets = []facts.DaemonSocket{{Address: netip.MustParseAddrPort(at), Open: open, Unread: unread}}
		}
	}
	return []violation{
		{name: "icc is on", broken: func(f *facts.Audit) { engine(f).ICC = ptr(true); drop(f, "icc") }, want: one("fail recommended daemon-icc dockerd")},
		{
			name: "icc is on, the file says off, and the policy wants it", policy: "docker {}", broken: func(f *facts.Audit) { engine(f).ICC = ptr(true) },
			want: []string{"fail recommended daemon-drift /etc/docker/daemon.json:2", "fail required daemon-icc /etc/docker/daemon.json:2"},
		},
		{
			name: "icc is on because the policy says so", policy: "docker { icc = true }", broken: func(f *facts.Audit) { engine(f).ICC = ptr(true); drop(f, "icc") },
			want: one("exempt recommended daemon-icc dockerd"),
		},
		{
			name: "no default bridge", broken: func(f *facts.Audit) { engine(f).ICC, engine(f).PublishAddress = nil, ""; drop(f, "icc"); drop(f, "ip") },
		},
		{
			name: "ports are published everywhere", broken: func(f *facts.Audit) { engine(f).PublishAddress = ""; drop(f, "ip") },
			want: one("fail recommended daemon-publish-address dockerd"),
		},
		{
			name: "ports are published everywhere, by a flag", broken: func(f *facts.Audit) {
				engine(f).PublishAddress = "0.0.0.0"
				drop(f, "ip")
				f.Facts.Docker.Flags = append(f.Facts.Docker.Flags, "--ip", "0.0.0.0")
				f.Facts.Docker.FlagsFrom = map[string]string{"--ip": "/lib/systemd/system/docker.service:1", "0.0.0.0": "/etc/default/docker:3"}
			}, want: one("fail recommended daemon-publish-address /etc/default/docker:3"),
		},
		{
			name: "new containers may gain rights", broken: func(f *facts.Audit) { engine(f).NoNewPrivileges = ptr(false); drop(f, "no-new-privileges") },
			want: one("fail recommended daemon-no-new-privileges dockerd"),
		},
		{
			name: "an engine that does not tell, and a file that says it", broken: func(f *facts.Audit) { engine(f).NoNewPrivileges = nil },
		},
		{
			name: "an engine that does not tell, and a file that has changed since", broken: func(f *facts.Audit) {
				engine(f).NoNewPrivileges = nil
				f.Facts.Docker.ConfigNewer = true
			}, want: []string{
				"unknown info daemon-cgroup-parent /etc/docker/daemon.json", "unknown info daemon-ulimits /etc/docker/daemon.json:10", "unknown info daemon-userland-proxy /etc/docker/daemon.json:8",
				"unknown recommended daemon-log-level /etc/docker/daemon.json", "unknown recommended daemon-metrics /etc/docker/daemon.json",
				"unknown recommended daemon-no-new-privileges /etc/docker/daemon.json:4", "unknown required daemon-iptables /etc/docker/daemon.json",
			},
		},
		{
			name: "containers end with dockerd", broken: func(f *facts.Audit) { engine(f).LiveRestore = ptr(false); drop(f, "live-restore") },
			want: one("fail recommended daemon-live-restore dockerd"),
		},
		{
			name: "root in a container is root", broken: func(f *facts.Audit) { engine(f).UsernsRemap = ptr(false); drop(f, "userns-remap") },
			want: one("fail recommended daemon-userns dockerd"),
		},
		{
			name: "root in a container is root, though the policy wants another", policy: `docker { userns_remap = "default" }`,
			broken: func(f *facts.Audit) { engine(f).UsernsRemap = ptr(false); drop(f, "userns-remap") }, want: one("fail required daemon-userns dockerd"),
		},
		{
			name: "root in a container is root, as the policy says", policy: `docker { userns_remap = "off" }`,
			broken: func(f *facts.Audit) { engine(f).UsernsRemap = ptr(false); drop(f, "userns-remap") }, want: one("exempt recommended daemon-userns dockerd"),
		},
		{name: "rootless Docker", broken: func(f *facts.Audit) {
			engine(f).Rootless = true
			engine(f).UsernsRemap = ptr(false)
			drop(f, "userns-remap")
		}},
		{
			name: "logs without bounds", broken: func(f *facts.Audit) {
				engine(f).LogDriver, container(f).LogDriver = "json-file", "json-file"
				container(f).LogOpts = map[string]string{"max-size": "10m"}
				drop(f, "log-driver")
			}, want: one("fail recommended daemon-log-driver dockerd"),
		},
		{
			name: "no logs at all", broken: func(f *facts.Audit) { engine(f).LogDriver = "none"; drop(f, "log-driver") },
			want: []string{"fail recommended container-log-driver web", "fail recommended daemon-log-driver dockerd"},
		},
		{name: "debug is on", broken: func(f *facts.Audit) { f.Engine.Debug = true; configure(f, `"debug": true`) }, want: one("fail recommended daemon-log-level /etc/docker/daemon.json:2")},
		{name: "debug is on, by a short flag", broken: func(f *facts.Audit) { f.Engine.Debug = true; f.Facts.Docker.Flags = []string{"-D", "-H", "fd://"} }, want: one("fail recommended daemon-log-level dockerd -D")},
		{name: "debug is on, and the file does not say so any more", broken: func(f *facts.Audit) { f.Engine.Debug = true }, want: one("fail recommended daemon-log-level dockerd")},
		{name: "debug is in the file only", broken: func(f *facts.Audit) { configure(f, `"debug": true`) }},
		{
			name: "a file that dockerd has taken in as far as it can", broken: func(f *facts.Audit) {
				f.Facts.Docker.ConfigNewer = true
				f.Reloaded = `{"log-level": "info", "metrics-addr": "", "iptables": true, "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 1, "Soft": 1}}}`
			},
		},
		{
			name: "a file that promises what takes a restart", broken: func(f *facts.Audit) {
				f.Facts.Docker.ConfigNewer = true
				f.Reloaded = `{"log-level": "info", "metrics-addr": "0.0.0.0:9323", "userland-proxy": true, "cgroup-parent": "x.slice"}`
			}, want: []string{
				"fail info daemon-cgroup-parent dockerd", "fail info daemon-ulimits /etc/docker/daemon.json:10", "fail info daemon-userland-proxy /etc/docker/daemon.json:8",
				"fail recommended daemon-metrics dockerd", "fail required daemon-iptables dockerd",
			},
		},
		{name: "only errors are logged", broken: func(f *facts.Audit) { f.Facts.Docker.Flags = []string{"-l", "error"} }, want: one("fail recommended daemon-log-level dockerd -l")},
		{name: "Docker keeps off the firewall", broken: func(f *facts.Audit) { configure(f, `"iptables": false`) }, want: one("fail required daemon-iptables /etc/docker/daemon.json:2")},
		{name: "Docker keeps off the firewall, by a flag", broken: func(f *facts.Audit) { f.Facts.Docker.Flags = []string{"--iptables=false"} }, want: one("fail required daemon-iptables dockerd --iptables=false")},
		{
			name: "a registry is believed without TLS", broken: func(f *facts.Audit) {
				configure(f, `"insecure-registries": ["r.example.no"]`)
				f.Engine.InsecureRegistries = []string{"r.example.no"}
			}, want: one("fail recommended daemon-insecure-registries /etc/docker/daemon.json:2"),
		},
		{name: "aufs", broken: func(f *facts.Audit) { f.Engine.StorageDriver = "aufs" }, want: one("fail recommended daemon-storage-driver dockerd")},
		{name: "devicemapper", broken: func(f *facts.Audit) { f.Engine.StorageDriver = "devicemapper" }, want: one("fail recommended daemon-storage-driver dockerd")},
		{name: "the API listens on the network, by a flag", broken: func(f *facts.Audit) { f.Facts.Docker.Flags = []string{"-H", "fd://", "-H", "tcp://0.0.0.0:2375"} }, want: one("fail required daemon-tcp dockerd -H")},
		{name: "the API listens on the network, by a flag in one word", broken: func(f *facts.Audit) { f.Facts.Docker.Flags = []string{"-Htcp://0.0.0.0:2375"} }, want: one("fail required daemon-tcp dockerd -Htcp://0.0.0.0:2375")},
		{name: "the API listens on the network, by the file", broken: func(f *facts.Audit) { configure(f, `"hosts": ["unix:///run/docker.sock", "tcp://127.0.0.1:2375"]`) }, want: one("fail required daemon-tcp /etc/docker/daemon.json:2")},
		{name: "the API listens on the network, by systemd", broken: func(f *facts.Audit) { f.DaemonListens = []string{"/run/docker.sock", "[::]:2375"} }, want: one("fail required daemon-tcp docker.socket")},
		{
			name: "the API with server certificates alone", broken: func(f *facts.Audit) { f.Facts.Docker.Flags = []string{"-H=tcp://0.0.0.0:2376", "--tls"} },
			want: one("fail required daemon-tcp dockerd -H=tcp://0.0.0.0:2376"),
		},
		{name: "the API is still open, and the file does not say so any more", broken: socket("[::]:2375", true, ""), want: one("fail required daemon-tcp dockerd")},
		{name: "the API is open, and the file says so", broken: func(f *facts.Audit) {
			socket("0.0.0.0:2375", true, "")(f)
			configure(f, `"hosts": ["unix:///run/docker.sock", "tcp://0.0.0.0:2375"]`)
		}, want: one("fail required daemon-tcp /etc/docker/daemon.json:2")},
		{name: "the API is open, and the file speaks of certificates that dockerd has not read", broken: func(f *facts.Audit) {
			socket("0.0.0.0:2376", true, "")(f)
			configure(f, `"hosts": ["tcp://0.0.0.0:2376"], "tlsverify": true`)
		}, want: one("fail required daemon-tcp dockerd")},
		{name: "a socket of dockerd's that can't be asked", broken: socket("0.0.0.0:2376", false, "no answer"), want: one("unknown required daemon-tcp dockerd")},
		{name: "a socket of dockerd's that turns strangers away", broken: socket("0.0.0.0:2376", false, "")},
		{name: "the API with client certificates", broken: func(f *facts.Audit) { f.Facts.Docker.Flags = []string{"-H=tcp://0.0.0.0:2376", "--tlsverify"} }},
		{name: "metrics on the network", broken: func(f *facts.Audit) { configure(f, `"metrics-addr": "0.0.0.0:9323"`) }, want: one("fail recommended daemon-metrics /etc/docker/daemon.json:2")},
		{name: "metrics on loopback", broken: func(f *facts.Audit) { configure(f, `"metrics-addr": "127.0.0.1:9323"`) }},
		{name: "no default ulimits", broken: func(f *facts.Audit) { drop(f, "default-ulimits") }, want: one("fail info daemon-ulimits dockerd")},
		{name: "another control group", broken: func(f *facts.Audit) { configure(f, `"cgroup-parent": "x.slice"`) }, want: one("fail info daemon-cgroup-parent /etc/docker/daemon.json:2")},
		{name: "no authorization plugin, though the file has one", broken: func(f *facts.Audit) { f.Engine.AuthorizationPlugins = nil }, want: one("fail info daemon-authorization dockerd")},
		{name: "the userland proxy is on", broken: func(f *facts.Audit) { drop(f, "userland-proxy") }, want: one("fail info daemon-userland-proxy dockerd")},
		{name: "no seccomp", broken: func(f *facts.Audit) { f.Engine.SecurityOptions = []string{"name=apparmor"} }, want: one("fail required daemon-seccomp dockerd")},
		{name: "an empty seccomp profile", broken: func(f *facts.Audit) { f.Engine.SecurityOptions = []string{"name=seccomp,profile=unconfined"} }, want: one("fail required daemon-seccomp dockerd")},
		{name: "the owner's seccomp profile", broken: func(f *facts.Audit) {
			f.Engine.SecurityOptions = []string{"name=seccomp,profile=/etc/docker/seccomp.json"}
		}},
		{name: "Docker 20's name for its profile", broken: func(f *facts.Audit) { f.Engine.SecurityOptions = []string{"name=seccomp,profile=default"} }},
		{name: "the file says what dockerd has not taken in", broken: func(f *facts.Audit) { engine(f).LogDriver, container(f).LogDriver = "journald", "journald" }, want: one("fail recommended daemon-drift /etc/docker/daemon.json:6")},
		{
			name: "dockerd would not start again", broken: func(f *facts.Audit) { configure(f, `"bip": "10.0.0.1/33"`) },
			foreseen: []Problem{{Key: "bip", What: "not a network", Fix: "write it as 10.0.0.1/24"}},
			want:     one("fail required daemon-start /etc/docker/daemon.json:2"),
		},
		{
			name: "the next release would not start", foreseen: []Problem{{What: "oom-score-adjust is gone since 26.0", Fix: "take it out", Later: true}},
			want: one("fail recommended daemon-next-engine /etc/docker/daemon.json"),
		},
	}
}

func swarmViolations() []violation {
	in := func(s facts.Swarm, more func(*facts.Audit)) func(*facts.Audit) {
		return func(f *facts.Audit) {
			s.Active = true
			f.Engine.Swarm, engine(f).Swarm, engine(f).LiveRestore = s, true, ptr(false)
			drop(f, "live-restore")
			if more != nil {
				more(f)
			}
		}
	}
	good := facts.Swarm{Manager: true, Managers: 3, AutoLock: true, CertificateExpiry: 48 * time.Hour}
	many, open, long := good, good, good
	many.Managers, open.AutoLock, long.CertificateExpiry = 2, false, 365*24*time.Hour
	const active = "fail recommended daemon-swarm"
	return []violation{
		{name: "a swarm", broken: in(good, nil), want: []string{active}},
		{name: "a worker of a swarm", broken: in(facts.Swarm{}, nil), want: []string{active}},
		{
			name: "a manager that is locked", broken: in(facts.Swarm{State: "locked"}, nil),
			want: []string{active, "unknown info swarm-autolock", "unknown info swarm-certificates", "unknown info swarm-managers"},
		},
		{name: "a swarm with two managers", broken: in(many, nil), want: []string{"fail info swarm-managers", active}},
		{name: "a swarm without autolock", broken: in(open, nil), want: []string{"fail info swarm-autolock", active}},
		{name: "a swarm with certificates for a year", broken: in(long, nil), want: []string{"fail info swarm-certificates", active}},
		{
			name: "a swarm on all addresses", broken: in(good, func(f *facts.Audit) {
				f.Surface.Sockets = append(f.Surface.Sockets, facts.Socket{Protocol: "tcp", Address: netip.IPv6Unspecified(), Port: 2377})
			}), want: []string{active, "fail recommended swarm-address :::2377"},
		},
		{
			name: "an overlay network in the clear", broken: in(good, func(f *facts.Audit) {
				f.Engine.Networks = append(f.Engine.Networks, facts.NetworkDetail{Name: "ingress", Driver: "overlay"},
					facts.NetworkDetail{Name: "secret", Driver: "overlay", Options: map[string]string{"encrypted": ""}})
			}), want: []string{active, "fail recommended swarm-encryption ingress"},
		},
	}
}

func fileViolations() []violation {
	set := func(role facts.Role, owner, group string, mode uint32) func(*facts.Audit) {
		return func(f *facts.Audit) { file(f, role, owner, group, mode) }
	}
	return []violation{
		{name: "daemon.json of a user", broken: set(facts.RoleDaemonJSON, "eve", "root", 0o644), want: []string{"fail required file-owner /etc/docker/daemon.json"}},
		{name: "docker.sock of another group", broken: set(facts.RoleDockerSock, "root", "users", 0o660), want: []string{"fail required file-owner /run/docker.sock"}},
		{name: "docker.sock of root alone", broken: set(facts.RoleDockerSock, "root", "root", 0o600)},
		{name: "docker.sock for everybody", broken: set(facts.RoleDockerSock, "root", "docker", 0o666), want: []string{"fail required file-mode /run/docker.sock"}},
		{name: "a mode that is less as a number", broken: set(facts.RoleDaemonJSON, "root", "root", 0o622), want: []string{"fail required file-mode /etc/docker/daemon.json"}},
		{name: "a mode that is less as a number, again", broken: set(facts.RoleService, "root", "root", 0o577), want: []string{"fail required file-mode /usr/lib/systemd/system/docker.service"}},
		{name: "a key that others can read", broken: set(facts.RoleServerKey, "root", "root", 0o440), want: []string{"fail required file-mode /etc/docker/key.pem"}},
		{name: "a certificate that can be written", broken: set(facts.RoleRegistryCert, "root", "root", 0o644), want: []string{"fail required file-mode /etc/docker/certs.d/r.example.no/ca.crt"}},
		{
			name: "a file that can't be looked at", broken: func(f *facts.Audit) {
				f.Files = append(f.Files, facts.File{Role: facts.RoleSysconfig, Path: "/etc/sysconfig/docker", Unread: "permission denied"})
				f.AuditRules.Kernel = append(f.AuditRules.Kernel, "-w /etc/sysconfig/docker")
			}, want: []string{"unknown required file-mode /etc/sysconfig/docker", "unknown required file-owner /etc/sysconfig/docker"},
		},
	}
}

func imageViolations() []violation {
	return []violation{
		{name: "an image without a health check", broken: func(f *facts.Audit) { f.Engine.Images[0].HealthCheck = false }, want: []string{"fail info image-health-check web:1"}},
		{
			name: "an image with a password", broken: func(f *facts.Audit) { f.Engine.Images[0].Environment = []string{"PATH", "DB_PASSWORD"} },
			want: []string{"fail recommended image-secrets web:1"},
		},
		{
			name: "images that nobody uses", broken: func(f *facts.Audit) {
				f.Engine.Images = append(f.Engine.Images, facts.Image{ID: "sha256:1111111111111111", HealthCheck: true}, facts.Image{ID: "sha256:2222222222222222", HealthCheck: true})
			}, want: []string{"fail info image-unused"},
		},
		{
			name: "an image that can't be inspected", broken: func(f *facts.Audit) { f.Engine.Images[0].Unread = "no answer" },
			want: []string{"unknown info image-health-check web:1", "unknown recommended image-secrets web:1"},
		},
	}
}
