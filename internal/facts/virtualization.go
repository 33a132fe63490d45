package facts

import (
	"slices"
	"strings"
)

// Kind says what the host runs on, in the words of systemd-detect-virt(1), "none" for
// bare metal and "" where a hypervisor does not give its name; and whether it is a
// container. Signs of a container come first: one can stand inside a virtual machine,
// and then it is the container whose kernel is shared.
func (v Virtualization) Kind() (kind string, container bool) {
	switch {
	case v.OpenVZ, v.UserBeans && v.Container == "":
		return "openvz", true
	case v.Container != "":
		return containerKind(v.Container), true
	case slices.Contains(containerKinds(), v.Systemd):
		return v.Systemd, true
	case v.Systemd != "":
		return v.Systemd, false
	case v.HypervisorAs != "":
		return v.HypervisorAs, false
	}
	return v.machine(), false
}

// containerKinds lists what systemd 257 calls containers.
func containerKinds() []string {
	return []string{"lxc", "lxc-libvirt", "openvz", "docker", "podman", "systemd-nspawn", "rkt", "wsl", "proot", "pouch", "container-other"}
}

// containerKind reads what a container's manager says of itself.
func containerKind(said string) string {
	if slices.Contains(containerKinds(), said) {
		return said
	}
	return "container-other"
}

// machine goes by the firmware, which hypervisors fill in, and by the processor.
func (v Virtualization) machine() string {
	for _, vendor := range []struct{ text, kind string }{
		{"KVM", "kvm"}, {"OpenStack", "kvm"}, {"Amazon EC2", "amazon"}, {"Google", "google"}, {"VMware", "vmware"},
		{"innotek GmbH", "oracle"}, {"Xen", "xen"}, {"Parallels", "parallels"}, {"BHYVE", "bhyve"}, {"Hyper-V", "microsoft"},
		{"Microsoft Corporation", "microsoft"}, {"Apple Virtualization", "apple"},
	} {
		if v.Hypervisor && (strings.Contains(v.SystemVendor, vendor.text) || strings.Contains(v.SystemProduct, vendor.text)) {
			return vendor.kind
		}
	}
	if v.Hypervisor {
		return ""
	}
	return "none"
}
