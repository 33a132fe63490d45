package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"molo/internal/host"
	"molo/provision"
)

// pauseFlags are those of pause.
type pauseFlags struct {
	reason string
	until  string
}

const pauseLong = `Have "molo apply" change nothing, whoever runs it, until a moment or until
"molo resume". The firewall's rules stay as they are.

  molo pause --reason "moving volumes" --until 2h
  molo pause --reason "audit" --until 2026-12-24T06:00`

func (a *app) pauseCommand() *cobra.Command {
	var flags pauseFlags
	cmd := &cobra.Command{
		Use: "pause", Short: "Have apply change nothing for a while", Long: pauseLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.underLock(cmd.Context(), func(h *host.Host) error { return a.pause(cmd.Context(), h, flags) })
		},
	}
	cmd.Flags().StringVar(&flags.reason, "reason", "", "why, for those who find it paused")
	cmd.Flags().StringVar(&flags.until, "until", "", "a `TIME` (2026-12-24T06:00), or how long (2h); without: until resume")
	return cmd
}

func (a *app) pause(ctx context.Context, h *host.Host, flags pauseFlags) error {
	if flags.reason == "" {
		return errors.New("a pause needs a --reason: whoever finds this host has to know")
	}
	now := time.Now()
	until, err := moment(flags.until, now)
	if err != nil {
		return fmt.Errorf("reading --until: %w", err)
	}
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	memory.Paused = &provision.Pause{Reason: flags.reason, Since: now, Until: until}
	if err := a.keep(ctx, h, memory); err != nil {
		return err
	}
	return a.say(memory.Paused, pausedText(memory.Paused))
}

// moment reads a time or a duration; nothing is the zero time.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil && t.After(now) {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time to come, such as 2h or 2026-12-24T06:00", text)
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resume", Short: "End a pause", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.underLock(cmd.Context(), func(h *host.Host) error { return a.resume(cmd.Context(), h) })
		},
	}
}

func (a *app) resume(ctx context.Context, h *host.Host) error {
	memory, err := h.Load(ctx)
	if err != nil {
		return err
	}
	if memory.Paused == nil {
		return a.say(map[string]bool{"resumed": false}, "molo is not paused.")
	}
	memory.Paused = nil
	if err := a.keep(ctx, h, memory); err != nil {
		return err
	}
	return a.say(map[string]bool{"resumed": true}, "The next apply changes the host again.")
}

// pausedText says until when molo is paused, and why.
func pausedText(p *provision.Pause) string {
	until := "molo resume"
	switch {
	case !p.Until.IsZero():
		until = p.Until.Local().Format(time.DateTime)
	case p.Policy != "":
		until = "the policy is another one, or molo resume"
	}
	return fmt.Sprintf("Paused since %s, until %s: %s", p.Since.Local().Format(time.DateTime), until, p.Reason)
}
