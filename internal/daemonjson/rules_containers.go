package daemonjson

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func containerRules() []func(*check) {
	return []func(*check){
		seccomp, ulimits, shmSize, ipcMode, cgroupnsMode, initPath, realtime, cgroupDriver, cgroupParent, namespaceName,
		execRoot, runtimes, defaultRuntime, remap,
	}
}

// seccomp looks for the profile, which is a file but for two words since 23.0.
func seccomp(c *check) {
	v, ok := c.value("seccomp-profile")
	path := v.literal
	if !ok || path == "" || (path == "builtin" || path == "unconfined") && c.since(23, 0) {
		if path == "unconfined" {
			c.warn("containers may use every system call, also those that break out of containers", "take the key out", "seccomp-profile")
		}
		return
	}
	if c.missing(path) {
		c.fatal(fmt.Sprintf("there is no file %s", path), "put the profile there before dockerd starts, or take the key out", "seccomp-profile")
		return
	}
	if c.in.Host.Read == nil {
		return
	}
	if text, err := c.in.Host.Read(path); err == nil && !json.Valid(text) {
		c.unusable(fmt.Sprintf("%s is not JSON", path), "write a profile as Docker's documentation describes it", "seccomp-profile")
	}
}

// ulimits looks at default-ulimits, of which dockerd checks nothing: a limit that runc
// or the kernel refuses keeps every container from starting.
func ulimits(c *check) {
	v, _ := c.value("default-ulimits")
	for _, key := range v.names() {
		limit := v.fieldExact(key)
		name, hard, soft := limit.field("Name").literal, limit.field("Hard").int(), limit.field("Soft").int()
		at := []string{"default-ulimits", key}
		switch {
		case limit.null():
			c.unusable("the limit is null, and dockerd crashes when a container starts", "take it out", at...)
		case name == "":
			c.unusable("the limit has no name, and dockerd does not take it from the key", fmt.Sprintf(`write "Name": %q into it`, key), at...)
		case !slices.Contains(limits(), strings.ToLower(name)):
			c.unusable(fmt.Sprintf("the kernel has no limit %q", name), "write one of "+strings.Join(limits(), ", "), append(at, "Name")...)
		case uint64(soft) > uint64(hard): //nolint:gosec // runc reads them so: -1 is more than any number
			c.unusable("the soft limit is above the hard one", "write a hard limit that is at least the soft one", append(at, "Soft")...)
		case strings.EqualFold(name, "nofile") && uint64(hard) > 1<<30: //nolint:gosec // as above
			c.unusable("no process may have that many files (fs.nr_open)", "write a number such as 1048576", append(at, "Hard")...)
		case strings.EqualFold(name, "nofile") && hard < 8:
			c.unusable("a process can't start with so few files", "write a number such as 1048576", append(at, "Hard")...)
		}
	}
}

// limits lists the names of the limits that Linux has.
func limits() []string {
	return []string{
		"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
	}
}

// shmSize looks at the one string that dockerd decodes as a number of bytes.
func shmSize(c *check) {
	v, ok := c.file.get("default-shm-size")
	if ok && !c.untyped["default-shm-size"] && (v.null() || !isSize(v.literal)) {
		c.fatal(fmt.Sprintf("%q is not a size", v.literal), `write one in quotes, such as "64M"`, "default-shm-size")
	}
}

func ipcMode(c *check) {
	if v, ok := c.value("default-ipc-mode"); ok && !slices.Contains([]string{"", "private", "shareable"}, v.literal) {
		c.fatal(fmt.Sprintf("%q is no default for all containers", v.literal), "write private or shareable", "default-ipc-mode")
	}
}

func cgroupnsMode(c *check) {
	if v, ok := c.value("default-cgroupns-mode"); ok && !slices.Contains([]string{"", "private", "host"}, v.literal) {
		c.fatal(fmt.Sprintf("%q is not a mode", v.literal), "write private or host", "default-cgroupns-mode")
	}
}

// initPath looks for the init of containers where all get one.
func initPath(c *check) {
	if path := c.setting("init-path"); c.on("init") && strings.HasPrefix(path, "/") && c.missing(path) {
		c.unusable(fmt.Sprintf("there is no file %s", path), "take the key out: dockerd finds docker-init itself", "init-path")
	}
}

