package host

import (
	"fmt"
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/journal"

	"molo/provision"
)

// runMessage identifies in the journal what a run says at its end (journalctl
// MESSAGE_ID=…).
const runMessage = "5d1c7a3e8f0b4c62a9e4d7b6c3f81a20"

// journalRun tells the journal how a run ended, and how each part stands, in fields that
// can be searched for. Only runs that systemd started do: others talk to a person.
func journalRun(r Run) error {
	if os.Getenv("INVOCATION_ID") == "" || !journal.Enabled() {
		return nil
	}
	fields := map[string]string{
		"MESSAGE_ID": runMessage, "MOLO_RUN": r.ID, "MOLO_ACTION": r.Action, "MOLO_STATUS": string(r.Status),
		"MOLO_ROUNDS": strconv.Itoa(r.Rounds), "MOLO_DURATION_MS": strconv.FormatInt(r.Ended.Sub(r.Began).Milliseconds(), 10),
	}
	priority := journal.PriInfo
	if r.Status == provision.Failed {
		priority = journal.PriErr
	}
	if err := journal.Send(fmt.Sprintf("%s: %s", r.Action, r.Status), priority, fields); err != nil {
		return fmt.Errorf("writing to the journal: %w", err)
	}
	for _, o := range r.Parts {
		if err := journalPart(r, o); err != nil {
			return err
		}
	}
	return nil
}

func journalPart(r Run, o provision.Outcome) error {
	if o.Status == provision.OK {
		return nil
	}
	fields := map[string]string{
		"MESSAGE_ID": runMessage, "MOLO_RUN": r.ID, "MOLO_PART": o.Part, "MOLO_STATUS": string(o.Status),
		"MOLO_CHANGES": strconv.Itoa(len(o.Changes)),
	}
	text, priority := fmt.Sprintf("%s: %s", o.Part, o.Status), journal.PriNotice
	if o.Err != nil {
		text, priority = fmt.Sprintf("%s: %v", text, o.Err), journal.PriErr
	}
	if err := journal.Send(text, priority, fields); err != nil {
		return fmt.Errorf("writing to the journal: %w", err)
	}
	return nil
}
