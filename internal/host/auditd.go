package host

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"molo/internal/facts"
	"molo/provision"
)

// auditdFacts asks the kernel's audit, where auditd runs.
func (h *Host) auditdFacts(ctx context.Context, f *facts.Facts) {
	a := &f.Auditd
	unread := func(what string, err error) {
		f.Unknown = append(f.Unknown, unreadable(what, provision.PartAuditd, err))
	}
	a.Installed = true
	for _, program := range []string{"/usr/sbin/auditctl", "/usr/sbin/augenrules"} {
		if _, err := os.Stat(h.path(program)); err != nil {
			a.Installed = false
		}
	}
	if !a.Installed || h.offline() {
		return
	}
	unit, err := h.unit(ctx, provision.AuditdUnit)
	if err != nil {
		unread(provision.AuditdUnit, err)
		return
	}
	if a.Running = unit.Active == "active"; !a.Running {
		return
	}
	if os.Geteuid() != 0 {
		unread("the kernel's audit rules", fs.ErrPermission)
		return
	}
	status, err := h.exec(ctx, nil, "auditctl", "-s")
	if err != nil {
		a.Refusal = err.Error()
		return
	}
	a.Locked = auditLocked(string(status))
	if a.Rules, err = h.loadedAuditRules(ctx); err != nil {
		a.Refusal = err.Error()
	}
}

// auditLocked reads from "auditctl -s" whether rules can't change before the next boot.
func auditLocked(status string) bool {
	for line := range strings.Lines(status) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "enabled" {
			return f[1] == "2"
		}
	}
	return false
}

// loadedAuditRules lists the rules that the kernel has.
func (h *Host) loadedAuditRules(ctx context.Context) ([]string, error) {
	out, err := h.exec(ctx, nil, "auditctl", "-l")
	if err != nil {
		return nil, err
	}
	var rules []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "-") {
			rules = append(rules, line)
		}
	}
	return rules, nil
}

// loadAuditRules has the kernel take the files in rules.d. What counts is which rules it
// has then: a line of somebody else's that it refuses is not ours. Rules of molo's that
// are there already go first: the kernel refuses a rule that it has, and without a -D in
// rules.d nothing would take away those that are no longer wanted.
func (h *Host) loadAuditRules(ctx context.Context, a provision.Activation) error {
	if _, err := h.exec(ctx, nil, "auditctl", "-D", "-k", provision.AuditKey); err != nil {
		return fmt.Errorf("taking away molo's audit rules: %w", err)
	}
	_, err := h.exec(ctx, nil, "augenrules", "--load")
	if a.Until != nil {
		if differs := h.Probe(ctx, a.Until); differs == nil || err == nil {
			err = differs
		} else {
			err = fmt.Errorf("%w\n%w", differs, err)
		}
	}
	if err != nil {
		return fmt.Errorf("loading the audit rules: %w", err)
	}
	return nil
}

// probeAudit asks the kernel for its rules and compares those that are molo's.
func (h *Host) probeAudit(ctx context.Context, p provision.AuditLoaded) error {
	rules, err := h.loadedAuditRules(ctx)
	if err != nil {
		return err
	}
	missing, extra := p.Differ(rules)
	switch {
	case len(missing) > 0:
		return fmt.Errorf("the kernel did not take %d of molo's rules, beginning with the one for %s", len(missing), missing[0])
	case len(extra) > 0:
		return fmt.Errorf("the kernel still has %d rules of molo's that should be gone, among them the one for %s", len(extra), extra[0])
	}
	return nil
}
