package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"molo/internal/facts"
)

// mend makes a container pass one check.
type mend struct {
	slug string
	mend func(*mender)
}

// mends lists how each check of containers is met. Those that loosen nothing but take
// rights away come first: what follows builds on them.
func mends() []mend {
	return slices.Concat([]mend{
		{"container-memory", func(m *mender) {
			if !m.v.Facts.Engine.MemoryLimit {
				m.left("a bound on memory, once its kernel has one to give: see host-cgroups")
				return
			}
			m.want.Memory = 512 << 20
			m.breaks("at more than 512 MiB the kernel ends it: look at docker stats before you choose")
		}},
		{"container-cpu", func(m *mender) { m.want.CPU = true }},
		{"container-pids", func(m *mender) {
			if !m.v.Facts.Engine.PidsLimit {
				m.left("a bound on processes, once its kernel has one to give: see host-cgroups")
				return
			}
			m.want.Pids = 200
			m.breaks("it starts no more than 200 processes and threads: see PIDS in docker stats")
		}},
		{"container-restart", func(m *mender) {
			m.want.Restart, m.want.Retries = "on-failure", 5
			m.breaks("after five failures in a row it stays down")
		}},
		{"container-log-driver", mendLog},
		{"container-image-pinned", mendImage},
		{"container-default-bridge", func(m *mender) { m.ownNetwork() }},
		{"container-health-check", func(m *mender) {
			m.left("a health check, which only those who know the program can write: --health-cmd, or healthcheck in the compose file")
		}},
		{"container-owner", func(m *mender) {
			m.left("the label of its owner: --label " + m.v.containers().OwnerLabel.V + "=NAME")
		}},
		{"container-sshd", func(m *mender) { m.left("an image that starts no SSH daemon") }},
	}, rightsMends(), sharingMends())
}

// rightsMends are about what its processes may do.
func rightsMends() []mend {
	return []mend{
		{"container-privileged", func(m *mender) {
			m.want.Privileged, m.want.Process.Seccomp = false, 2
			m.want.AppArmorProfile, m.want.ProcessLabel = "docker-default", "container_t"
			m.breaks("whatever it does with the host's devices, kernel and mounts; add the one capability or device that it needs")
		}},
		{"container-user", mendUser},
		{"container-capabilities-dropped", mendDropped},
		{"container-capabilities-added", mendAdded},
		{"container-no-new-privileges", func(m *mender) {
			m.option("no-new-privileges", "no-new-privileges")
			m.breaks("setuid programs in it, such as sudo or su, give no rights any more")
		}},
		{"container-read-only", mendReadOnly},
		{"container-seccomp", func(m *mender) {
			m.option("seccomp", "")
			m.breaks("system calls that Docker's own profile refuses, such as mount or bpf")
		}},
		{"container-apparmor", func(m *mender) {
			m.option("apparmor", "")
			m.want.AppArmorProfile = "docker-default"
			m.breaks("what the profile docker-default refuses, such as mounts and writes below /proc and /sys")
		}},
		{"container-selinux", func(m *mender) {
			m.option("label", "")
			m.breaks("access to bind mounts without a label of containers: see :z and :Z of --volume")
		}},
		{"container-system-paths", func(m *mender) {
			m.want.Unmasked = false
			m.breaks("reading and writing the kernel's settings below /proc and /sys")
		}},
	}
}

