package host

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/provision"
)

// machine reads what the host runs on, and as.
func (h *Host) machine(ctx context.Context) (facts.Machine, error) {
	m := facts.Machine{Virtualization: h.virtualization(ctx)}
	var err error
	if m.Boot, err = h.boot(); err != nil {
		return m, err
	}
	if m.DockerGroup, err = h.dockerGroup(); err != nil {
		return m, err
	}
	if m.Cloud, err = h.cloud(); err != nil {
		return m, err
	}
	m.AppArmor = h.word("/sys/module/apparmor/parameters/enabled") == "Y"
	m.AppArmorParser = h.exists("/usr/sbin/apparmor_parser") || h.exists("/sbin/apparmor_parser")
	m.SELinux = map[string]string{"1": "enforcing", "0": "permissive"}[h.word("/sys/fs/selinux/enforce")]
	m.CgroupVersion = 1
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &fs); err != nil {
		return m, fmt.Errorf("looking at /sys/fs/cgroup: %w", err)
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		m.CgroupVersion = 2
		m.Controllers = strings.Fields(h.word("/sys/fs/cgroup/cgroup.controllers"))
	}
	return m, nil
}

// word reads a file of one line; one that is not there, or not for us, is empty.
func (h *Host) word(path string) string {
	data, err := os.ReadFile(h.path(path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// exists reports whether a path is there.
func (h *Host) exists(path string) bool {
	_, err := os.Lstat(h.path(path))
	return err == nil
}

// virtualization collects what gives away a virtual machine or a container. None of
// it has to be there.
func (h *Host) virtualization(ctx context.Context) facts.Virtualization {
	v := facts.Virtualization{
		Container:     h.word("/run/systemd/container"),
		OpenVZ:        h.exists("/proc/vz") && !h.exists("/proc/bc"),
		UserBeans:     h.exists("/proc/user_beancounters") && !h.exists("/proc/bc"),
		HypervisorAs:  h.word("/sys/hypervisor/type"),
		SystemVendor:  h.word("/sys/class/dmi/id/sys_vendor"),
		SystemProduct: h.word("/sys/class/dmi/id/product_name"),
	}
	for variable := range strings.SplitSeq(h.word("/proc/1/environ"), "\x00") {
		if manager, ok := strings.CutPrefix(variable, "container="); ok && v.Container == "" {
			v.Container = manager
		}
	}
	for line := range strings.Lines(h.word("/proc/cpuinfo")) {
		if key, flags, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "flags" {
			v.Hypervisor = slices.Contains(strings.Fields(flags), "hypervisor")
			break
		}
	}
	if conn, err := dbus.NewWithContext(ctx); err == nil {
		defer conn.Close()
		if said, err := conn.GetManagerProperty("Virtualization"); err == nil {
			v.Systemd = strings.Trim(said, `"`)
		}
	}
	return v
}

// boot reads which kernels are installed, and which packages ask for a reboot.
func (h *Host) boot() (facts.Boot, error) {
	var b facts.Boot
	kernels, err := filepath.Glob(h.path("/boot/vmlinuz-*"))
	if err != nil {
		return b, fmt.Errorf("listing kernels: %w", err)
	}
	for _, path := range kernels {
		b.Kernels = append(b.Kernels, strings.TrimPrefix(filepath.Base(path), "vmlinuz-"))
	}
	b.Asked = h.exists("/run/reboot-required")
	b.Required = strings.Fields(h.word("/run/reboot-required.pkgs"))
	slices.Sort(b.Required)
	b.Required = slices.Compact(b.Required)
	return b, nil
}

// dockerGroup lists who is in the group docker: as the group says, and as users who
// have it for their own.
func (h *Host) dockerGroup() ([]string, error) {
	groups, err := h.readOptional("/etc/group")
	if err != nil {
		return nil, err
	}
	users, err := h.readOptional("/etc/passwd")
	if err != nil {
		return nil, err
	}
	return membersOf("docker", groups, users), nil
}

// membersOf reads group(5) and passwd(5).
func membersOf(group, groups, users string) []string {
	var all []string
	gid := ""
	for line := range strings.Lines(groups) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 4 && f[0] == group {
			gid = f[2]
			all = append(all, strings.FieldsFunc(f[3], func(r rune) bool { return r == ',' })...)
		}
	}
	for line := range strings.Lines(users) {
		if f := strings.Split(strings.TrimSpace(line), ":"); gid != "" && len(f) == 7 && f[3] == gid {
			all = append(all, f[0])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// cloud reads what cloud-init was told by the provider.
func (h *Host) cloud() (facts.Cloud, error) {
	const path = "/run/cloud-init/instance-data.json"
	text, err := h.readOptional(path)
	if err != nil || text == "" {
		return facts.Cloud{}, err
	}
	return cloudOf([]byte(text))
}

func cloudOf(data []byte) (facts.Cloud, error) {
	var instance struct {
		V1 struct {
			Cloud  string `json:"cloud_name"`
			Region string `json:"region"`
			Zone   string `json:"availability_zone"`
		} `json:"v1"`
	}
	if err := json.Unmarshal(data, &instance); err != nil {
		return facts.Cloud{}, fmt.Errorf("reading what cloud-init was told: %w", err)
	}
	return facts.Cloud{Provider: instance.V1.Cloud, Region: instance.V1.Region, Zone: instance.V1.Zone}, nil
}

// daemonListens asks systemd which sockets start dockerd, and where they listen.
func daemonListens(ctx context.Context) ([]string, error) {
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking systemd: %w", err)
	}
	defer conn.Close()
	service, err := conn.GetUnitPropertyContext(ctx, provision.DockerUnit, "TriggeredBy")
	if err != nil {
		return nil, fmt.Errorf("asking systemd about %s: %w", provision.DockerUnit, err)
	}
	var all []string
	names, _ := service.Value.Value().([]string)
	for _, name := range names {
		if !strings.HasSuffix(name, ".socket") {
			continue
		}
		socket, err := conn.GetUnitTypePropertyContext(ctx, name, "Socket", "Listen")
		if err != nil {
			return nil, fmt.Errorf("asking systemd about %s: %w", name, err)
		}
		pairs, _ := socket.Value.Value().([][]any)
		for _, pair := range pairs {
			if len(pair) == 2 {
				all = append(all, fmt.Sprint(pair[1]))
			}
		}
	}
	return all, nil
}

// auditRules reads the rules of the kernel's audit, and those that are loaded at boot.
func (h *Host) auditRules(ctx context.Context) (facts.AuditRules, error) {
	var r facts.AuditRules
	paths, err := h.glob("/etc/audit/rules.d/*.rules")
	if err != nil {
		return r, err
	}
	if h.exists("/etc/audit") {
		if _, err := os.ReadDir(h.path("/etc/audit")); err != nil {
			return r, err
		}
	}
	for _, path := range append(paths, "/etc/audit/audit.rules") {
		text, err := h.readOptional(path)
		if err != nil {
			return r, err
		}
		r.Files = append(r.Files, ruleLines(text)...)
	}
	if r.Kernel, err = h.loadedAuditRules(ctx); err != nil {
		r.KernelUnread = unreadable("", "", err).Why
	}
	return r, nil
}

// ruleLines leaves out comments and empty lines.
func ruleLines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	return all
}
