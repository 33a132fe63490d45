package provision_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

func TestARunIsTakenBack(t *testing.T) {
	ctx := t.Context()
	h := dockerHost()
	own := resource.Key{File: provision.DaemonJSON, Path: []string{"icc"}, Value: []byte("true"), Raw: true}
	h.State = map[resource.ID]resource.Resource{own.ID(): own}
	before := h.String()
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	if h.Kept.Trail == nil || h.Kept.Trail.Run != "1" || len(h.Kept.Trail.Steps) != 1 {
		t.Fatalf("the trail is %+v", h.Kept.Trail)
	}
	// A run with nothing to do does not hide what was done.
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{Run: "2"}); err != nil || h.Kept.Trail.Run != "1" {
		t.Fatalf("error %v, the trail is of run %s", err, h.Kept.Trail.Run)
	}
	h.Log()
	report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail)
	if err != nil || report.Failed() != nil {
		t.Fatalf("error %v, %v", err, report.Failed())
	}
	if diff := cmp.Diff(before, h.String()); diff != "" {
		t.Errorf("the host (-before +after):\n%s", diff)
	}
	if log := h.Log(); !strings.Contains(log, "restart docker.service\nprobe provision.DockerRuns\nwrite key:/etc/docker/daemon.json#live-restore") {
		t.Errorf("what was done:\n%s", log)
	}
	if len(h.Kept.Owned) > 0 || h.Kept.Trail != nil {
		t.Errorf("remembered: %v", h.Kept)
	}
}

func TestWhatSomebodyChangedSinceIsLeftAlone(t *testing.T) {
	ctx := t.Context()
	h := dockerHost()
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	id := resource.KeyID(provision.DaemonJSON, "ip")
	h.State[id] = resource.Key{File: provision.DaemonJSON, Path: []string{"ip"}, Value: []byte(`"192.0.2.1"`)}
	report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail)
	if err != nil || report.Failed() == nil || !strings.Contains(report.Failed().Error(), "somebody changed it since: ip") {
		t.Errorf("error %v, %v", err, report.Failed())
	}
	if len(h.State) != 1 || h.State[id] == nil {
		t.Errorf("left:\n%s", h)
	}
	// Again: there is nothing left to do, but what was changed still is named.
	h.Log()
	if report, _ := provision.Rollback(ctx, h, h, provision.Trail{}); report.Failed() != nil || strings.Contains(h.Log(), "restart") {
		t.Errorf("an empty trail: %v", report.Failed())
	}
}

func TestRollbacksOfReleasesOwnAgain(t *testing.T) {
	ctx := t.Context()
	h := dockerHost()
	p := dockerPolicy()
	for run, want := range map[string]int{"1": 7} {
		if _, err := provision.Apply(ctx, h, h, p, provision.Options{Run: run}); err != nil || len(h.Kept.Owned) != want {
			t.Fatalf("error %v, owned %d", err, len(h.Kept.Owned))
		}
	}
	owned := h.Kept.Owned
	h.Is.Docker.Containers = nil
	p.Docker = nil
	if _, err := provision.Apply(ctx, h, h, p, provision.Options{Run: "2"}); err != nil || len(h.Kept.Owned) != 0 {
		t.Fatalf("error %v, owned %v", err, h.Kept.Owned)
	}
	if report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail); err != nil || report.Failed() != nil {
		t.Fatalf("error %v, %v", err, report.Failed())
	}
	if diff := cmp.Diff(owned, h.Kept.Owned); diff != "" {
		t.Errorf("owned (-before +after):\n%s", diff)
	}
}

// wholeHost has rules to load and a daemon to restart, and wholePolicy asks for both.
func wholeHost() *hosttest.Host {
	h := dockerHost()
	h.Is.IPv6 = true
	return h
}

func wholePolicy() *policy.Policy {
	p := dockerPolicy()
	p.Firewall = &policy.Firewall{PublishedPorts: provision.At(2, "closed")}
	return p
}

