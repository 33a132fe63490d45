package provision

import (
	"encoding/json"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/resource"
)

// outcomeJSON is how an Outcome looks in plans, reports and the run history.
type outcomeJSON struct {
	Part     string            `json:"part"`
	Status   Status            `json:"status"`
	Changes  []changeJSON      `json:"changes"`
	Activate []Activation      `json:"activate"`
	Waiting  []Activation      `json:"waiting,omitempty"`
	Effects  []firewall.Effect `json:"effects,omitempty"`
	Unread   []facts.Unread    `json:"unread,omitempty"`
	Notes    []Note            `json:"notes,omitempty"`
	Error    string            `json:"error,omitempty"`
}

type changeJSON struct {
	ID     resource.ID `json:"id"`
	Action Action      `json:"action"`
	Title  string      `json:"title"`
	Cause  Cause       `json:"cause"`
	From   string      `json:"from,omitempty"`  // "policies.hcl:12"
	Holds  string      `json:"holds,omitempty"` // when a key of daemon.json is felt
	Lines  []Line      `json:"lines,omitempty"`
}

// MarshalJSON writes what the text output shows; contents of sensitive files are
// in neither.
func (o Outcome) MarshalJSON() ([]byte, error) {
	view := outcomeJSON{
		Part: o.Part, Status: o.Status, Changes: []changeJSON{}, Activate: o.Activate, Waiting: o.Waiting, Effects: o.Effects, Unread: o.Unread, Notes: o.Notes,
	}
	if view.Activate == nil {
		view.Activate = []Activation{}
	}
	for _, c := range o.Changes {
		view.Changes = append(view.Changes, changeJSON{c.ID, c.Action(), c.Title(), c.Cause, c.From.String(), c.holds(), c.Lines()})
	}
	if o.Err != nil {
		view.Error = o.Err.Error()
	}
	return json.Marshal(view)
}

// changeState is a Change as Memory keeps it, whole.
type changeState struct {
	ID    resource.ID  `json:"id"`
	Have  resource.Box `json:"have"`
	Want  resource.Box `json:"want"`
	Cause Cause        `json:"cause"`
	From  Origin       `json:"from"`
	Keep  int          `json:"keep,omitempty"`
}

// MarshalJSON writes the change whole, contents of files included: it is for
// Memory, which only root can read.
func (c Change) MarshalJSON() ([]byte, error) {
	return json.Marshal(changeState{c.ID, resource.Box{Resource: c.Have}, resource.Box{Resource: c.Want}, c.Cause, c.From, c.Keep})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Change) UnmarshalJSON(data []byte) error {
	var s changeState
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*c = Change{s.ID, s.Have.Resource, s.Want.Resource, s.Cause, s.From, s.Keep}
	return nil
}