// sharingMends are about what it shares with the host.
func sharingMends() []mend {
	return []mend{
		{"container-devices", func(m *mender) {
			m.want.Devices = nil
			m.breaks("work with " + enumerate(m.have.Devices))
		}},
		{"container-cgroup-parent", func(m *mender) {
			m.want.CgroupParent = ""
			m.breaks("the bounds of the group " + m.have.CgroupParent)
		}},
		{"container-mounts", func(m *mender) {
			m.takeOut(func(one facts.ContainerDetail) bool { return sensitiveMounts(m.v, one).status == Fail })
		}},
		{"container-runtime-socket", func(m *mender) {
			m.takeOut(func(one facts.ContainerDetail) bool { return runtimeSockets(m.v, one).status == Fail })
		}},
		{"container-propagation", func(m *mender) {
			for _, one := range m.have.Mounts {
				if shared := one.Propagation == "shared" || one.Propagation == "rshared"; shared && !slices.Contains(m.want.noMounts, one.Destination) {
					m.want.plain = append(m.want.plain, one.Destination)
					m.breaks("what it mounts below " + one.Destination + " no longer shows on the host")
				}
			}
		}},
		{"container-privileged-ports", mendLowPorts},
		{"container-published-address", func(m *mender) {
			for i := range m.want.Published {
				m.want.Published[i].Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			}
			m.want.Published = distinct(m.want.Published)
			m.breaks("its ports answer on this host only: put a site of molo's before them")
		}},
		{"container-host-network", func(m *mender) {
			m.ownNetwork()
			m.breaks("ports that it opens are no longer the host's, and localhost is its own")
			m.left("its ports: --publish 127.0.0.1:PORT:PORT for each that others need")
		}},
		{"container-host-pid", func(m *mender) { m.want.PidMode = ""; m.breaks("it no longer sees the host's processes") }},
		{"container-host-ipc", func(m *mender) {
			m.want.IpcMode = "private"
			m.breaks("it no longer shares memory with processes of the host")
		}},
		{"container-host-uts", func(m *mender) { m.want.UTSMode = ""; m.breaks("its name is no longer the host's") }},
		{"container-host-userns", func(m *mender) {
			m.want.UsernsMode = ""
			m.breaks("its root is no longer the host's: files in its mounts that belong to root are others' now")
		}},
		{"container-host-cgroup", func(m *mender) { m.want.CgroupnsMode, m.want.cgroupOwn = "private", true }},
	}
}

// ownNetwork gives it a network whose ports are published on loopback.
func (m *mender) ownNetwork() {
	if m.want.Network == m.have.Name {
		return
	}
	m.want.Network = m.have.Name
	m.hint.Before = append(m.hint.Before, "docker network create --opt "+bindingOption+"=127.0.0.1 "+m.have.Name)
	m.breaks("containers that reach it by its address on the old network: put them into the new one, where its name works")
}

// mendLog sends its log where the daemon's goes, within bounds.
func mendLog(m *mender) {
	m.want.LogDriver, m.want.LogOpts = or(m.v.docker().Effective.LogDriver, "local"), nil
	if m.want.LogDriver == "json-file" {
		m.want.LogOpts = map[string]string{"max-size": "10m", "max-file": "5"}
	}
}

// mendImage names its image by the digest under which a registry has it, or by its
// ID where none has.
func mendImage(m *mender) {
	m.want.Image = m.have.ImageID
	if len(m.use.Digests) > 0 {
		m.want.Image = m.use.Digests[0]
	}
	m.breaks("it no longer follows the tag: name the new digest to update it")
}

// mendUser picks the user that its process has become by itself, or one without a name.
func mendUser(m *mender) {
	uid := 1000
	if m.have.Process.PID > 0 && m.have.Process.UID > 0 {
		uid = m.have.Process.UID
	}
	m.want.User, m.want.Process.UID = fmt.Sprintf("%d:%d", uid, uid), uid
	for _, one := range m.have.Mounts {
		if one.Writable && one.Type != "tmpfs" {
			m.breaks(fmt.Sprintf("writing to %s, unless its files belong to %s: chown them first", one.Destination, m.want.User))
		}
	}
	m.breaks("files and directories of the image that only root may read or write")
	m.lowPorts()
}

// lowPorts keeps a user other than root listening on ports below 1024. Since 20.10
// Docker lets everybody do so in network namespaces of a container's own.
func (m *mender) lowPorts() {
	for _, p := range m.have.Published {
		switch start := m.use.PortStart; {
		case p.Container >= 1024 || m.want.anyPort:
		case start == nil:
			m.breaks(fmt.Sprintf("listening on port %d, unless net.ipv4.ip_unprivileged_port_start in it allows that, which could not be read", p.Container))
		case int(p.Container) < *start:
			m.want.anyPort = true
		}
	}
}

