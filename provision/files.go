package provision

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// filesPart compiles who may use the paths by which Docker is controlled (CIS Docker 3):
// root owns them, and a mode is a bound: what is stricter stays.
func filesPart(p *policy.Docker, f facts.Facts) (Part, error) {
	part := Part{Name: PartFiles}
	if p == nil {
		return part, nil
	}
	for _, path := range f.Paths {
		limit, ok := limitOf(path)
		if !ok {
			continue
		}
		have := resource.Access{Path: path.Path, Owner: path.Owner, Group: path.Group, Mode: path.Mode}
		want := resource.Access{Path: path.Path, Owner: "root", Group: groupOf(path, f), Mode: path.Mode & limit}
		loose := unsettled(path, f.Paths)
		part.Want = append(part.Want, Wanted{Resource: want, From: From(p.Range), Keep: loose != ""})
		if loose == "" {
			continue
		}
		part.Notes = append(part.Notes, Note{fmt.Sprintf("%s is left alone: others than root decide where it leads (%s)", path.Path, loose), ""})
		if have != want {
			part.Violations = append(part.Violations, fmt.Sprintf("%s is %s, not %s, and can't be changed safely: %s", path.Path, have, want, loose))
		}
	}
	part.Notes = append(part.Notes, socketNotes(f.Socket)...)
	return part, nil
}

// limitOf returns the most that a mode may allow. Other paths are only watched.
func limitOf(p facts.Path) (mode uint32, ok bool) {
	switch p.Use {
	case facts.UseUnit, facts.UseConfig:
		return 0o644, true
	case facts.UseDropIns, facts.UseConfigDir:
		if p.Kind != facts.KindDir {
			return 0o644, true
		}
		return 0o755, true
	case facts.UseCertificate:
		return 0o444, true
	case facts.UseKey:
		return 0o400, true
	case facts.UseDockerSock, facts.UseContainerd:
		return 0o660, true
	}
	return 0, false
}

// groupOf returns whose group a path should have. The group of Docker's socket is as good
// as root, so root is no looser there.
func groupOf(p facts.Path, f facts.Facts) string {
	if p.Use != facts.UseDockerSock || p.Group == "root" {
		return "root"
	}
	return cmp.Or(f.Socket.Group, configured(f.Docker, "group"), "docker")
}

// unsettled says what keeps a path from being changed safely. A directory that is put
// right before it, because it stands earlier in the order of paths, does not.
func unsettled(p facts.Path, all []facts.Path) string {
	for _, l := range p.Loose {
		settled := slices.ContainsFunc(all, func(o facts.Path) bool {
			_, limited := limitOf(o)
			return limited && o.Kind == facts.KindDir && cmp.Or(o.Real, o.Path) == l.Path && o.Path < p.Path
		})
		if !settled {
			return l.Path + " " + l.Why
		}
	}
	return ""
}

// socketNotes says that Docker's socket is open to more than its group from every boot
// until molo runs.
func socketNotes(s facts.DockerSocket) []Note {
	mode, err := strconv.ParseUint(s.Mode, 8, 32)
	if err != nil || mode&^0o660 == 0 {
		return nil
	}
	return []Note{{fmt.Sprintf("systemd makes docker.sock with mode %04o at every boot: take the line out, or make it SocketMode=0660", mode), s.ModeFrom}}
}
