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

// writeAudit writes a report, with hints where they are asked for.
func (a *app) writeAudit(ctx context.Context, h *host.Host, in audit.Input, flags auditFlags, view audit.Report) error {
	if flags.fixHints {
		return a.writeHinted(ctx, h, in, view, flags.only)
	}
	return a.writeReport(flags, view)
}

// writeHinted writes a report, and behind it how each container that falls short can
// be started instead.
func (a *app) writeHinted(ctx context.Context, h *host.Host, in audit.Input, report audit.Report, only []string) error {
	behaviours, err := h.Behaviours(ctx, in.Facts.Engine.Containers)
	if err != nil {
		return fmt.Errorf("looking at what containers do: %w", err)
	}
	hints := audit.Hints(in, behaviours, only)
	if a.json {
		return a.writeJSON(hintedReport{report, hints})
	}
	if err := report.WriteText(a.stdout); err != nil {
		return err
	}
	return audit.WriteHints(a.stdout, hints)
}
