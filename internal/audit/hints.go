package audit

import (
	"slices"
	"strings"

	"molo/internal/facts"
)

// Hint says how to start a container so that it meets the policy. It never holds a
// value of its environment.
type Hint struct {
	Container string   `json:"container"`
	Checks    []string `json:"checks"`              // that it fails
	Before    []string `json:"before,omitempty"`    // commands to run first
	Add       []string `json:"add,omitempty"`       // flags of docker run, ready for a shell
	LeaveOut  []string `json:"leave_out,omitempty"` // flags that it was started with
	Image     string   `json:"image,omitempty"`     // to name instead of the one it has
	Override  string   `json:"override,omitempty"`  // the same, as a compose file to put over its own
	Breaks    []string `json:"breaks,omitempty"`    // what it would lose, as far as can be known
	Left      []string `json:"left,omitempty"`      // what no flag mends, or only its owner can know
}

// Hints says for each container that fails a check how to start it so that it does
// not. Behaviours are by the ID of a container. Only is that of an audit.
func Hints(in Input, behaviours map[string]facts.Behaviour, only []string) []Hint {
	v := newView(in)
	all := []Hint{}
	for _, c := range in.Facts.Engine.Containers {
		if c.Unread != "" {
			continue
		}
		if h, wrong := v.hint(c, behaviours[c.ID], only); wrong {
			all = append(all, h)
		}
	}
	return all
}

// hint mends one container.
func (v *view) hint(c facts.ContainerDetail, u facts.Behaviour, only []string) (Hint, bool) {
	m := newMender(v, c, u)
	m.mendAll(only)
	if len(m.hint.Checks) == 0 {
		return Hint{}, false
	}
	return m.done(), true
}

// mendAll mends what fails, and then what only shows when that is gone: a privileged
// container is not asked about its capabilities.
func (m *mender) mendAll(only []string) {
	for {
		fresh := minus(m.v.failed(m.want.ContainerDetail, only), m.hint.Checks)
		if len(fresh) == 0 {
			return
		}
		m.hint.Checks = append(m.hint.Checks, fresh...)
		for _, one := range mends() {
			if slices.Contains(fresh, one.slug) {
				one.mend(m)
			}
		}
	}
}

// failed lists the checks that one container fails, without those that the policy
// lets off or exempts it from.
func (v *view) failed(c facts.ContainerDetail, only []string) []string {
	alone := *v
	alone.Facts.Engine.Containers = []facts.ContainerDetail{c}
	var slugs []string
	for _, check := range checks() {
		if check.area != AreaContainers || check.slug == "container-stopped" {
			continue
		}
		fails := func(f Finding) bool { return f.Status == Fail }
		if slices.ContainsFunc(Only(alone.run(check), only), fails) {
			slugs = append(slugs, check.slug)
		}
	}
	return slugs
}

// mender changes a container to what it should be. What differs in the end is what
// the hint says.
type mender struct {
	v    *view
	have facts.ContainerDetail
	want mended
	use  facts.Behaviour
	hint Hint
}

// mended is a container as it should be, with what facts.ContainerDetail leaves out.
type mended struct {
	facts.ContainerDetail
	tmpfs     []string // directories
	volumes   []string // directories that a new volume holds, filled from the image
	anyPort   bool     // users other than root may listen on every port
	cgroupOwn bool
	noMounts  []string // destinations of mounts to take out
	plain     []string // destinations of mounts to make private
}

func newMender(v *view, c facts.ContainerDetail, u facts.Behaviour) *mender {
	c.CapAdd, c.CapDrop = capabilities(c.CapAdd), capabilities(c.CapDrop) // since 28, Docker tells them with CAP_
	m := &mender{v: v, have: c, want: mended{ContainerDetail: c}, use: u}
	w := &m.want
	m.hint.Container = c.Name
	w.CapAdd, w.CapDrop, w.SecurityOpt, w.Published = slices.Clone(c.CapAdd), slices.Clone(c.CapDrop), slices.Clone(c.SecurityOpt), slices.Clone(c.Published)
	return m
}

func (m *mender) breaks(what string) { m.hint.Breaks = append(m.hint.Breaks, what) }
func (m *mender) left(what string)   { m.hint.Left = append(m.hint.Left, what) }

// done turns what differs into flags and an override.
func (m *mender) done() Hint {
	m.flags()
	m.hint.Override = m.override()
	for _, texts := range [][]string{m.hint.Breaks, m.hint.Left} {
		for i := range texts {
			texts[i] = printable(texts[i])
		}
	}
	return m.hint
}

// service is the name of a container in its compose file, or its own.
func (m *mender) service() string {
	if name := m.have.Labels["com.docker.compose.service"]; name != "" && plain(name) && len(name) <= maxText {
		return name
	}
	return m.have.Name
}

// minus leaves out what others have as well.
func minus(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(others, s) })
}

// enumerate spells names in a sentence.
func enumerate(names []string) string { return strings.Join(names, ", ") }
