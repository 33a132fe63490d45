package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"molo/provision"
)

// jobTimeout bounds a reload or restart. dockerd gives up on a missing
// authorization plugin after 15 s; stopping containers may take 10 s each.
const jobTimeout = 90 * time.Second

// unitState is what systemd says of a unit.
type unitState struct {
	Loaded  bool
	Active  string // "active", "inactive", "failed", "activating", …
	MainPID uint32
	Started time.Time // of the main process
	Queued  bool      // a job is waiting or at work
}

// unit asks systemd. A host without systemd, or without its bus, knows no unit.
func (h *Host) unit(ctx context.Context, name string) (unitState, error) {
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return unitState{}, fmt.Errorf("asking systemd about %s: %w", name, err)
	}
	defer conn.Close()
	properties, err := conn.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return unitState{}, fmt.Errorf("asking systemd about %s: %w", name, err)
	}
	return stateOf(properties), nil
}

// settled asks systemd about a unit until it is neither coming up nor going down,
// or for so long that it counts as hanging.
func (h *Host) settled(ctx context.Context, name string) (unitState, error) {
	var state unitState
	var unknown error
	err := poll(ctx, dockerUp, func(ctx context.Context) error {
		state, unknown = h.unit(ctx, name)
		if unknown == nil && (state.Active == "activating" || state.Active == "deactivating") {
			return fmt.Errorf("%s is %s", name, state.Active)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDeadline) {
		return state, err
	}
	return state, unknown
}

func stateOf(properties map[string]any) unitState {
	var s unitState
	s.Active, _ = properties["ActiveState"].(string)
	s.MainPID, _ = properties["MainPID"].(uint32)
	load, _ := properties["LoadState"].(string)
	s.Loaded = load == "loaded"
	if job, ok := properties["Job"].([]any); ok && len(job) > 0 {
		id, _ := job[0].(uint32)
		s.Queued = id != 0
	}
	if micros, ok := properties["ExecMainStartTimestamp"].(uint64); ok && micros > 0 {
		s.Started = time.UnixMicro(int64(micros))
	}
	return s
}

// Run reloads or restarts a unit and waits until its proof holds. What the unit
// logged meanwhile is part of the error.
func (h *Host) Run(ctx context.Context, a provision.Activation) error {
	if h.offline() {
		return nil
	}
	switch a.Verb {
	case provision.Cut:
		return h.cut(ctx, a)
	case provision.Revive:
		return eachContainer(ctx, a.Stops, startContainer)
	case provision.Load:
		return h.loadAuditRules(ctx, a)
	case provision.Make:
		return h.makeLogs(ctx)
	case provision.Delete:
		return h.deleteLogs(a.Files)
	case provision.Reread:
		return h.rereadUnits(ctx)
	}
	if err := eachContainer(ctx, a.Stops, stopContainer); err != nil {
		return err
	}
	began := time.Now()
	var logged errorLog
	if a.Unit == provision.NginxUnit {
		logged = h.nginxErrorLog()
	}
	err := h.job(ctx, a)
	if err == nil && a.Until != nil {
		err = h.Probe(ctx, a.Until)
	}
	if err == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	said := h.journal(ctx, a.Unit, began)
	if a.Unit == provision.NginxUnit {
		said += h.nginxLogSince(logged)
	}
	return fmt.Errorf("%sing %s: %w%s", strings.TrimSuffix(string(a.Verb), "e"), a.Unit, err, said)
}

// rereadUnits has systemd read its unit files again; no service notices.
func (h *Host) rereadUnits(ctx context.Context) error {
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("asking systemd to read its unit files: %w", err)
	}
	defer conn.Close()
	if err := conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("having systemd read its unit files: %w", err)
	}
	return nil
}

