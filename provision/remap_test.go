package provision_test

import (
	"strings"
	"testing"
	"time"

	"molo/internal/facts"
	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

var (
	tuesday = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	sunday  = time.Date(2026, 11, 29, 3, 30, 0, 0, time.UTC)
	remapID = resource.KeyID(provision.DaemonJSON, "userns-remap")
)

// migrating is a host with a container, and a policy that asks for userns-remap.
func migrating(t *testing.T, restart string) (*hosttest.Host, *policy.Policy) {
	t.Helper()
	h := dockerHost()
	h.Is.Time, h.Is.Docker.Started = tuesday, tuesday.Add(-time.Hour)
	h.Is.Docker.SubIDs = facts.SubIDs{UIDs: "dockremap:100000:65536\n", GIDs: "dockremap:100000:65536\n"}
	react := h.React
	h.React = func(h *hosttest.Host, did string) {
		react(h, did)
		d := &h.Is.Docker
		key, _ := h.State[remapID].(resource.Key)
		d.Config = "{}"
		if key.Value != nil {
			d.Config = `{"userns-remap": ` + string(key.Value) + `}`
		}
		if did == "restart docker.service" {
			on := string(key.Value) == `"default"`
			if on != *d.Effective.UsernsRemap {
				d.Containers = nil // in another data root
			}
			d.Effective.UsernsRemap, d.Root, d.Started = &on, map[bool]string{true: "/var/lib/docker/100000.100000"}[on], h.Is.Time.Add(time.Minute)
		}
	}
	p := firewallPolicy(t, "docker {\n  userns_remap = \"default\"\n  userns_migration = true\n  restart = \""+restart+"\"\n}\n")
	p.Firewall = nil
	return h, p
}

// orphans fails where dockerd was taken to another data root under a container.
func orphans(t *testing.T, log string) {
	t.Helper()
	if before, _, restarts := strings.Cut(log, "restart docker.service"); !restarts || !strings.Contains(before, "stop web\n") {
		t.Errorf("web is not stopped before dockerd looks elsewhere:\n%s", log)
	}
}

func TestAMigrationWaitsForTheWindowWithItsKey(t *testing.T) {
	h, p := migrating(t, "window")
	_, text := applied(t, h, p, provision.Options{})
	if h.State[remapID] != nil {
		t.Errorf("the key stands in the file, and dockerd may be restarted by anybody:\n%s", h)
	}
	for _, want := range []string{"restart docker.service waits for the window", `userns_remap = "default" comes with it, and stops 1 container`, "out of Docker's view afterwards"} {
		if !strings.Contains(text, want) {
			t.Errorf("the apply does not say %q:\n%s", want, text)
		}
	}
	h.Is.Docker.Started = tuesday.Add(time.Hour) // somebody restarted it: nothing else is due
	if _, text = applied(t, h, p, provision.Options{}); !strings.Contains(text, "restart docker.service waits for the window") {
		t.Errorf("after a restart by somebody else:\n%s", text)
	}
	h.Log()
	h.Is.Time = sunday
	applied(t, h, p, provision.Options{})
	orphans(t, h.Log())
	if report, text := applied(t, h, p, provision.Options{}); report.Changed() || report.Failed() != nil {
		t.Errorf("once it is done:\n%s", text)
	}
}

func TestAMigrationIsNotLeftToAPerson(t *testing.T) {
	h, p := migrating(t, "manual")
	report, text := applied(t, h, p, provision.Options{})
	if report.Failed() == nil || !strings.Contains(text, `restart = "manual" leaves restarts to others`) || h.State[remapID] != nil {
		t.Errorf("%v\n%s\n%s", report.Failed(), text, h)
	}
}

func TestAMigrationThatIsKilledAnywhereOrphansNothing(t *testing.T) {
	whole, p := migrating(t, "auto")
	applied(t, whole, p, provision.Options{})
	effects := whole.Effects()
	orphans(t, whole.Log())
	for n := 1; n < effects; n++ {
		for _, now := range []time.Time{sunday, tuesday} { // the next run is in the window, or not
			h, p := migrating(t, "window")
			h.Is.Time, h.KillAfter = sunday, n
			if _, err := provision.Apply(t.Context(), h, h, p, provision.Options{}); err != nil && n > 1 {
				t.Fatal(err)
			}
			h.KillAfter, h.Is.Time = 0, now
			_, text := applied(t, h, p, provision.Options{})
			if now.Equal(tuesday) && !*h.Is.Docker.Effective.UsernsRemap && strings.Contains(h.Is.Docker.Config, "default") {
				t.Errorf("killed after %d side effects, the key stays behind until the next window:\n%s", n, text)
			}
			h.Is.Time = sunday
			applied(t, h, p, provision.Options{})
			orphans(t, h.Log())
		}
	}
}

func TestAMigrationThatIsTakenBackStopsWhatCameSince(t *testing.T) {
	h, p := migrating(t, "auto")
	applied(t, h, p, provision.Options{Run: "one"})
	h.Is.Docker.Containers = []facts.Container{{ID: "c2", Name: "web", Running: true}}
	h.Log()
	if _, err := provision.Rollback(t.Context(), h, h, *h.Kept.Trail); err != nil {
		t.Fatal(err)
	}
	orphans(t, h.Log())
}

func TestTheKeyStaysWhereTheBlockIsDroppedAndThereIsSomething(t *testing.T) {
	h, p := migrating(t, "auto")
	applied(t, h, p, provision.Options{})
	h.Is.Docker.Containers = []facts.Container{{ID: "c2", Name: "web", Running: true}}
	_, text := applied(t, h, &policy.Policy{}, provision.Options{})
	if !strings.Contains(text, "userns-remap stays in /etc/docker/daemon.json: without it 1 container (web)") || h.State[remapID] == nil {
		t.Errorf("%s\n%s", text, h)
	}
	h.Is.Docker.Containers = nil
	if applied(t, h, &policy.Policy{}, provision.Options{}); h.State[remapID] != nil {
		t.Errorf("once nothing is there, it stays:\n%s", h)
	}
}
