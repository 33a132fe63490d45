package audit

import (
	"fmt"
	"slices"

	"molo/internal/facts"
)

// guarded is who may own a file and who may do what with it.
type guarded struct {
	role       facts.Role
	group      string // besides root
	mode       uint32 // the most that may be allowed
	owner, max string // the numbers in the benchmark, of the owner and of the mode
}

// guardedFiles lists the files by which Docker is controlled.
func guardedFiles() []guarded {
	return []guarded{
		{facts.RoleService, "root", 0o644, "3.1", "3.2"},
		{facts.RoleSocket, "root", 0o644, "3.3", "3.4"},
		{facts.RoleConfigDir, "root", 0o755, "3.5", "3.6"},
		{facts.RoleRegistryCert, "root", 0o444, "3.7", "3.8"},
		{facts.RoleCACert, "root", 0o444, "3.9", "3.10"},
		{facts.RoleServerCert, "root", 0o444, "3.11", "3.12"},
		{facts.RoleServerKey, "root", 0o400, "3.13", "3.14"},
		{facts.RoleDockerSock, "docker", 0o660, "3.15", "3.16"},
		{facts.RoleDaemonJSON, "root", 0o644, "3.17", "3.18"},
		{facts.RoleDefaults, "root", 0o644, "3.19", "3.22"},
		{facts.RoleSysconfig, "root", 0o644, "3.21", "3.20"},
		{facts.RoleContainerdSock, "root", 0o660, "3.23", "3.24"},
	}
}

// fileChecks are about who can change what Docker is told to do.
func fileChecks() []check {
	var owners, modes []string
	for _, g := range guardedFiles() {
		owners, modes = append(owners, g.owner), append(modes, g.max)
	}
	return []check{
		{
			slug: "file-owner", title: "Only root owns what Docker is controlled by", area: AreaFiles, level: Required, cis: owners,
			judge: eachFile(fileOwner),
		},
		{
			slug: "file-mode", title: "Nobody else can write what Docker is controlled by, or read its key", area: AreaFiles, level: Required, cis: modes,
			judge: eachFile(fileMode),
		},
	}
}

// eachFile makes a judge of one that looks at a file.
func eachFile(judge func(guarded, facts.File) verdict) func(*view) []verdict {
	return func(v *view) []verdict {
		var all []verdict
		for _, g := range guardedFiles() {
			for _, f := range v.files(g.role) {
				if f.Unread != "" {
					all = append(all, unknown(f.Path, f.Unread))
				} else {
					all = append(all, judge(g, f))
				}
			}
		}
		if all == nil {
			return []verdict{notApplicable("none of the files is there")}
		}
		if !slices.ContainsFunc(all, func(one verdict) bool { return one.status != Pass }) {
			return []verdict{passes(count(len(all), "file"))}
		}
		return all
	}
}

// fileOwner wants root and the file's group; root as the group is no less strict.
func fileOwner(g guarded, f facts.File) verdict {
	one := either(f.Owner == "root" && (f.Group == g.group || f.Group == "root"), f.Path, f.Owner+":"+f.Group)
	one.want, one.cis = "root:"+g.group, []string{g.owner}
	one.fix = fmt.Sprintf("chown root:%s %s", g.group, f.Path)
	if g.role == facts.RoleDockerSock {
		one.fix = "systemctl edit docker.socket, with SocketUser=root and SocketGroup=docker below [Socket]"
	}
	return one
}

// fileMode compares bit by bit: as numbers, 0577 would be less than 0644.
func fileMode(g guarded, f facts.File) verdict {
	one := either(f.Mode&^g.mode == 0, f.Path, fmt.Sprintf("%04o", f.Mode))
	one.want, one.cis = fmt.Sprintf("%04o or less", g.mode), []string{g.max}
	one.fix = fmt.Sprintf("chmod %04o %s", f.Mode&g.mode, f.Path)
	if g.role == facts.RoleDockerSock {
		one.fix = "systemctl edit docker.socket, with SocketMode=0660 below [Socket]"
	}
	return one
}
