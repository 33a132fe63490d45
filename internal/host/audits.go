package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"molo/internal/audit"
)

func (h *Host) auditsDir() string { return h.path(filepath.Join(stateDir, "audits")) }

// RecordAudit keeps the report of an audit, and removes the oldest ones.
func (h *Host) RecordAudit(r audit.Report) error {
	if err := h.writeJSON(filepath.Join(h.auditsDir(), r.ID+".json"), r); err != nil {
		return err
	}
	return keepNewest(h.auditsDir(), keptAudits)
}

// LastAudit reads the newest audit that is kept and can be read. The error satisfies
// errors.Is(err, fs.ErrNotExist) when there is none.
func (h *Host) LastAudit() (audit.Report, error) {
	names, err := records(h.auditsDir())
	if err != nil {
		return audit.Report{}, fmt.Errorf("reading earlier audits: %w", err)
	}
	for _, name := range slices.Backward(names) {
		r, err := readAudit(filepath.Join(h.auditsDir(), name))
		if err == nil {
			return r, nil
		}
		h.log.Warn("passing over an audit that can't be read", "why", err)
	}
	return audit.Report{}, fmt.Errorf("reading earlier audits: %w", fs.ErrNotExist)
}

// Audited reads one audit that is kept.
func (h *Host) Audited(id string) (audit.Report, error) {
	r, err := readAudit(filepath.Join(h.auditsDir(), filepath.Base(id)+".json"))
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	names, err := records(h.auditsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("reading earlier audits: %w", err)
	}
	const shown = 5
	text := fmt.Sprintf("no audit %q is kept\nhint: ", id)
	if len(names) == 0 {
		return r, errors.New(text + "none is; audits of root are")
	}
	newest := names[max(0, len(names)-shown):]
	return r, fmt.Errorf("%sof %d, the newest are %s", text, len(names), strings.ReplaceAll(strings.Join(newest, ", "), ".json", ""))
}

// readAudit reads a record in a format that is known.
func readAudit(path string) (audit.Report, error) {
	var r audit.Report
	err := readJSON(path, &r)
	if err == nil && r.Version != audit.ReportVersion {
		err = fmt.Errorf("reading %s: another version of molo wrote it", path)
	}
	return r, err
}

// WriteReport writes a report where somebody asked for it: whole or not at all, so that
// who reads it meanwhile sees the old one or the new one. A file that is there keeps its
// mode. Whatever is there besides a regular file is left alone: a link may lead to where
// others want root to write, and a device is not to be replaced.
func WriteReport(path string, data []byte, mode fs.FileMode) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("writing %s: it is not a regular file", path)
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("writing the report: %w", err)
	}
	return swapIn(path, data, renameio.WithStaticPermissions(mode), func(*os.File) error { return nil })
}
