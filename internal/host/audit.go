package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/provision"
)

// auditTimeout bounds all that an audit reads besides Facts.
const auditTimeout = 10 * time.Second

// job reads one source, and returns what takes over what it read.
type job func(context.Context) (fill func(*facts.Audit), err error)

// reading is what came of reading one source.
type reading struct {
	source facts.Source
	fill   func(*facts.Audit) // takes over what was read
	err    error
}

// Audit reads everything that an audit judges, for these sites. What can't be read is
// named in Unread: nothing that hangs or is broken keeps the rest from being told.
func (h *Host) Audit(ctx context.Context, sites []*policy.Site) (facts.Audit, error) {
	a := facts.Audit{Read: time.Now().UTC(), Unread: map[facts.Source]string{}}
	var asked engineAnswers
	var err error
	a.Facts, err = h.facts(ctx, func(ctx context.Context, d *facts.Docker) (err error) {
		if asked, err = askEngine(ctx); err == nil {
			asked.fill(d) // what inspecting tells is asked below, where one container that hangs is one finding
		}
		return err
	})
	if err != nil {
		return a, err
	}
	unreadFacts(&a)
	a.Files = h.guardedFiles(a.Facts.Docker, rootOf(asked.info.DockerRootDir))
	jobs := h.auditJobs(ctx, a, asked)
	maps.Copy(jobs, h.siteJobs(a, sites))
	h.gather(ctx, &a, auditTimeout, jobs)
	return a, ctx.Err()
}

// auditJobs lists how the sources are read that Facts does not have.
func (h *Host) auditJobs(ctx context.Context, a facts.Audit, asked engineAnswers) map[facts.Source]job {
	details := sync.OnceValues(func() (facts.Engine, error) {
		ctx, cancel := context.WithTimeout(ctx, auditTimeout)
		defer cancel()
		return h.engineDetails(ctx, asked)
	})
	jobs := map[facts.Source]job{
		facts.FromMachine: func(ctx context.Context) (func(*facts.Audit), error) {
			m, err := h.machine(ctx)
			return func(a *facts.Audit) { a.Machine = m }, err
		},
		facts.FromUpdates: func(ctx context.Context) (func(*facts.Audit), error) {
			u, err := h.updates(ctx)
			return func(a *facts.Audit) { a.Updates = u }, err
		},
		facts.FromAuditRules: func(ctx context.Context) (func(*facts.Audit), error) {
			r, err := h.auditRules(ctx)
			return func(a *facts.Audit) { a.AuditRules = r }, err
		},
		facts.FromUnits: func(ctx context.Context) (func(*facts.Audit), error) {
			l, err := daemonListens(ctx)
			return func(a *facts.Audit) { a.DaemonListens = l }, err
		},
		facts.FromDaemon: func(ctx context.Context) (func(*facts.Audit), error) {
			s, err := h.daemonSockets(ctx)
			return func(a *facts.Audit) { a.DaemonSockets = s }, err
		},
		facts.FromJournal: func(ctx context.Context) (func(*facts.Audit), error) {
			line, err := h.Reloaded(ctx, a.Facts.Docker.Started)
			return func(a *facts.Audit) { a.Reloaded = provision.ReloadedConfig(line) }, err
		},
		facts.FromSurface: func(ctx context.Context) (func(*facts.Audit), error) {
			s, err := h.auditSurface(ctx, a.Facts.Docker, details)
			return func(a *facts.Audit) { a.Surface = s }, err
		},
	}
	if _, unread := a.Unread[facts.FromEngine]; !unread {
		jobs[facts.FromEngine] = func(context.Context) (func(*facts.Audit), error) {
			e, err := details()
			return func(a *facts.Audit) { a.Engine = e }, err
		}
	}
	return jobs
}

// auditSurface reads the surface. What is on the wire is found by the processes that
// inspecting tells; it waits for that only where something is.
func (h *Host) auditSurface(ctx context.Context, d facts.Docker, details func() (facts.Engine, error)) (facts.Surface, error) {
	if len(containersOnTheWire(d)) > 0 {
		e, err := details()
		if err != nil {
			return facts.Surface{}, err
		}
		if d, err = withProcesses(d, e.Containers); err != nil {
			return facts.Surface{}, err
		}
	}
	return h.Surface(ctx, d)
}

// withProcesses fills in the main processes of the containers that are on the wire.
func withProcesses(d facts.Docker, details []facts.ContainerDetail) (facts.Docker, error) {
	d.Containers = containersOnTheWire(d)
	for i, c := range d.Containers {
		at := slices.IndexFunc(details, func(one facts.ContainerDetail) bool { return one.ID == c.ID })
		switch {
		case at < 0:
		case details[at].Unread != "":
			return d, fmt.Errorf("listing the ports of container %s: %s", c.Name, details[at].Unread)
		default:
			d.Containers[i].PID = details[at].Process.PID
		}
	}
	return d, nil
}

// gather does all jobs at once. One that has not ended at the deadline is left to
// itself: a stat on a dead network share can't be cancelled.
func (h *Host) gather(ctx context.Context, a *facts.Audit, patience time.Duration, jobs map[facts.Source]job) {
	if h.offline() {
		for source := range jobs {
			a.Unread[source] = errImage.Error()
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan reading, len(jobs))
	for source, job := range jobs {
		a.Unread[source] = fmt.Sprintf("no answer within %s", patience)
		go func() {
			fill, err := job(ctx)
			done <- reading{source, fill, err}
		}()
	}
	late := time.NewTimer(patience + time.Second) // who heeds the deadline has something to tell
	defer late.Stop()
	for range jobs {
		select {
		case <-late.C:
			return
		case r := <-done:
			r.take(a)
		}
	}
}

// take takes a reading over.
func (r reading) take(a *facts.Audit) {
	if r.err != nil {
		a.Unread[r.source] = unreadable("", "", r.err).Why
		return
	}
	delete(a.Unread, r.source)
	r.fill(a)
}

// errImage says that there is no running host to ask.
var errImage = errors.New("these are the files of an image")

// unreadFacts translates what Facts could not read.
func unreadFacts(a *facts.Audit) {
	d := a.Facts.Docker
	switch {
	case a.Facts.Offline:
		a.Unread[facts.FromEngine] = errImage.Error()
	case !d.Installed:
		a.Unread[facts.FromEngine] = "Docker is not installed"
	case !d.Running:
		a.Unread[facts.FromEngine] = "dockerd does not run"
	}
	for _, u := range a.Facts.Unknown {
		switch {
		case u.What == provision.DaemonJSON:
			a.Unread[facts.FromDaemonJSON] = u.Why
		case u.Part == provision.PartDocker:
			a.Unread[facts.FromEngine] = u.Why
		case u.Part == provision.PartFirewall:
			a.Unread[facts.FromUFW] = u.Why
		}
	}
}
