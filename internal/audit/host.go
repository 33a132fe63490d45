package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// hostChecks are about the machine.
func hostChecks() []check {
	machine := []facts.Source{facts.FromMachine}
	return []check{
		{
			slug: "host-virtualization", title: "The host has a kernel of its own", area: AreaHost, level: Required, needs: machine,
			fix:  "move to a virtual machine (KVM) or to bare metal: in a container, whoever holds the kernel holds everything",
			asks: func(p *policy.Policy) stance { return stance{asked: p.Host != nil} }, judge: virtualization,
		},
		{
			slug: "host-kernel", title: "The kernel is new enough", area: AreaHost, level: Recommended, needs: machine,
			fix:  "install a newer kernel and reboot",
			asks: func(p *policy.Policy) stance { return stance{asked: p.Host != nil} }, judge: kernel,
		},
		{
			slug: "host-reboot", title: "No reboot is due", area: AreaHost, level: Recommended, needs: machine,
			want: "the newest installed kernel runs, and no package asks for a reboot", fix: "reboot: containers with a restart policy come back",
			judge: reboot,
		},
		{
			slug: "host-lsm", title: "AppArmor or SELinux confines processes", area: AreaHost, level: Recommended, needs: machine,
			want: "AppArmor on, or SELinux enforcing", fix: "boot with apparmor=1 security=apparmor, and install the package apparmor",
			judge: func(v *view) []verdict {
				m := v.Facts.Machine
				return []verdict{either(m.AppArmor || m.SELinux == "enforcing", "", fmt.Sprintf("AppArmor %s, SELinux %s", onOff(m.AppArmor), or(m.SELinux, "off")))}
			},
		},
		{
			slug: "host-apparmor-parser", title: "Docker can load its AppArmor profile", area: AreaHost, level: Required, needs: machine,
			want: "apparmor_parser, where AppArmor is on: without it Docker starts no container", fix: "apt-get install apparmor",
			judge: appArmorParser,
		},
		{
			slug: "host-cgroups", title: "Containers' memory and processes can be bounded", area: AreaHost, level: Recommended, needs: machine,
			want: "control groups version 2 with memory and pids", fix: "boot without systemd.unified_cgroup_hierarchy=0 and cgroup_disable=memory",
			judge: cgroups,
		},
		{
			slug: "host-docker-group", title: "Only trusted users may control Docker", area: AreaHost, level: Recommended, cis: []string{"1.1.2"}, needs: machine,
			fix:   "take the user out (gpasswd -d USER docker), or name it in host { docker_group = [...] }: it can do whatever root can",
			asks:  func(p *policy.Policy) stance { return stance{asked: p.Host != nil} },
			judge: dockerGroup,
		},
		{
			slug: "host-partition", title: "Docker's data is on a file system of its own", area: AreaHost, level: Info, cis: []string{"1.1.1"},
			needs: []facts.Source{facts.FromEngine},
			want:  "images, volumes and logs can't fill the root file system", fix: "mount a file system of its own there, best before Docker is first started",
			judge: func(v *view) []verdict {
				root := v.Facts.Engine.DataRoot
				if root.Unread != "" {
					return []verdict{unknown(root.Path, root.Unread)}
				}
				return []verdict{either(root.Separate, root.Path, "separate file system: "+yesNo(root.Separate))}
			},
		},
		{
			slug: "host-region", title: "The data lies where the policy says", area: AreaHost, level: Required, needs: machine,
			fix:   "move the host to a region of the policy, or name this one in host { regions = [...] }",
			judge: regionOf,
		},
	}
}

