package audit

import (
	"fmt"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// namespaceChecks are about what containers share with the host, and where they
// are published.
func namespaceChecks() []check {
	all := []check{
		{
			slug: "container-published-address", title: "Containers publish ports on an address of their own choosing", level: Recommended, cis: []string{"5.14"},
			fix:   "publish with -p 127.0.0.1:PORT:PORT, behind a site of molo's",
			asks:  onContainers(func(*policy.Containers) stance { return stance{asked: true} }),
			judge: eachContainer(published),
		},
		{
			slug: "container-privileged-ports", title: "Containers publish no ports below 1024", level: Info, cis: []string{"5.8"},
			want: "ports from 1024 up", fix: "publish another port, and let nginx on the host serve 80 and 443",
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict {
				for _, p := range c.Published {
					if p.Port < 1024 {
						return fails("", fmt.Sprintf("publishes %d/%s", p.Port, p.Protocol))
					}
				}
				return passes("none")
			}),
		},
	}
	for _, n := range namespaces() {
		all = append(all, check{
			slug: n.slug, title: "No container shares the host's " + n.what, level: n.level, cis: n.cis, want: "without " + n.option, fix: "start it without " + n.option,
			asks: onContainers(func(c *policy.Containers) stance { return says(c.HostNamespaces, false) }),
			judge: eachContainer(func(v *view, c facts.ContainerDetail) verdict {
				if n.applies != nil && !n.applies(v) {
					return notApplicable(n.otherwise)
				}
				return either(n.mode(c) != "host", "", n.option)
			}),
		})
	}
	return inArea(all, AreaContainers, facts.FromEngine)
}

// namespace is one that a container can share with the host.
type namespace struct {
	slug, what, option string
	level              Level
	cis                []string
	mode               func(facts.ContainerDetail) string
	applies            func(*view) bool // nil: always
	otherwise          string           // why it does not
}

func namespaces() []namespace {
	return []namespace{
		{slug: "container-host-network", what: "network", option: "--network host", level: Required, cis: []string{"5.10"}, mode: func(c facts.ContainerDetail) string { return c.Network }},
		{slug: "container-host-pid", what: "processes", option: "--pid host", level: Required, cis: []string{"5.16"}, mode: func(c facts.ContainerDetail) string { return c.PidMode }},
		{slug: "container-host-ipc", what: "IPC", option: "--ipc host", level: Required, cis: []string{"5.17"}, mode: func(c facts.ContainerDetail) string { return c.IpcMode }},
		{slug: "container-host-uts", what: "name", option: "--uts host", level: Required, cis: []string{"5.21"}, mode: func(c facts.ContainerDetail) string { return c.UTSMode }},
		{
			slug: "container-host-userns", what: "users", option: "--userns host", level: Required, cis: []string{"5.31"}, mode: func(c facts.ContainerDetail) string { return c.UsernsMode },
			applies: func(v *view) bool { e := v.docker().Effective; return e.UsernsRemap != nil && *e.UsernsRemap }, otherwise: "users are not remapped: see daemon-userns",
		},
		{
			slug: "container-host-cgroup", what: "control groups", option: "--cgroupns host", level: Recommended, mode: func(c facts.ContainerDetail) string { return c.CgroupnsMode },
			// On version 1 it is the default, and separate ones hide little.
			applies: func(v *view) bool { return v.Facts.Machine.CgroupVersion == 2 }, otherwise: "control groups are those of version 1",
		},
	}
}

// How far a published port is open, by the address that it is bound to.
const (
	onLoopback = iota
	onAddress
	onAny
)

// published judges by the policy, without a block containers as the benchmark does:
// any one address will do.
func published(v *view, c facts.ContainerDetail) verdict {
	widest, where := onLoopback, ""
	for _, p := range c.Published {
		reach := onAddress
		switch {
		case !p.Address.IsValid() || p.Address.IsUnspecified():
			reach = onAny
		case p.Address.IsLoopback():
			reach = onLoopback
		}
		if reach > widest || where == "" {
			widest, where = reach, fmt.Sprintf("publishes %s:%d", strings.Replace(p.Address.String(), "invalid IP", "0.0.0.0", 1), p.Port)
		}
	}
	allowed, want := onAddress, "a certain address"
	block := v.policy.Containers
	if block != nil {
		allowed = map[string]int{"loopback": onLoopback, "address": onAddress, "any": onAny}[block.PublishedOn.V]
		want = map[int]string{onLoopback: "loopback", onAddress: "a certain address", onAny: "any address"}[allowed]
	}
	one := passes(where)
	switch {
	case widest > allowed:
		one = fails("", where)
	case widest > onLoopback && block != nil:
		one = lets(block.PublishedOn, where)
	}
	one.want = want
	return one
}
