package provision_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

func dockerPolicy() *policy.Policy {
	return &policy.Policy{Docker: &policy.Docker{
		ICC: provision.At(2, false), NoNewPrivileges: provision.At(3, true), LiveRestore: provision.At(4, true),
		PublishAddress: provision.At(5, netip.MustParseAddr("127.0.0.1")), UsernsRemap: provision.At(6, "off"), Restart: provision.At(7, "auto"),
		Log: policy.Log{Driver: provision.At(8, "journald")},
	}}
}

// dockerHost is a host with a stock engine and one container; its dockerd reads
// daemon.json as a real one does.
func dockerHost() *hosttest.Host {
	return &hosttest.Host{
		Is: facts.Facts{Docker: facts.Docker{
			Installed: true, Running: true, Major: 28,
			Effective:  facts.Effective{ICC: provision.Bool(true), PublishAddress: "0.0.0.0", LiveRestore: provision.Bool(false), LogDriver: "json-file", UsernsRemap: provision.Bool(false)},
			Containers: []facts.Container{{ID: "c1", Name: "web", Running: true}},
		}},
		React: func(h *hosttest.Host, did string) {
			key := func(name string) string {
				k, _ := h.State[resource.KeyID(provision.DaemonJSON, name)].(resource.Key)
				return string(k.Value)
			}
			effective := &h.Is.Docker.Effective
			switch did {
			case "reload docker.service":
				effective.LiveRestore = provision.Bool(key("live-restore") == "true" || *effective.LiveRestore)
			case "restart docker.service":
				h.Is.Docker.ConfigNewer = false
				effective.LiveRestore = provision.Bool(key("live-restore") == "true")
				effective.LogDriver = "json-file"
				if key("log-driver") != "" {
					effective.LogDriver = strings.Trim(key("log-driver"), `"`)
				}
			default:
				h.Is.Docker.ConfigNewer = true
			}
		},
	}
}

func TestApplyWritesActivatesAndThenRests(t *testing.T) {
	ctx := context.Background()
	h := dockerHost()
	report, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{})
	if err := errors.Join(err, report.Failed()); err != nil {
		t.Fatal(err)
	}
	want := `check provision.DockerConfig
remember 0 owned, pending [docker]
write key:/etc/docker/daemon.json#icc
write key:/etc/docker/daemon.json#no-new-privileges
write key:/etc/docker/daemon.json#live-restore
write key:/etc/docker/daemon.json#ip
write key:/etc/docker/daemon.json#default-network-opts.bridge.com~1docker~1network~1bridge~1host_binding_ipv4
write key:/etc/docker/daemon.json#log-driver
write key:/etc/docker/daemon.json#userns-remap
reload docker.service
restart docker.service
remember 7 owned, pending []
`
	if diff := cmp.Diff(want, h.Log()); diff != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
	report, err = provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{})
	if err != nil || report.Changed() || h.Log() != "" {
		t.Errorf("second apply: error %v, changed %t; want no effect at all", err, report.Changed())
	}
}

func TestAFailedRestartPutsBackAndTakesLiveRestoreAwayLast(t *testing.T) {
	h := dockerHost()
	h.Fail = map[string]error{"restart docker.service": errors.New("no such driver")}
	report, err := provision.Apply(context.Background(), h, h, dockerPolicy(), provision.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if failed := report.Failed(); failed == nil || failed.Error() != "docker: no such driver" {
		t.Errorf("got failure %v, want docker's alone", failed)
	}
	log := h.Log()
	_, back, _ := strings.Cut(log, "restart docker.service\n")
	want := `write key:/etc/docker/daemon.json#userns-remap
write key:/etc/docker/daemon.json#log-driver
write key:/etc/docker/daemon.json#default-network-opts.bridge.com~1docker~1network~1bridge~1host_binding_ipv4
write key:/etc/docker/daemon.json#ip
write key:/etc/docker/daemon.json#no-new-privileges
write key:/etc/docker/daemon.json#icc
restart docker.service
probe provision.DockerRuns
write key:/etc/docker/daemon.json#live-restore
remember 0 owned, pending []
`
	if diff := cmp.Diff(want, back); diff != "" {
		t.Errorf("putting back (-want +got):\n%s", diff)
	}
	if state := h.String(); state != "" {
		t.Errorf("left behind:\n%s", state)
	}
}

// TestKilledAtEverySideEffect ends the process after its first, second, … side
// effect, and lets the next run find the host as it was left.
func TestKilledAtEverySideEffect(t *testing.T) {
	ctx := context.Background()
	whole := dockerHost()
	if _, err := provision.Apply(ctx, whole, whole, dockerPolicy(), provision.Options{}); err != nil {
		t.Fatal(err)
	}
	effects := whole.Effects()
	if effects < 10 {
		t.Fatalf("only %d side effects: this test kills nothing", effects)
	}
	for n := 1; n < effects; n++ {
		h := dockerHost()
		h.KillAfter = n
		if report, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{}); err == nil && report.Failed() == nil {
			t.Errorf("killed after %d side effects: the run did not notice", n)
		}
		h.KillAfter = 0
		report, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{})
		if err := errors.Join(err, report.Failed()); err != nil {
			t.Errorf("killed after %d side effects: the next run fails: %v", n, err)
		}
		if diff := cmp.Diff(whole.String(), h.String()); diff != "" {
			t.Errorf("killed after %d side effects: the next run leaves (-want +got):\n%s", n, diff)
		}
		if len(h.Kept.Pending) > 0 {
			t.Errorf("killed after %d side effects: still pending after the next run: %v", n, h.Kept.Pending)
		}
		if got := h.Is.Docker.Effective.LogDriver; got != "journald" {
			t.Errorf("killed after %d side effects: dockerd runs with %s", n, got)
		}
	}
}

