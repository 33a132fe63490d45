package volumes

import (
	"context"
	"errors"
	"fmt"
)

// Host is the machine that volumes are on.
type Host interface {
	// VolumeState reads what there is, and of these paths where they are.
	VolumeState(ctx context.Context, paths []string) (State, error)
	// Survey looks at a job's tree, and changes nothing.
	Survey(context.Context, Job) (Survey, error)
	// Remap does a job. After an error, another Remap goes on where this one ended.
	Remap(context.Context, Job, Survey) (Tally, error)
}

// Survey is what was found in a tree.
type Survey struct {
	Tally Tally
	Names map[Inode]uint64 // of files with several names, how many are in the tree
}

// Inode identifies a file by the numbers of its device and of its own.
type Inode struct{ Device, Number uint64 }

// Report says what was done, or would be.
type Report struct {
	DryRun  bool     `json:"dry_run"`
	Back    bool     `json:"back"`
	Results []Result `json:"results"`
}

// Result is what became of one volume or path, or what would.
type Result struct {
	Job
	Status Status   `json:"status"`
	InUse  []string `json:"in_use,omitempty"` // who has to stop first
	Tally  Tally    `json:"tally"`
	Error  string   `json:"error,omitempty"`
}

// Status is how far a job is.
type Status string

// The states of a job.
const (
	Nothing Status = "nothing to do"
	Planned Status = "planned"
	Changed Status = "changed"
	Failed  Status = "failed"
)

// Run does what was asked for, or with dry only finds out what that is. An error
// means that nothing was changed.
func Run(ctx context.Context, h Host, r Request, dry bool) (*Report, error) {
	state, err := h.VolumeState(ctx, r.paths())
	if err != nil {
		return nil, err
	}
	jobs, err := Plan(state, r)
	if err != nil {
		return nil, err
	}
	report := &Report{DryRun: dry, Back: r.Back}
	var surveys []Survey
	for _, j := range jobs {
		survey, err := h.Survey(ctx, j)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", j.Name, err)
		}
		surveys, report.Results = append(surveys, survey), append(report.Results, state.result(j, survey))
	}
	if dry {
		return report, nil
	}
	if err := report.busy(); err != nil {
		return nil, err
	}
	for i := range report.Results {
		report.Results[i].do(ctx, h, surveys[i])
	}
	return report, nil
}

// result is what a job would do. Who uses data that stays as it is does not matter.
func (s State) result(j Job, survey Survey) Result {
	r := Result{Job: j, Status: Planned, Tally: survey.Tally}
	if !j.Moves() && !j.Forget && len(j.Empty) == 0 && survey.Tally.Changed == 0 {
		r.Status = Nothing
	} else {
		r.InUse = s.inUse(j)
	}
	return r
}

// busy returns an error if somebody uses what would change.
func (r *Report) busy() error {
	var all []error
	for _, result := range r.Results {
		if len(result.InUse) > 0 {
			all = append(all, fmt.Errorf("%s: mounted by %s\nhint: stop what mounts it, and start it again afterwards", result.Name, said(result.InUse)))
		}
	}
	return errors.Join(all...)
}

// do does a job that has something to do.
func (r *Result) do(ctx context.Context, h Host, survey Survey) {
	if r.Status == Nothing {
		return
	}
	tally, err := h.Remap(ctx, r.Job, survey)
	r.Status, r.Tally = Changed, tally
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted\nhint: the same command goes on where this one ended")
	}
	if err != nil {
		r.Status, r.Error = Failed, err.Error()
	}
}

// Failed returns an error unless everything asked for was done, or could be.
func (r *Report) Failed() error {
	all := []error{r.busy()}
	for _, result := range r.Results {
		switch {
		case result.Error != "":
			all = append(all, fmt.Errorf("%s: %s", result.Name, result.Error))
		case result.Tally.Left > 0:
			all = append(all, fmt.Errorf("%s: %s left alone", result.Name, count(result.Tally.Left)))
		}
	}
	return errors.Join(all...)
}
