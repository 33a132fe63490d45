package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// confinementChecks are about the rights that a process has in its container.
func confinementChecks() []check {
	all := []check{
		{
			slug: "container-privileged", title: "No container has every right of the host", level: Required, cis: []string{"5.5"},
			want: "without --privileged", fix: "start it without --privileged, and give it the capability or device that it needs",
			asks: onContainers(func(c *policy.Containers) stance { return says(c.Privileged, false) }),
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict {
				return either(!c.Privileged, "", "privileged")
			}),
		},
		{
			slug: "container-user", title: "Containers run as another user than root", level: Recommended, cis: []string{"4.1"},
			want: "a user other than root, or remapped user namespaces", fix: "USER in the Dockerfile, --user, or user in the compose file",
			asks:  onContainers(func(c *policy.Containers) stance { return says(c.NonRoot, true) }),
			judge: eachContainer(user),
		},
		{
			slug: "container-capabilities-dropped", title: "Containers give up the capabilities that they don't need", level: Recommended,
			want: "--cap-drop ALL", fix: "--cap-drop ALL, and --cap-add for what it needs",
			asks:  onContainers(func(*policy.Containers) stance { return stance{asked: true} }),
			judge: eachContainer(unlessPrivileged(dropped)),
		},
		{
			slug: "container-capabilities-added", title: "Containers get no capabilities besides", level: Required, cis: []string{"5.4"},
			fix:   "take --cap-add out, or allow it in containers { allowed_capabilities = [...] }",
			asks:  onContainers(func(*policy.Containers) stance { return stance{asked: true} }),
			judge: eachContainer(unlessPrivileged(added)),
		},
		{
			slug: "container-no-new-privileges", title: "Processes in containers gain no rights by setuid programs", level: Recommended, cis: []string{"5.26"},
			want: "no_new_privs set on its main process", fix: "make the container anew under docker { no_new_privileges = true }, or with --security-opt no-new-privileges",
			asks:  onContainers(func(c *policy.Containers) stance { return says(c.NoNewPrivileges, true) }),
			judge: eachContainer(noNewPrivileges),
		},
		{
			slug: "container-read-only", title: "Containers can't write to their root file system", level: Recommended, cis: []string{"5.13"},
			want: "--read-only", fix: "--read-only, with --tmpfs or volumes for what it must write",
			asks:  onContainers(func(c *policy.Containers) stance { return says(c.ReadOnly, true) }),
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict { return either(c.ReadOnly, "", "writable") }),
		},
	}
	return inArea(all, AreaContainers, facts.FromEngine)
}

// isolationChecks are about what keeps a process in its container besides.
func isolationChecks() []check {
	all := []check{
		{
			slug: "container-seccomp", title: "Containers may not make every system call", level: Required, cis: []string{"5.22"},
			want: "a seccomp profile", fix: "take --security-opt seccomp=unconfined out, or give it a profile of its own",
			judge: eachContainer(unlessPrivileged(seccomp)),
		},
		{
			slug: "container-apparmor", title: "AppArmor confines containers", level: Required, cis: []string{"5.2"},
			want: "a profile, such as docker-default", fix: "take --security-opt apparmor=unconfined out",
			judge: eachContainer(unlessPrivileged(func(v *view, c facts.ContainerDetail) verdict {
				if !v.Facts.Machine.AppArmor {
					return notApplicable("AppArmor is off: see host-lsm")
				}
				return either(c.AppArmorProfile != "" && c.AppArmorProfile != "unconfined", "", "profile "+or(c.AppArmorProfile, "none"))
			})),
			needs: []facts.Source{facts.FromMachine},
		},
		{
			slug: "container-selinux", title: "SELinux confines containers", level: Required, cis: []string{"5.3"},
			want: "a label", fix: "take --security-opt label=disable out, and start dockerd with selinux-enabled",
			judge: eachContainer(unlessPrivileged(func(v *view, c facts.ContainerDetail) verdict {
				if v.Facts.Machine.SELinux == "" {
					return notApplicable("SELinux is off")
				}
				return either(c.ProcessLabel != "", "", "no label")
			})),
			needs: []facts.Source{facts.FromMachine},
		},
		{
			slug: "container-system-paths", title: "Containers don't see the kernel's settings", level: Required,
			want: "Docker's masked and read-only paths below /proc and /sys", fix: "take --security-opt systempaths=unconfined out",
			judge: eachContainer(unlessPrivileged(func(_ *view, c facts.ContainerDetail) verdict {
				return either(!c.Unmasked, "", "systempaths=unconfined")
			})),
		},
		{
			slug: "container-devices", title: "Containers have no devices of the host", level: Recommended, cis: []string{"5.18"},
			want: "no --device", fix: "take --device out, unless the work is about that device",
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict {
				return either(len(c.Devices) == 0, "", strings.Join(c.Devices, ", "))
			}),
		},
		{
			slug: "container-cgroup-parent", title: "Containers are in Docker's own control group", level: Info, cis: []string{"5.25"},
			want: "no --cgroup-parent", fix: "take --cgroup-parent out, unless the group has bounds of its own",
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict {
				return either(c.CgroupParent == "", "", c.CgroupParent)
			}),
		},
	}
	return inArea(all, AreaContainers, facts.FromEngine)
}

