package host

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/provision"
)

// guardedFiles reads owners and modes of the files by which Docker is controlled.
// Those that are not there are left out. dataRoot is where dockerd keeps its data, as far
// as it tells.
func (h *Host) guardedFiles(d facts.Docker, dataRoot string) []facts.File {
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
	if certificates, err := h.glob("/etc/docker/certs.d/*/*.crt"); err == nil { // the pattern is fixed
		add(facts.RoleRegistryCert, certificates...)
	}
	for role, key := range map[facts.Role]string{facts.RoleCACert: "tlscacert", facts.RoleServerCert: "tlscert", facts.RoleServerKey: "tlskey"} {
		if path := daemonFile(d, key); path != "" {
			add(role, path)
		}
	}
	add(facts.RoleDockerSock, "/run/docker.sock")
	add(facts.RoleContainerdSock, "/run/containerd/containerd.sock")
	add(facts.RoleDefaults, "/etc/default/docker")
	add(facts.RoleSysconfig, "/etc/sysconfig/docker")
	add(facts.RoleContainerdToml, "/etc/containerd/config.toml")
	add(facts.RoleContainerdRun, "/run/containerd")
	add(facts.RoleDataRoot, cmp.Or(dataRoot, daemonFile(d, "data-root"), "/var/lib/docker"))
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

// guarded reads one file, or says why it can't be read. A path that leads nowhere is
// no file.
func (h *Host) guarded(role facts.Role, path string) []facts.File {
	var stat unix.Stat_t
	err := unix.Stat(h.path(path), &stat)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f := facts.File{Role: role, Path: path}
	if err == nil {
		f.Mode = stat.Mode & permissions
		f.Owner, f.Group, err = h.names(stat)
	}
	if err != nil {
		f.Unread = unreadable("", "", err).Why
	}
	return []facts.File{f}
}
