package volumes

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"molo/internal/subid"
)

// Request is what somebody asked for.
type Request struct {
	Args []string // names of volumes and absolute paths
	Back bool     // out of the mapping instead of into it
}

// paths returns those of the arguments that are paths.
func (r Request) paths() []string {
	var all []string
	for _, arg := range r.Args {
		if path.IsAbs(arg) {
			all = append(all, path.Clean(arg))
		}
	}
	return all
}

// Job is what becomes of one volume or path.
type Job struct {
	Name  string      `json:"name"`
	Tree  string      `json:"tree"` // the directory whose owners change; where it is in the end
	Shift subid.Shift `json:"-"`
	// From and To are the data roots that a volume moves between; both are empty if
	// its data stays where it is.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Labels are those that the volume gets when dockerd is told of it.
	Labels map[string]string `json:"-"`
	// Tell says that dockerd must be told of the volume; Forget, that it has one
	// without data, which it must forget. Otherwise the data roots are out of its sight.
	Tell   bool `json:"-"`
	Forget bool `json:"-"`
	// Empty lists data roots out of sight that are left with a directory for the
	// volume and no data.
	Empty []string `json:"-"`
	Place Place    `json:"-"` // of the data, where it is now
}

// Moves says that the data moves to another data root.
func (j Job) Moves() bool { return j.From != j.To }

// Volume is the name of the volume, or nothing if it is a path.
func (j Job) Volume() string {
	if path.IsAbs(j.Name) {
		return ""
	}
	return j.Name
}

// Source is where the data is now.
func (j Job) Source() string {
	if j.Moves() {
		return DataOf(j.From, j.Name)
	}
	return j.Tree
}

// Plan decides on a request. If anything in it is refused, all of it is.
func Plan(s State, r Request) ([]Job, error) {
	var jobs []Job
	var wrong []error
	var seen []string
	for _, arg := range r.Args {
		if path.IsAbs(arg) {
			arg = path.Clean(arg)
		}
		if slices.Contains(seen, arg) {
			continue
		}
		seen = append(seen, arg)
		job, err := s.plan(arg, r.Back)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", arg, err))
			continue
		}
		jobs = append(jobs, job)
	}
	return jobs, errors.Join(wrong...)
}

func (s State) plan(arg string, back bool) (Job, error) {
	switch {
	case !back && !s.Roots[0].remapped():
		return Job{}, errors.New("dockerd runs without userns-remap: there is no mapping to bring it into\nhint: --back brings it out of one")
	case path.IsAbs(arg):
		return s.planPath(arg, back)
	case !IsName(arg):
		return Job{}, errors.New("it is neither the name of a volume nor an absolute path")
	}
	return s.planVolume(arg, back)
}

func (s State) planPath(name string, back bool) (Job, error) {
	i := slices.IndexFunc(s.Trees, func(t Tree) bool { return t.Path == name })
	if i < 0 {
		return Job{}, errors.New("nobody has looked for it")
	}
	if s.Trees[i].Wrong != "" {
		return Job{}, errors.New(s.Trees[i].Wrong)
	}
	if err := refuse(s.Guarded, name, s.Trees[i].Place); err != nil {
		return Job{}, err
	}
	to := s.Roots[0]
	if back {
		to = Root{Path: s.Base()}
	}
	shift, err := s.shift(to, nil)
	return Job{Name: name, Tree: name, Shift: shift, Place: s.Trees[i].Place}, err
}

// shift is what brings ids to those of a data root: from no mapping and from all that
// are known. Those of one data root, if it is named, must be known.
func (s State) shift(to Root, from *Root) (subid.Shift, error) {
	if from != nil && from.Unknown != "" {
		return subid.Shift{}, fmt.Errorf("the ids in %s: %s", from.Path, from.Unknown)
	}
	if to.Unknown != "" {
		return subid.Shift{}, fmt.Errorf("the ids in %s: %s", to.Path, to.Unknown)
	}
	var others []subid.Mapping
	why := errors.New("no data root in " + s.Base() + " has a mapping to bring it out of")
	for _, r := range s.Roots {
		switch {
		case r.Unknown != "":
			why = fmt.Errorf("the ids in %s: %s", r.Path, r.Unknown)
		case r.Mapping != nil && r.Path != to.Path:
			others = append(others, *r.Mapping)
		}
	}
	switch {
	case to.Mapping != nil:
		return subid.Into(*to.Mapping, others...)
	case len(others) == 0:
		return subid.Shift{}, why
	}
	return subid.Back(others...)
}