// unlessPrivileged leaves out what --privileged brings with it: one finding says it.
func unlessPrivileged(judge func(*view, facts.ContainerDetail) verdict) func(*view, facts.ContainerDetail) verdict {
	return func(v *view, c facts.ContainerDetail) verdict {
		if c.Privileged {
			return notApplicable("privileged: see container-privileged")
		}
		return judge(v, c)
	}
}

// user looks at what the container says and at what its main process is: an entry
// point may give up root, and a user of another name may be root.
func user(v *view, c facts.ContainerDetail) verdict {
	e, p := v.docker().Effective, c.Process
	remapped := e.UsernsRemap != nil && *e.UsernsRemap && c.UsernsMode != "host"
	root, why := isRoot(c.User), unseen(c)
	_, _, numbered := userOf(c.User)
	switch {
	case e.Rootless || remapped:
		return passes("remapped")
	case !root && why == "" && p.UID == 0:
		return fails("", fmt.Sprintf("user %q, but its main process runs as root", c.User))
	case root && why == "" && p.UID != 0:
		return fails("", fmt.Sprintf("user %q is root; its main process has given that up and runs as %d", c.User, p.UID))
	case !root && why != "" && !numbered:
		return unknown("", fmt.Sprintf("user %q may be another name of root: %s", c.User, why))
	}
	return either(!root, "", fmt.Sprintf("user %q is root", c.User))
}

// isRoot reads a user of the Engine API: "", "root", "0", "0:0", "root:adm".
func isRoot(user string) bool {
	name, uid, numbered := userOf(user)
	return name == "" || name == "root" || numbered && uid == 0
}

// userOf takes the group away, and reads a user that is written as a number.
func userOf(user string) (name string, uid int, numbered bool) {
	name, _, _ = strings.Cut(user, ":")
	uid, err := strconv.Atoi(name)
	return name, uid, err == nil
}

// unseen says why nothing is known of a container's main process; empty: it is.
func unseen(c facts.ContainerDetail) string {
	if c.Process.PID == 0 {
		return "it does not run at the moment"
	}
	return c.Process.Unread
}

// dropped judges by the policy's list. Who drops what it asks for but not all, is
// let off by the policy.
func dropped(v *view, c facts.ContainerDetail) verdict {
	list := v.containers().DropCapabilities
	gone := capabilities(c.CapDrop)
	got := "drops " + or(strings.Join(gone, ", "), "none")
	one := passes(got)
	switch {
	case slices.Contains(gone, "ALL"):
	case slices.ContainsFunc(list.V, func(want string) bool { return !slices.Contains(gone, want) }):
		one = fails("", got)
	default:
		one = lets(list, got)
	}
	one.want = "--cap-drop " + strings.Join(list.V, ", ")
	return one
}

// capabilities spells names as the policy does.
func capabilities(names []string) []string {
	var all []string
	for _, n := range names {
		all = append(all, strings.TrimPrefix(strings.ToUpper(n), "CAP_"))
	}
	return all
}

// usual lists the capabilities that Docker gives by default (20.10 to 29.7).
func usual() []string {
	return []string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",
		"SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
	}
}

// added judges by the policy's list, without a block containers by Docker's own.
func added(v *view, c facts.ContainerDetail) verdict {
	allowed := usual()
	if v.policy.Containers != nil {
		allowed = v.policy.Containers.AllowedCapabilities.V
	}
	beyond := slices.DeleteFunc(capabilities(c.CapAdd), func(n string) bool { return slices.Contains(allowed, n) })
	one := either(len(beyond) == 0, "", "adds "+strings.Join(beyond, ", "))
	one.want = "at most " + strings.Join(allowed, ", ")
	return one
}

// noNewPrivileges goes by the process: the daemon's setting is frozen into a
// container when it is created (measured on 20.10, 26.1 and 29.7).
func noNewPrivileges(v *view, c facts.ContainerDetail) verdict {
	option := securityOpt(c.SecurityOpt, "no-new-privileges")
	on, why := option == "true", unseen(c)
	if why == "" {
		on = c.Process.NoNewPrivileges
	}
	switch {
	case on:
		return passes("set")
	case option == "false":
		return fails("", "opted out with no-new-privileges=false")
	case v.newAreRestricted() && why != "":
		return unknown("", "it may be older than the daemon's setting: "+why)
	case v.newAreRestricted():
		return fails("", "created before the daemon's setting: make it anew")
	}
	return fails("", "not set, neither for it nor by the daemon")
}

// newAreRestricted reports whether containers created now get no_new_privs from the
// daemon. Before 23.0 it does not tell.
func (v *view) newAreRestricted() bool {
	if told := v.docker().Effective.NoNewPrivileges; told != nil {
		return *told
	}
	written, _ := v.written(setting{key: "no-new-privileges"})
	return written == "true"
}

// securityOpt returns the value of a security option, which Docker takes as "name",
// "name=value" and "name:value"; empty: it is not there.
func securityOpt(options []string, name string) string {
	for _, option := range slices.Backward(options) {
		rest, ok := strings.CutPrefix(option, name)
		switch {
		case !ok:
		case rest == "":
			return "true"
		case rest[0] == '=' || rest[0] == ':':
			return rest[1:]
		}
	}
	return ""
}

func seccomp(_ *view, c facts.ContainerDetail) verdict {
	if securityOpt(c.SecurityOpt, "seccomp") == "unconfined" {
		return fails("", "seccomp=unconfined")
	}
	if why := unseen(c); why != "" {
		return unknown("", why)
	}
	return either(c.Process.Seccomp > 0, "", "its main process has no filter")
}
