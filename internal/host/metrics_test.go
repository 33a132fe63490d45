package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/certificate"
	"molo/internal/resource"
	"molo/provision"
)

func TestMetricsSayHowTheLastRunWent(t *testing.T) {
	began := time.Unix(1795500000, 0).UTC()
	run := Run{
		ID: "1", Molo: "v1 \"x\"", Began: began, Ended: began.Add(1250 * time.Millisecond), Status: provision.Failed,
		Parts: []provision.Outcome{
			{Part: "firewall", Status: provision.Changed, Changes: []provision.Change{{Cause: provision.Drift}, {Cause: provision.Drift}, {Cause: provision.FirstRun}}},
			{Part: "docker", Status: provision.Failed, Err: errors.New("no"), Waiting: []provision.Activation{{Unit: "docker.service", Verb: provision.Restart}}},
		},
	}
	run.Certificates = []certificate.Status{
		{Site: "a.no", NotAfter: began.Add(time.Hour), Renew: began.Add(time.Minute)}, {Site: "b.no", Failures: 3},
	}
	run.LastSuccess = began.Add(-time.Hour)
	want := `# HELP molo_info The version of molo and the digest of its policy.
# TYPE molo_info gauge
molo_info{version="v1 \"x\"",policy="abc"} 1
# HELP molo_last_run_timestamp_seconds When the last run ended.
# TYPE molo_last_run_timestamp_seconds gauge
molo_last_run_timestamp_seconds 1795500001
# HELP molo_last_success_timestamp_seconds When a run last ended with the host as the policy wants it.
# TYPE molo_last_success_timestamp_seconds gauge
molo_last_success_timestamp_seconds 1795496400
# HELP molo_run_duration_seconds How long the last run took.
# TYPE molo_run_duration_seconds gauge
molo_run_duration_seconds 1.250
# HELP molo_part_status How each part of the host stands: 1 for its status.
# TYPE molo_part_status gauge
molo_part_status{part="firewall",status="ok"} 0
molo_part_status{part="firewall",status="changed"} 1
molo_part_status{part="firewall",status="unknown"} 0
molo_part_status{part="firewall",status="failed"} 0
molo_part_status{part="docker",status="ok"} 0
molo_part_status{part="docker",status="changed"} 0
molo_part_status{part="docker",status="unknown"} 0
molo_part_status{part="docker",status="failed"} 1
# HELP molo_changes What the last run changed, by cause.
# TYPE molo_changes gauge
molo_changes{part="firewall",cause="drift"} 2
molo_changes{part="firewall",cause="first run"} 1
# HELP molo_certificate_expiry_timestamp_seconds When the certificate of a site expires; 0 where there is none.
# TYPE molo_certificate_expiry_timestamp_seconds gauge
molo_certificate_expiry_timestamp_seconds{site="a.no"} 1795503600
molo_certificate_expiry_timestamp_seconds{site="b.no"} 0
# HELP molo_certificate_renewal_timestamp_seconds When the next one will be ordered; 0 where that is due, or not for molo to do.
# TYPE molo_certificate_renewal_timestamp_seconds gauge
molo_certificate_renewal_timestamp_seconds{site="a.no"} 1795500060
molo_certificate_renewal_timestamp_seconds{site="b.no"} 0
# HELP molo_certificate_failed_orders How many orders have failed in a row.
# TYPE molo_certificate_failed_orders gauge
molo_certificate_failed_orders{site="a.no"} 0
molo_certificate_failed_orders{site="b.no"} 3
# HELP molo_pending_restart Whether a restart of the unit waits.
# TYPE molo_pending_restart gauge
molo_pending_restart{unit="docker.service"} 1
`
	if diff := cmp.Diff(want, metrics(run, "abc")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = `# HELP molo_paused Whether molo is asked to change nothing.
# TYPE molo_paused gauge
molo_paused 1
# HELP molo_unconfirmed Whether the last run is taken back unless somebody confirms it.
# TYPE molo_unconfirmed gauge
molo_unconfirmed 0
`
	if diff := cmp.Diff(want, stateMetrics(provision.Memory{Paused: &provision.Pause{}}, "abc", began)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARunLeavesItsRecords(t *testing.T) {
	h := image(t, nil)
	id := resource.File{Path: "/x"}.ID()
	for i := range 60 {
		run := NewRun("v1", "policies.hcl")
		run.ID = run.ID[:8] + "-" + string(rune('A'+i/10)) + string(rune('0'+i%10))
		memory := provision.Memory{Trail: &provision.Trail{Run: run.ID, Steps: []provision.Done{{Part: "nginx", Changes: []provision.Change{{ID: id}}}}}}
		if err := h.Save(t.Context(), memory); err != nil {
			t.Fatal(err)
		}
		run.End(&provision.Report{}, nil)
		if err := h.Record(run, "abc"); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]int{"runs": keptRuns, "trails": keptTrails} {
		names, err := filepath.Glob(h.path(filepath.Join(stateDir, dir, "*.json")))
		if err != nil || len(names) != want {
			t.Errorf("%d records in %s, want %d (%v)", len(names), dir, want, err)
		}
	}
	last, err := h.LastRun()
	if err != nil || last.Status != provision.OK {
		t.Errorf("the last run is %+v, %v", last, err)
	}
	trail, err := h.Trail(last.ID)
	if err != nil || len(trail.Steps) != 1 || trail.Steps[0].Changes[0].ID != id {
		t.Errorf("its trail is %+v, %v", trail, err)
	}
	if _, err := h.Trail("../last-run"); err == nil {
		t.Error("a trail is found outside its directory")
	}
	if _, err := os.Stat(h.path(metricsDir)); err == nil {
		t.Error("metrics are written although nobody collects them")
	}
	if err := os.MkdirAll(h.path(metricsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	run := NewRun("v1", "policies.hcl")
	run.End(&provision.Report{}, nil)
	if err := h.Record(run, "abc"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(h.path(filepath.Join(metricsDir, "molo.prom")))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("metrics: %v, %v", info, err)
	}
}
