package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"molo/internal/policy"
)

// errUnformatted ends fmt -check.
var errUnformatted = reported{errors.New("not formatted")}

func (a *app) fmtCommand() *cobra.Command {
	check := false
	cmd := &cobra.Command{
		Use: "fmt [FILE...]", Short: "Rewrite policy files in the canonical format ('-' for standard input)",
		RunE: func(_ *cobra.Command, files []string) error {
			if len(files) == 1 && files[0] == "-" {
				return a.formatStdin(check)
			}
			return a.formatFiles(files, check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit with 1 if a file is not formatted")
	return cmd
}

func (a *app) formatStdin(check bool) error {
	data, err := io.ReadAll(a.stdin)
	if err != nil {
		return fmt.Errorf("reading standard input: %w", err)
	}
	formatted, err := a.format("<stdin>.hcl", data)
	if err != nil {
		return err
	}
	if check {
		if !bytes.Equal(data, formatted) {
			return errUnformatted
		}
		return nil
	}
	_, err = a.stdout.Write(formatted)
	return err
}

// formatFiles formats the named files, or those of the policy. All of them are
// parsed before the first one is written.
func (a *app) formatFiles(names []string, check bool) error {
	sources, err := a.formatSources(names)
	if err != nil {
		return err
	}
	var changed []policy.Source
	for _, s := range sources {
		formatted, err := a.format(s.Name, s.Data)
		if err != nil {
			return err
		}
		if !bytes.Equal(s.Data, formatted) {
			changed = append(changed, policy.Source{Name: s.Name, Data: formatted})
		}
	}
	if err := a.showFormatted(changed); err != nil {
		return err
	}
	if check {
		if len(changed) > 0 {
			return errUnformatted
		}
		return nil
	}
	for _, s := range changed {
		if err := renameio.WriteFile(s.Name, s.Data, 0o644, renameio.WithExistingPermissions()); err != nil {
			return fmt.Errorf("writing %s: %w", s.Name, err)
		}
	}
	return nil
}

func (a *app) formatSources(names []string) ([]policy.Source, error) {
	if len(names) == 0 {
		return a.sources()
	}
	return readSources(names)
}

func (a *app) format(name string, data []byte) ([]byte, error) {
	formatted, diagnostics := policy.Format(policy.Source{Name: name, Data: data})
	if !diagnostics.HasErrors() {
		return formatted, nil
	}
	if err := a.diagnose(diagnostics); err != nil {
		return nil, err
	}
	return nil, reported{&badPolicy{name + " is not valid"}}
}

// showFormatted names the files that are, or would be, changed.
func (a *app) showFormatted(changed []policy.Source) error {
	names := []string{}
	for _, s := range changed {
		names = append(names, s.Name)
	}
	if a.json {
		return a.writeJSON(map[string][]string{"changed": names})
	}
	for _, name := range names {
		if _, err := fmt.Fprintln(a.stdout, name); err != nil {
			return err
		}
	}
	return nil
}