// planVolume finds out where the data is, and where it belongs.
func (s State) planVolume(name string, back bool) (Job, error) {
	to := s.Roots[0]
	if back {
		to = s.root(s.Base())
	}
	var there *Copy
	var elsewhere []Copy
	copies := s.copies(name)
	for i, c := range copies {
		switch {
		case c.Root == to.Path:
			there = &copies[i]
		case c.Data:
			elsewhere = append(elsewhere, c)
		}
	}
	switch {
	case len(copies) == 0:
		return Job{}, errors.New("there is no such volume\nhint: molo volumes lists them")
	case len(elsewhere) > 1:
		return Job{}, fmt.Errorf("%s and %s both have data of it\nhint: remove or rename what is not needed", elsewhere[0].Root, elsewhere[1].Root)
	case there != nil && there.Data && !there.Empty && len(elsewhere) == 1 && !elsewhere[0].Empty:
		return Job{}, s.conflict(name, elsewhere[0].Root, to.Path)
	}
	job, err := s.job(name, to, there, elsewhere)
	if err != nil {
		return Job{}, err
	}
	for _, c := range copies {
		if c.Root != to.Path && (!c.Data || c.Root == job.From) {
			job.left(c, s.visible(c.Root))
		}
	}
	return job, s.movable(copies, job)
}

// conflict refuses to mix data. Only what dockerd sees can be removed by its means.
func (s State) conflict(name, from, to string) error {
	away := "move away " + DataOf(to, name)
	if s.visible(to) {
		away = "remove what dockerd sees (docker volume rm " + name + ")"
	}
	return fmt.Errorf("%s and %s both have data of it, and nothing is overwritten\nhint: if nobody needs what is in the latter, %s, and try again", from, to, away)
}

// left notes a data root that has a directory for the volume, but no data in the end.
func (j *Job) left(c Copy, visible bool) {
	if visible {
		j.Forget = true
	} else {
		j.Empty = append(j.Empty, c.Root)
	}
}

// job brings the data into a data root, or its owners up to date if it is there.
func (s State) job(name string, to Root, there *Copy, elsewhere []Copy) (Job, error) {
	job := Job{Name: name, Tree: DataOf(to.Path, name)}
	if there != nil && there.Data && (!there.Empty || len(elsewhere) == 0) {
		job.Place = there.Place
		shift, err := s.shift(to, nil)
		job.Shift = shift
		return job, err
	}
	if len(elsewhere) == 0 {
		return Job{}, errors.New("no data root has data of it: somebody removed its directory " + Data)
	}
	from := elsewhere[0]
	root := s.root(from.Root)
	shift, err := s.shift(to, &root)
	job.From, job.To, job.Shift, job.Place = from.Root, to.Path, shift, from.Place
	job.Labels, job.Tell = from.Labels, s.visible(to.Path)
	return job, err
}

// movable refuses what a rename would not bring along, or would not work with.
func (s State) movable(copies []Copy, j Job) error {
	for _, c := range copies {
		switch {
		case c.Device != "":
			return fmt.Errorf("in %s Docker mounts %s over it, and its data is there\nhint: create the volume again with the same options%s", c.Root, c.Device, orPath(c.Device))
		case c.Quota && (j.Moves() || !c.Data):
			return fmt.Errorf("in %s Docker bounds its size, and a rename does not take that along\nhint: create it again with a size, and copy the data", c.Root)
		case c.Root == j.From && c.Mount != s.root(j.To).Mount:
			return fmt.Errorf("its data in %s is on another mount than %s: molo renames, and does not copy\nhint: docs/userns.md says how to bring such data along", c.Root, path.Join(j.To, Dir))
		}
	}
	return nil
}

func orPath(device string) string {
	if !isDirectory(device) {
		return ""
	}
	return ", and bring the directory along: molo volumes remap " + shellWord(device)
}

// isDirectory tells a directory, which a bind mount makes a volume, from a device.
func isDirectory(device string) bool {
	return strings.HasPrefix(device, "/") && !strings.HasPrefix(device, "/dev/")
}

// inUse names who uses the data of a job.
func (s State) inUse(j Job) []string {
	paths := []string{j.Source()}
	if j.Tree != j.Source() {
		paths = append(paths, j.Tree)
	}
	return s.users(j.Volume(), paths, j.Place)
}
