package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/host"
	"molo/provision"
)

// statusJSON is what status --json writes.
type statusJSON struct {
	Version  int                 `json:"version"`
	Time     time.Time           `json:"time"`
	Hostname string              `json:"hostname"`
	Molo     string              `json:"molo"`
	OS       facts.OS            `json:"os"`
	Kernel   string              `json:"kernel"`
	Docker   string              `json:"docker,omitempty"` // version
	Parts    []provision.Outcome `json:"parts"`
	// Certificates says how the certificate of each site stands.
	Certificates []certificate.Status `json:"certificates,omitempty"`
	LastRun      *host.LastRun        `json:"last_run,omitempty"`
	// ByItself says whether systemd has molo run by itself; nil where it could not be asked.
	ByItself *bool `json:"by_itself,omitempty"`

	Paused      *provision.Pause       `json:"paused,omitempty"`
	Unconfirmed *provision.Unconfirmed `json:"unconfirmed,omitempty"`
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status [docker]", Short: "Say how the host stands, and how the last run went; docker: every key of daemon.json",
		Args: cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{provision.PartDocker},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.dockerStatus(cmd.Context())
			}
			return a.status(cmd.Context())
		},
	}
}

// daemonJSON is what status docker --json writes.
type daemonJSON struct {
	Version  int                       `json:"version"`
	Settings []provision.DaemonSetting `json:"settings"`
	Waiting  []provision.Activation    `json:"waiting,omitempty"`
}

// dockerStatus shows the daemon's settings: wanted, written and in force.
func (a *app) dockerStatus(ctx context.Context) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	plan, f, err := provision.MakePlan(ctx, h, h, p, provision.Options{Only: []string{provision.PartDocker}})
	if err != nil {
		return err
	}
	reloaded, err := h.Reloaded(ctx, f.Docker.Started)
	if err != nil {
		return fmt.Errorf("reading what dockerd logged: %w", err)
	}
	settings, err := provision.DaemonView(p.Docker, f.Docker, reloaded, f.Time)
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(daemonJSON{planVersion, settings, plan.Outcomes()[0].Waiting})
	}
	if err := provision.WriteDaemonView(a.stdout, settings); err != nil {
		return err
	}
	for _, w := range plan.Outcomes()[0].Waiting {
		if _, err := fmt.Fprintf(a.stdout, "! a %s of %s is due, and waits for %s\n", w.Verb, w.Unit, w.Waits); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) status(ctx context.Context) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	h, err := a.host()
	if err != nil {
		return err
	}
	plan, f, err := provision.MakePlan(ctx, h, h, p, provision.Options{})
	if err != nil {
		return err
	}
	s := statusJSON{
		Version: planVersion, Time: f.Time, Hostname: f.Hostname, Molo: version, OS: f.OS, Kernel: f.Kernel, Docker: f.Docker.Version, Parts: plan.Outcomes(),
		Certificates: certificate.Report(p.Sites, f.Nginx.TLS),
	}
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	s.Unconfirmed = memory.Unconfirmed
	if memory.Paused.Holds(f.Time, a.policyDigest()) {
		s.Paused = memory.Paused
	}
	last, err := h.LastRun()
	switch {
	case err == nil:
		s.LastRun = &last
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("reading the record of the last run: %w", err)
	}
	if on, err := h.TurnedOn(ctx); err == nil {
		s.ByItself = &on
	}
	if a.json {
		return a.writeJSON(s)
	}
	_, err = fmt.Fprint(a.stdout, s.text())
	return err
}