// realtime looks at limits that cgroups have only in version 1.
func realtime(c *check) {
	for _, key := range []string{"cpu-rt-period", "cpu-rt-runtime"} {
		v, ok := c.value(key)
		const why, hint = "unified cgroups have no such limit", "take the key out"
		switch {
		case !ok || v.int() == 0 || c.in.CgroupV1:
		case c.since(23, 0):
			c.fatal(why, hint, key)
		default:
			c.unusable(why, hint, key)
		}
	}
}

// cgroupDriver looks at exec-opts, of which there is one. Of several, dockerd took the
// first before 28.0, and takes the last since.
func cgroupDriver(c *check) {
	all := c.strings("exec-opts")
	decided := false
	for i := range all {
		if c.since(28, 0) {
			i = len(all) - 1 - i
		}
		at := []string{"exec-opts", strconv.Itoa(i)}
		name, value, ok := strings.Cut(all[i], "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch known := ok && name == "native.cgroupdriver" && value != ""; {
		case !known && c.since(28, 0):
			c.fatal(fmt.Sprintf("%q is no option that dockerd has", all[i]), "write native.cgroupdriver=systemd, or take it out", at...)
		case !known:
			c.warn(fmt.Sprintf("%q is no option that dockerd has; it ignores it, and refuses it since 28.0", all[i]), "take it out", at...)
		case !decided && value != "systemd" && value != "cgroupfs":
			c.fatal(fmt.Sprintf("%q is not a cgroup driver", value), "write native.cgroupdriver=systemd, or take it out", at...)
		}
		decided = decided || name == "native.cgroupdriver" && value != ""
	}
}

// systemdDriver reports whether systemd makes the cgroups of containers, as it does by
// itself where cgroups are unified.
func (c *check) systemdDriver() bool {
	for _, s := range c.strings("exec-opts") {
		name, value, _ := strings.Cut(s, "=")
		if strings.EqualFold(strings.TrimSpace(name), "native.cgroupdriver") {
			return strings.TrimSpace(value) == "systemd"
		}
	}
	return !c.in.CgroupV1
}

// cgroupParent looks at the cgroup of all containers, which is a slice where systemd
// makes it.
func cgroupParent(c *check) {
	v, ok := c.value("cgroup-parent")
	if !ok || v.literal == "" || !c.systemdDriver() {
		return
	}
	name, isSlice := strings.CutSuffix(v.literal, ".slice")
	switch {
	case !isSlice || name == "":
		c.fatal("systemd makes the cgroups of containers, and it takes only a slice", `write one such as "docker.slice"`, "cgroup-parent")
	case strings.ContainsRune(name, '/') || strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") || strings.Contains(name, "--"):
		c.unusable(fmt.Sprintf("%q is no name of a slice", v.literal), `write one such as "docker.slice"`, "cgroup-parent")
	}
}

func namespaceName(c *check) {
	name := regexp.MustCompile(`^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$`)
	if v, ok := c.value("containerd-namespace"); ok && v.literal != "" && !name.MatchString(v.literal) {
		c.unusable("containerd takes letters and digits only, with single . _ and - between them", "write such a name, or take the key out", "containerd-namespace")
	}
}

func execRoot(c *check) {
	if v, ok := c.value("exec-root"); ok && v.literal != "" && !strings.HasPrefix(v.literal, "/") {
		c.unusable("the path does not begin with /", "take the key out", "exec-root")
	}
}

// remap looks for the user whose subordinate IDs containers get. dockerd makes
// dockremap itself, for "default".
func remap(c *check) {
	v, ok := c.value("userns-remap")
	user, group, both := strings.Cut(v.literal, ":")
	if !ok || v.literal == "" || v.literal == "default" {
		return
	}
	host, at := c.in.Host, "userns-remap"
	const hint = `write "default", or take the key out`
	switch {
	case strings.Contains(group, ":") || both && group == "":
		c.fatal(fmt.Sprintf("%q is neither user nor user:group", v.literal), hint, at)
	case host.User != nil && !host.User(user):
		c.fatal(fmt.Sprintf("the host has no user %q", user), hint, at)
	case both && host.Group != nil && !host.Group(group):
		c.fatal(fmt.Sprintf("the host has no group %q", group), hint, at)
	case user != "root" && host.SubIDs != nil && !host.SubIDs(user):
		c.fatal(fmt.Sprintf("%q has no subordinate IDs in /etc/subuid and /etc/subgid", user), hint, at)
	}
}
