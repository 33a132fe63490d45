package provision

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
)

func TestDaemonViewPutsThreeAnswersSideBySide(t *testing.T) {
	running := with(stock(28), func(d *facts.Docker) {
		d.Config = `{"icc": false, "log-opts": {"max-size": "1m"}, "mtu": 1400, "debug": true}`
	})
	tests := []struct {
		name     string
		docker   facts.Docker
		reloaded string
		want     []string
	}{
		{"an engine that has not reloaded since it started", running, "", []string{
			"x icc false false true by dockerd", "x no-new-privileges true - false by dockerd", `x log-opts.max-size "10m" "1m" "1m" read at its start`,
			"mtu - 1400 1400 read at its start",
		}},
		{"one that has", running, `time="…" level=info msg="Reloaded configuration: {\"debug\":true,\"mtu\":1500,\"log-opts\":{\"max-size\":\"9m\"}}"`, []string{
			`x log-opts.max-size "10m" "1m" "9m" when it reloaded`, "mtu - 1400 1500 when it reloaded", "debug - true true when it reloaded",
		}},
		{"one of version 29", running, `level=info msg="Reloaded configuration" config="{\"mtu\":1500}"`, []string{"mtu - 1400 1500 when it reloaded"}},
		{"a line that only quotes such a message", running, `level=error msg="no such image: msg=\"Reloaded configuration: {\"mtu\":1500}\""`, []string{"mtu - 1400 1400 read at its start"}},
		{"a file that was written since", with(running, func(d *facts.Docker) { d.ConfigNewer = true }), "", []string{"mtu - 1400 ?"}},
		{"one that does not run", with(running, func(d *facts.Docker) { d.Running = false }), "", []string{"icc false false ?"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			settings, err := DaemonView(hardened(), test.docker, test.reloaded, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := WriteDaemonView(&out, settings); err != nil {
				t.Fatal(err)
			}
			lines := map[string]bool{}
			for line := range strings.Lines(out.String()) {
				lines[strings.Join(strings.Fields(line), " ")] = true
			}
			for _, want := range test.want {
				if !lines[want] {
					t.Errorf("there is no line %q in\n%s", want, out.String())
				}
			}
		})
	}
}

func TestWhatDockerdDoesNotTellIsNoDisagreement(t *testing.T) {
	for s, want := range map[DaemonSetting]bool{
		{Wanted: "false", File: "false", Told: "when it reloaded"}:             true, // left out of the log
		{Wanted: "true", File: "true", Told: "when it reloaded"}:               false,
		{Wanted: "true", File: "true"}:                                         true,
		{Wanted: "true"}:                                                       false,
		{File: "true", Effective: "false", Told: "by dockerd"}:                 true, // the owner's
		{Wanted: "true", File: "true", Effective: "false", Told: "by dockerd"}: false,
	} {
		if diff := cmp.Diff(want, s.Agrees()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", s, diff)
		}
	}
}