// job runs one systemd job to its end.
func (h *Host) job(ctx context.Context, a provision.Activation) error {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("asking systemd: %w", err)
	}
	defer conn.Close()
	// go-systemd sends on the channel under its lock: without a buffer, a caller
	// that has given up would block it for good.
	done := make(chan string, 1)
	switch a.Verb {
	case provision.Reload:
		_, err = conn.ReloadUnitContext(ctx, a.Unit, "replace", done)
	case provision.Restart:
		err = h.restart(ctx, conn, a.Unit, done)
	default:
		err = fmt.Errorf("unknown verb %q", a.Verb)
	}
	if err != nil {
		return err
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("systemd says %q", result)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restart forgets earlier failures first: docker.service allows three starts a
// minute (StartLimitBurst), and a put-back must not be the one that is refused.
func (h *Host) restart(ctx context.Context, conn *dbus.Conn, unit string, done chan<- string) error {
	if err := conn.ResetFailedUnitContext(ctx, unit); err != nil && !strings.Contains(err.Error(), "not loaded") {
		return err
	}
	_, err := conn.RestartUnitContext(ctx, unit, "replace", done)
	return err
}

// journal returns what the processes of a unit have complained about since a
// moment. The journal lags behind: an empty answer is asked for again.
func (h *Host) journal(ctx context.Context, unit string, since time.Time) string {
	var lines []string
	err := poll(ctx, 2*time.Second, func(ctx context.Context) error {
		out, err := h.exec(ctx, nil, "journalctl", "_SYSTEMD_UNIT="+unit, "--since", fmt.Sprintf("@%d", since.Unix()),
			"--output", "cat", "--no-pager", "--quiet")
		if err != nil {
			return err
		}
		if lines = complaints(string(out)); len(lines) == 0 {
			return errSilent
		}
		return nil
	})
	if err != nil && !errors.Is(err, errSilent) {
		return fmt.Sprintf("\n(its journal could not be read: %v)", err)
	}
	return quoted(unit+" says", strings.Join(lines[max(0, len(lines)-5):], "\n"))
}

// Reloaded returns the line in which dockerd logged its whole configuration when it last
// read daemon.json again (SIGHUP), since it was started; "" if it has not. With the log
// driver journald, what containers say is in the journal as dockerd's, too, but does not
// come from its standard output.
func (h *Host) Reloaded(ctx context.Context, started time.Time) (string, error) {
	if h.offline() || started.IsZero() {
		return "", nil
	}
	out, err := h.exec(ctx, nil, "journalctl", "_SYSTEMD_UNIT="+provision.DockerUnit, "_TRANSPORT=stdout", "--since", fmt.Sprintf("@%d", started.Unix()),
		"--output", "cat", "--no-pager", "--quiet")
	if err != nil {
		return "", err
	}
	last := ""
	for line := range strings.Lines(string(out)) {
		if provision.ReloadedConfig(line) != "" {
			last = strings.TrimSpace(line)
		}
	}
	return last, nil
}

// errSilent says that a unit has not complained yet.
var errSilent = errors.New("it has said nothing")

// complaints leaves out what dockerd logs whenever it starts.
func complaints(log string) []string {
	var all []string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		chatter := strings.Contains(line, "level=debug") || strings.Contains(line, "level=info") || strings.Contains(line, "level=warning")
		if line != "" && !chatter {
			all = append(all, line)
		}
	}
	return all
}

// quoted sets text below an error message, indented.
func quoted(head, text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	return "\n" + head + ":\n  " + strings.ReplaceAll(text, "\n", "\n  ")
}

// errDeadline says that the last answer before the deadline was wrong.
var errDeadline = errors.New("gave up waiting")

// poll asks until ask returns nil, and at the deadline returns its last error.
func poll(parent context.Context, timeout time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err // an answer that the deadline cut off says nothing
		}
		select {
		case <-ctx.Done():
			if parent.Err() != nil {
				return parent.Err()
			}
			return fmt.Errorf("%w after %s: %w", errDeadline, timeout, last)
		case <-tick.C:
		}
	}
}
