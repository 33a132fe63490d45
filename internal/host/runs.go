package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"molo/provision"
)

// keptRuns is how many records of runs are kept.
const keptRuns = 50

// RunVersion is the version of the format of Run.
const RunVersion = 1

// Run is the record of one apply. It is what --json prints, and what stays in
// /var/lib/molo/runs.
type Run struct {
	Version  int                 `json:"version"`
	ID       string              `json:"id"` // "20261123T132600.123Z-4711": when it began, and the process
	Molo     string              `json:"molo"`
	Policy   string              `json:"policy"` // path
	Began    time.Time           `json:"began"`
	Ended    time.Time           `json:"ended"`
	Status   provision.Status    `json:"status"` // ok, changed or failed
	Rounds   int                 `json:"rounds"`
	Parts    []provision.Outcome `json:"parts"`
	Error    string              `json:"error,omitempty"`
	Hostname string              `json:"hostname"`
}

// NewRun begins the record of a run.
func NewRun(molo, policy string) Run {
	now := time.Now().UTC()
	id := fmt.Sprintf("%s-%d", now.Format("20060102T150405.000Z"), os.Getpid())
	return Run{Version: RunVersion, ID: id, Molo: molo, Policy: policy, Began: now}
}

// End fills in what became of the run.
func (r *Run) End(report *provision.Report, err error) {
	r.Ended = time.Now().UTC()
	r.Rounds, r.Parts, r.Hostname = report.Rounds, report.Parts, report.Facts.Hostname
	switch {
	case err != nil:
		r.Status, r.Error = provision.Failed, err.Error()
	case report.Failed() != nil:
		r.Status = provision.Failed
	case report.Changed():
		r.Status = provision.Changed
	default:
		r.Status = provision.OK
	}
}

// Record keeps a run, and removes the oldest ones.
func (h *Host) Record(r Run) error {
	dir := h.path(filepath.Join(stateDir, "runs"))
	if err := h.writeJSON(filepath.Join(dir, r.ID+".json"), r); err != nil {
		return err
	}
	if err := h.writeJSON(h.path(filepath.Join(stateDir, "last-run.json")), r); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("removing old run records: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names) // the names begin with the time
	for _, name := range names[:max(0, len(names)-keptRuns)] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("removing old run records: %w", err)
		}
	}
	return nil
}

// LastRun is what is left of a run for those who only read: its outcome.
type LastRun struct {
	ID     string           `json:"id"`
	Began  time.Time        `json:"began"`
	Ended  time.Time        `json:"ended"`
	Status provision.Status `json:"status"`
	Error  string           `json:"error,omitempty"`
	Parts  []struct {
		Part   string           `json:"part"`
		Status provision.Status `json:"status"`
		Error  string           `json:"error,omitempty"`
	} `json:"parts"`
}

// LastRun reads the record of the newest run. The error satisfies
// errors.Is(err, fs.ErrNotExist) when there was none.
func (h *Host) LastRun() (LastRun, error) {
	var last LastRun
	err := readJSON(h.path(filepath.Join(stateDir, "last-run.json")), &last)
	return last, err
}
