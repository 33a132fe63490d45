package audit

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
)

// plainWord is what no shell takes for anything but itself.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quoted spells a word so that a shell takes it as it is.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// add and leaveOut note a flag of docker run. What a terminal would obey is not shown:
// it could not be copied from there either.
func (m *mender) add(name, value string)      { m.hint.Add = m.flag(m.hint.Add, name, value) }
func (m *mender) leaveOut(name, value string) { m.hint.LeaveOut = m.flag(m.hint.LeaveOut, name, value) }

func (m *mender) flag(all []string, name, value string) []string {
	switch {
	case !plain(value):
		m.left(name + " " + value)
		return all
	case len(value) > maxText:
		m.left(name + " " + printable(value))
		return all
	case value == "":
		return append(all, name)
	}
	return append(all, name+" "+quoted(value))
}

// flags are those of docker run that make of the container the wanted one.
func (m *mender) flags() {
	have, want := m.have, m.want
	if have.Privileged && !want.Privileged {
		m.leaveOut("--privileged", "")
	}
	if want.User != have.User {
		m.replace("--user", have.User, want.User)
	}
	m.lists("--cap-drop", have.CapDrop, want.CapDrop)
	m.lists("--cap-add", have.CapAdd, want.CapAdd)
	m.lists("--security-opt", have.SecurityOpt, want.SecurityOpt)
	if have.Unmasked && !want.Unmasked {
		m.leaveOut("--security-opt", "systempaths=unconfined")
	}
	if want.ReadOnly && !have.ReadOnly {
		m.add("--read-only", "")
	}
	for _, dir := range want.tmpfs {
		m.add("--tmpfs", dir+":"+tmpfsOptions)
	}
	for _, dir := range want.volumes {
		m.add("--volume", dir)
	}
	if want.anyPort {
		m.add("--sysctl", anyPortSysctl+"=0")
	}
	m.bounds()
	m.sharing()
	if want.Image != have.Image {
		m.hint.Image = want.Image
	}
}

// tmpfsOptions let any user write: the directory gets the mode that it has in the
// image otherwise (runc), and belongs to root.
const tmpfsOptions = "mode=1777,size=64m"

// fairShare is half of what Docker gives: it counts only while processors are short,
// and takes nothing from a container that has them to itself.
const fairShare = "512"

const anyPortSysctl = "net.ipv4.ip_unprivileged_port_start"

// bounds are the flags of what it may use up, and how it is looked after.
func (m *mender) bounds() {
	have, want := m.have, m.want
	if want.Memory != have.Memory {
		m.add("--memory", strconv.FormatInt(want.Memory>>20, 10)+"m")
	}
	if want.CPU && !have.CPU {
		m.add("--cpu-shares", fairShare)
	}
	if want.Pids != have.Pids {
		m.add("--pids-limit", strconv.FormatInt(want.Pids, 10))
	}
	if m.restarts() {
		m.replace("--restart", restartPolicy(have), restartPolicy(want.ContainerDetail))
	}
	if !m.logs() {
		return
	}
	m.replace("--log-driver", have.LogDriver, want.LogDriver)
	for key := range have.LogOpts { // values can hold a token
		m.hint.LeaveOut = append(m.hint.LeaveOut, "--log-opt "+quoted(printable(key))+"=…")
	}
	slices.Sort(m.hint.LeaveOut)
	for _, key := range sortedKeys(want.LogOpts) {
		m.add("--log-opt", key+"="+want.LogOpts[key])
	}
}

func (m *mender) restarts() bool {
	return m.want.Restart != m.have.Restart || m.want.Retries != m.have.Retries
}

func (m *mender) logs() bool {
	return m.want.LogDriver != m.have.LogDriver || len(m.want.LogOpts) != len(m.have.LogOpts)
}

func restartPolicy(c facts.ContainerDetail) string {
	if c.Restart == "on-failure" && c.Retries > 0 {
		return fmt.Sprintf("on-failure:%d", c.Retries)
	}
	return c.Restart
}

// sharing are the flags of what it has of the host, and shows on it.
func (m *mender) sharing() {
	have, want := m.have, m.want
	for _, one := range []struct{ flag, have, want string }{
		{"--network", have.Network, want.Network}, {"--pid", have.PidMode, want.PidMode}, {"--ipc", have.IpcMode, want.IpcMode},
		{"--uts", have.UTSMode, want.UTSMode}, {"--userns", have.UsernsMode, want.UsernsMode},
		{"--cgroupns", have.CgroupnsMode, want.CgroupnsMode}, {"--cgroup-parent", have.CgroupParent, want.CgroupParent},
	} {
		if one.have != one.want {
			m.replace(one.flag, one.have, one.want)
		}
	}
	for _, device := range minus(have.Devices, want.Devices) {
		m.leaveOut("--device", device)
	}
	for _, destination := range want.noMounts {
		m.leaveOut("--volume", source(have.Mounts, destination)+":"+destination)
	}
	for _, destination := range want.plain {
		m.left("the option shared or rshared of its mount at " + destination + ": take it out")
	}
	if !slices.Equal(have.Published, want.Published) {
		for _, p := range have.Published {
			m.leaveOut("--publish", publish(p))
		}
		for _, p := range want.Published {
			m.add("--publish", publish(p))
		}
	}
}

// replace takes a flag out and puts it back with another value.
func (m *mender) replace(flag, have, want string) {
	if usualMode := have == "" || have == "default" || flag == "--network" && have == "bridge" || flag == "--ipc" && have == "private"; !usualMode {
		m.leaveOut(flag, have)
	}
	if want != "" {
		m.add(flag, want)
	}
}

// lists takes out what is no longer wanted in a list, and adds what is new.
func (m *mender) lists(flag string, have, want []string) {
	for _, one := range minus(have, want) {
		m.leaveOut(flag, one)
	}
	for _, one := range minus(want, have) {
		m.add(flag, one)
	}
}

// source is what is mounted at a place.
func source(mounts []facts.Mount, destination string) string {
	for _, one := range mounts {
		if one.Destination == destination {
			return map[bool]string{true: one.Volume, false: one.Source}[one.Type == "volume"]
		}
	}
	return ""
}

// publish spells a port as --publish and compose files do.
func publish(p facts.Publish) string {
	address := ""
	switch {
	case !p.Address.IsValid() || p.Address == netip.IPv4Unspecified():
	case p.Address.Is6():
		address = "[" + p.Address.String() + "]:"
	default:
		address = p.Address.String() + ":"
	}
	text := fmt.Sprintf("%s%d:%d", address, p.Port, p.Container)
	if p.Protocol != "tcp" && p.Protocol != "" {
		text += "/" + p.Protocol
	}
	return text
}
