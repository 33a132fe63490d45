package provision_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

func TestExpired(t *testing.T) {
	const dir, day = "/var/log/nginx/molo/", 24 * time.Hour
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name      string
		file      string
		size      int64
		age       time.Duration
		retention time.Duration
		want      bool
	}{
		{"a rotated log past its time", "access.log-20261024.gz", 100, 31 * day, 30 * day, true},
		{"a rotated log within its time", "access.log-20261025.gz", 100, 29 * day, 30 * day, false},
		{"a rotated log that is empty", "access.log-20261024", 0, 31 * day, 30 * day, true},
		{"the live log of a site that nobody asks", "access.log", 100, 31 * day, 30 * day, true},
		{"a live log that was emptied already", "access.log", 0, 31 * day, 30 * day, false},
		{"errors go after a week", "error.log-20261116", 100, 8 * day, 30 * day, true},
		{"errors of this week stay", "error.log-20261118", 100, 6 * day, 30 * day, false},
		{"errors go with the rest where that goes sooner", "error.log-20261118", 100, 6 * day, 5 * day, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			log := policy.NginxLog{Retention: policy.Value[time.Duration]{V: tc.retention}}
			got := provision.Expired([]facts.LogFile{{Path: dir + tc.file, Size: tc.size, Modified: now.Add(-tc.age)}}, log, now)
			if (len(got) == 1) != tc.want {
				t.Errorf("expired: %v", got)
			}
		})
	}
}

// onlyLogs is what these tests are about.
var onlyLogs = provision.Options{Only: []string{provision.PartLogs, provision.PartConfinement}}

func TestLogsAndConfinementAreTendedOnce(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	if err := apply(t, h, p, onlyLogs).Failed(); err != nil {
		t.Fatal(err)
	}
	want := `remember 0 owned, pending [logs]
write file:/etc/tmpfiles.d/60-molo-nginx.conf
write file:/etc/logrotate.d/molo-nginx
make /var/log/nginx/molo
remember 2 owned, pending []
remember 2 owned, pending [confinement]
write file:/etc/systemd/system/nginx.service.d/60-molo.conf
reread unit files
remember 3 owned, pending []
`
	if diff := cmp.Diff(want, h.Log()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if plan, _, err := provision.MakePlan(t.Context(), h, h, p, onlyLogs); err != nil || !plan.Empty() {
		t.Errorf("a second plan is not empty: %+v, %v", plan, err)
	}
	if err := apply(t, h, &policy.Policy{}, onlyLogs).Failed(); err != nil {
		t.Fatal(err)
	}
	for id := range h.State {
		if strings.Contains(string(id), "logrotate") || strings.Contains(string(id), "tmpfiles") || strings.Contains(string(id), "nginx.service.d") {
			t.Errorf("%s is left", id)
		}
	}
}

func TestLogsBelongToWhomNginxRunsAs(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	h.Is.Nginx.Foreign = map[string]string{"/etc/nginx/nginx.conf": "user web; events {} http { include /etc/nginx/conf.d/*.conf; }"}
	h.Is.Nginx.Logs.Barred = "/var/log/nginx"
	report := apply(t, h, p, onlyLogs)
	if err := report.Failed(); err == nil || !strings.Contains(err.Error(), "nginx's workers run as web and can't pass /var/log/nginx") {
		t.Errorf("failed: %v", err)
	}
	for path, line := range map[string]string{provision.LogTmpfiles: "f /var/log/nginx/molo/access.log 0640 web adm -", provision.LogRotation: "create 0640 web adm"} {
		file, _ := h.State[resource.File{Path: path}.ID()].(resource.File)
		if !strings.Contains(string(file.Content), line) {
			t.Errorf("%s does not say %q:\n%s", path, line, file.Content)
		}
	}
}

func TestAnOwnerMayLeaveNginxUnconfined(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	p.Nginx.Confined.V = false
	if err := apply(t, h, p, onlyLogs).Failed(); err != nil {
		t.Fatal(err)
	}
	if h.State["file:"+provision.Confinement] != nil {
		t.Error("it is confined all the same")
	}
}

func TestAnUnconfinedNginxIsToldOf(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	apply(t, h, p, onlyLogs)
	h.Is.Nginx.Unconfined = true
	var said []string
	plan, _, err := provision.MakePlan(t.Context(), h, h, p, onlyLogs)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range plan {
		for _, n := range step.Part.Notes {
			said = append(said, n.Text)
		}
	}
	if !strings.Contains(strings.Join(said, "\n"), "runs without it") {
		t.Errorf("notes: %q", said)
	}
}
