package provision_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/provision"
)

// windowed is a policy that lets dockerd restart on Sundays from three to five.
func windowed(t *testing.T) *policy.Policy {
	t.Helper()
	p := firewallPolicy(t, "docker {\n  restart = \"window\"\n  userns_remap = \"off\"\n  log {\n    driver = \"journald\"\n  }\n}\n")
	p.Firewall = nil
	return p
}

// applied applies and returns what it says.
func applied(t *testing.T, h *hosttest.Host, p *policy.Policy, o provision.Options) (report *provision.Report, text string) {
	t.Helper()
	report, err := provision.Apply(t.Context(), h, h, p, o)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := provision.WriteText(&out, report.Parts); err != nil {
		t.Fatal(err)
	}
	return report, out.String()
}

func TestARestartThatIsPutOffHappensInItsWindow(t *testing.T) {
	h := dockerHost()
	tuesday := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	sunday := time.Date(2026, 11, 29, 3, 30, 0, 0, time.UTC)
	h.Is.Time, h.Is.Docker.Started = tuesday, tuesday.Add(-time.Hour)
	h.Is.Docker.Effective.ICC, h.Is.Docker.Effective.PublishAddress, h.Is.Docker.Effective.LogDriver = nil, "", "" // an engine that tells nothing
	p := windowed(t)

	_, text := applied(t, h, p, provision.Options{})
	if log := h.Log(); strings.Contains(log, "restart docker.service") || !strings.Contains(log, "reload docker.service") {
		t.Errorf("outside the window:\n%s", log)
	}
	const waits = ". restart docker.service waits for the window Sun 03:00-05:00, open next on Sun 29 Nov 03:00"
	if !strings.Contains(text, waits) {
		t.Errorf("the apply does not say that a restart waits:\n%s", text)
	}
	for range 2 { // another run, and one that fails
		h.Is.Time = h.Is.Time.Add(time.Hour)
		report, text := applied(t, h, p, provision.Options{})
		if report.Changed() || !strings.Contains(text, waits+": due since 2026-11-24 12:00:00 for icc, no-new-privileges, ip, default-network-opts, log-driver") {
			t.Errorf("a later apply, changed %t:\n%s", report.Changed(), text)
		}
		h.Kept.Pending = nil
	}
	h.Log()
	h.Is.Time = sunday
	if _, text := applied(t, h, p, provision.Options{}); !strings.Contains(text, "! restart docker.service: due since") {
		t.Errorf("in the window:\n%s", text)
	}
	if log := h.Log(); !strings.Contains(log, "restart docker.service") {
		t.Errorf("in the window there is no restart:\n%s", log)
	}
	h.Is.Docker.Started = sunday
	if report, text := applied(t, h, p, provision.Options{}); report.Changed() || strings.Contains(text, "waits") {
		t.Errorf("after the restart:\n%s", text)
	}
}

func TestARestartBySomebodyElseCounts(t *testing.T) {
	h := dockerHost()
	h.Is.Time = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	h.Is.Docker.Started = h.Is.Time.Add(-time.Hour)
	p := windowed(t)
	p.Docker.Restart.V = "manual"
	if _, text := applied(t, h, p, provision.Options{}); !strings.Contains(text, ". restart docker.service waits for a person (policies.hcl:2): systemctl restart docker") {
		t.Errorf("the apply says:\n%s", text)
	}
	h.React(h, "restart docker.service")
	h.Is.Docker.Started = h.Is.Time.Add(time.Minute)
	if _, text := applied(t, h, p, provision.Options{}); strings.Contains(text, "restart docker.service") {
		t.Errorf("after somebody restarted dockerd:\n%s", text)
	}
}

