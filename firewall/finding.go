package firewall

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
)

// Finding is something the owner should know: why a port stays shut, which rule
// has no effect. It never stops a program from being loaded.
type Finding struct {
	Where string `json:"where"` // "/etc/ufw/user.rules:31", "policies.hcl:3"
	What  string `json:"what"`
	Hint  string `json:"hint,omitempty"` // what to do next
	// Fails says that the policy does not put up with it: the run counts as failed,
	// although the rules are loaded.
	Fails bool `json:"fails,omitempty"`
}

// at names a line of a file.
func at(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }

// place names the line of the policy that a range begins on.
func place(r hcl.Range) string { return at(filepath.Base(r.Filename), r.Start.Line) }
