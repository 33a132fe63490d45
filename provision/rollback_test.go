package provision_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
