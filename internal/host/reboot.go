package host

import (
	"context"
	"errors"
	"os"
	"strings"

	"molo/internal/resource"
	"molo/provision"
)

// bootID names the time since the kernel was started (random(4)); where there is none, all
// of it is one boot.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// RestoreRules loads the firewall rules that the kernel lost with a reboot, as they were
// loaded last. It is for when no run may or can decide anew: molo is paused, a run waits to
// be confirmed, the policy can't be read. Ports that were shut must not open by that. What
// somebody took away by hand since the boot stays away.
func (h *Host) RestoreRules(ctx context.Context) error {
	if h.offline() {
		return nil
	}
	boot := bootID()
	families := []resource.Family{resource.IPv4}
	if hasIPv6() {
		families = append(families, resource.IPv6)
	}
	var problems []error
	for _, family := range families {
		changes, err := h.lost(ctx, family, boot)
		if err == nil && len(changes) > 0 {
			err = h.writeRules(ctx, changes)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// lost lists the rules of a family that were loaded before this boot and are not there.
func (h *Host) lost(ctx context.Context, family resource.Family, boot string) ([]provision.Change, error) {
	var kept []committed
	for _, table := range []string{"mangle", "filter", "security"} {
		c, err := h.loadRules(family, table)
		if err != nil {
			return nil, err
		}
		if len(c.Rules.Chains) > 0 && c.Boot != boot {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	tables, err := h.save(ctx, family)
	if err != nil {
		return nil, err
	}
	var changes []provision.Change
	for _, c := range kept {
		if len(tables.saved[c.Rules.Table].own()) == 0 {
			changes = append(changes, provision.Change{ID: c.Rules.ID(), Want: c.Rules})
		}
	}
	return changes, nil
}