// TestARunThatDiesIsTakenBack ends the process after its first, second, … side effect, and
// takes back what it had done by then.
func TestARunThatDiesIsTakenBack(t *testing.T) {
	ctx := t.Context()
	whole := wholeHost()
	before, driver := whole.String(), whole.Is.Docker.Effective.LogDriver
	if _, err := provision.Apply(ctx, whole, whole, wholePolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < whole.Effects(); n++ {
		h := wholeHost()
		h.KillAfter = n
		if report, err := provision.Apply(ctx, h, h, wholePolicy(), provision.Options{Run: "1"}); err == nil && report.Failed() == nil {
			t.Errorf("killed after %d side effects: the run did not notice", n)
		}
		h.KillAfter = 0
		trail := provision.Trail{} // it may have died before it changed anything
		if h.Kept.Trail != nil {
			trail = *h.Kept.Trail
		}
		report, err := provision.Rollback(ctx, h, h, trail)
		if err := errors.Join(err, report.Failed()); err != nil {
			t.Errorf("killed after %d side effects: the rollback fails: %v", n, err)
		}
		if diff := cmp.Diff(before, h.String()); diff != "" {
			t.Errorf("killed after %d side effects: the rollback leaves (-want +got):\n%s", n, diff)
		}
		if len(h.Kept.Pending) > 0 || len(h.Kept.Owned) > 0 || h.Kept.Trail != nil {
			t.Errorf("killed after %d side effects: remembered after the rollback: %+v", n, h.Kept)
		}
		if got := h.Is.Docker.Effective.LogDriver; got != driver {
			t.Errorf("killed after %d side effects: dockerd runs with %s", n, got)
		}
		if before, _, restarted := strings.Cut(h.Log(), "restart docker"); restarted && !strings.Contains(before, "reload docker") {
			t.Errorf("killed after %d side effects: dockerd was restarted before it would keep containers:\n%s", n, before)
		}
	}
}

func TestRulesOfWhichHalfWereLoadedAreTakenBack(t *testing.T) {
	ctx := t.Context()
	h := &hosttest.Host{Is: facts.Facts{IPv6: true}, Fail: map[string]error{"write rules:ip6/mangle": errors.New("no memory")}}
	p := &policy.Policy{Firewall: &policy.Firewall{PublishedPorts: provision.At(2, "closed")}}
	if report, err := provision.Apply(ctx, h, h, p, provision.Options{Run: "1"}); err != nil || report.Failed() == nil {
		t.Fatalf("error %v, %v", err, report.Failed())
	}
	if h.String() == "" || h.Kept.Trail == nil {
		t.Fatalf("nothing was loaded, or nothing is remembered of it: %+v", h.Kept)
	}
	if report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail); err != nil || report.Failed() != nil || h.String() != "" {
		t.Errorf("error %v, %v, left:\n%s", err, report.Failed(), h)
	}
}

func TestAStepThatWasPutBackIsNotTakenBack(t *testing.T) {
	ctx := t.Context()
	h := dockerHost()
	h.Fail = map[string]error{"restart docker.service": errors.New("no such driver")}
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	if h.Kept.Trail != nil {
		t.Errorf("remembered: %+v", h.Kept.Trail)
	}
}

func TestARollbackThatFailsIsTriedAgain(t *testing.T) {
	ctx := t.Context()
	h := wholeHost()
	if _, err := provision.Apply(ctx, h, h, wholePolicy(), provision.Options{Run: "1", Policy: "p"}); err != nil {
		t.Fatal(err)
	}
	h.Fail = map[string]error{"write rules:ip/filter": errors.New("another app is currently holding the xtables lock")}
	report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail)
	if err != nil || report.Failed() == nil || !strings.Contains(report.Failed().Error(), "xtables lock") {
		t.Fatalf("error %v, %v", err, report.Failed())
	}
	left := h.Kept.Trail
	if left == nil || left.Run != "1" || left.Policy != "p" || len(left.Steps) != 1 || left.Steps[0].Part != provision.PartFirewall {
		t.Fatalf("left to be taken back: %+v", left)
	}
	report, err = provision.Rollback(ctx, h, h, *left)
	if err != nil || report.Failed() != nil || h.Kept.Trail != nil || h.String() != "" {
		t.Errorf("error %v, %v, remembered %+v, left:\n%s", err, report.Failed(), h.Kept.Trail, h)
	}
}

