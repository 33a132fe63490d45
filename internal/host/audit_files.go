package host

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"molo/internal/facts"
	"molo/provision"
)

// guardedFiles reads owners and modes of the files by which Docker is controlled.
// Those that are not there are left out.
func (h *Host) guardedFiles(d facts.Docker) []facts.File {
	var all []facts.File
	add := func(role facts.Role, paths ...string) {
		for _, path := range paths {
			all = append(all, h.guarded(role, path)...)
		}
	}
	for role, unit := range map[facts.Role]string{facts.RoleService: provision.DockerUnit, facts.RoleSocket: "docker.socket"} {
		files, err := h.unitFiles(unit)
		if err != nil {
			all = append(all, facts.File{Role: role, Path: unit, Unread: unreadable("", "", err).Why})
		}
		for _, f := range files {
			add(role, f.Path)
		}
	}
	add(facts.RoleConfigDir, "/etc/docker")
	add(facts.RoleDaemonJSON, provision.DaemonJSON)
	certificates, err := filepath.Glob(h.path("/etc/docker/certs.d/*/*.crt"))
	if err == nil { // the pattern is fixed
		for _, path := range certificates {
			add(facts.RoleRegistryCert, filepath.Join("/", strings.TrimPrefix(path, h.root)))
		}
	}
	for role, key := range map[facts.Role]string{facts.RoleCACert: "tlscacert", facts.RoleServerCert: "tlscert", facts.RoleServerKey: "tlskey"} {
		add(role, tlsFile(d, key)...)
	}
	add(facts.RoleDockerSock, "/run/docker.sock")
	add(facts.RoleContainerdSock, "/run/containerd/containerd.sock")
	add(facts.RoleDefaults, "/etc/default/docker")
	add(facts.RoleSysconfig, "/etc/sysconfig/docker")
	add(facts.RoleContainerdToml, "/etc/containerd/config.toml")
	add(facts.RoleContainerdRun, "/run/containerd")
	add(facts.RoleDataRoot, "/var/lib/docker")
	for role, name := range map[facts.Role]string{
		facts.RoleDockerd: "dockerd", facts.RoleContainerd: "containerd", facts.RoleShim: "containerd-shim",
		facts.RoleShimV1: "containerd-shim-runc-v1", facts.RoleShimV2: "containerd-shim-runc-v2", facts.RoleRunc: "runc",
	} {
		add(role, h.program(name)...)
	}
	slices.SortFunc(all, func(a, b facts.File) int { return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Path, b.Path)) })
	return all
}

// program returns where a program is, if it is anywhere.
func (h *Host) program(name string) []string {
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"} {
		if path := filepath.Join(dir, name); h.exists(path) {
			return []string{path}
		}
	}
	return nil
}

// tlsFile returns the file that a flag or daemon.json names, if any.
func tlsFile(d facts.Docker, key string) []string {
	for i, flag := range d.Flags {
		if path, ok := strings.CutPrefix(flag, "--"+key+"="); ok {
			return []string{path}
		}
		if flag == "--"+key && i+1 < len(d.Flags) {
			return []string{d.Flags[i+1]}
		}
	}
	var config map[string]json.RawMessage
	var path string
	if json.Unmarshal([]byte(d.Config), &config) != nil || json.Unmarshal(config[key], &path) != nil || path == "" {
		return nil
	}
	return []string{path}
}

// guarded reads one file, or says why it can't be read. A path that leads nowhere is
// no file.
func (h *Host) guarded(role facts.Role, path string) []facts.File {
	info, err := os.Stat(h.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []facts.File{{Role: role, Path: path, Unread: unreadable("", "", err).Why}}
	}
	f := facts.File{Role: role, Path: path, Mode: bits(info.Mode())}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Owner = h.nameOf("/etc/passwd", stat.Uid)
		f.Group = h.nameOf("/etc/group", stat.Gid)
	}
	return []facts.File{f}
}

// bits returns the mode as chmod(1) writes it.
func bits(mode fs.FileMode) uint32 {
	b := uint32(mode.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&flag != 0 {
			b |= bit
		}
	}
	return b
}

// nameOf looks a number up in passwd(5) or group(5) of the host; the number stands for
// itself where it has no name.
func (h *Host) nameOf(file string, id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	data, err := os.ReadFile(h.path(file))
	if err != nil {
		return number
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(line, ":"); len(f) > 3 && f[2] == number {
			return f[0]
		}
	}
	return number
}
