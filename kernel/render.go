package kernel

import (
	"bytes"
	"fmt"

	"molo/internal/policy"
	"molo/templates"
)

// paragraph is a piece of the file: lines, and why they are there.
type paragraph struct {
	Why   string
	Lines []line
}

// line is one assignment.
type line struct{ Name, Value string }

func (p *paragraph) add(name, value string) {
	p.Lines = append(p.Lines, line{policy.KernelName(name), value})
}

func render(sheet []paragraph) ([]byte, error) {
	set, err := templates.Parse("sysctl")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, "60-molo.conf.tmpl", sheet); err != nil {
		return nil, fmt.Errorf("rendering %s: %w", File, err)
	}
	return out.Bytes(), nil
}
