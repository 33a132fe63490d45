package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Containers is the block containers: what a container must be.
type Containers struct {
	Range               hcl.Range
	NonRoot             Value[bool]
	DropCapabilities    Value[[]string] // "ALL", "NET_RAW"
	AllowedCapabilities Value[[]string] // "CHOWN"
	ReadOnly            Value[bool]
	NoNewPrivileges     Value[bool]
	MemoryLimit         Value[bool]
	PidsLimit           Value[bool]
	Privileged          Value[bool]   // may be
	HostNamespaces      Value[bool]   // may be shared
	SensitiveMounts     Value[bool]   // may be there
	PublishedOn         Value[string] // "loopback", "address" or "any"
	HealthCheck         Value[bool]
	PinnedImage         Value[bool]
	OwnerLabel          Value[string] // "": none is asked for
}

// HostRules is the block host: what the machine must be.
type HostRules struct {
	Range          hcl.Range
	Virtualization Value[[]string] // in systemd's words; "none" for bare metal
	Kernel         Value[KernelVersion]
	Regions        Value[[]string] // none: anywhere
	DockerGroup    Value[[]string] // who may be in the group docker
}

// KernelVersion is the oldest kernel that may run.
type KernelVersion struct{ Major, Minor, Patch int }

// String spells the version as the kernel does: "6.1" or "6.1.5".
func (v KernelVersion) String() string {
	if v.Patch == 0 {
		return fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// Exemption is a block exempt: what an audit accepts for a while.
type Exemption struct {
	Name      Value[string]
	Checks    Value[[]CheckName]
	Container Value[string] // "": any
	Label     Value[string] // "key" or "key=value"; "": any
	Image     Value[string] // "": any
	Reason    Value[string]
	Expires   Value[time.Time] // the last day, at midnight UTC
	Range     hcl.Range
}

// CheckName names a check of the audit.
type CheckName struct {
	Name  string
	Range hcl.Range
}

// containers makes a Containers of its section.
func containers(s *section) *Containers {
	if s == nil {
		return nil
	}
	return &Containers{
		Range:               s.header,
		NonRoot:             get[bool](s, "non_root"),
		DropCapabilities:    get[[]string](s, "drop_capabilities"),
		AllowedCapabilities: get[[]string](s, "allowed_capabilities"),
		ReadOnly:            get[bool](s, "read_only"),
		NoNewPrivileges:     get[bool](s, "no_new_privileges"),
		MemoryLimit:         get[bool](s, "memory_limit"),
		PidsLimit:           get[bool](s, "pids_limit"),
		Privileged:          get[bool](s, "privileged"),
		HostNamespaces:      get[bool](s, "host_namespaces"),
		SensitiveMounts:     get[bool](s, "sensitive_mounts"),
		PublishedOn:         get[string](s, "published_on"),
		HealthCheck:         get[bool](s, "health_check"),
		PinnedImage:         get[bool](s, "pinned_image"),
		OwnerLabel:          get[string](s, "owner_label"),
	}
}

// hostRules makes a HostRules of its section.
func hostRules(s *section) *HostRules {
	if s == nil {
		return nil
	}
	return &HostRules{
		Range:          s.header,
		Virtualization: get[[]string](s, "virtualization"),
		Kernel:         get[KernelVersion](s, "kernel"),
		Regions:        get[[]string](s, "regions"),
		DockerGroup:    get[[]string](s, "docker_group"),
	}
}

// exemptions makes the Exemptions of their sections.
func (d *decoder) exemptions(sections []*section) []*Exemption {
	var all []*Exemption
	for _, s := range sections {
		e := &Exemption{
			Name:      valueOf[string](s.label),
			Checks:    get[[]CheckName](s, "checks"),
			Container: get[string](s, "container"),
			Label:     get[string](s, "label"),
			Image:     get[string](s, "image"),
			Reason:    get[string](s, "reason"),
			Expires:   get[time.Time](s, "expires"),
			Range:     s.header,
		}
		d.known(e.Checks.V)
		all = append(all, e)
	}
	return all
}

// known reports checks that the audit does not have: an exemption from them would
// look like one that holds.
func (d *decoder) known(names []CheckName) {
	for _, n := range names {
		if d.checks == nil || slices.Contains(d.checks, n.Name) {
			continue
		}
		d.diags = append(d.diags, invalid(fault{
			summary: "Unknown check",
			why:     fmt.Sprintf("The audit has no check %q.", n.Name),
			hint:    didYouMean(n.Name, d.checks, "molo audit --json names them all, and so does docs/audit.md"),
		}, n.Range))
	}
}
