package provision

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// activateDocker says how changes of daemon.json come into force: on an engine
// that does not run they are there when it starts.
func activateDocker(p *policy.Docker, d facts.Docker, settings []setting, remap remap, now time.Time) []Activation {
	if d.Failed {
		return []Activation{restartDocker(p, d, remap)}
	}
	if !d.Running {
		return nil
	}
	if p == nil && len(running(d)) > 0 {
		restart := restartDocker(p, d, remap)
		restart.Waits = "a person: systemctl restart docker"
		return []Activation{restart}
	}
	var keys []resource.ID
	for _, s := range settings {
		if s.reloads() {
			keys = append(keys, s.id())
		}
	}
	stay := running(d)
	var all []Activation
	if len(keys) > 0 {
		reload := Activation{
			Unit: DockerUnit, Verb: Reload, Keys: keys,
			Until: DockerRuns{Effective: facts.Effective{LiveRestore: liveRestore(p, d)}, Running: stay},
		}
		if wantsLiveRestore(p, d) && !isTrue(d.Effective.LiveRestore) && len(stay) > 0 {
			reload.First = []resource.ID{resource.KeyID(DaemonJSON, "live-restore")}
		}
		all = append(all, reload)
	}
	restart := restartDocker(p, d, remap)
	restart.Waits = waits(p, now)
	return append(all, restart)
}

// waits says what a restart waits for; an engine that does not run waits for nothing.
func waits(p *policy.Docker, now time.Time) string {
	switch {
	case p == nil || p.Restart.V == "auto":
		return ""
	case p.Restart.V == "manual":
		return "a person (" + From(p.Restart.Range).String() + "): systemctl restart docker"
	case p.Window.V.Contains(now):
		return ""
	}
	return fmt.Sprintf("the window %s, open next on %s", p.Window.V, p.Window.V.Next(now).Format("Mon 2 Jan 15:04"))
}

func restartDocker(p *policy.Docker, d facts.Docker, remap remap) Activation {
	stay := running(d)
	a := Activation{Unit: DockerUnit, Verb: Restart, Began: d.Started}
	switch {
	case p != nil && len(stay) > 0 && remap.moves:
		a.Stops = stay
		a.Consequence = fmt.Sprintf("stops %s (%s), which are out of sight afterwards", count(len(stay), "container"), someOf(namesWhere(stay, func(facts.Container) bool { return true })))
		stay = nil
	case d.Blind, !d.Running:
		a.Consequence = "how many containers run is not known"
	case len(stay) == 0:
		a.Consequence = "no container is running"
	case wantsLiveRestore(p, d):
		a.Consequence = fmt.Sprintf("%s running (live-restore)", keeps(len(stay)))
	default:
		a.Consequence = fmt.Sprintf("stops %s; those with a restart policy come back", count(len(stay), "container"))
		stay = nil
	}
	a.Until = DockerRuns{Effective: expected(p, d, remap), Running: stay}
	return a
}

func keeps(n int) string {
	if n == 1 {
		return "1 container keeps"
	}
	return fmt.Sprintf("%d containers keep", n)
}

