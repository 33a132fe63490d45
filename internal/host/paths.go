package host

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
	"molo/internal/unitfile"
	"molo/provision"
)

// candidate is a path by which Docker may be controlled.
type candidate struct {
	use  facts.Use
	path string
}

// pathFacts reads who may use the paths by which Docker is controlled.
func (h *Host) pathFacts(f *facts.Facts) {
	unread := func(what string, err error) {
		f.Unknown = append(f.Unknown, unreadable(what, provision.PartFiles, err))
	}
	candidates, err := h.candidates(f.Docker)
	if err != nil {
		unread("the files of Docker", err)
	}
	for _, c := range candidates {
		p, there, err := h.pathFact(c)
		if err != nil {
			unread(c.path, err)
		}
		known := slices.ContainsFunc(f.Paths, func(o facts.Path) bool { return cmp.Or(o.Real, o.Path) == cmp.Or(p.Real, p.Path) })
		if there && !known {
			f.Paths = append(f.Paths, p)
		}
	}
	slices.SortStableFunc(f.Paths, func(a, b facts.Path) int { return cmp.Compare(a.Path, b.Path) })
	files, err := h.unitFiles("docker.socket")
	if err != nil {
		unread("docker.socket", err)
	}
	group, _ := unitfile.Value("Socket", "SocketGroup", files...)
	if f.Socket.Group, err = h.groupName(group); err != nil {
		unread("/etc/group", err)
	}
	f.Socket.Mode, f.Socket.ModeFrom = unitfile.Value("Socket", "SocketMode", files...)
}

// groupName returns the name of a group that may be given by its number.
func (h *Host) groupName(group string) (string, error) {
	id, err := strconv.ParseUint(group, 10, 32)
	if err != nil {
		return group, nil
	}
	groups, err := h.readOptional("/etc/group")
	return nameIn(groups, uint32(id)), err
}

// pathFact reads one path. What is not there, or is no file, directory or socket, such as
// the /dev/null that masks a unit, is left out.
func (h *Host) pathFact(c candidate) (facts.Path, bool, error) {
	p, err := h.locate(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.Path{}, false, nil
	}
	if err != nil {
		return facts.Path{}, false, err
	}
	defer p.close()
	owner, group, err := h.names(p.stat)
	if err != nil {
		return facts.Path{}, false, err
	}
	fact := facts.Path{Path: c.path, Use: c.use, Kind: p.kind(), Owner: owner, Group: group, Mode: p.stat.Mode & permissions, Loose: p.loose}
	if p.real != c.path {
		fact.Real = p.real
	}
	return fact, fact.Kind != "", nil
}

// candidates lists paths, there or not.
func (h *Host) candidates(d facts.Docker) ([]candidate, error) {
	all := []candidate{
		{facts.UseConfigDir, "/etc/docker"}, {facts.UseConfigDir, "/etc/docker/certs.d"}, {facts.UseConfigDir, "/etc/containerd"},
		{facts.UseConfig, provision.DaemonJSON}, {facts.UseConfig, "/etc/default/docker"}, {facts.UseConfig, "/etc/containerd/config.toml"},
		{facts.UseDockerSock, "/run/docker.sock"}, {facts.UseContainerd, "/run/containerd/containerd.sock"}, {facts.UseContainerd, "/run/containerd/containerd.sock.ttrpc"},
		{facts.UseRuntimeDir, "/run/containerd"}, {facts.UseDataRoot, cmp.Or(daemonFile(d, "data-root"), "/var/lib/docker")},
	}
	for _, key := range []string{"tlscacert", "tlscert", "tlskey"} {
		use := facts.UseCertificate
		if key == "tlskey" {
			use = facts.UseKey
		}
		if path := daemonFile(d, key); path != "" {
			all = append(all, candidate{use, path})
		}
	}
	for _, find := range []func() ([]candidate, error){h.certificates, h.units} {
		found, err := find()
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return append(all, programs()...), nil
}

// daemonFile returns the file that a flag of dockerd or daemon.json names. Without an
// absolute path nobody can tell which one it is.
func daemonFile(d facts.Docker, key string) string {
	path := ""
	for i, flag := range d.Flags {
		if value, ok := strings.CutPrefix(flag, "--"+key+"="); ok {
			path = value
		} else if flag == "--"+key && i+1 < len(d.Flags) {
			path = d.Flags[i+1]
		}
	}
	var config map[string]json.RawMessage
	if path == "" && json.Unmarshal([]byte(d.Config), &config) == nil {
		if raw, ok := config[key]; ok && json.Unmarshal(raw, &path) != nil {
			return "" // the docker part says what is wrong with it
		}
	}
	if !filepath.IsAbs(path) {
		return ""
	}
	return filepath.Clean(path)
}

// certificates lists what dockerd trusts registries by, and shows them (dockerd reads
// *.crt, *.cert and *.key in the directory of a registry).
func (h *Host) certificates() ([]candidate, error) {
	var all []candidate
	for pattern, use := range map[string]facts.Use{
		"*": facts.UseConfigDir, "*/*.crt": facts.UseCertificate, "*/*.cert": facts.UseCertificate, "*/*.key": facts.UseKey,
	} {
		found, err := h.glob(filepath.Join("/etc/docker/certs.d", pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			all = append(all, candidate{use, path})
		}
	}
	return all, nil
}

// units lists the files that systemd starts Docker by.
func (h *Host) units() ([]candidate, error) {
	var all []candidate
	for _, unit := range []string{provision.DockerUnit, "docker.socket", "containerd.service"} {
		files, err := h.unitFiles(unit)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			all = append(all, candidate{facts.UseUnit, f.Path})
		}
		for _, dir := range unitDirs() {
			all = append(all, candidate{facts.UseDropIns, filepath.Join(dir, unit+".d")})
		}
	}
	return all, nil
}

// programs lists where Docker's programs may be.
func programs() []candidate {
	var all []candidate
	for _, name := range []string{"dockerd", "docker", "docker-proxy", "docker-init", "containerd", "containerd-shim", "containerd-shim-runc-v1", "containerd-shim-runc-v2", "runc"} {
		for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/libexec/docker"} {
			all = append(all, candidate{facts.UseProgram, filepath.Join(dir, name)})
		}
	}
	return all
}

// glob finds paths of the host.
func (h *Host) glob(pattern string) ([]string, error) {
	found, err := filepath.Glob(h.path(pattern))
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", pattern, err)
	}
	for i, path := range found {
		found[i] = filepath.Join("/", strings.TrimPrefix(path, h.root))
	}
	return found, nil
}
