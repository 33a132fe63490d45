package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"molo/nginx"
)

// lintVersion is that of the format of lintJSON.
const lintVersion = 1

// lintJSON is what lint nginx --json writes.
type lintJSON struct {
	Version  int             `json:"version"`
	Required int             `json:"required"` // how many findings have to be mended
	Advised  int             `json:"advised"`
	Findings []nginx.Finding `json:"findings"`
}

func (a *app) lintCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "lint", Short: "Find what goes wrong in configurations, whoever wrote them; changes nothing"}
	cmd.AddCommand(a.lintNginxCommand(), a.lintDockerfileCommand(), a.lintComposeCommand())
	return cmd
}

const lintNginxLong = `Read a whole nginx configuration, whoever wrote it, and say where it breaks what
molo holds its own to: headers that are lost in a location or on errors, client
input in redirects, upgrades to any protocol, applications that choose which file
is served, unknown names that get some site, and more.

FILE is what "nginx -T" printed, or one configuration file; "-" is standard
input. Without FILE, nginx -T runs on this host, as root, and leaves no traces.`

func (a *app) lintNginxCommand() *cobra.Command {
	return &cobra.Command{
		Use: "nginx [FILE]", Short: "Find what goes wrong in an nginx configuration", Long: lintNginxLong, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, text, err := a.configuration(cmd.Context(), args)
			if err != nil {
				return err
			}
			return a.showFindings(nginx.LintDump(name, text))
		},
	}
}

// configuration returns the configuration to be read, and what it is called.
func (a *app) configuration(ctx context.Context, args []string) (name, text string, err error) {
	if len(args) == 0 {
		if os.Geteuid() != 0 {
			return "", "", errNotRoot
		}
		h, err := a.host()
		if err != nil {
			return "", "", err
		}
		text, err := h.NginxConfiguration(ctx)
		return nginx.Root, text, err
	}
	var data []byte
	if name = args[0]; name == "-" {
		data, err = io.ReadAll(a.stdin)
	} else {
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return "", "", fmt.Errorf("reading the configuration: %w", err)
	}
	return name, string(data), nil
}

// showFindings writes findings; one that is required ends the run with exitFindings.
func (a *app) showFindings(findings []nginx.Finding) error {
	out := lintJSON{Version: lintVersion, Findings: findings}
	for _, f := range findings {
		if f.Level == nginx.Required {
			out.Required++
		} else {
			out.Advised++
		}
	}
	if err := a.writeFindings(out); err != nil {
		return err
	}
	if out.Required > 0 {
		return errFindings
	}
	return nil
}

func (a *app) writeFindings(out lintJSON) error {
	if a.json {
		if out.Findings == nil {
			out.Findings = []nginx.Finding{}
		}
		return a.writeJSON(out)
	}
	for _, f := range out.Findings {
		if _, err := fmt.Fprintf(a.stdout, "%s:%d: %s: %s: %s\n    hint: %s\n", f.File, f.Line, f.Level, f.Rule, f.Text, f.Fix); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%d required, %d advised.\n", out.Required, out.Advised)
	return err
}