// settle adds what differs between daemon.json and the running dockerd.
func (part *Part) settle(p *policy.Docker, d facts.Docker, remap remap, now time.Time) {
	if !d.Running {
		if d.Installed {
			part.Notes = append(part.Notes, Note{Text: "dockerd does not run: its settings hold from its next start"})
		}
		return
	}
	want := wantedEffective(p, d, remap)
	differs, later := Mismatch(expected(p, d, remap), d.Effective), Mismatch(want, d.Effective)
	switch {
	case len(differs) > 0 && d.ConfigNewer:
		restart := restartDocker(p, d, remap)
		restart.Why = "dockerd has not read " + DaemonJSON + " since it changed: " + strings.Join(differs, ", ")
		restart.Waits = waits(p, now)
		part.Pending = append(part.Pending, restart)
	case len(differs) > 0:
		part.Residual = append(part.Residual, Note{Text: "dockerd runs with other settings than the policy's: " + strings.Join(differs, ", ")})
	}
	if remap.later != "" {
		restart := restartDocker(p, d, remap)
		restart.Why, restart.Waits = remap.later, waits(p, now)
		part.Pending = append(part.Pending, restart)
		part.Notes = append(part.Notes, Note{Text: "waits for a restart of dockerd's: " + remap.later, Where: From(p.UsernsRemap.Range).String()})
	}
	part.Notes = append(part.Notes, olderContainers(p, d)...)
	stuck := slices.DeleteFunc(later, func(m string) bool { return slices.Contains(differs, m) })
	if len(stuck) > 0 {
		part.Notes = append(part.Notes, Note{Text: "waits until dockerd restarts while no container runs: " + strings.Join(stuck, ", ")})
	}
}

// wantedEffective is what the policy wants dockerd to run with, as far as engines tell.
func wantedEffective(p *policy.Docker, d facts.Docker, remap remap) facts.Effective {
	e := facts.Effective{
		ICC: &p.ICC.V, PublishAddress: p.PublishAddress.V.String(), LiveRestore: liveRestore(p, d), LogDriver: p.Log.Driver.V,
	}
	if d.Effective.NoNewPrivileges != nil {
		e.NoNewPrivileges = &p.NoNewPrivileges.V
	}
	if remap.value != nil {
		on := *remap.value != ""
		e.UsernsRemap = &on
	}
	return e
}

// expected is what dockerd must run with after a restart. With containers running
// under live-restore (and they may, while dockerd is down) it keeps docker0 as it was: "there are running containers,
// updated network configuration will not take affect" (moby#43562).
func expected(p *policy.Docker, d facts.Docker, remap remap) facts.Effective {
	if p == nil {
		return facts.Effective{}
	}
	e := wantedEffective(p, d, remap)
	if (len(running(d)) > 0 || !d.Running) && wantsLiveRestore(p, d) && !remap.moves {
		e.ICC, e.PublishAddress = nil, ""
	}
	return e
}

// Mismatch names, as "icc=true (want false)", what of want does not hold in got.
func Mismatch(want, got facts.Effective) []string {
	var all []string
	flag := func(name string, want, got *bool) {
		if want != nil && got != nil && *want != *got {
			all = append(all, fmt.Sprintf("%s=%t (want %t)", name, *got, *want))
		}
	}
	text := func(name, want, got string) {
		if want != "" && got != "" && want != got {
			all = append(all, fmt.Sprintf("%s=%s (want %s)", name, got, want))
		}
	}
	flag("icc", want.ICC, got.ICC)
	text("ip", want.PublishAddress, got.PublishAddress)
	flag("live-restore", want.LiveRestore, got.LiveRestore)
	flag("no-new-privileges", want.NoNewPrivileges, got.NoNewPrivileges)
	text("log-driver", want.LogDriver, got.LogDriver)
	flag("userns-remap", want.UsernsRemap, got.UsernsRemap)
	return all
}

func liveRestore(p *policy.Docker, d facts.Docker) *bool {
	if p == nil || d.Effective.Swarm {
		return nil
	}
	return &p.LiveRestore.V
}

func wantsLiveRestore(p *policy.Docker, d facts.Docker) bool {
	return p != nil && p.LiveRestore.V && !d.Effective.Swarm
}

func isTrue(b *bool) bool { return b != nil && *b }

func running(d facts.Docker) []facts.Container {
	var all []facts.Container
	for _, c := range d.Containers {
		if c.Running {
			all = append(all, c)
		}
	}
	return all
}

// survivors are the containers that must still run after a failed change was put
// back: all of them where live-restore holds.
func survivors(d facts.Docker) []facts.Container {
	if !isTrue(d.Effective.LiveRestore) {
		return nil
	}
	return running(d)
}
