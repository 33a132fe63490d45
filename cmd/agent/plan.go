package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"molo/provision"
)

// planVersion is that of the format of planJSON.
const planVersion = 1

// planJSON is what plan --json writes.
type planJSON struct {
	Version  int                 `json:"version"`
	Hostname string              `json:"hostname"`
	Policy   string              `json:"policy"`
	Changes  bool                `json:"changes"`
	Complete bool                `json:"complete"` // false: parts of the host could not be read
	Summary  string              `json:"summary"`
	Parts    []provision.Outcome `json:"parts"`
}

func (a *app) planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plan", Short: "Say what apply would change; changes nothing, works without root as far as it can", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd) },
	}
	a.detailedFlag(cmd)
	a.onlyFlag(cmd)
	return cmd
}

func (a *app) plan(cmd *cobra.Command) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	plan, f, err := provision.MakePlan(cmd.Context(), h, h, p, a.options())
	if err != nil {
		return err
	}
	if err := a.showPlan(plan, f.Hostname); err != nil {
		return err
	}
	outcomes := plan.Outcomes()
	if err := hindrances(outcomes); err != nil {
		return reported{err}
	}
	if a.detailed && !plan.Empty() {
		return errChanges
	}
	return nil
}

// showPlan prints a plan for a person or, with --json, for a machine.
func (a *app) showPlan(plan provision.Plan, hostname string) error {
	outcomes := plan.Outcomes()
	if !a.json {
		return a.printPlan(plan, outcomes)
	}
	return a.writeJSON(planJSON{
		planVersion, hostname, a.policyPath(), !plan.Empty(), len(plan.Unread()) == 0, provision.Summary(outcomes), outcomes,
	})
}

func (a *app) printPlan(plan provision.Plan, outcomes []provision.Outcome) error {
	if err := provision.WriteText(a.stdout, outcomes); err != nil {
		return err
	}
	text := "No changes. The host matches the policy."
	switch {
	case !plan.Empty():
		text = "Plan: " + provision.Summary(outcomes) + "."
	case len(plan.Unread()) > 0:
		text = "No changes in what could be read."
	}
	if len(plan.Unread()) > 0 {
		text += "\nThe plan is not complete: see the lines marked with '?', or run it as root."
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}

// hindrances returns why parts can't be applied at all.
func hindrances(outcomes []provision.Outcome) error {
	var problems []error
	for _, o := range outcomes {
		problems = append(problems, o.Err)
	}
	return errors.Join(problems...)
}
