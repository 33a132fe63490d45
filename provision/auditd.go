package provision

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/templates"
)

// What the kernel's audit is told, and by whom.
const (
	AuditdUnit = "auditd.service"
	// AuditKey is the mark of molo's rules: "ausearch -k molo-docker" finds what they logged.
	AuditKey = "molo-docker"
	// AuditRules holds the rules; AuditTmpfiles makes a directory that one of them needs
	// before containerd does.
	AuditRules    = "/etc/audit/rules.d/60-molo-docker.rules"
	AuditTmpfiles = "/etc/tmpfiles.d/60-molo-docker.conf"
	// LoadedRules is what Load works on.
	LoadedRules = "audit rules"
)

// auditdPart compiles docker.audit_rules.
func auditdPart(p *policy.Docker, f facts.Facts) (Part, error) {
	part := Part{Name: PartAuditd}
	a := f.Auditd
	var watches []Watch
	if p != nil && p.AuditRules.V != "off" {
		if !a.Installed {
			if p.AuditRules.Set {
				part.Notes = []Note{{"auditd is not installed, so nothing is watched\nhint: apt-get install auditd", From(p.AuditRules.Range).String()}}
			}
			return part, nil
		}
		watches = auditWatches(p.AuditRules.V, f.Paths)
		files, err := auditFiles(watches)
		if err != nil {
			return Part{}, err
		}
		for _, file := range files {
			part.Want = append(part.Want, Wanted{Resource: file, From: From(p.AuditRules.Range)})
		}
	}
	part.load(watches, a)
	return part, nil
}

// load adds how the rules come into force, or says why they do not.
func (part *Part) load(watches []Watch, a facts.Auditd) {
	until := AuditLoaded{Watches: watches}
	missing, extra := until.Differ(a.Rules)
	switch {
	case !a.Running:
		if len(watches) > 0 {
			part.Notes = append(part.Notes, Note{Text: "auditd does not run: its rules take effect when it starts"})
		}
	case a.Refusal != "":
		part.Notes = append(part.Notes, Note{Text: "the kernel does not let its audit be changed from here, as in a container: the rules take effect where auditd can load them (" + a.Refusal + ")"})
	case len(missing)+len(extra) > 0 && a.Locked:
		part.Notes = append(part.Notes, Note{Text: "the kernel's audit is locked (auditctl -e 2): the rules take effect at the next boot"})
	case a.Locked:
	default:
		load := Activation{Unit: LoadedRules, Verb: Load, Until: until}
		part.Activate = []Activation{load}
		if len(missing)+len(extra) > 0 {
			load.Why = fmt.Sprintf("of molo's rules, %d are not loaded and %d are that should not be", len(missing), len(extra))
			part.Pending = []Activation{load}
		}
	}
}

// auditFiles renders the rules, and what they need at boot.
func auditFiles(watches []Watch) ([]resource.File, error) {
	rules, err := rendered("audit", "60-molo-docker.rules.tmpl", map[string]any{"Key": AuditKey, "Arches": arches(), "Watches": watches})
	if err != nil {
		return nil, err
	}
	files := []resource.File{{Path: AuditRules, Mode: 0o640, Content: rules}}
	if !slices.ContainsFunc(watches, func(w Watch) bool { return strings.HasPrefix(w.Path, "/run/containerd/") }) {
		return files, nil
	}
	directory, err := rendered("tmpfiles", "60-molo-docker.conf.tmpl", nil)
	if err != nil {
		return nil, err
	}
	return append(files, resource.File{Path: AuditTmpfiles, Mode: 0o644, Content: directory}), nil
}

func rendered(dir, name string, data any) ([]byte, error) {
	set, err := templates.Parse(dir)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, name, data); err != nil {
		return nil, fmt.Errorf("rendering %s: %w", name, err)
	}
	return out.Bytes(), nil
}