func TestDroppingTheBlockGivesBackWhatWasThere(t *testing.T) {
	ctx := context.Background()
	h := dockerHost()
	driver := resource.Key{File: provision.DaemonJSON, Path: []string{"log-driver"}, Value: []byte(`"syslog"`), Raw: true}
	h.State = map[resource.ID]resource.Resource{driver.ID(): driver}
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{}); err != nil {
		t.Fatal(err)
	}
	report, err := provision.Apply(ctx, h, h, &policy.Policy{}, provision.Options{})
	if err := errors.Join(err, report.Failed()); err != nil {
		t.Fatal(err)
	}
	if log := h.Log(); !strings.Contains(log, "write") || strings.Count(log, "restart docker.service") != 1 {
		t.Errorf("dockerd was restarted under its containers, or nothing was done:\n%s", log)
	}
	want := "key:/etc/docker/daemon.json#log-driver = \"syslog\"\n"
	if diff := cmp.Diff(want, h.String()); diff != "" {
		t.Errorf("daemon.json (-want +got):\n%s", diff)
	}
	if len(h.Kept.Owned) != 0 {
		t.Errorf("still owned: %v", h.Kept.Owned)
	}
}

func TestCausesTellDriftFromAChangedPolicy(t *testing.T) {
	ctx := context.Background()
	h := dockerHost()
	causes := func(p *policy.Policy) map[resource.ID]provision.Cause {
		plan, _, err := provision.MakePlan(ctx, h, h, p, provision.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[resource.ID]provision.Cause{}
		for _, step := range plan {
			for _, c := range step.Changes {
				got[c.ID] = c.Cause
			}
		}
		return got
	}
	if got := causes(dockerPolicy())[resource.KeyID(provision.DaemonJSON, "icc")]; got != provision.FirstRun {
		t.Errorf("before the first run: got %q", got)
	}
	if _, err := provision.Apply(ctx, h, h, dockerPolicy(), provision.Options{}); err != nil {
		t.Fatal(err)
	}
	icc := resource.KeyID(provision.DaemonJSON, "icc")
	h.State[icc] = resource.Key{File: provision.DaemonJSON, Path: []string{"icc"}, Value: []byte("true"), Raw: true}
	changed := dockerPolicy()
	changed.Docker.Log.Driver = provision.At(8, "syslog")
	want := map[resource.ID]provision.Cause{
		icc: provision.Drift,
		resource.KeyID(provision.DaemonJSON, "log-driver"): provision.PolicyChanged,
	}
	if diff := cmp.Diff(want, causes(changed)); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
}

func TestRulesStayWhenConnectionsCanNotBeCut(t *testing.T) {
	ctx := context.Background()
	p := &policy.Policy{Firewall: &policy.Firewall{PublishedPorts: provision.At(2, "closed"), CutEstablished: provision.At(3, true)}}
	h := &hosttest.Host{Fail: map[string]error{"cut connections": errors.New("no such table")}}
	report, err := provision.Apply(ctx, h, h, p, provision.Options{})
	if err != nil || report.Failed() == nil || report.Failed().Error() != "firewall: no such table" {
		t.Errorf("got %v and %v, want the failure of the firewall", err, report.Failed())
	}
	want := "rules:ip/filter 3 chains, DOCKER-USER\nrules:ip/mangle 3 chains, FORWARD\n"
	if diff := cmp.Diff(want, h.String()); diff != "" {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
	h.Log()
	if report, err = provision.Apply(ctx, h, h, p, provision.Options{}); err != nil || report.Failed() != nil {
		t.Errorf("the next run: %v and %v", err, report.Failed())
	}
	if log := h.Log(); strings.Count(log, "cut connections") != 1 || strings.Contains(log, "write") {
		t.Errorf("the next run does not make up for it, and for nothing else:\n%s", log)
	}
	if report, err = provision.Apply(ctx, h, h, p, provision.Options{}); err != nil || h.Log() != "" {
		t.Errorf("the third run has something to do: %v, %v", err, report.Failed())
	}
}

func TestOneFamilyStaysShutWhenTheOtherCanNotBe(t *testing.T) {
	ctx := context.Background()
	p := &policy.Policy{Firewall: &policy.Firewall{PublishedPorts: provision.At(2, "closed")}}
	h := &hosttest.Host{Is: facts.Facts{IPv6: true}, Fail: map[string]error{"write rules:ip6/mangle": errors.New("no memory")}}
	report, err := provision.Apply(ctx, h, h, p, provision.Options{})
	if err != nil || report.Failed() == nil || report.Failed().Error() != "firewall: no memory" {
		t.Errorf("got %v and %v, want the failure of the firewall", err, report.Failed())
	}
	want := "rules:ip/filter 3 chains, DOCKER-USER\nrules:ip/mangle 3 chains, FORWARD\n"
	if diff := cmp.Diff(want, h.String()); diff != "" {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
	if report, err = provision.Apply(ctx, h, h, p, provision.Options{}); err != nil || report.Failed() != nil || strings.Count(h.String(), "rules:ip6") != 2 {
		t.Errorf("the next run: %v and %v\n%s", err, report.Failed(), h)
	}
}

func TestAHostThatUndoesWhatIsDoneDoesNotConverge(t *testing.T) {
	h := dockerHost()
	react := h.React
	h.React = func(h *hosttest.Host, did string) {
		react(h, did)
		if did == "restart docker.service" {
			delete(h.State, resource.KeyID(provision.DaemonJSON, "icc"))
		}
	}
	report, err := provision.Apply(context.Background(), h, h, dockerPolicy(), provision.Options{})
	if !errors.Is(err, provision.ErrNotConverged) || report.Rounds != 3 {
		t.Errorf("got %v after %d rounds, want %v after 3", err, report.Rounds, provision.ErrNotConverged)
	}
}

func TestAHostThatMovesOnGetsMoreRounds(t *testing.T) {
	h := &hosttest.Host{}
	p := &policy.Policy{Firewall: &policy.Firewall{PublishedPorts: provision.At(2, "closed")}}
	moves := 0
	h.React = func(h *hosttest.Host, did string) {
		if did == "write rules:ip/filter" && moves < 6 {
			moves++
			p.Firewall.Publish = []policy.Publish{{
				Name: provision.At(3, "x"), Protocol: provision.At(3, "tcp"),
				Ports: provision.At(3, []policy.PortRange{{First: uint16(1 + moves%2), Last: uint16(1 + moves%2)}}),
			}}
		}
	}
	report, err := provision.Apply(context.Background(), h, h, p, provision.Options{})
	if err := errors.Join(err, report.Failed()); err != nil || report.Rounds != 7 {
		t.Errorf("got %v after %d rounds, want none after 7", err, report.Rounds)
	}
}

func TestAServiceThatWasNotTouchedIsNotRestarted(t *testing.T) {
	for failing, want := range map[string]bool{
		"write key:/etc/docker/daemon.json#ip": false, // the disk is full, say
		"reload docker.service":                false, // containers would not survive
		"restart docker.service":               true,
	} {
		h := dockerHost()
		h.Fail = map[string]error{failing: errors.New("no")}
		if report, err := provision.Apply(context.Background(), h, h, dockerPolicy(), provision.Options{}); err != nil || report.Failed() == nil {
			t.Fatalf("%s: error %v, %v", failing, err, report.Failed())
		}
		log := h.Log()
		if strings.Contains(log, "restart docker.service") != want || h.String() != "" {
			t.Errorf("%s fails: left\n%safter\n%s", failing, h, log)
		}
		if refused := len(h.Kept.Refused) > 0; refused != strings.HasSuffix(failing, "docker.service") {
			t.Errorf("%s fails: tried again: %t", failing, !refused)
		}
	}
}
