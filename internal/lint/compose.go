package lint

import (
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"molo/internal/audit"
	"molo/internal/facts"
	"molo/internal/policy"
)

// ComposeFile is one compose file, read.
type ComposeFile struct {
	Project *types.Project
	Sources []Source // it and the files whose services it extends; later ones say more
}

// Source is the text of a file.
type Source struct {
	Name string
	Data []byte
}

// Compose judges the services of a compose file, by their profiles or not.
func Compose(p *policy.Policy, file ComposeFile, now time.Time) []Finding {
	places := placesOf(file.Sources)
	var all []Finding
	for _, services := range []types.Services{file.Project.Services, file.Project.DisabledServices} {
		for name, s := range services {
			all = append(all, judge(p, file.Project, name, s, places, now)...)
		}
	}
	slices.SortFunc(all, func(a, b Finding) int { return strings.Compare(a.Rule+a.Text, b.Rule+b.Text) })
	return sorted(all)
}

// judge judges one service.
func judge(p *policy.Policy, project *types.Project, name string, s types.ServiceConfig, places places, now time.Time) []Finding {
	c := planned(name, s)
	if p != nil && p.Docker != nil && p.Docker.NoNewPrivileges.V && !slices.ContainsFunc(c.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "no-new-privileges") }) {
		c.SecurityOpt = append(c.SecurityOpt, "no-new-privileges") // the daemon gives it to new containers
	}
	var all []Finding
	for _, f := range audit.Planned(p, c, volumes(project), now) {
		r := ruleOf(f.Slug)
		one := Finding{Rule: f.Slug, Level: f.Level, Text: "service " + name + ": " + f.Got, Fix: r.fix}
		switch {
		case f.Slug == "container-user" && s.User == "":
			one.Text = "service " + name + " names no user: it runs as root unless its image says otherwise"
			one.Level = advice(f.Level)
		case f.Slug == "container-health-check" && s.HealthCheck == nil:
			one.Text = "service " + name + " has no health check, unless its image brings one"
			one.Level = advice(f.Level)
		case f.Slug == "container-image-pinned" && s.Build != nil:
			continue // it is built here
		case f.Slug == "container-no-new-privileges" && len(s.SecurityOpt) == 0:
			one.Text = "service " + name + ": not set, unless the daemon sets it"
		}
		one.Text = audit.Printable(one.Text)
		one.File, one.Line = places.of(name, r.keys)
		all = append(all, one)
	}
	return all
}

// advice is the level of what a file alone does not decide.
func advice(level audit.Level) audit.Level {
	if level == audit.Required {
		return audit.Recommended
	}
	return level
}

// planned is the container that a service stands for. What the image decides is as
// Docker has it without one.
func planned(name string, s types.ServiceConfig) facts.ContainerDetail {
	c := facts.ContainerDetail{
		Name: name, Image: s.Image, Labels: s.Labels, Published: ports(s.Ports),
		User: s.User, Privileged: s.Privileged, CapAdd: s.CapAdd, CapDrop: s.CapDrop, SecurityOpt: slices.Clone(s.SecurityOpt),
		ReadOnly: s.ReadOnly, Memory: int64(s.MemLimit), CPU: s.CPUS > 0 || s.CPUQuota > 0 || s.CPUShares > 0, Pids: s.PidsLimit,
		Network: s.NetworkMode, PidMode: s.Pid, IpcMode: s.Ipc, UTSMode: s.Uts, UsernsMode: s.UserNSMode, CgroupnsMode: s.Cgroup, CgroupParent: s.CgroupParent,
		Mounts: mounts(s), HealthCheck: s.HealthCheck != nil && !s.HealthCheck.Disable && !slices.Equal(s.HealthCheck.Test, []string{"NONE"}),
	}
	if s.ContainerName != "" {
		c.Name = s.ContainerName
	}
	if strings.HasPrefix(s.Image, "sha256:") {
		c.ImageID = s.Image
	}
	confine(&c)
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		limits := s.Deploy.Resources.Limits
		c.Memory, c.Pids = max(c.Memory, int64(limits.MemoryBytes)), max(c.Pids, limits.Pids)
		c.CPU = c.CPU || limits.NanoCPUs > 0
	}
	c.Devices = devices(s)
	policy, tries, _ := strings.Cut(s.Restart, ":")
	c.Restart = policy
	c.Retries, _ = strconv.Atoi(tries) // none: without end
	if s.Logging != nil {
		c.LogDriver, c.LogOpts = s.Logging.Driver, s.Logging.Options
	}
	return c
}

// confine sets what follows from security options.
func confine(c *facts.ContainerDetail) {
	c.AppArmorProfile = "docker-default"
	c.SecurityOpt = slices.DeleteFunc(c.SecurityOpt, func(o string) bool {
		name, value, _ := strings.Cut(strings.Replace(o, ":", "=", 1), "=")
		switch {
		case name == "apparmor":
			c.AppArmorProfile = value
		case name == "systempaths" && value == "unconfined":
			c.Unmasked = !c.Privileged
			return true
		}
		return false
	})
}

func devices(s types.ServiceConfig) []string {
	var all []string
	for _, d := range s.Devices {
		all = append(all, d.Source)
	}
	for _, rule := range s.DeviceCgroupRules {
		all = append(all, "rule "+rule)
	}
	if len(s.Gpus) > 0 || s.Deploy != nil && s.Deploy.Resources.Reservations != nil && len(s.Deploy.Resources.Reservations.Devices) > 0 {
		all = append(all, "a request for devices")
	}
	return all
}

// ephemeral stands for a port that the kernel chooses.
const ephemeral = 32768

// ports are those that are published. Without an address it is every one: what the
// daemon makes of that is the host's matter.
func ports(all []types.ServicePortConfig) []facts.Publish {
	var out []facts.Publish
	for _, p := range all {
		first, _, _ := strings.Cut(p.Published, "-")
		port, err := strconv.ParseUint(first, 10, 16)
		if err != nil || port == 0 {
			port = ephemeral
		}
		address, err := netip.ParseAddr(p.HostIP)
		if err != nil {
			address = netip.IPv4Unspecified()
		}
		out = append(out, facts.Publish{Address: address, Port: uint16(port), Container: uint16(min(p.Target, 65535)), Protocol: p.Protocol})
	}
	return out
}

// mounts are those of the host, and volumes. A relative path is the project's own.
func mounts(s types.ServiceConfig) []facts.Mount {
	var all []facts.Mount
	if s.UseAPISocket {
		all = append(all, facts.Mount{Type: "bind", Source: "/var/run/docker.sock", Destination: "/var/run/docker.sock", Writable: true})
	}
	for _, v := range s.Volumes {
		m := facts.Mount{Type: v.Type, Source: v.Source, Destination: v.Target, Writable: !v.ReadOnly}
		switch {
		case v.Type == "bind" && !path.IsAbs(v.Source):
			continue
		case v.Type == "volume":
			m.Volume, m.Source = v.Source, ""
		case v.Bind != nil:
			m.Propagation = v.Bind.Propagation
		}
		all = append(all, m)
	}
	return all
}

// volumes are those that stand for a directory of the host.
func volumes(project *types.Project) []facts.Volume {
	var all []facts.Volume
	for name, v := range project.Volumes {
		if device := v.DriverOpts["device"]; device != "" {
			all = append(all, facts.Volume{Name: name, Device: device})
		}
	}
	return all
}