func TestSomePartsAreTakenBackAlone(t *testing.T) {
	ctx := t.Context()
	h := wholeHost()
	if _, err := provision.Apply(ctx, h, h, wholePolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	h.Log()
	report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail, provision.PartFirewall)
	if err != nil || report.Failed() != nil || strings.Contains(h.Log(), "docker.service") || strings.Contains(h.String(), "rules:") {
		t.Errorf("error %v, %v, left:\n%s", err, report.Failed(), h)
	}
	if left := h.Kept.Trail; left == nil || len(left.Steps) != 1 || left.Steps[0].Part != provision.PartDocker {
		t.Errorf("left to be taken back: %+v", left)
	}
}

func TestAnOlderRunLeavesTheTrailOfTheNewest(t *testing.T) {
	ctx := t.Context()
	h := dockerHost()
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	first := *h.Kept.Trail
	if _, err := provision.Apply(ctx, h, h, wholePolicy(), provision.Options{Run: "2"}); err != nil {
		t.Fatal(err)
	}
	if report, err := provision.Rollback(ctx, h, h, first); err != nil || report.Failed() != nil || h.Kept.Trail == nil || h.Kept.Trail.Run != "2" {
		t.Errorf("error %v, %v, the trail is %+v", err, report.Failed(), h.Kept.Trail)
	}
}

// Docker puts rules of its own before the way into molo's when it starts.
func TestRulesThatAreElsewhereNowAreStillTheRunsOwn(t *testing.T) {
	ctx := t.Context()
	h := wholeHost()
	if _, err := provision.Apply(ctx, h, h, wholePolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	moved, ok := h.State["rules:ip6/filter"].(resource.Rules)
	if !ok || len(moved.Hooks) == 0 {
		t.Fatalf("the rules are %+v", moved)
	}
	moved.Hooks = nil
	h.State["rules:ip6/filter"] = moved
	if report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail); err != nil || report.Failed() != nil || h.String() != "" {
		t.Errorf("error %v, %v, left:\n%s", err, report.Failed(), h)
	}
}

func TestRulesAreLoadedThoughNothingCanBeNoted(t *testing.T) {
	h := wholeHost()
	full := errors.New("no space left on device")
	h.Fail = map[string]error{"remember 0 owned, pending [firewall]": full, "remember 0 owned, pending [docker]": full}
	report, err := provision.Apply(t.Context(), h, h, wholePolicy(), provision.Options{Run: "1"})
	if err := errors.Join(err, report.Failed()); err == nil || !strings.Contains(err.Error(), "noting what is about to be done: no space left") {
		t.Errorf("the run says %v", err)
	}
	if got := h.String(); strings.Count(got, "rules:") != 4 || strings.Contains(got, "daemon.json") {
		t.Errorf("the host:\n%s", got)
	}
}

// probed answers probes of Docker by whether it runs.
func probed(h *hosttest.Host) {
	if !h.Is.Docker.Running {
		h.Fail = map[string]error{"probe provision.DockerRuns": errors.New("the Docker Engine API does not answer")}
	}
}

func TestARunIsTakenBackThoughDockerDoesNotRun(t *testing.T) {
	ctx := t.Context()
	for name, docker := range map[string]facts.Docker{"not installed": {}, "stopped": {Installed: true, Major: 28}} {
		h := &hosttest.Host{Is: facts.Facts{Docker: docker}}
		if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{Run: "1"}); err != nil || h.Kept.Trail == nil {
			t.Fatalf("%s: %v", name, err)
		}
		probed(h)
		if report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail); err != nil || report.Failed() != nil || h.Kept.Trail != nil || strings.Contains(h.String(), "daemon.json") {
			t.Errorf("%s: error %v, %v, remembered %+v, left:\n%s", name, err, report.Failed(), h.Kept.Trail, h)
		}
	}
}

// TestADaemonThatDiedOfARunComesBack kills a run when its configuration has just killed
// dockerd.
func TestADaemonThatDiedOfARunComesBack(t *testing.T) {
	ctx := t.Context()
	h := dockerHost()
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	trail := *h.Kept.Trail
	h.Kept.Pending = map[string]provision.Pending{provision.PartDocker: {Changes: trail.Steps[0].Changes, Activate: trail.Steps[0].Activate}}
	h.Is.Docker.Running, h.Is.Docker.Failed = false, true
	h.Log()
	report, err := provision.Rollback(ctx, h, h, trail)
	log := h.Log()
	if err != nil || report.Failed() != nil || h.String() != "" || strings.Contains(log, "reload") || strings.Count(log, "restart docker.service") != 1 {
		t.Errorf("error %v, %v, left:\n%safter\n%s", err, report.Failed(), h, log)
	}
}

