// Package hosttest holds a host made of plain data, for tests: it keeps what is
// written, fails where it is told to, and prints itself and all that was done to it
// as text.
package hosttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/resource"
	"molo/provision"
)

// ErrKilled is what every call returns once the host has been told to die.
var ErrKilled = errors.New("killed")

// Host is a provision.Host and a provision.Store. The zero value is an empty host.
type Host struct {
	Is     facts.Facts
	State  map[resource.ID]resource.Resource
	Kept   provision.Memory
	Unread []facts.Unread
	// Troubles is what dockerd would make of any change of daemon.json.
	Troubles []provision.Trouble
	// Lives is what dockerd would make of daemon.json as it is.
	Lives []provision.Trouble

	// Fail holds the error that the next such call returns, by its line in the log,
	// such as "restart docker.service". A call that fails has no effect.
	Fail map[string]error
	// KillAfter, when positive, lets that many side effects happen; then the process
	// counts as killed: nothing more has any effect, not even putting back.
	KillAfter int
	// React is called after each side effect, to change facts as a real host would.
	React func(h *Host, did string)

	log     []string
	effects int
}

var (
	_ provision.Host  = (*Host)(nil)
	_ provision.Store = (*Host)(nil)
)

// act logs a side effect and says whether it may happen.
func (h *Host) act(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if h.KillAfter > 0 && h.effects >= h.KillAfter {
		return ErrKilled
	}
	h.effects++
	h.log = append(h.log, line)
	err := h.Fail[line]
	delete(h.Fail, line)
	return err
}

func (h *Host) reacted(format string, args ...any) {
	if h.React != nil {
		h.React(h, fmt.Sprintf(format, args...))
	}
}

// Facts returns Is.
func (h *Host) Facts(context.Context) (facts.Facts, error) { return h.Is, nil }

// Named returns what Is says of the files and addresses.
func (h *Host) Named(context.Context, provision.Named) provision.Found {
	return provision.Found{Files: h.Is.Nginx.Files, Silent: h.Is.Nginx.Silent, Open: h.Is.Nginx.Open}
}

// TLS returns what Is has.
func (h *Host) TLS(context.Context, []certificate.Want) (facts.TLS, []facts.Unread, error) {
	return h.Is.Nginx.TLS, nil, nil
}

// Refresh logs whom it would ask about.
func (h *Host) Refresh(_ context.Context, wants []certificate.Want) error {
	var sites []string
	for _, w := range wants {
		if w.Directory != "" {
			sites = append(sites, w.Site)
		}
	}
	if len(sites) == 0 {
		return nil
	}
	return h.act("refresh %s", strings.Join(sites, " "))
}

// Read returns the states of the resources that are there.
func (h *Host) Read(_ context.Context, ids []resource.ID) (provision.Have, error) {
	have := provision.Have{State: map[resource.ID]resource.Resource{}, Unread: h.Unread}
	for _, id := range ids {
		if state, ok := h.State[id]; ok {
			have.State[id] = state
		}
	}
	return have, nil
}

// Foresee returns Lives, and Troubles where something changes.
func (h *Host) Foresee(_ context.Context, _ facts.Docker, changes []provision.Change) ([]provision.Trouble, error) {
	if len(changes) == 0 {
		return h.Lives, nil
	}
	return append(slices.Clone(h.Lives), h.Troubles...), nil
}

// Check logs the check.
func (h *Host) Check(_ context.Context, check provision.Check, _ []provision.Change) error {
	return h.act("check %T", check)
}

// Write makes the changes one by one, so that a failure leaves those before it. Orders
// of certificates don't depend on each other.
func (h *Host) Write(_ context.Context, changes []provision.Change) error {
	var problems []error
	for _, c := range changes {
		err := h.act("write %s", c.ID)
		problems = append(problems, err)
		switch {
		case err == nil:
			h.set(c)
			h.reacted("write %s", c.ID)
		case c.ID.Kind() != "certificate":
			return err
		}
	}
	return errors.Join(problems...)
}

func (h *Host) set(c provision.Change) {
	if h.State == nil {
		h.State = map[resource.ID]resource.Resource{}
	}
	if link, ok := c.Want.(resource.Link); c.Want == nil || ok && link.Target == "" {
		delete(h.State, c.ID)
		return
	}
	if certificate, ok := c.Want.(resource.Certificate); ok && certificate.Leaf == "" {
		certificate.Leaf = "ordered"
		h.State[c.ID] = certificate
		return
	}
	h.State[c.ID] = c.Want
}

// Run logs the activation, after each container that it stops or starts.
func (h *Host) Run(_ context.Context, a provision.Activation) error {
	for _, c := range a.Stops {
		if a.Verb == provision.Revive {
			continue
		}
		if err := h.act("stop %s", c.Name); err != nil {
			return err
		}
	}
	if err := h.act("%s %s", a.Verb, a.Unit); err != nil {
		return err
	}
	h.reacted("%s %s", a.Verb, a.Unit)
	return nil
}

// Probe logs the probe.
func (h *Host) Probe(_ context.Context, probe provision.Probe) error {
	return h.act("probe %T", probe)
}

// Load returns Kept.
func (h *Host) Load(context.Context) (provision.Memory, error) { return h.Kept, nil }

// Save replaces Kept.
func (h *Host) Save(_ context.Context, m provision.Memory) error {
	pending := slices.Sorted(maps.Keys(m.Pending))
	if err := h.act("remember %d owned, pending [%s]", len(m.Owned), strings.Join(pending, " ")); err != nil {
		return err
	}
	h.Kept = m
	return nil
}

// Effects returns how many side effects there have been.
func (h *Host) Effects() int { return h.effects }

// Log returns what was done since the last call, one line each.
func (h *Host) Log() string {
	text := strings.Join(h.log, "\n")
	h.log = nil
	if text != "" {
		text += "\n"
	}
	return text
}

// String prints the state of the host, one line a resource.
func (h *Host) String() string {
	var out strings.Builder
	for _, id := range slices.Sorted(maps.Keys(h.State)) {
		fmt.Fprintf(&out, "%s%s\n", id, describe(h.State[id]))
	}
	return out.String()
}

func describe(r resource.Resource) string {
	switch r := r.(type) {
	case resource.Key:
		return " = " + string(r.Value)
	case resource.Link:
		return " -> " + r.Target
	case resource.Tree:
		return fmt.Sprintf(" %d files", len(r.Files))
	case resource.SubIDs:
		return " " + r.String()
	case resource.Access:
		return " " + r.String()
	case resource.Sysctl:
		return " = " + r.Value
	case resource.Certificate:
		return " " + r.Leaf
	case resource.Rules:
		return fmt.Sprintf(" %d chains, %s", len(r.Chains), r.Hooks[0].From)
	}
	return ""
}
