// Package lint judges Dockerfiles and compose files by the rules of the audit, before
// anything runs. Dockerfiles are read by BuildKit's parser and compose files by that
// of docker compose. No value of a variable gets into what it says.
package lint

import (
	"cmp"
	"errors"
	"slices"

	"molo/internal/audit"
	"molo/internal/policy"
)

// Finding is one thing in a file that falls short.
type Finding struct {
	File  string
	Line  int         // from 1
	Rule  string      // the check of the audit: "container-user"
	Level audit.Level // as in an audit
	Text  string      // what is wrong there
	Fix   string      // what to write instead
}

// MaxFile is how long a file may be, in bytes. Longer ones are nobody's work.
const MaxFile = 1 << 20

var errTooLong = errors.New("the file is longer than 1 MiB")

// sorted orders findings by file and line.
func sorted(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return all
}

// found makes a finding of a check of the audit, unless the policy lets it off.
func found(p *policy.Policy, f Finding) []Finding {
	if audit.Waived(p, f.Rule) {
		return nil
	}
	if f.Level == "" {
		f.Level = audit.LevelOf(p, f.Rule)
	}
	f.File, f.Text = audit.Printable(f.File), audit.Printable(f.Text)
	return []Finding{f}
}
