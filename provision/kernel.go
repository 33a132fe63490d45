package provision

import (
	"cmp"
	"fmt"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/kernel"
)

// kernelPart compiles the block sysctl. Values hold as soon as they are written; the file
// is for the next boot.
func kernelPart(p *policy.Sysctl, f facts.Facts) (Part, error) {
	part := Part{Name: PartKernel}
	if p == nil {
		return part, nil
	}
	compiled, err := kernel.Compile(p, f)
	if err != nil {
		return Part{}, err
	}
	part.Want = append(part.Want, Wanted{Resource: compiled.Boot, From: From(p.Range)})
	for _, s := range compiled.Now {
		if !f.Offline {
			part.Want = append(part.Want, Wanted{Resource: s.Sysctl, From: From(s.Range)})
		}
	}
	for _, finding := range compiled.Findings {
		part.Notes = append(part.Notes, Note{finding.What, cmp.Or(finding.Where, From(finding.Range).String())})
	}
	return part, nil
}

// absent notes the owner's settings that the kernel does not have.
func absent(part Part, have Have) []Note {
	var notes []Note
	for _, w := range part.Want {
		s, ok := w.Resource.(resource.Sysctl)
		if ok && have.State[w.ID()] == nil && !have.Blind[w.ID()] {
			notes = append(notes, Note{fmt.Sprintf("this kernel has no setting %s", policy.KernelName(s.Name)), w.From.String()})
		}
	}
	return notes
}
