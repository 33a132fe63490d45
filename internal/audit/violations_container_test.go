package audit

import (
	"net/netip"
	"strings"

	"molo/internal/facts"
)

// strict asks for every default of the block containers, and an owner.
const strict = `containers {
  owner_label = "no.example.owner"
}
`

// change changes the container web.
func change(how func(*facts.ContainerDetail)) func(*facts.Audit) {
	return func(f *facts.Audit) { how(container(f)) }
}

// unmapped turns user namespaces off, as the policy of these tests accepts.
func unmapped(how func(*facts.ContainerDetail)) func(*facts.Audit) {
	return func(f *facts.Audit) {
		engine(f).UsernsRemap, engine(f).Rootless = ptr(false), false
		drop(f, "userns-remap")
		container(f).Process.UID = 1000
		how(container(f))
	}
}

const remapOff = "docker {\n  userns_remap = \"off\"\n}\n"

func containerViolations() []violation {
	user := func(user string, uid int) func(*facts.Audit) {
		return unmapped(func(c *facts.ContainerDetail) { c.User, c.Process.UID = user, uid })
	}
	root := []string{"exempt recommended daemon-userns dockerd", "fail recommended container-user web"}
	rest := []string{"exempt recommended daemon-userns dockerd"}
	unseen := []string{"unknown recommended container-sshd web", "unknown required container-seccomp web"}
	nnp := func(options []string) func(*facts.Audit) {
		return change(func(c *facts.ContainerDetail) { c.Process.NoNewPrivileges, c.SecurityOpt = false, options })
	}
	return []violation{
		{name: "a privileged container", broken: change(func(c *facts.ContainerDetail) {
			c.Privileged, c.Process.Seccomp, c.AppArmorProfile, c.CapDrop = true, 0, "unconfined", nil
		}), want: []string{"fail required container-privileged web"}},
		{name: "a privileged container that the policy accepts", policy: "containers {\n  privileged = true\n}\n", broken: change(func(c *facts.ContainerDetail) { c.Privileged = true }), want: []string{"exempt required container-privileged web"}},

		{name: "a container without a user", policy: remapOff, broken: user("", 0), want: root},
		{name: "a container of root", policy: remapOff, broken: user("root", 0), want: root},
		{name: "a container of user 0 in group 0", policy: remapOff, broken: user("0:0", 0), want: root},
		{name: "a container of root in another group", policy: remapOff, broken: user("root:adm", 0), want: root},
		{name: "a container of root that gives it up", policy: remapOff, broken: user("", 999), want: root},
		{name: "a container of root by another name", policy: remapOff, broken: user("toor", 0), want: root},
		{name: "a container of a user", policy: remapOff, broken: user("app", 1000), want: rest},
		{name: "a container of a user in group 0", policy: remapOff, broken: user("1000:0", 1000), want: rest},
		{name: "a container of root with remapped users", broken: change(func(c *facts.ContainerDetail) { c.User, c.Process.UID = "", 100000 })},
		{
			name: "a container of root that opts out of remapped users", broken: change(func(c *facts.ContainerDetail) { c.User, c.Process.UID, c.UsernsMode = "", 0, "host" }),
			want: []string{"fail recommended container-user web", "fail required container-host-userns web"},
		},

		{name: "all capabilities of a container", broken: change(func(c *facts.ContainerDetail) { c.CapDrop = nil }), want: []string{"fail recommended container-capabilities-dropped web"}},
		{name: "one capability less", policy: strict, broken: change(func(c *facts.ContainerDetail) { c.CapDrop = []string{"CAP_NET_RAW"} }), want: []string{"fail required container-capabilities-dropped web"}},
		{
			name: "one capability less, as the policy asks", policy: "containers {\n  drop_capabilities = [\"NET_RAW\"]\n}\n", broken: change(func(c *facts.ContainerDetail) { c.CapDrop = []string{"net_raw", "MKNOD"} }),
			want: []string{"exempt required container-capabilities-dropped web"},
		},
		{name: "SYS_ADMIN", broken: change(func(c *facts.ContainerDetail) { c.CapAdd = []string{"CAP_SYS_ADMIN"} }), want: []string{"fail required container-capabilities-added web"}},
		{name: "every capability", broken: change(func(c *facts.ContainerDetail) { c.CapAdd = []string{"ALL"} }), want: []string{"fail required container-capabilities-added web"}},
		{name: "a capability that Docker gives anyway", broken: change(func(c *facts.ContainerDetail) { c.CapAdd = []string{"CHOWN"} })},
		{name: "a capability that the policy leaves out", policy: strict, broken: change(func(c *facts.ContainerDetail) { c.CapAdd = []string{"CHOWN"} }), want: []string{"fail required container-capabilities-added web"}},
		{name: "a capability that the policy allows", policy: "containers {\n  allowed_capabilities = [\"CHOWN\"]\n}\n", broken: change(func(c *facts.ContainerDetail) { c.CapAdd = []string{"CAP_CHOWN"} })},

		{name: "a container that is older than the setting", broken: nnp(nil), want: []string{"fail recommended container-no-new-privileges web"}},
		{name: "a container that opts out", policy: strict, broken: nnp([]string{"no-new-privileges=false"}), want: []string{"fail required container-no-new-privileges web"}},
		{name: "a container that opts out with a colon", broken: nnp([]string{"no-new-privileges:false"}), want: []string{"fail recommended container-no-new-privileges web"}},
		{name: "a container that asks for it, and a process that is not known", broken: change(func(c *facts.ContainerDetail) {
			c.Process, c.SecurityOpt = facts.Process{PID: 4711, Unread: "permission denied"}, []string{"no-new-privileges"}
		}), want: unseen},
		{name: "a container that restarts", broken: change(func(c *facts.ContainerDetail) { c.Process = facts.Process{} }),
			want: append([]string{"unknown recommended container-no-new-privileges web"}, unseen...)},
		{name: "a container that restarts, where new ones may gain rights", broken: func(f *facts.Audit) {
			container(f).Process, engine(f).NoNewPrivileges = facts.Process{}, ptr(false)
			drop(f, "no-new-privileges")
		}, want: append([]string{"fail recommended container-no-new-privileges web", "fail recommended daemon-no-new-privileges dockerd"}, unseen...)},
		{name: "a container that restarts, without a filter", broken: change(func(c *facts.ContainerDetail) {
			c.Process, c.SecurityOpt = facts.Process{}, []string{"no-new-privileges", "seccomp=unconfined"}
		}), want: []string{"fail required container-seccomp web", "unknown recommended container-sshd web"}},
		{name: "a container of a user with a name, that restarts", policy: remapOff, broken: unmapped(func(c *facts.ContainerDetail) {
			c.User, c.Process, c.SecurityOpt = "app", facts.Process{}, []string{"no-new-privileges"}
		}), want: []string{rest[0], unseen[0], "unknown recommended container-user web", unseen[1]}},
		{name: "a container of a user with a number, that restarts", policy: remapOff, broken: unmapped(func(c *facts.ContainerDetail) {
			c.User, c.Process, c.SecurityOpt = "1000", facts.Process{}, []string{"no-new-privileges"}
		}), want: append([]string{"exempt recommended daemon-userns dockerd"}, unseen...)},

		{name: "a writable root", broken: change(func(c *facts.ContainerDetail) { c.ReadOnly = false }), want: []string{"fail recommended container-read-only web"}},
		{name: "a writable root against the policy", policy: strict, broken: change(func(c *facts.ContainerDetail) { c.ReadOnly = false }), want: []string{"fail required container-read-only web"}},
		{name: "a writable root as the policy says", policy: "containers {\n  read_only = false\n}\n", broken: change(func(c *facts.ContainerDetail) { c.ReadOnly = false }), want: []string{"exempt recommended container-read-only web"}},
		{name: "no bound on memory", broken: change(func(c *facts.ContainerDetail) { c.Memory = 0 }), want: []string{"fail recommended container-memory web"}},
		{name: "no share of the processors", broken: change(func(c *facts.ContainerDetail) { c.CPU = false }), want: []string{"fail info container-cpu web"}},
		{name: "no bound on processes", broken: change(func(c *facts.ContainerDetail) { c.Pids = 0 }), want: []string{"fail recommended container-pids web"}},
		{name: "an explicit lack of a bound", broken: change(func(c *facts.ContainerDetail) { c.Pids = -1 }), want: []string{"fail recommended container-pids web"}},

		{name: "no seccomp", broken: change(func(c *facts.ContainerDetail) { c.SecurityOpt = []string{"seccomp=unconfined"} }), want: []string{"fail required container-seccomp web"}},
		{name: "no seccomp, with a colon", broken: change(func(c *facts.ContainerDetail) { c.SecurityOpt = []string{"seccomp:unconfined"} }), want: []string{"fail required container-seccomp web"}},
		{name: "a process without a filter", broken: change(func(c *facts.ContainerDetail) { c.Process.Seccomp = 0 }), want: []string{"fail required container-seccomp web"}},
		{name: "no AppArmor", broken: change(func(c *facts.ContainerDetail) { c.AppArmorProfile = "unconfined" }), want: []string{"fail required container-apparmor web"}},
		{name: "no AppArmor profile", broken: change(func(c *facts.ContainerDetail) { c.AppArmorProfile = "" }), want: []string{"fail required container-apparmor web"}},
		{name: "no label of SELinux", broken: func(f *facts.Audit) { f.Machine.SELinux = "enforcing" }, want: []string{"fail required container-selinux web"}},
		{name: "the kernel's settings in sight", broken: change(func(c *facts.ContainerDetail) { c.Unmasked = true }), want: []string{"fail required container-system-paths web"}},
		{name: "a device of the host", broken: change(func(c *facts.ContainerDetail) { c.Devices = []string{"/dev/sda"} }), want: []string{"fail recommended container-devices web"}},
		{name: "another control group", broken: change(func(c *facts.ContainerDetail) { c.CgroupParent = "x.slice" }), want: []string{"fail info container-cgroup-parent web"}},

		{name: "the host's network", broken: change(func(c *facts.ContainerDetail) { c.Network = "host" }), want: []string{"fail required container-host-network web"}},
		{name: "the host's processes", broken: change(func(c *facts.ContainerDetail) { c.PidMode = "host" }), want: []string{"fail required container-host-pid web"}},
		{name: "the host's IPC", broken: change(func(c *facts.ContainerDetail) { c.IpcMode = "host" }), want: []string{"fail required container-host-ipc web"}},
		{name: "the host's name", broken: change(func(c *facts.ContainerDetail) { c.UTSMode = "host" }), want: []string{"fail required container-host-uts web"}},
		{name: "the host's users", broken: change(func(c *facts.ContainerDetail) { c.UsernsMode = "host" }), want: []string{"fail required container-host-userns web"}},
		{name: "the host's control groups", policy: strict, broken: change(func(c *facts.ContainerDetail) { c.CgroupnsMode = "host" }), want: []string{"fail required container-host-cgroup web"}},
		{name: "the host's control groups, where the policy accepts it", policy: "containers {\n  host_namespaces = true\n}\n", broken: change(func(c *facts.ContainerDetail) { c.CgroupnsMode = "host" }), want: []string{"exempt recommended container-host-cgroup web"}},

		{name: "restarted for ever", broken: change(func(c *facts.ContainerDetail) { c.Restart = "always" }), want: []string{"fail info container-restart web"}},
		{name: "restarted unless stopped", broken: change(func(c *facts.ContainerDetail) { c.Restart = "unless-stopped" }), want: []string{"fail info container-restart web"}},
		{name: "restarted without an end", broken: change(func(c *facts.ContainerDetail) { c.Retries = 0 }), want: []string{"fail info container-restart web"}},
		{name: "restarted by nobody", broken: change(func(c *facts.ContainerDetail) { c.Restart, c.Retries = "no", 0 })},
		{name: "no health check", broken: change(func(c *facts.ContainerDetail) { c.HealthCheck = false }), want: []string{"fail recommended container-health-check web"}},
		{name: "no health check, against the policy", policy: strict, broken: change(func(c *facts.ContainerDetail) { c.HealthCheck = false }), want: []string{"fail required container-health-check web"}},
		{name: "no logs", broken: change(func(c *facts.ContainerDetail) { c.LogDriver = "none" }), want: []string{"fail recommended container-log-driver web"}},
		{name: "logs of before the setting", broken: change(func(c *facts.ContainerDetail) { c.LogDriver = "json-file" }), want: []string{"fail recommended container-log-driver web"}},
		{name: "an image by its tag", broken: change(func(c *facts.ContainerDetail) { c.Image = "web:latest" }), want: []string{"fail info container-image-pinned web"}},
		{name: "an image by its tag, against the policy", policy: strict, broken: change(func(c *facts.ContainerDetail) { c.Image = "web:1" }), want: []string{"fail required container-image-pinned web"}},
		{name: "an image by its ID", policy: strict, broken: change(func(c *facts.ContainerDetail) { c.Image = "abcdef012345" })},
		{name: "an image with a name like hexadecimal digits", broken: change(func(c *facts.ContainerDetail) { c.Image = "abc" }), want: []string{"fail info container-image-pinned web"}},
		{name: "the default bridge", broken: change(func(c *facts.ContainerDetail) { c.Network = "default" }), want: []string{"fail info container-default-bridge web"}},
		{name: "an SSH daemon", broken: change(func(c *facts.ContainerDetail) { c.Process.SSHD = true }), want: []string{"fail recommended container-sshd web"}},
		{name: "nobody's container", policy: strict, broken: change(func(c *facts.ContainerDetail) { c.Labels = nil }), want: []string{"fail required container-owner web"}},
		{
			name: "a stopped container", broken: func(f *facts.Audit) {
				f.Facts.Docker.Containers = append(f.Facts.Docker.Containers, facts.Container{ID: "bbbb", Name: "old"})
			},
			want: []string{"fail info container-stopped"},
		},
	}
}

