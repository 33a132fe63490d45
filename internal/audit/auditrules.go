package audit

import (
	"slices"
	"strings"

	"molo/internal/facts"
)

// watched lists the files whose use and change the kernel should log, with their
// numbers in the benchmark.
func watched() []struct {
	role facts.Role
	cis  string
} {
	return []struct {
		role facts.Role
		cis  string
	}{
		{facts.RoleDockerd, "1.1.3"}, {facts.RoleContainerdRun, "1.1.4"}, {facts.RoleDataRoot, "1.1.5"}, {facts.RoleConfigDir, "1.1.6"},
		{facts.RoleService, "1.1.7"}, {facts.RoleContainerdSock, "1.1.8"}, {facts.RoleSocket, "1.1.9"}, {facts.RoleDefaults, "1.1.10"},
		{facts.RoleDaemonJSON, "1.1.11"}, {facts.RoleContainerdToml, "1.1.12"}, {facts.RoleSysconfig, "1.1.13"}, {facts.RoleContainerd, "1.1.14"},
		{facts.RoleShim, "1.1.15"}, {facts.RoleShimV1, "1.1.16"}, {facts.RoleShimV2, "1.1.17"}, {facts.RoleRunc, "1.1.18"},
	}
}

// auditRuleChecks are about what the kernel's audit logs.
func auditRuleChecks() []check {
	var numbers []string
	for _, w := range watched() {
		numbers = append(numbers, w.cis)
	}
	return []check{{
		slug: "host-audit-rules", title: "The kernel logs who uses and changes Docker's files", area: AreaHost, level: Info, cis: numbers,
		needs: []facts.Source{facts.FromAuditRules},
		want:  "a rule of the audit that covers the file", fix: `apt install auditd, and docker { audit_rules = "cis" } for molo apply`,
		judge: auditRules,
	}}
}

// auditRules goes by the rules that the kernel has. Where it can't be asked, files
// without a rule settle the matter: nothing else loads any.
func auditRules(v *view) []verdict {
	r := v.Facts.AuditRules
	var all []verdict
	for _, w := range watched() {
		for _, f := range v.files(w.role) {
			one := verdict{status: Pass, got: "a rule covers each"}
			switch inFiles := covers(r.Files, f.Path); {
			case r.KernelUnread == "" && !covers(r.Kernel, f.Path):
				one = fails(f.Path, "no rule is loaded"+map[bool]string{true: ", though a file has one"}[inFiles])
			case r.KernelUnread != "" && !inFiles:
				one = fails(f.Path, "no rule in any file")
			case r.KernelUnread != "":
				one = unknown(f.Path, "a file has a rule, but the kernel could not be asked: "+r.KernelUnread)
			}
			if one.status != Pass {
				one.cis = []string{w.cis}
			}
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		return []verdict{notApplicable("no file of Docker's is there")}
	}
	return all
}

// files returns the files with a role.
func (v *view) files(role facts.Role) []facts.File {
	return slices.DeleteFunc(slices.Clone(v.Facts.Files), func(f facts.File) bool { return f.Role != role })
}

// covers reports whether one of the rules is about a file: it names it, or a
// directory around it, which the audit watches with all that is inside.
func covers(rules []string, file string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool {
		return slices.ContainsFunc(watches(rule), func(w watch) bool {
			return w.path == file || w.tree && strings.HasPrefix(file, strings.TrimSuffix(w.path, "/")+"/")
		})
	})
}

// watch is what a rule of the audit is about.
type watch struct {
	path string
	tree bool // with all that is below it
}

// watches returns the files and directories that a rule of auditctl(8) names: after
// -w, or as -F path= and -F dir=. A rule that logs nothing (never) names none.
func watches(rule string) []watch {
	var all []watch
	previous := ""
	for _, word := range strings.Fields(rule) {
		path, isPath := strings.CutPrefix(word, "path=")
		dir, isDir := strings.CutPrefix(word, "dir=")
		switch {
		case strings.HasPrefix(word, "#"):
			return all
		case previous == "-a" && slices.Contains(strings.Split(word, ","), "never"):
			return nil
		case previous == "-w":
			all = append(all, watch{word, true})
		case previous == "-F" && isPath:
			all = append(all, watch{path, false})
		case previous == "-F" && isDir:
			all = append(all, watch{dir, true})
		}
		previous = word
	}
	return all
}
