package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"molo/internal/audit"
	"molo/internal/audit/report"
	"molo/internal/host"
)

func formats() []string {
	var all []string
	for _, f := range report.Formats() {
		all = append(all, string(f))
	}
	return all
}

// chooseFormat brings --json and --format together. chosen says that --format was given.
func (a *app) chooseFormat(flags *auditFlags, chosen bool) error {
	if a.json && chosen && flags.format != string(report.JSON) {
		return fmt.Errorf("--json and --format %s contradict each other", flags.format)
	}
	if a.json {
		flags.format = string(report.JSON)
	}
	if !slices.Contains(formats(), flags.format) {
		return fmt.Errorf("there is no format %q\nhint: the formats are %s", flags.format, strings.Join(formats(), ", "))
	}
	a.json = flags.format == string(report.JSON)
	return nil
}

// earlier reads the audit to compare with; nil where there is none. That a page has
// nothing to compare with is nothing to complain about, unless it was asked for.
func (a *app) earlier(h *host.Host, flags auditFlags) (*audit.Report, error) {
	if flags.since == "" && flags.format != string(report.HTML) {
		return nil, nil
	}
	if flags.since != "" && flags.since != last {
		r, err := h.Audited(flags.since)
		return &r, err
	}
	r, err := h.LastAudit()
	switch {
	case err == nil:
		return &r, nil
	case flags.since == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		_, err = fmt.Fprintln(a.stderr, "molo: no earlier audit is kept: there is nothing to compare with")
	}
	return nil, err
}

// writeReport writes a report to standard output, or where --output says. Reports tell
// where a host is weak: only metrics are for everybody.
func (a *app) writeReport(flags auditFlags, r audit.Report) error {
	if flags.output == "" {
		return report.Write(a.stdout, report.Format(flags.format), r)
	}
	var out bytes.Buffer
	if err := report.Write(&out, report.Format(flags.format), r); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if flags.format == string(report.Prometheus) {
		mode = 0o644
	}
	return host.WriteReport(flags.output, out.Bytes(), mode)
}
