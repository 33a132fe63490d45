package main

import (
	"context"
	"fmt"

	"molo/internal/audit"
	"molo/internal/host"
)

// hintedReport is what audit --fix-hints --json writes.
type hintedReport struct {
	audit.Report
	Hints []audit.Hint `json:"hints"`
}

// hints says how each container that falls short can be started instead.
func hints(ctx context.Context, h *host.Host, in audit.Input, only []string) ([]audit.Hint, error) {
	behaviours, err := h.Behaviours(ctx, in.Facts.Engine.Containers)
	if err != nil {
		return nil, fmt.Errorf("looking at what containers do: %w", err)
	}
	return audit.Hints(in, behaviours, only), nil
}

// writeHinted writes a report, and hints behind it.
func (a *app) writeHinted(report audit.Report, hints []audit.Hint) error {
	if a.json {
		return a.writeJSON(hintedReport{report, hints})
	}
	if err := report.WriteText(a.stdout); err != nil {
		return err
	}
	return audit.WriteHints(a.stdout, hints)
}
