package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"molo/certificate"
	"molo/provision"
)

// keptRuns, keptTrails and keptAudits are how many records are kept: of runs, of what
// exactly they did, with which they can be taken back, and of audits.
const keptRuns, keptTrails, keptAudits = 50, 10, 50

// RunVersion is the version of the format of Run.
const RunVersion = 1

// Run is the record of one apply. It is what --json prints, and what stays in
// /var/lib/molo/runs.
type Run struct {
	Version  int                 `json:"version"`
	ID       string              `json:"id"`            // "20261123T132600.123Z-4711": when it began, and the process
	Action   string              `json:"action"`        // "apply" or "rollback"
	Why      string              `json:"why,omitempty"` // of a rollback
	Molo     string              `json:"molo"`
	Policy   string              `json:"policy"`         // path
	Only     []string            `json:"only,omitempty"` // the parts that it was about; none: all
	Began    time.Time           `json:"began"`
	Ended    time.Time           `json:"ended"`
	Status   provision.Status    `json:"status"` // ok, changed or failed
	Rounds   int                 `json:"rounds"`
	Parts    []provision.Outcome `json:"parts"`
	Error    string              `json:"error,omitempty"`
	Hostname string              `json:"hostname"`
	// Certificates says how the certificate of each site stands after the run.
	Certificates []certificate.Status `json:"certificates,omitempty"`
	// LastSuccess is when a run last ended with the host as the policy wants it.
	LastSuccess time.Time `json:"last_success,omitzero"`
}

// NewRun begins the record of a run.
func NewRun(molo, policy string) Run {
	now := time.Now().UTC()
	return Run{Version: RunVersion, ID: RecordID(now), Action: "apply", Molo: molo, Policy: policy, Began: now}
}

// RecordID names what this process did at a moment.
func RecordID(at time.Time) string {
	return fmt.Sprintf("%s-%d", at.UTC().Format("20060102T150405.000Z"), os.Getpid())
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

// Record keeps a run, removes the oldest ones, and tells those who watch: the journal and
// a node exporter. policy is the digest of the policy.
func (h *Host) Record(r Run, policy string) error {
	last, err := h.LastRun()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.log.Warn("starting without the record of the last run", "why", err)
	}
	r.LastSuccess = last.LastSuccess
	if r.Status != provision.Failed && r.Action == "apply" && len(r.Only) == 0 {
		r.LastSuccess = r.Ended
	}
	return errors.Join(h.keep(r), h.writeMetrics(context.Background(), r, policy), journalRun(r))
}

func (h *Host) keep(r Run) error {
	dir := h.path(filepath.Join(stateDir, "runs"))
	if err := h.writeJSON(filepath.Join(dir, r.ID+".json"), r); err != nil {
		return err
	}
	if err := h.writeJSON(h.path(filepath.Join(stateDir, "last-run.json")), r); err != nil {
		return err
	}
	return errors.Join(h.keepTrail(r.ID), keepNewest(dir, keptRuns))
}

// keepTrail keeps what a run did, so that it can be taken back later. Records of runs
// are for people; these hold whole files.
func (h *Host) keepTrail(run string) error {
	memory, err := h.Load(context.Background())
	if err != nil || memory.Trail == nil || memory.Trail.Run != run {
		return err
	}
	dir := h.path(filepath.Join(stateDir, "trails"))
	return errors.Join(h.writeJSON(filepath.Join(dir, run+".json"), memory.Trail), keepNewest(dir, keptTrails))
}

// Trail reads what a run did.
func (h *Host) Trail(run string) (provision.Trail, error) {
	var trail provision.Trail
	err := readJSON(h.path(filepath.Join(stateDir, "trails", filepath.Base(run)+".json")), &trail)
	if errors.Is(err, fs.ErrNotExist) {
		return trail, fmt.Errorf("nothing is kept of a run %q: it changed nothing, or it is too long ago", run)
	}
	return trail, err
}

// keepNewest removes all but the newest records of a directory.
func keepNewest(dir string, most int) error {
	names, err := records(dir)
	if err != nil {
		return fmt.Errorf("removing old run records: %w", err)
	}
	for _, name := range names[:max(0, len(names)-most)] {
		// Another molo may have been faster: audits take no lock.
		if err := discard(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("removing old run records: %w", err)
		}
	}
	return nil
}

// records lists the records of a directory, the oldest first: their names begin with
// the time.
func records(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// LastRun is what is left of a run for those who only read: its outcome.
type LastRun struct {
	ID     string           `json:"id"`
	Began  time.Time        `json:"began"`
	Ended  time.Time        `json:"ended"`
	Status provision.Status `json:"status"`
	Error  string           `json:"error,omitempty"`

	LastSuccess time.Time `json:"last_success,omitzero"`
	Parts       []struct {
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
