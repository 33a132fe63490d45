package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"molo/internal/audit"
	"molo/internal/audit/report"
	"molo/internal/facts"
	"molo/internal/host"
	"molo/internal/policy"
	"molo/provision"
)

// auditFlags are those of audit.
type auditFlags struct {
	only     []string
	failOn   string
	format   string
	output   string
	since    string
	fixHints bool
}

// never is the value of --fail-on with which no finding decides on the exit code, and
// last the value of --since that stands for the newest audit.
const never, last = "never", "last"

const auditLong = `Say what holds on this host and what does not: the machine, the Docker daemon,
files, images, containers, networks and sites. What is in force counts, not what
a file says. Nothing is changed, and no process is started in a container.

It judges by the policy where that has a say, and by molo's defaults where it has
none, or where there is no policy at all. Without root it says of some checks that
they can't be known. Reports of root are kept in /var/lib/molo/audits; --since says
what is new, fixed and still open since one of them.

  molo audit --since last
  molo audit --format html --output audit.html
  molo audit --format prometheus --output /var/lib/prometheus/node-exporter/molo-audit.prom

With --fix-hints it says of each container that fails a check how to start it so
that it passes, and what that would break: by what it wrote so far, the ports that
it serves and the capabilities that it holds.

Exits with 3 when a finding fails that is required, see --fail-on. What is unknown
does not count as failing; the summary of --json says how much is.`

func (a *app) auditCommand() *cobra.Command {
	var flags auditFlags
	cmd := &cobra.Command{
		Use: "audit", Short: "Say what holds on this host and what does not; changes nothing", Long: auditLong, Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.chooseFormat(&flags, cmd.Flags().Changed("format")); err != nil {
				return err
			}
			return flags.check()
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.audit(cmd.Context(), flags) },
	}
	cmd.Flags().StringSliceVar(&flags.only, "only", nil, "show and count these `AREAS` and checks only: "+strings.Join(areas(), ", "))
	cmd.Flags().StringVar(&flags.failOn, "fail-on", string(audit.Required), "exit with 3 when a finding of this `LEVEL` fails, or of one above it: required, recommended, info or never")
	cmd.Flags().StringVar(&flags.format, "format", string(report.Table), "write the report as `FORMAT`: "+strings.Join(formats(), ", "))
	cmd.Flags().StringVar(&flags.output, "output", "", "write the report to this `FILE`, whole or not at all, instead of standard output")
	cmd.Flags().StringVar(&flags.since, "since", "", "compare with the audit of this `ID`, or the last one (last); html compares with that by itself")
	cmd.Flags().BoolVar(&flags.fixHints, "fix-hints", false, "say of each container that falls short how to start it instead: flags, a compose override, and what they break")
	return cmd
}

func areas() []string {
	var all []string
	for _, a := range audit.Areas() {
		all = append(all, string(a))
	}
	return all
}

// check refuses names that would quietly show or count nothing.
func (f auditFlags) check() error {
	for _, name := range f.only {
		if !slices.Contains(areas(), name) && !slices.Contains(audit.Slugs(), name) {
			return fmt.Errorf("there is no area or check %q\nhint: the areas are %s", name, strings.Join(areas(), ", "))
		}
	}
	if f.fixHints && (f.output != "" || f.format != string(report.Table) && f.format != string(report.JSON)) {
		return errors.New("--fix-hints writes a table or JSON, to standard output")
	}
	if !slices.Contains(audit.Levels(), audit.Level(f.failOn)) && f.failOn != never {
		return fmt.Errorf("--fail-on %q is none of required, recommended, info and never", f.failOn)
	}
	return nil
}

func (a *app) audit(ctx context.Context, flags auditFlags) error {
	p, path, err := a.policyIfAny()
	if err != nil {
		return err
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	earlier, err := a.earlier(h, flags)
	if err != nil {
		return err
	}
	in, err := look(ctx, h, p)
	if err != nil {
		return err
	}
	whole := audit.NewReport(in.Facts, audit.Check(in), version, path)
	whole.ID = host.RecordID(in.Facts.Read)
	if os.Geteuid() == 0 && a.root == "/" {
		if err := h.RecordAudit(whole); err != nil {
			return fmt.Errorf("keeping the report: %w", err)
		}
	}
	view := audit.NewView(whole, flags.only)
	if earlier != nil {
		view.Since = audit.Compare(audit.NewView(*earlier, flags.only), view)
	}
	if err := a.writeAudit(ctx, h, in, flags, view); err != nil {
		return err
	}
	if flags.failOn != never && audit.Fails(view.Findings, audit.Level(flags.failOn)) > 0 {
		return errFindings
	}
	return nil
}

// policyIfAny loads the policy. Where none was named and there is none, the audit
// goes by the defaults.
func (a *app) policyIfAny() (*policy.Policy, string, error) {
	if _, err := os.Stat(a.policyPath()); a.policy == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	p, err := a.load()
	return p, a.policyPath(), err
}

// look reads everything that the audit judges.
func look(ctx context.Context, h *host.Host, p *policy.Policy) (audit.Input, error) {
	var sites []*policy.Site
	if p != nil {
		sites = p.Sites
	}
	f, err := h.Audit(ctx, sites)
	if err != nil {
		return audit.Input{}, err
	}
	in := audit.Input{Policy: p, Facts: f}
	if err := exposures(ctx, h, &in); err != nil {
		in.Facts.Unread[facts.FromFirewall], _, _ = strings.Cut(err.Error(), "\n")
	}
	in.Foreseen, err = foreseen(ctx, h, f.Facts.Docker)
	return in, err
}

// foreseen says what would go wrong when dockerd starts with its file as it is.
func foreseen(ctx context.Context, h *host.Host, d facts.Docker) ([]audit.Problem, error) {
	troubles, err := h.Foresee(ctx, d, nil)
	if err != nil {
		return nil, fmt.Errorf("foreseeing what dockerd makes of %s: %w", provision.DaemonJSON, err)
	}
	var all []audit.Problem
	for _, t := range troubles {
		if !t.Stops && !t.Later {
			continue
		}
		p := audit.Problem{Later: t.Later}
		p.What, p.Fix, _ = strings.Cut(strings.TrimPrefix(t.Text, provision.DaemonJSON+": "), "\nhint: ")
		if len(t.Key) > 0 {
			p.Key = t.Key[0]
		}
		all = append(all, p)
	}
	return all, nil
}

// exposures says who reaches which port now, and who should: by the policy, or by
// molo's defaults where it does not say.
func exposures(ctx context.Context, h *host.Host, in *audit.Input) error {
	if why, unread := in.Facts.Unread[facts.FromSurface]; unread {
		return errors.New(why)
	}
	s := seen{h, in.Facts}
	now, err := provision.Exposed(ctx, s)
	if err != nil {
		return err
	}
	promised, err := provision.PlannedExposure(ctx, s, audit.Promises(in.Policy))
	if err != nil {
		return err
	}
	in.Now, in.Promised = now.Exposures, promised.Exposures
	return nil
}

// seen is a host whose facts have been read already.
type seen struct {
	*host.Host
	audit facts.Audit
}

// Facts returns what was read.
func (s seen) Facts(context.Context) (facts.Facts, error) { return s.audit.Facts, nil }

// Surface returns what was read.
func (s seen) Surface(context.Context, facts.Docker) (facts.Surface, error) {
	return s.audit.Surface, nil
}