func mountViolations() []violation {
	sees, reaches := "fail required container-mounts web", "fail required container-runtime-socket web"
	return []violation{
		{name: "the whole host", broken: mount("/", false), want: []string{sees, reaches}},
		{name: "/etc", broken: mount("/etc", true), want: []string{sees}},
		{name: "/etc/shadow, read-only", broken: mount("/etc/shadow", false), want: []string{sees}},
		{name: "/etc with a slash behind it", broken: mount("/etc/", false), want: []string{sees}},
		{name: "/srv/../etc", broken: mount("/srv/../etc", false), want: []string{sees}},
		{name: "the time zone, writable", broken: mount("/etc/localtime", true), want: []string{sees}},
		{name: "/root", broken: mount("/root/.ssh", false), want: []string{sees}},
		{name: "/var/lib", broken: mount("/var/lib", true), want: []string{sees}},
		{name: "Docker's own directory", broken: mount("/var/lib/docker", false), want: []string{sees}},
		{name: "a directory whose name starts alike", broken: mount("/etcetera", true)},
		{name: "certificates, read-only", broken: mount("/etc/ssl/certs", false)},
		{name: "/proc, as exporters want it", broken: mount("/proc", false), want: []string{sees}},
		{
			name: "a link that leads to /etc", broken: change(func(c *facts.ContainerDetail) {
				c.Mounts = append(c.Mounts, facts.Mount{Type: "bind", Source: "/srv/conf", Real: "/etc", Destination: "/x"})
			}), want: []string{sees},
		},
		{
			name: "a volume that stands for /etc", broken: func(f *facts.Audit) {
				f.Engine.Volumes = []facts.Volume{{Name: "data", Device: "/etc"}}
			}, want: []string{sees},
		},
		{name: "mounts that the policy accepts", policy: "containers {\n  sensitive_mounts = true\n}\n", broken: mount("/etc", true), want: []string{"exempt required container-mounts web"}},

		{name: "Docker's socket", broken: mount("/run/docker.sock", false), want: []string{reaches}},
		{name: "Docker's socket by its old name", broken: mount("/var/run/docker.sock", true), want: []string{reaches}},
		{name: "the directory of Docker's socket", broken: mount("/var/run", true), want: []string{reaches}},
		{name: "containerd's socket", broken: mount("/run/containerd", false), want: []string{reaches}},
		{name: "Podman's socket", broken: mount("/run/podman/podman.sock", false), want: []string{reaches}},
		{name: "a user's Podman socket", broken: mount("/run/user/1000/podman/podman.sock", false), want: []string{reaches}},
		{name: "CRI-O's socket", broken: mount("/run/crio/crio.sock", false), want: []string{reaches}},
		{name: "the socket of cri-dockerd", broken: mount("/run/cri-dockerd.sock", false), want: []string{reaches}},
		{name: "BuildKit's socket", broken: mount("/run/buildkit", true), want: []string{reaches}},
		{name: "LXD's socket", broken: mount("/var/snap/lxd/common/lxd", true), want: []string{reaches}},
		{name: "Incus's socket", broken: mount("/var/lib/incus/unix.socket", true), want: []string{reaches}},
		{name: "systemd's private socket", broken: mount("/run/systemd/private", true), want: []string{reaches}},
		{name: "systemd's directory, as cgroup tools want it", broken: mount("/run/systemd", false), want: []string{reaches}},
		{name: "the system bus", broken: mount("/var/run/dbus/system_bus_socket", false), want: []string{reaches}},
		{name: "what is called like systemd's and LXD's sockets", broken: func(f *facts.Audit) { mount("/srv/private", true)(f); mount("/srv/app/unix.socket", true)(f) }},
		{name: "a user's directory in /run", broken: mount("/run/user/1000", true), want: []string{reaches}},
		{name: "all users' directories in /run", broken: mount("/run/user", true), want: []string{reaches}},
		{name: "the directory of a user's Podman", broken: mount("/run/user/1000/podman", true), want: []string{reaches}},
		{name: "a user's sound", broken: mount("/run/user/1000/pulse", true)},
		{name: "another socket of dockerd's, by a flag", broken: func(f *facts.Audit) {
			f.Facts.Docker.Flags = []string{"-H", "fd://", "-H", "unix:///srv/api/d.socket"}
			mount("/srv/api", false)(f)
		}, want: []string{reaches}},
		{name: "another socket of dockerd's, by systemd", broken: func(f *facts.Audit) {
			f.DaemonListens = []string{"/var/run/api/d.socket"}
			mount("/run/api/d.socket", false)(f)
		}, want: []string{reaches}},
		{name: "Docker's data, where the owner has put it", broken: func(f *facts.Audit) {
			f.Engine.DataRoot.Path = "/srv/docker"
			mount("/srv/docker/volumes", false)(f)
		}, want: []string{sees}},
		{name: "a volume that stands for a disk", broken: func(f *facts.Audit) {
			f.Engine.Volumes = []facts.Volume{{Name: "data", Device: "/dev/sda1"}}
		}, want: []string{sees}},
		{name: "another socket", broken: mount("/run/postgresql", true)},

		{name: "shared propagation", broken: change(func(c *facts.ContainerDetail) { c.Mounts[0].Propagation = "rshared" }), want: []string{"fail recommended container-propagation web"}},
	}
}

