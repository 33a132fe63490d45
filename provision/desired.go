package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/kernel"
	"molo/nginx"
)

// Desired says what each part of the host should be, or of the named ones. Either all
// of it is known, or there is an error that lists everything wrong and nothing must be
// written.
//
// One thing is more important than that: a published port that nothing shuts. Where the
// firewall's rules can't be made, the parts are just one, which fails, and which shuts
// published ports as long as no rules of molo's stand there.
func Desired(p *policy.Policy, f facts.Facts, only ...string) ([]Part, error) {
	makers := map[string]func() (Part, error){
		PartKernel:       func() (Part, error) { return kernelPart(p.Sysctl, f) },
		PartFirewall:     func() (Part, error) { return firewallPart(p.Firewall, f) },
		PartDocker:       func() (Part, error) { return dockerPart(p.Docker, f.Docker, f.Time) },
		PartLogs:         func() (Part, error) { return logsPart(p, f) },
		PartConfinement:  func() (Part, error) { return confinementPart(p, f) },
		PartNginx:        func() (Part, error) { return nginxPart(p, f) },
		PartFiles:        func() (Part, error) { return filesPart(p.Docker, f) },
		PartAuditd:       func() (Part, error) { return auditdPart(p.Docker, f) },
		PartCertificates: func() (Part, error) { return certificatesPart(p.Sites, f), nil },
	}
	var parts []Part
	var problems []error
	open := false
	for _, name := range Parts() {
		if len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		part, err := makers[name]()
		parts, problems = append(parts, part), append(problems, err)
		open = open || err != nil && name == PartFirewall
	}
	err := errors.Join(problems...)
	switch shut, shutErr := shutPart(p.Firewall, f, err); {
	case err == nil:
		return parts, nil
	case open && shutErr == nil:
		return []Part{shut}, nil
	}
	return nil, err
}

// Options say how much a plan is about.
type Options struct {
	Only   []string // names of parts; none: all
	Run    string   // the ID under which a trail is kept; empty: none is
	Policy string   // the digest of the policy, for the trail
	Retry  bool     // what was tried before and put back may be tried again
}

// about reports whether the options ask for a part.
func (o Options) about(part string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, part) }

// MakePlan reads the host and says what has to be done. It writes nothing.
func MakePlan(ctx context.Context, h Host, s Store, p *policy.Policy, o Options) (Plan, facts.Facts, error) {
	f, err := h.Facts(ctx)
	if err != nil {
		return nil, f, fmt.Errorf("reading the host: %w", err)
	}
	if named := namedBy(p.Sites, f.Nginx); len(named.Upstreams) > 0 {
		found := h.Named(ctx, named)
		f.Nginx.Files, f.Nginx.Silent, f.Nginx.Open = found.Files, found.Silent, found.Open
	}
	if err := readTLS(ctx, h, p, &f, o); err != nil {
		return nil, f, err
	}
	parts, err := Desired(p, f, o.Only...)
	if err != nil {
		return nil, f, err
	}
	memory, err := s.Load(ctx)
	if err != nil {
		return nil, f, fmt.Errorf("reading what earlier runs did: %w", err)
	}
	if o.Retry {
		memory.Refused = nil
	}
	have, err := h.Read(ctx, ids(parts, memory))
	if err != nil {
		return nil, f, fmt.Errorf("reading the host: %w", err)
	}
	have.Unread = append(have.Unread, f.Unknown...)
	plan := Diff(parts, have, memory)
	for i := range plan {
		plan[i].effects(have, f)
		if err := plan[i].foresee(ctx, h, f.Docker); err != nil {
			return nil, f, err
		}
	}
	return plan, f, nil
}

// ids lists what has to be read: what is wanted, and what molo may have to let go.
func ids(parts []Part, memory Memory) []resource.ID {
	var all []resource.ID
	for _, part := range parts {
		for _, w := range part.Want {
			all = append(all, w.ID())
		}
		all = append(all, memory.ownedBy(part.Name)...)
		all = append(all, marked(part.Name)...)
	}
	return unique(all)
}

// marked lists what can be nobody's but molo's, so that it is let go even where the
// memory of having made it is lost.
func marked(part string) []resource.ID {
	switch part {
	case PartKernel:
		return []resource.ID{resource.File{Path: kernel.File}.ID()}
	case PartAuditd:
		return []resource.ID{resource.File{Path: AuditRules}.ID(), resource.File{Path: AuditTmpfiles}.ID()}
	case PartLogs:
		return []resource.ID{resource.File{Path: LogRotation}.ID(), resource.File{Path: LogTmpfiles}.ID()}
	case PartConfinement:
		return []resource.ID{resource.File{Path: Confinement}.ID()}
	case PartFirewall:
		return []resource.ID{"rules:ip/mangle", "rules:ip/filter", "rules:ip/security", "rules:ip6/mangle", "rules:ip6/filter", "rules:ip6/security"}
	case PartNginx:
		return []resource.ID{resource.Tree{Dir: nginx.Dir}.ID(), resource.File{Path: nginx.Entry}.ID()}
	}
	return nil
}

// PartOf names the part that a resource belongs to, by its kind or, for a file, its path.
func PartOf(id resource.ID) string {
	switch id.Kind() {
	case "key", "subid":
		return PartDocker
	case "rules":
		return PartFirewall
	case "sysctl":
		return PartKernel
	case "access":
		return PartFiles
	case "certificate":
		return PartCertificates
	}
	switch id.Where() {
	case kernel.File:
		return PartKernel
	case AuditRules, AuditTmpfiles:
		return PartAuditd
	case LogRotation, LogTmpfiles:
		return PartLogs
	case Confinement:
		return PartConfinement
	}
	return PartNginx
}

func unique(ids []resource.ID) []resource.ID {
	seen := map[resource.ID]bool{}
	var all []resource.ID
	for _, id := range ids {
		if !seen[id] {
			all = append(all, id)
		}
		seen[id] = true
	}
	return all
}
