package audit

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// override spells what differs as a compose file that is put over its own. A list
// replaces the one below it: those of compose files are added up otherwise.
func (m *mender) override() string {
	var s service
	m.overrideRights(&s)
	m.overrideBounds(&s)
	m.overrideSharing(&s)
	if len(s.node.Content) == 0 {
		return ""
	}
	s.node.Kind = yaml.MappingNode
	var out strings.Builder
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := encoder.Encode(mapping("services", mapping(m.service(), &s.node)))
	if err == nil {
		err = encoder.Close()
	}
	if err != nil { // every node is a scalar, a list or a mapping of plain texts
		return ""
	}
	return out.String()
}

// service collects the attributes of a service.
type service struct{ node yaml.Node }

func (s *service) set(key string, value *yaml.Node) {
	s.node.Content = append(s.node.Content, scalar(key, "!!str"), value)
}

func (s *service) text(key, value string) { s.set(key, scalar(value, "!!str")) }
func (s *service) truth(key string, value bool) {
	s.set(key, scalar(strconv.FormatBool(value), "!!bool"))
}
func (s *service) number(key, value string) { s.set(key, scalar(value, "!!int")) }

// drop takes an attribute of the file below out.
func (s *service) drop(key string) { s.set(key, scalar("null", "!reset")) }

// replace puts a list in the place of the one below. "$" would begin a variable.
func (s *service) replace(key string, values []string) { s.set(key, sequence("!override", values)) }

// join adds to the list below.
func (s *service) join(key string, values []string) {
	if len(values) > 0 {
		s.set(key, sequence("!!seq", values))
	}
}

// scalar makes a text, in which "$" stands for itself. One with a colon is quoted:
// YAML 1.1 takes 33:33 for a number of minutes.
func scalar(value, tag string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: strings.ReplaceAll(value, "$", "$$")}
	if tag == "!!str" && strings.Contains(value, ":") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func sequence(tag string, values []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: tag}
	if len(values) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, v := range values {
		n.Content = append(n.Content, scalar(v, "!!str"))
	}
	return n
}

func mapping(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value}}
}

func (m *mender) overrideRights(s *service) {
	have, want := m.have, m.want
	if want.Image != have.Image {
		s.text("image", want.Image)
	}
	if have.Privileged != want.Privileged {
		s.truth("privileged", want.Privileged)
	}
	if have.User != want.User {
		s.text("user", want.User)
	}
	s.join("cap_drop", minus(want.CapDrop, have.CapDrop))
	if len(minus(have.CapAdd, want.CapAdd)) > 0 {
		s.replace("cap_add", want.CapAdd)
	}
	m.overrideOptions(s)
	if want.ReadOnly && !have.ReadOnly {
		s.truth("read_only", true)
	}
	var tmpfs []string
	for _, dir := range want.tmpfs {
		tmpfs = append(tmpfs, dir+":"+tmpfsOptions)
	}
	s.join("tmpfs", tmpfs)
	s.join("volumes", want.volumes)
	if want.anyPort {
		s.set("sysctls", mapping(anyPortSysctl, scalar("0", "!!str")))
	}
}

// overrideOptions replaces security options where one of them has to go. A profile
// of seccomp is kept in its file: the Engine API tells its text, not its name.
func (m *mender) overrideOptions(s *service) {
	have, want := m.have.SecurityOpt, m.want.SecurityOpt
	if m.have.Unmasked == m.want.Unmasked && len(minus(have, want)) == 0 {
		s.join("security_opt", minus(want, have))
		return
	}
	kept := slices.DeleteFunc(slices.Clone(want), func(o string) bool { return !plain(o) || strings.Contains(o, "{") })
	if len(kept) < len(want) {
		m.left("its own profile of seccomp: name its file in security_opt again")
	}
	s.replace("security_opt", kept)
}

func (m *mender) overrideBounds(s *service) {
	have, want := m.have, m.want
	if want.Memory != have.Memory {
		s.text("mem_limit", strconv.FormatInt(want.Memory>>20, 10)+"m")
	}
	if want.CPU && !have.CPU {
		s.number("cpu_shares", fairShare)
	}
	if want.Pids != have.Pids {
		s.number("pids_limit", strconv.FormatInt(want.Pids, 10))
	}
	if m.restarts() {
		s.text("restart", restartPolicy(want.ContainerDetail))
	}
	if !m.logs() {
		return
	}
	logging := mapping("driver", scalar(want.LogDriver, "!!str"))
	logging.Tag = "!override"
	if len(want.LogOpts) > 0 {
		options := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range sortedKeys(want.LogOpts) {
			options.Content = append(options.Content, scalar(key, "!!str"), scalar(want.LogOpts[key], "!!str"))
		}
		logging.Content = append(logging.Content, scalar("options", "!!str"), options)
	}
	s.set("logging", logging)
}

func (m *mender) overrideSharing(s *service) {
	have, want := m.have, m.want
	for _, one := range []struct{ key, have, want string }{
		{"pid", have.PidMode, want.PidMode}, {"ipc", have.IpcMode, want.IpcMode}, {"uts", have.UTSMode, want.UTSMode},
		{"userns_mode", have.UsernsMode, want.UsernsMode}, {"cgroup", have.CgroupnsMode, want.CgroupnsMode},
		{"cgroup_parent", have.CgroupParent, want.CgroupParent},
	} {
		switch {
		case one.have == one.want:
		case one.want == "":
			s.drop(one.key)
		default:
			s.text(one.key, one.want)
		}
	}
	if have.Network != want.Network {
		s.drop("network_mode") // a project has a network of its own
	}
	if len(have.Devices) > len(want.Devices) {
		s.replace("devices", want.Devices)
		s.drop("device_cgroup_rules")
		s.drop("gpus")
	}
	if !slices.Equal(have.Published, want.Published) {
		var ports []string
		for _, p := range want.Published {
			ports = append(ports, publish(p))
		}
		s.replace("ports", ports)
	}
	for _, destination := range want.noMounts {
		m.left(fmt.Sprintf("in the compose file, its entry of volumes for %s: an override can't take out one of them", destination))
	}
}

func sortedKeys(all map[string]string) []string { return slices.Sorted(maps.Keys(all)) }
