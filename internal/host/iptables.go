package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/coreos/go-iptables/iptables"

	"molo/internal/resource"
	"molo/provision"
)

// ours begins the names of all chains of molo.
const ours = "MOLO"

func splitRules(id resource.ID) (resource.Family, string) {
	family, table, _ := strings.Cut(id.Where(), "/")
	return resource.Family(family), table
}

func protocol(family resource.Family) iptables.Protocol {
	if family == resource.IPv6 {
		return iptables.ProtocolIPv6
	}
	return iptables.ProtocolIPv4
}

// readRules reads what is ours in one table of one family.
func (r *reader) readRules(ctx context.Context, id resource.ID) (resource.Resource, error) {
	if r.host.offline() {
		return nil, nil
	}
	family, name := splitRules(id)
	tables, ok := r.tables[family]
	if !ok {
		var err error
		if tables, err = r.host.save(ctx, family); err != nil {
			return nil, err
		}
		r.tables[family] = tables
	}
	return r.host.known(tables, name)
}

// known tells what there is of ours in one table, in either flavour.
func (h *Host) known(r ruleset, name string) (resource.Resource, error) {
	state, err := h.recall(r.family, name, r.saved[name])
	if err != nil || !r.elsewhere(name) {
		return state, err
	}
	rules, ok := state.(resource.Rules)
	if !ok {
		rules = resource.Rules{Family: r.family, Table: name, Chains: r.other.saved[name].own()}
	}
	rules.Elsewhere = true
	return rules, nil
}

// recall tells what was committed last, and what somebody changed in it since: the
// kernel prints it differently now. Without memory it tells what is printed.
func (h *Host) recall(family resource.Family, name string, t table) (resource.Resource, error) {
	if len(t.own()) == 0 {
		return nil, nil
	}
	memory, err := h.loadRules(family, name)
	if err != nil {
		return nil, err
	}
	if memory.Printed == "" {
		return resource.Rules{Family: family, Table: name, Chains: t.own()}, nil
	}
	rules := memory.Rules
	rules.Drift = drift(memory.Printed, t.printed())
	rules.Hooks = slices.DeleteFunc(slices.Clone(rules.Hooks), func(h resource.Hook) bool { return !t.hooked(h) })
	return rules, nil
}

// drift lists the lines that came and went.
func drift(was, is string) []string {
	if was == is {
		return nil
	}
	old, now := strings.Split(was, "\n"), strings.Split(is, "\n")
	lines := slices.Concat(missingFrom(old, now, "+"), missingFrom(now, old, "-"))
	if len(lines) == 0 {
		return []string{"+the order of the rules"}
	}
	return lines
}

// missingFrom returns the lines that are not in the known ones, behind a sign.
func missingFrom(known, lines []string, sign string) []string {
	in := map[string]bool{}
	for _, line := range known {
		in[line] = true
	}
	var all []string
	for _, line := range lines {
		if !in[line] {
			all = append(all, sign+line)
		}
	}
	return all
}

// writeRules commits the changes of a family. Docker and UFW move jumps meanwhile, and one
// that is gone when it should be taken away makes the whole of it fail: so it is tried
// twice, each time from what is there.
func (h *Host) writeRules(ctx context.Context, changes []provision.Change) error {
	if h.offline() {
		return errors.New("loading firewall rules: these are the files of an image, not a running host")
	}
	err := h.commitRules(ctx, changes)
	if err == nil || ctx.Err() != nil {
		return err
	}
	h.log.Warn("loading firewall rules once more", "why", err)
	return h.commitRules(ctx, changes)
}

// commitRules does so in one iptables-restore: the guard before the filter, each table
// whole or not at all.
func (h *Host) commitRules(ctx context.Context, changes []provision.Change) error {
	family, _ := splitRules(changes[0].ID)
	tables, err := h.save(ctx, family)
	if err != nil {
		return err
	}
	var payload bytes.Buffer
	made := map[string][]string{}
	for _, c := range changes {
		_, name := splitRules(c.ID)
		want, _ := c.Want.(resource.Rules)
		memory, err := h.loadRules(family, name)
		if err != nil {
			return err
		}
		// A chain can be made again and again: it is gone after every boot.
		made[name] = slices.Compact(slices.Sorted(slices.Values(append(memory.Made, tables.saved[name].missing(want.Hooks)...))))
		payload.WriteString(restoreText(name, tables.saved[name], want, made[name]))
	}
	if _, err := h.exec(ctx, payload.Bytes(), tables.tool("restore"), "--noflush", "-w", "5"); err != nil {
		return fmt.Errorf("loading the %stables rules: %w", family, err)
	}
	if err := h.clear(ctx, tables); err != nil {
		return err
	}
	return h.confirmRules(ctx, family, changes, made)
}

// confirmRules reads back what was committed and remembers how the kernel prints it.
func (h *Host) confirmRules(ctx context.Context, family resource.Family, changes []provision.Change, made map[string][]string) error {
	tables, err := h.save(ctx, family)
	if err != nil {
		return err
	}
	for _, c := range changes {
		_, name := splitRules(c.ID)
		want, ok := c.Want.(resource.Rules)
		if !ok {
			if err := h.forgetRules(family, name); err != nil {
				return err
			}
			continue
		}
		for _, hook := range want.Hooks {
			if err := tables.confirmJump(name, hook); err != nil {
				return err
			}
		}
		if err := h.saveRules(family, name, committed{want, tables.saved[name].printed(), made[name], bootID()}); err != nil {
			return err
		}
	}
	return nil
}

// confirmJump asks iptables itself whether a jump is where it should be.
func (r ruleset) confirmJump(name string, hook resource.Hook) error {
	path, err := exec.LookPath(string(r.family) + "tables" + r.flavour)
	if err != nil {
		return fmt.Errorf("checking the jump to %s: %w", hook.To, err)
	}
	ipt, err := iptables.New(iptables.IPFamily(protocol(r.family)), iptables.Timeout(5), iptables.Path(path))
	if err != nil {
		return fmt.Errorf("checking the jump to %s: %w", hook.To, err)
	}
	rules, err := ipt.List(name, hook.From)
	if err != nil {
		return fmt.Errorf("checking the jump to %s: %w", hook.To, err)
	}
	// The first line declares the chain or prints its policy.
	listed := table{rules: map[string][]string{hook.From: rules[1:]}}
	if !listed.hooked(hook) {
		return fmt.Errorf("checking the jump to %s: somebody has moved it in %stables, chain %s", hook.To, r.family, hook.From)
	}
	return nil
}

// exec runs a program with its input and returns what it prints; the error holds
// what it says.
func (h *Host) exec(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	out, _, err := h.execBoth(ctx, stdin, name, args...)
	return out, err
}

// execBoth returns what a program says, on standard error, as well.
func (h *Host) execBoth(ctx context.Context, stdin []byte, name string, args ...string) (out []byte, said string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	h.log.Debug("exec", "argv", cmd.Args)
	err = cmd.Run()
	said = strings.TrimSpace(stderr.String())
	switch {
	case err != nil && said != "":
		return nil, said, fmt.Errorf("%s: %w: %s", name, err, said)
	case err != nil:
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	return stdout.Bytes(), said, nil
}