func networkViolations() []violation {
	publish := func(address string, port uint16) func(*facts.Audit) {
		return func(f *facts.Audit) {
			p := facts.Publish{Port: port, Container: 80, Protocol: "tcp"}
			if address != "" {
				p.Address = netip.MustParseAddr(address)
			}
			container(f).Published = []facts.Publish{p}
			f.Facts.Docker.Containers[0].Published = container(f).Published
		}
	}
	everywhere := []string{"fail recommended container-published-address web"}
	option := func(name, value string) func(*facts.Audit) {
		return func(f *facts.Audit) {
			f.Engine.Networks[1].Options = map[string]string{name: value}
			f.Engine.Networks[1].Containers = 2
		}
	}
	return []violation{
		{name: "published on every IPv4 address", broken: publish("0.0.0.0", 8080), want: everywhere},
		{name: "published on every IPv6 address", broken: publish("::", 8080), want: everywhere},
		{name: "published on an address that is left out", broken: publish("", 8080), want: everywhere},
		{name: "published on one address", broken: publish("203.0.113.1", 8080)},
		{name: "published on one address, where the policy wants loopback", policy: strict, broken: publish("203.0.113.1", 8080), want: []string{"fail required container-published-address web"}},
		{name: "published on one address, where the policy accepts it", policy: "containers {\n  published_on = \"address\"\n}\n", broken: publish("203.0.113.1", 8080), want: []string{"exempt required container-published-address web"}},
		{name: "published on every address, where the policy accepts it", policy: "containers {\n  published_on = \"any\"\n}\n", broken: publish("::", 8080), want: []string{"exempt required container-published-address web"}},
		{name: "published on every address, where the policy wants one", policy: "containers {\n  published_on = \"address\"\n}\n", broken: publish("::", 8080), want: []string{"fail required container-published-address web"}},
		{name: "published on loopback of IPv6", policy: strict, broken: publish("::1", 8080)},
		{name: "published on port 80", broken: publish("127.0.0.1", 80), want: []string{"fail info container-privileged-ports web"}},
		{name: "published on port 1024", broken: publish("127.0.0.1", 1024)},
		{name: "a site's container on every address", policy: siteWithFiles, broken: publish("203.0.113.1", 8081), want: []string{"fail required site-upstream app.example.no"}},
		{name: "another container on every address", policy: siteWithFiles, broken: publish("203.0.113.1", 8082)},

		{name: "no UFW", broken: func(f *facts.Audit) { f.Facts.UFW = facts.UFW{} }, want: []string{"fail required network-ufw"}},
		{name: "UFW is off", broken: func(f *facts.Audit) { f.Facts.UFW.Enabled = false }, want: []string{"fail required network-ufw /etc/ufw/ufw.conf"}},
		{name: "UFW's chains are gone", broken: func(f *facts.Audit) { f.Surface.WithoutUFW = []string{"ip6"} }, want: []string{"fail required network-ufw INPUT"}},
		{name: "UFW lets everything in", broken: func(f *facts.Audit) { f.Facts.UFW.Defaults = "DEFAULT_INPUT_POLICY=\"ACCEPT\"\n" }, want: []string{"fail required network-ufw /etc/default/ufw"}},
		{name: "a port that is more open than promised", now: opened(), want: []string{"fail required network-exposure 0.0.0.0:8080/tcp"}},
		{name: "a network that publishes everywhere", broken: option(iccOption, "false"), want: []string{"fail recommended network-publish-address front"}},
		{name: "a network that publishes everywhere, as the policy does", policy: "docker {\n  publish_address = \"0.0.0.0\"\n}\n", broken: func(f *facts.Audit) {
			option(iccOption, "false")(f)
			engine(f).PublishAddress = ""
			drop(f, "ip")
		}, want: []string{"exempt recommended daemon-publish-address dockerd", "exempt recommended network-publish-address front"}},
		{name: "a network in which all talk to all", broken: option(bindingOption, "127.0.0.1"), want: []string{"fail info network-icc front"}},
	}
}

