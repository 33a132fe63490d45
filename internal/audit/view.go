package audit

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/nginx"
)

// view is what checks look at: the input and what follows from it.
type view struct {
	Input
	policy   *policy.Policy             // never nil
	defaults *policy.Policy             // with all blocks, at their defaults
	config   map[string]json.RawMessage // daemon.json; nil where it can't be read as an object
	reloaded map[string]json.RawMessage // as dockerd logged it; nil where it has not
	used     map[*policy.Exemption]bool // exemptions that covered something
	unclear  map[string]bool            // checks of which something is unknown, by name
	lint     []nginx.Finding            // of nginx's configuration; nil before it has been read
}

func newView(in Input) *view {
	v := &view{Input: in, policy: in.Policy, used: map[*policy.Exemption]bool{}, unclear: map[string]bool{}}
	if v.policy == nil {
		v.policy = &policy.Policy{}
	}
	const everything = "docker {}\nfirewall {}\ncontainers {}\nhost {}\n"
	v.defaults, _ = policy.Parse([]policy.Source{{Name: "defaults.hcl", Data: []byte(everything)}})
	if err := json.Unmarshal([]byte(v.docker().Config), &v.config); err != nil {
		v.config = nil
	}
	if err := json.Unmarshal([]byte(in.Facts.Reloaded), &v.reloaded); err != nil {
		v.reloaded = nil
	}
	return v
}

func (v *view) docker() facts.Docker { return v.Facts.Facts.Docker }

// containers returns what containers must be: the policy's block, or its defaults.
func (v *view) containers() *policy.Containers {
	if v.policy.Containers != nil {
		return v.policy.Containers
	}
	return v.defaults.Containers
}

// machine returns what the machine must be: the policy's block, or its defaults.
func (v *view) machine() *policy.HostRules {
	if v.policy.Host != nil {
		return v.policy.Host
	}
	return v.defaults.Host
}

// place names a line of the policy.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// says is the stance of an attribute that is secure when it has this value.
func says[T comparable](value policy.Value[T], secure T) stance {
	holds := value.V == secure
	return stance{asked: holds, waived: !holds, where: place(value.Range)}
}
