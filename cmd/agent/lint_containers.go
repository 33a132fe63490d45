package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"molo/internal/host"
	"molo/internal/lint"
	"molo/internal/policy"
	"molo/nginx"
)

const lintDockerfileLong = `Read Dockerfiles, and say where the image would fall short of what the audit asks
for: it runs as root, begins with an image that changes by itself, holds secrets,
adds what is at an address, has no health check. FILE "-" is standard input.

The policy's block containers says what is required. Nothing is built or fetched.`

const lintComposeLong = `Read compose files, and say where a service would fall short of what the audit asks
of a container. Files that one includes or extends are read as well; they must be
below its directory.

Variables have the defaults that the file gives them, and are empty without;
neither the environment, .env nor any env_file is read. What the image decides can't
be seen here, and is never required: its user and its health check.

The policy's block containers says what is required. Nothing is started or fetched.`

func (a *app) lintDockerfileCommand() *cobra.Command {
	return &cobra.Command{
		Use: "dockerfile FILE...", Short: "Find what goes wrong in Dockerfiles", Long: lintDockerfileLong, Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.lintFiles(args, func(p *policy.Policy, name string) ([]lint.Finding, error) {
				data, err := a.dockerfile(name)
				if err != nil {
					return nil, fmt.Errorf("reading the Dockerfile: %w", err)
				}
				return lint.Dockerfile(p, name, data)
			})
		},
	}
}

func (a *app) lintComposeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "compose FILE...", Short: "Find what goes wrong in compose files", Long: lintComposeLong, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.lintFiles(args, func(p *policy.Policy, name string) ([]lint.Finding, error) {
				files, err := host.ReadCompose(cmd.Context(), name)
				var all []lint.Finding
				for _, file := range files {
					all = append(all, lint.Compose(p, file, time.Now())...)
				}
				return all, err
			})
		},
	}
}

// dockerfile reads a Dockerfile, and no more of it than one may be long.
func (a *app) dockerfile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(a.stdin, lint.MaxFile+1))
	}
	return host.ReadBounded(name)
}

// lintFiles judges files by the policy, where there is one, and shows what it finds.
func (a *app) lintFiles(names []string, judge func(*policy.Policy, string) ([]lint.Finding, error)) error {
	p, _, err := a.policyIfAny()
	if err != nil {
		return err
	}
	var all []nginx.Finding
	for _, name := range names {
		found, err := judge(p, name)
		if err != nil {
			return err
		}
		for _, f := range found {
			all = append(all, nginx.Finding{File: f.File, Line: f.Line, Rule: f.Rule, Level: nginx.Level(f.Level), Text: f.Text, Fix: f.Fix})
		}
	}
	return a.showFindings(all)
}