func policyViolations() []violation {
	exempt := func(lines, expires string) string {
		return "exempt \"x\" {\n  checks  = [\"container-privileged\", \"host-partition\"]\n" + lines + "  reason  = \"r\"\n  expires = \"" + expires + "\"\n}\n"
	}
	port := func(lines string) string {
		return "exempt \"x\" {\n  checks  = [\"network-exposure\"]\n" + lines + "  reason  = \"r\"\n  expires = \"2027-01-31\"\n}\n"
	}
	exposed := []string{"exempt required network-exposure 0.0.0.0:8080/tcp"}
	privileged := change(func(c *facts.ContainerDetail) { c.Privileged = true })
	exempted := []string{"exempt required container-privileged web"}
	unfit := []string{"fail recommended policy-exemption policies.hcl:1", "fail required container-privileged web"}
	return []violation{
		{name: "exempt by its container's name", policy: exempt("  container = \"web\"\n", "2027-01-31"), broken: privileged, want: exempted},
		{name: "exempt by a label", policy: exempt("  label = \"no.example.owner\"\n", "2027-01-31"), broken: privileged, want: exempted},
		{name: "exempt by a label and its value", policy: exempt("  label = \"no.example.owner=ops\"\n", "2027-01-31"), broken: privileged, want: exempted},
		{name: "exempt by its image, whatever its digest", policy: exempt("  image = \"web\"\n", "2027-01-31"), broken: privileged, want: exempted},
		{name: "exempt on the last day", policy: exempt("  container = \"web\"\n", "2026-11-24"), broken: privileged, want: exempted},
		{name: "another container is exempt", policy: exempt("  container = \"db\"\n", "2027-01-31"), broken: privileged, want: unfit},
		{name: "another value of the label is exempt", policy: exempt("  label = \"no.example.owner=dev\"\n", "2027-01-31"), broken: privileged, want: unfit},
		{name: "another image is exempt", policy: exempt("  image = \"webber\"\n", "2027-01-31"), broken: privileged, want: unfit},
		{name: "one of two conditions does not hold", policy: exempt("  container = \"web\"\n  image = \"db\"\n", "2027-01-31"), broken: privileged, want: unfit},
		{name: "the host is exempt, and not its containers", policy: exempt("", "2027-01-31"), broken: privileged, want: unfit},
		{name: "exempt until yesterday", policy: exempt("  container = \"web\"\n", "2026-11-23"), broken: privileged, want: unfit},
		{
			name: "the host is exempt", policy: exempt("", "2027-01-31"), broken: func(f *facts.Audit) { f.Engine.DataRoot.Separate = false },
			want: []string{"exempt info host-partition /var/lib/docker"},
		},
		{name: "a port is exempt by its container's label", policy: port("  label = \"no.example.owner=ops\"\n"), now: opened(), want: exposed},
		{name: "a port is exempt by its container's image", policy: port("  image = \"web\"\n"), now: opened(), want: exposed},
		{name: "a port is exempt by its container's name", policy: port("  container = \"web\"\n"), now: opened(), want: exposed},
		{
			name: "a port is exempt by another label", policy: port("  label = \"no.example.owner=dev\"\n"), now: opened(),
			want: []string{"fail recommended policy-exemption policies.hcl:1", "fail required network-exposure 0.0.0.0:8080/tcp"},
		},
		{
			name: "an image without a tag is not the host", policy: strings.Replace(exempt("", "2027-01-31"), "host-partition", "image-health-check", 1),
			broken: func(f *facts.Audit) { f.Engine.Images[0].Tags, f.Engine.Images[0].HealthCheck = nil, false },
			want:   []string{"fail info image-health-check abcdef012345", "fail recommended policy-exemption policies.hcl:1"},
		},
		{
			name: "an exemption that nobody needs, and something else is unknown", policy: exempt("  container = \"web\"\n", "2027-01-31"),
			broken: func(f *facts.Audit) { f.Unread = map[facts.Source]string{facts.FromUpdates: "no apt"} },
			want: []string{
				"fail recommended policy-exemption policies.hcl:1", "unknown recommended host-docker-updates", "unknown recommended host-docker-version", "unknown recommended host-updates",
			},
		},
		{
			name: "an exemption from what is unknown", policy: exempt("  container = \"web\"\n", "2027-01-31"),
			broken: func(f *facts.Audit) { f.Engine.DataRoot.Unread = "permission denied" }, want: []string{"unknown info host-partition /var/lib/docker"},
		},
		{name: "an exemption that nobody needs", policy: exempt("  container = \"web\"\n", "2027-01-31"), want: []string{"fail recommended policy-exemption policies.hcl:1"}},
	}
}
