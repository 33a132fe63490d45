package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// exemptName reads the label of a block exempt.
func exemptName(s string) (string, *fault) {
	name, f := publishName(s)
	if f != nil {
		f.hint = `name what it is about, such as exempt "backup"`
	}
	return name, f
}

// checkName reads one item of checks.
func checkName(before []CheckName, n node) (CheckName, []fault) {
	v, faults := text(parseCheckName)(n)
	if faults != nil {
		return CheckName{}, faults
	}
	c := CheckName{v.(string), n.at}
	if slices.ContainsFunc(before, func(b CheckName) bool { return b.Name == c.Name }) {
		return c, []fault{{summary: "Check listed twice", why: c.Name + " is in the list already.", hint: "list each check once", at: n.at}}
	}
	return c, nil
}

func parseCheckName(s string) (string, *fault) {
	if word(s, 63, "-") {
		return s, nil
	}
	return "", &fault{
		summary: "Invalid check", why: fmt.Sprintf("%q is not the name of a check.", s),
		hint: `write it as the report does, such as "container-privileged"; there are no patterns`,
	}
}

// unique reads an item of a list in which nothing stands twice.
func unique(parse func(string) (string, *fault)) func([]string, node) (string, []fault) {
	return func(before []string, n node) (string, []fault) {
		v, faults := text(parse)(n)
		if faults != nil {
			return "", faults
		}
		item := v.(string)
		if slices.Contains(before, item) {
			return item, []fault{{summary: "Listed twice", why: item + " is in the list already.", hint: "list it once", at: n.at}}
		}
		return item, nil
	}
}

// capability reads one item of a list of capabilities.
func capability(before []string, n node) (string, []fault) { return unique(parseCapability)(before, n) }

// capabilities lists those of Linux 6.12 (capabilities(7)), and ALL, which Docker
// takes for all of them.
func capabilities() []string {
	return []string{
		"ALL", "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN",
		"DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
		"LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST",
		"NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
		"SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
		"SYS_TTY_CONFIG", "WAKE_ALARM",
	}
}

// parseCapability reads a capability as Docker does: in any case, with or without CAP_.
func parseCapability(s string) (string, *fault) {
	name := strings.TrimPrefix(strings.ToUpper(s), "CAP_")
	if slices.Contains(capabilities(), name) {
		return name, nil
	}
	return "", &fault{
		summary: "Unknown capability", why: fmt.Sprintf("%q is not a capability of Linux.", s), hint: didYouMean(name, capabilities(), "capabilities(7) lists them"),
	}
}

// virtualization reads one item of virtualization.
func virtualization(before []string, n node) (string, []fault) {
	return unique(parseVirtualization)(before, n)
}

// machines lists what systemd-detect-virt(1) of systemd 257 calls virtual machines.
func machines() []string {
	return []string{
		"none", "kvm", "amazon", "qemu", "bochs", "xen", "uml", "vmware", "oracle", "microsoft", "zvm", "parallels",
		"bhyve", "qnx", "acrn", "powervm", "apple", "sre", "google",
	}
}

func parseVirtualization(s string) (string, *fault) {
	if slices.Contains([]string{"lxc", "lxc-libvirt", "openvz", "docker", "podman", "systemd-nspawn", "wsl", "proot", "rkt", "container-other"}, s) {
		return "", &fault{
			summary: "Container as a host",
			why:     fmt.Sprintf("A host of the kind %q has no kernel of its own: whoever holds that kernel holds every container.", s),
			hint:    "take it out; one host can be exempt from host-virtualization for a while",
		}
	}
	return choose(machines())(s)
}

