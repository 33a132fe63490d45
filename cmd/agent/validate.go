package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"molo/internal/policy"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate", Short: "Check the policy; reads nothing of the host", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := a.load(); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(validity{Valid: true, Diagnostics: policy.Diagnostics{}})
			}
			_, err := fmt.Fprintf(a.stdout, "%s is valid.\n", a.policyPath())
			return err
		},
	}
}