// mendDropped drops what the policy asks for.
func mendDropped(m *mender) {
	before := capabilities(m.have.CapDrop)
	for _, name := range m.v.containers().DropCapabilities.V {
		if !slices.Contains(before, name) {
			m.want.CapDrop = append(m.want.CapDrop, name)
		}
	}
	held := m.use.Capabilities
	switch {
	case held == nil:
		m.breaks("work that needs a capability: which ones its process holds could not be read")
	case len(held) == 0:
	case m.have.Process.UID == 0 && !isRoot(m.want.User):
		m.breaks("as another user its main process holds none of " + enumerate(held))
	default:
		m.breaks("add back with --cap-add what it turns out to need of " + enumerate(held))
	}
}

// mendAdded takes out what the policy does not allow.
func mendAdded(m *mender) {
	allowed := usual()
	if m.v.policy.Containers != nil {
		allowed = m.v.policy.Containers.AllowedCapabilities.V
	}
	m.want.CapAdd = slices.DeleteFunc(m.want.CapAdd, func(n string) bool { return !slices.Contains(allowed, capabilities([]string{n})[0]) })
	m.breaks("work that needs " + enumerate(capabilities(minus(m.have.CapAdd, m.want.CapAdd))))
}

// option takes a security option out, and puts another in.
func (m *mender) option(name, instead string) {
	m.want.SecurityOpt = slices.DeleteFunc(m.want.SecurityOpt, func(o string) bool { return securityOpt([]string{o}, name) != "" })
	if instead != "" {
		m.want.SecurityOpt = append(m.want.SecurityOpt, instead)
	}
}

// takeOut takes mounts out that are wrong each by itself.
func (m *mender) takeOut(wrong func(facts.ContainerDetail) bool) {
	for _, one := range m.have.Mounts {
		alone := facts.ContainerDetail{Mounts: []facts.Mount{one}}
		if wrong(alone) && !slices.Contains(m.want.noMounts, one.Destination) {
			m.want.noMounts = append(m.want.noMounts, one.Destination)
			m.breaks("what it does with " + or(one.Source, one.Volume) + " at " + one.Destination)
		}
	}
}

// mendLowPorts publishes ports from 8000 up instead.
func mendLowPorts(m *mender) {
	taken := map[uint16]bool{}
	for _, c := range m.v.Facts.Engine.Containers {
		for _, p := range c.Published {
			taken[p.Port] = true
		}
	}
	moved := map[uint16]uint16{}
	for i, p := range m.want.Published {
		if p.Port >= 1024 {
			continue
		}
		if moved[p.Port] == 0 {
			to := p.Port + 8000
			for taken[to] {
				to += 1000
			}
			moved[p.Port], taken[to] = to, true
			m.breaks(fmt.Sprintf("clients of port %d find it at %d, or behind nginx on the host", p.Port, to))
		}
		m.want.Published[i].Port = moved[p.Port]
	}
}

// mendReadOnly keeps what it was seen to write working.
func mendReadOnly(m *mender) {
	m.want.ReadOnly = true
	if m.use.ChangesUnread != "" {
		m.breaks("writes that could not be looked at: " + m.use.ChangesUnread)
	}
	w := writes(m.use.Changes, m.have.Mounts)
	for _, file := range w.lost {
		m.breaks("writing " + file + ", for which no mount helps")
	}
	m.want.tmpfs, m.want.volumes = w.tmpfs, w.volumes
	for _, dir := range w.tmpfs {
		m.breaks(dir + " becomes empty at each start, and is kept in memory")
	}
	for _, dir := range w.volumes {
		m.breaks(dir + " becomes a volume, filled from the image once: it does not follow a new image" + m.owned())
	}
	m.breaks("writes that it has not done yet: docker diff shows only those so far")
}

// owned says what another user means for directories of the image.
func (m *mender) owned() string {
	if strings.TrimSpace(m.want.User) == m.have.User {
		return ""
	}
	return ", and " + m.want.User + " writes there only if the image lets it"
}

// distinct leaves out ports that are the same by now: one for each family of addresses.
func distinct(all []facts.Publish) []facts.Publish {
	var out []facts.Publish
	for _, p := range all {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}