func TestWhatDidNotHoldIsNotTriedAgain(t *testing.T) {
	h := dockerHost()
	h.Is.Docker.Version = "28.5.2"
	p := dockerPolicy()
	fails := func() { h.Fail = map[string]error{"restart docker.service": errors.New("no such driver")} }
	fails()
	applied(t, h, p, provision.Options{})
	h.Log()
	report, text := applied(t, h, p, provision.Options{})
	if log := h.Log(); log != "" {
		t.Errorf("the second apply does:\n%s", log)
	}
	for _, want := range []string{"was tried at", "no such driver", "molo apply --retry"} {
		if report.Failed() == nil || !strings.Contains(text, want) {
			t.Errorf("the second apply does not say %q:\n%s", want, text)
		}
	}
	for name, change := range map[string]func(){
		"the engine":     func() { h.Is.Docker.Version = "28.5.3" },
		"the file":       func() { h.Is.Docker.Config = `{"mtu": 1400}` },
		"the policy":     func() { p.Docker.LiveRestore.V = false },
		"the owner asks": func() {},
	} {
		fails()
		change()
		if applied(t, h, p, provision.Options{Retry: name == "the owner asks"}); !strings.Contains(h.Log(), "restart docker.service") {
			t.Errorf("%s: it is not tried again", name)
		}
	}
	h.Fail = nil
	if report, text := applied(t, h, p, provision.Options{Retry: true}); report.Failed() != nil || len(h.Kept.Refused) > 0 {
		t.Errorf("once it holds: %v, refused %v\n%s", report.Failed(), h.Kept.Refused, text)
	}
}

// TestARestartThatIsPutOffSurvivesADeath ends the run after each of its side effects: the
// next run owns what was written, and still says that a restart is due.
func TestARestartThatIsPutOffSurvivesADeath(t *testing.T) {
	start := func() (*hosttest.Host, *policy.Policy) {
		h, p := dockerHost(), windowed(t)
		p.Docker.Restart.V, h.Is.Docker.Effective.Swarm = "manual", true // nothing to reload
		h.Is.Docker.Effective.ICC, h.Is.Docker.Effective.PublishAddress, h.Is.Docker.Effective.LogDriver = nil, "", ""
		h.Is.Time = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		h.Is.Docker.Started = h.Is.Time.Add(-time.Hour)
		return h, p
	}
	whole, p := start()
	applied(t, whole, p, provision.Options{})
	for n := 1; n < whole.Effects(); n++ {
		h, p := start()
		h.KillAfter = n
		if report, err := provision.Apply(t.Context(), h, h, p, provision.Options{}); err == nil && report.Failed() == nil {
			t.Errorf("killed after %d side effects: the run did not notice", n)
		}
		h.KillAfter = 0
		_, text := applied(t, h, p, provision.Options{})
		if !strings.Contains(text, "restart docker.service waits for a person") {
			t.Errorf("killed after %d side effects, the next run says:\n%s", n, text)
		}
		if got, want := len(h.Kept.Owned), len(whole.Kept.Owned); got != want || len(h.Kept.Pending) > 0 {
			t.Errorf("killed after %d side effects: %d keys are owned, want %d; pending %v", n, got, want, h.Kept.Pending)
		}
	}
}

func TestARestartIsDueAfterTheBlockIsDropped(t *testing.T) {
	h := dockerHost()
	h.Is.Time = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	h.Is.Docker.Started = h.Is.Time.Add(-time.Hour)
	applied(t, h, windowed(t), provision.Options{})
	h.Is.Time = h.Is.Time.Add(time.Hour)
	const waits = ". restart docker.service waits for a person: systemctl restart docker"
	for _, run := range []string{"the run that drops it", "the next one"} {
		if _, text := applied(t, h, &policy.Policy{}, provision.Options{}); !strings.Contains(text, waits) || !strings.Contains(text, "stops 1 container") {
			t.Errorf("%s says:\n%s", run, text)
		}
	}
	h.Is.Docker.Started = h.Is.Time.Add(time.Minute)
	if _, text := applied(t, h, &policy.Policy{}, provision.Options{}); text != "" {
		t.Errorf("after a restart:\n%s", text)
	}
}