// kernelVersion reads ">= 6.1".
func kernelVersion(s string) (KernelVersion, *fault) {
	bad := func() (KernelVersion, *fault) {
		return KernelVersion{}, &fault{
			summary: "Invalid version", why: fmt.Sprintf("%q does not say how old the kernel may be.", s), hint: `write ">= " and a version: ">= 6.1"`,
		}
	}
	version, ok := strings.CutPrefix(s, ">=")
	parts := strings.Split(strings.TrimSpace(version), ".")
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return bad()
	}
	var numbers [3]int
	for i, part := range parts {
		if !digits(part, 4) {
			return bad()
		}
		numbers[i], _ = strconv.Atoi(part) // at most four digits
	}
	return KernelVersion{numbers[0], numbers[1], numbers[2]}, nil
}

// region reads one item of regions.
func region(before []string, n node) (string, []fault) { return unique(parseRegion)(before, n) }

func parseRegion(s string) (string, *fault) {
	if !name(s, "_.-") || len(s) > 63 {
		return "", &fault{
			summary: "Invalid region", why: fmt.Sprintf("%q is not the name of one region.", s),
			hint: `write it as "cloud-init query region" prints it, such as "no-osl"; there are no patterns`,
		}
	}
	return s, nil
}

// name reports whether s is made of ASCII letters, digits and punctuation, and
// starts with a letter or a digit.
func name(s, punctuation string) bool {
	letter := func(r rune) bool { return r >= 'A' && r <= 'Z' || alphanumeric(r) }
	foreign := func(r rune) bool { return !letter(r) && !strings.ContainsRune(punctuation, r) }
	return s != "" && letter(rune(s[0])) && !strings.ContainsFunc(s, foreign)
}

// groupMember reads one item of docker_group.
func groupMember(before []string, n node) (string, []fault) {
	return unique(func(s string) (string, *fault) {
		if !account(s) {
			return "", &fault{
				summary: "Invalid user", why: fmt.Sprintf("%q is not the name of a user: at most 32 lower-case letters, digits, _ and -.", s), hint: "name users one by one",
			}
		}
		return s, nil
	})(before, n)
}

// objectName reads the name of a container, as Docker allows it.
func objectName(s string) (string, *fault) {
	if !name(s, "_.-") {
		return "", &fault{
			summary: "Invalid name", why: fmt.Sprintf("%q is not the name of a container.", s),
			hint: `write it as "docker ps" does; there are no patterns, but a label fits many`,
		}
	}
	return s, nil
}

// labelKey reads the key of a label.
func labelKey(s string) (string, *fault) {
	if !name(s, "_./-") {
		return "", &fault{summary: "Invalid label", why: fmt.Sprintf("%q is not the key of a label.", s), hint: `write the key alone, such as "no.example.owner"`}
	}
	return s, nil
}

// labelOrPair reads the key of a label, or a key and its value.
func labelOrPair(s string) (string, *fault) {
	key, value, _ := strings.Cut(s, "=")
	if !name(key, "_./-") || value != "" && !name(value, "_./:@+-") {
		return "", &fault{
			summary: "Invalid label", why: fmt.Sprintf("%q is not the key of a label, or a plain key and value.", s),
			hint: `write a key, or a key and its value: "no.example.role=backup"`,
		}
	}
	return s, nil
}

// imageName reads the name of an image.
func imageName(s string) (string, *fault) {
	if !name(s, "_./:@-") {
		return "", &fault{
			summary: "Invalid image", why: fmt.Sprintf("%q is not the name of an image.", s), hint: `write it as "docker ps" does; without a tag it stands for all of them`,
		}
	}
	return s, nil
}

// reason reads why something is exempt.
func reason(s string) (string, *fault) {
	if strings.TrimSpace(s) == "" {
		return "", &fault{summary: "No reason", why: "Nobody will know later why this was accepted.", hint: "say it in a sentence"}
	}
	return s, nil
}

// date reads a day of the calendar.
func date(s string) (time.Time, *fault) {
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, &fault{
			summary: "Invalid date", why: fmt.Sprintf("%q is not a day of the calendar.", s), hint: `write year, month and day: "2027-01-31"; an exemption without an end is a rule, which belongs into the block containers or host`,
		}
	}
	return day, nil
}