func appArmorParser(v *view) []verdict {
	m := v.Facts.Machine
	if !m.AppArmor {
		return []verdict{notApplicable("AppArmor is off: see host-lsm")}
	}
	return []verdict{either(m.AppArmorParser, "", "AppArmor is on, and there is no apparmor_parser")}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// virtualization compares what the host runs on with what the policy allows. A
// container never passes.
func virtualization(v *view) []verdict {
	kind, container := v.Facts.Machine.Virtualization.Kind()
	allowed := v.machine().Virtualization.V
	ok := !container && (v.policy.Host == nil || slices.Contains(allowed, kind))
	one := either(ok, "", or(kind, "a hypervisor that does not give its name"))
	if kind == "" && v.policy.Host != nil {
		one = unknown("", "the hypervisor does not give its name")
	}
	if one.want = "a virtual machine or bare metal"; v.policy.Host != nil {
		one.want = strings.Join(allowed, " or ")
	}
	return []verdict{one}
}

func kernel(v *view) []verdict {
	want := v.machine().Kernel.V
	running := v.Facts.Facts.Kernel
	got := numbers(running)
	one := either(slices.Compare(got, []int{want.Major, want.Minor, want.Patch}) >= 0, "", running)
	if len(got) == 0 {
		one = unknown("", fmt.Sprintf("%q is not the version of a kernel", running))
	}
	one.want = ">= " + want.String()
	return []verdict{one}
}

// numbers returns the numbers that a version starts with: 6, 1 and 0 of
// "6.1.0-21-amd64".
func numbers(version string) []int {
	var all []int
	version, _, _ = strings.Cut(version, "-")
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			break
		}
		all = append(all, n)
	}
	return all
}

// reboot looks for a newer kernel of the same flavour, and for packages that ask.
func reboot(v *view) []verdict {
	boot := v.Facts.Machine.Boot
	running := v.Facts.Facts.Kernel
	newest := running
	version, flavour := release(running)
	for _, k := range boot.Kernels {
		if v, same := release(k); same == flavour && slices.Compare(v, version) > 0 {
			newest, version = k, v
		}
	}
	switch {
	case newest != running:
		return []verdict{fails("/boot/vmlinuz-"+newest, running+" runs, "+newest+" is installed")}
	case boot.Asked:
		return []verdict{fails("/run/reboot-required", "asked for by "+or(strings.Join(boot.Required, ", "), "a package"))}
	}
	return []verdict{passes(running)}
}

// release takes the release of a Debian kernel apart: "6.1.0-21-cloud-amd64" and
// "6.12.41+deb13-cloud-amd64" are numbers and the flavour "cloud-amd64".
func release(text string) (version []int, flavour string) {
	for i, part := range strings.Split(text, "-") {
		words := strings.FieldsFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if i > 0 && (len(words) != 1 || words[0] != part) {
			return version, strings.Join(strings.Split(text, "-")[i:], "-")
		}
		for _, w := range words {
			n, err := strconv.Atoi(w)
			if err != nil {
				return version, ""
			}
			version = append(version, n)
		}
	}
	return version, ""
}

func cgroups(v *view) []verdict {
	m := v.Facts.Machine
	ok := m.CgroupVersion == 2 && slices.Contains(m.Controllers, "memory") && slices.Contains(m.Controllers, "pids")
	return []verdict{either(ok, "/sys/fs/cgroup", fmt.Sprintf("version %d with %s", m.CgroupVersion, or(strings.Join(m.Controllers, " "), "no controllers")))}
}

func dockerGroup(v *view) []verdict {
	trusted := v.machine().DockerGroup.V
	want := "nobody"
	if len(trusted) > 0 {
		want = "only " + strings.Join(trusted, ", ")
	}
	var all []verdict
	for _, user := range v.Facts.Machine.DockerGroup {
		if !slices.Contains(trusted, user) {
			one := fails("/etc/group", user+" may control Docker")
			one.want = want
			all = append(all, one)
		}
	}
	ok := passes(or(strings.Join(v.Facts.Machine.DockerGroup, ", "), "nobody"))
	ok.want = want
	return append(all, ok)
}

func regionOf(v *view) []verdict {
	wanted, cloud := v.machine().Regions.V, v.Facts.Machine.Cloud
	got := strings.Join(slices.DeleteFunc([]string{cloud.Provider, cloud.Region, cloud.Zone}, func(s string) bool { return s == "" }), ", ")
	switch {
	case len(wanted) == 0:
		one := notApplicable("the policy names no regions")
		one.got = got
		return []verdict{one}
	case cloud.Region == "" && cloud.Zone == "":
		return []verdict{unknown("/run/cloud-init/instance-data.json", "the provider does not tell where this host is")}
	}
	one := either(slices.Contains(wanted, cloud.Region) || slices.Contains(wanted, cloud.Zone), "/run/cloud-init/instance-data.json", got)
	one.want = strings.Join(wanted, " or ")
	return []verdict{one}
}
