package main

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"molo/internal/host"
	"molo/provision"
)

// defaultPolicy is where a host's policy lies.
const defaultPolicy = "/etc/molo/policies.hcl"

// app is what the commands share: where they read and write, and the flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	json     bool
	verbose  bool
	detailed bool
	policy   string
	root     string
	only     []string
	retry    bool

	confirmIn    time.Duration // 0: no confirmation is waited for
	allowLockout bool
	lockPatience time.Duration // how long to wait for another run to end
	digest       string        // of the policy that was loaded
	noProbe      bool
}

const long = `molo makes a Docker host match its policy: dockerd hardened, published ports
obeying UFW, sites behind nginx with their security headers. A second run
changes nothing.

Exit codes:
  0   the host matches the policy (changed or not)
  1   something failed; what could not stay as it was is marked with x
  2   with --detailed-exitcode: changes are pending (plan) or were made (apply)
  3   an audit or a lint found something that is required and does not hold
  75  another run is under way, or waits to be confirmed
  77  not root
  78  the policy is not valid; nothing was changed`

// command builds the command tree.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use: "molo", Short: "Lock down a Docker host, prove it, keep it so", Long: long,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.policy, "policy", "", "policy `FILE`, or a directory of them (default "+defaultPolicy+")")
	flags.StringVar(&a.root, "root", "/", "work on the files under `DIR` instead of the running host")
	flags.BoolVar(&a.json, "json", false, "write one JSON document to standard output")
	flags.DurationVar(&a.lockPatience, "wait", 0, "wait this `TIME` for another run to end, instead of giving up at once")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log what is done to standard error")
	root.AddCommand(
		a.validateCommand(),
		a.fmtCommand(),
		a.planCommand(),
		a.applyCommand(),
		a.confirmCommand(),
		a.rollbackCommand(),
		a.firstbootCommand(),
		a.pauseCommand(),
		a.resumeCommand(),
		a.uninstallCommand(),
		a.statusCommand(),
		a.exposureCommand(),
		a.probeCommand(),
		a.auditCommand(),
		a.volumesCommand(),
		a.lintCommand(),
		a.logsCommand(),
		a.versionCommand(),
		a.manCommand(),
	)
	return root
}

// detailedFlag adds --detailed-exitcode to a command.
func (a *app) detailedFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.detailed, "detailed-exitcode", false, "exit with 2 if there are changes")
}

// onlyFlag adds --only to a command.
func (a *app) onlyFlag(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&a.only, "only", nil, "look at these `PARTS` only: "+strings.Join(provision.Parts(), ", "))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		for _, part := range a.only {
			if !slices.Contains(provision.Parts(), part) {
				return fmt.Errorf("there is no part %q\nhint: the parts are %s", part, strings.Join(provision.Parts(), ", "))
			}
		}
		return nil
	}
}

// options are those of plans.
func (a *app) options() provision.Options { return provision.Options{Only: a.only, Retry: a.retry} }

// policyPath is the policy's place, on the host or under --root.
func (a *app) policyPath() string {
	if a.policy != "" {
		return a.policy
	}
	return filepath.Join(a.root, defaultPolicy)
}

// host opens the host that --root names. The log has no times: systemd adds them.
func (a *app) host() (*host.Host, error) {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		if len(groups) == 0 && attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}}
	return host.New(a.root, slog.New(slog.NewTextHandler(a.stderr, options)))
}
