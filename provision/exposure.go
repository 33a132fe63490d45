package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// Surfaced is a running host whose ports can be listed.
type Surfaced interface {
	// Facts and Read are those of Host.
	Facts(context.Context) (facts.Facts, error)
	Read(context.Context, []resource.ID) (Have, error)
	// Surface reads what packets from outside can be addressed to, besides what Docker
	// publishes.
	Surface(context.Context, facts.Docker) (facts.Surface, error)
}

// Exposure says who reaches which port of a host.
type Exposure struct {
	Planned bool `json:"planned"` // judged by the policy, not by what is loaded
	*firewall.View
}

// Question is about one connection from outside.
type Question = firewall.Question

// Answer says what becomes of a connection.
type Answer = firewall.Answer

// Exposed says who reaches which port now: by the rules that are loaded.
func Exposed(ctx context.Context, h Surfaced) (*Exposure, error) {
	f, err := readable(ctx, h)
	if err != nil {
		return nil, err
	}
	program, findings, err := loaded(ctx, h, f)
	if err != nil {
		return nil, err
	}
	return look(ctx, h, program, f, findings)
}

// PlannedExposure says who will reach which port once the policy is applied.
func PlannedExposure(ctx context.Context, h Surfaced, p *policy.Policy) (*Exposure, error) {
	f, err := readable(ctx, h)
	if err != nil {
		return nil, err
	}
	program, err := firewall.Compile(p.Firewall, f)
	if err != nil {
		return nil, err
	}
	findings := program.Findings
	if program.Keep {
		kept, _, err := loaded(ctx, h, f)
		if err != nil {
			return nil, err
		}
		if len(kept.Families) > 0 {
			program = kept
		}
	}
	e, err := look(ctx, h, program, f, findings)
	if err != nil {
		return nil, err
	}
	e.Planned = true
	return e, nil
}

// loaded reads the program that is in force.
func loaded(ctx context.Context, h Surfaced, f facts.Facts) (*firewall.Program, []firewall.Finding, error) {
	have, err := h.Read(ctx, marked(PartFirewall))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the host: %w", err)
	}
	if err := whole(have.Unread); err != nil {
		return nil, nil, err
	}
	program, findings := firewall.Loaded(loadedRules(have), families(f))
	return program, findings, nil
}

// look adds findings of its own to the view's, each of them once.
func look(ctx context.Context, h Surfaced, p *firewall.Program, f facts.Facts, findings []firewall.Finding) (*Exposure, error) {
	surface, err := h.Surface(ctx, f.Docker)
	if err != nil {
		return nil, fmt.Errorf("listing the ports of the host: %w", err)
	}
	view, err := firewall.Look(p, f, surface)
	if err != nil {
		return nil, err
	}
	type said struct{ where, what string }
	seen := map[said]bool{}
	all := slices.Concat(findings, view.Findings)
	view.Findings = nil
	for _, f := range all {
		if !seen[said{f.Where, f.What}] {
			view.Findings = append(view.Findings, f)
		}
		seen[said{f.Where, f.What}] = true
	}
	return &Exposure{View: view}, nil
}

// readable reads the facts and insists on those that say who reaches a port:
// with half of them every answer would be a guess.
func readable(ctx context.Context, h Surfaced) (facts.Facts, error) {
	f, err := h.Facts(ctx)
	if err != nil {
		return f, fmt.Errorf("reading the host: %w", err)
	}
	if f.Offline {
		return f, errors.New("these are the files of an image: who reaches a port can only be said of a running host")
	}
	var needed []facts.Unread
	for _, u := range f.Unknown {
		if u.Part == PartFirewall || u.Part == PartDocker && f.Docker.Blind {
			needed = append(needed, u)
		}
	}
	return f, whole(needed)
}

// whole returns an error that names what could not be read.
func whole(unread []facts.Unread) error {
	if len(unread) == 0 {
		return nil
	}
	var items []string
	for _, u := range unread {
		items = append(items, u.What+" ("+u.Why+")")
	}
	return fmt.Errorf("who reaches a port depends on what could not be read: %s\nhint: run it as root", strings.Join(items, ", "))
}