func TestARestartThatFailedInARollbackIsMadeUpFor(t *testing.T) {
	ctx := t.Context()
	h := dockerHost()
	driver := h.Is.Docker.Effective.LogDriver
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{Run: "1"}); err != nil {
		t.Fatal(err)
	}
	h.Fail = map[string]error{"restart docker.service": errors.New("systemd does not answer")}
	if report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail); err != nil || report.Failed() == nil || h.Kept.Trail == nil {
		t.Fatalf("error %v, %v, remembered %+v", err, report.Failed(), h.Kept.Trail)
	}
	report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail)
	if err != nil || report.Failed() != nil || h.String() != "" || len(h.Kept.Owned) > 0 || h.Kept.Trail != nil {
		t.Errorf("error %v, %v, remembered %+v, left:\n%s", err, report.Failed(), h.Kept, h)
	}
	if got := h.Is.Docker.Effective.LogDriver; got != driver {
		t.Errorf("dockerd runs with %s", got)
	}
}

// TestARollbackThatDiesIsTriedAgain ends the process after each side effect of a rollback.
func TestARollbackThatDiesIsTriedAgain(t *testing.T) {
	ctx := t.Context()
	done := func() *hosttest.Host {
		h := wholeHost()
		if _, err := provision.Apply(ctx, h, h, wholePolicy(), provision.Options{Run: "1"}); err != nil {
			t.Fatal(err)
		}
		return h
	}
	whole := done()
	applied := whole.Effects()
	if _, err := provision.Rollback(ctx, whole, whole, *whole.Kept.Trail); err != nil {
		t.Fatal(err)
	}
	for n := applied + 1; n < whole.Effects(); n++ {
		h := done()
		h.KillAfter = n
		if _, err := provision.Rollback(ctx, h, h, *h.Kept.Trail); err == nil {
			t.Errorf("killed after %d side effects: the rollback did not notice", n-applied)
		}
		h.KillAfter = 0
		report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail)
		if err != nil || report.Failed() != nil || len(h.Kept.Owned) > 0 || h.Kept.Trail != nil {
			t.Errorf("killed after %d side effects: error %v, %v, remembered %+v", n-applied, err, report.Failed(), h.Kept)
		}
		if diff := cmp.Diff(whole.String(), h.String()); diff != "" || h.Is.Docker.Effective.LogDriver != whole.Is.Docker.Effective.LogDriver {
			t.Errorf("killed after %d side effects: dockerd runs with %s (-want +got)\n%s", n-applied, h.Is.Docker.Effective.LogDriver, diff)
		}
	}
}

func TestARestartIsNotDueForWhatWasTakenBack(t *testing.T) {
	ctx := t.Context()
	h, p := dockerHost(), dockerPolicy()
	p.Docker.Restart = provision.At(3, "manual")
	h.Is.Docker.Started = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	h.Is.Time = h.Is.Docker.Started.Add(time.Hour)
	if _, err := provision.Apply(ctx, h, h, p, provision.Options{Run: "1"}); err != nil || len(h.Kept.Due) == 0 {
		t.Fatalf("error %v, due %v", err, h.Kept.Due)
	}
	if report, err := provision.Rollback(ctx, h, h, *h.Kept.Trail); err != nil || report.Failed() != nil || len(h.Kept.Due) > 0 {
		t.Errorf("error %v, %v, due %v", err, report.Failed(), h.Kept.Due)
	}
}

func TestAPauseHoldsForATimeAndAPolicy(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		pause *provision.Pause
		want  bool
	}{
		{"none", nil, false},
		{"for good", &provision.Pause{}, true},
		{"until later", &provision.Pause{Until: now.Add(time.Minute)}, true},
		{"until now", &provision.Pause{Until: now}, false},
		{"for this policy", &provision.Pause{Policy: "a"}, true},
		{"for another policy", &provision.Pause{Policy: "b"}, false},
	}
	for _, test := range tests {
		if got := test.pause.Holds(now, "a"); got != test.want {
			t.Errorf("%s: holds %t, want %t", test.name, got, test.want)
		}
	}
}
