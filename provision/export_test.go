package provision

import (
	"github.com/hashicorp/hcl/v2"

	"molo/internal/policy"
)

// At returns a value as a policy holds it, written on a line of policies.hcl.
func At[T any](line int, v T) policy.Value[T] {
	return policy.Value[T]{V: v, Set: true, Range: hcl.Range{Filename: "policies.hcl", Start: hcl.Pos{Line: line}}}
}

// Bool returns what an engine tells of a setting.
func Bool(b bool) *bool { return &b }
