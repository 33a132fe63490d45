package main

import (
	"testing"
)

func TestARunIsSeenByThoseWhoWatch(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("mkdir -p /var/lib/prometheus/node-exporter")
		w.policy("docker {\n  restart = \"manual\"\n}\nfirewall {}\n")
		w.sh("systemd-run --wait --collect --unit=converge molo apply")
		w.holds("the metrics", w.read("/var/lib/prometheus/node-exporter/molo.prom"),
			`molo_part_status{part="firewall",status="changed"} 1`, `molo_changes{part="firewall",cause="first run"} 4`, `molo_pending_restart{unit="docker.service"} 1`)
		w.sh("journalctl --sync")
		w.holds("the journal", w.sh("journalctl -o verbose MOLO_ACTION=apply + MOLO_PART=firewall"), "MOLO_STATUS=changed", "MOLO_RUN=", "_SYSTEMD_UNIT=converge.service")
		w.holds("the journal without fields", w.sh("journalctl -u converge -o cat"), "apply: changed", "firewall: changed")
		w.write("/etc/ufw/user.rules", "### RULES ###\n")
		w.molo(1, "apply")
		w.holds("the status", w.molo(0, "status").Stdout, "! firewall: reading /etc/ufw/user.rules", "! the last run failed\n")
		w.holds("the metrics", w.read("/var/lib/prometheus/node-exporter/molo.prom"), `molo_part_status{part="firewall",status="failed"} 1`)
		if got := w.sh("journalctl -o cat MOLO_STATUS=failed"); got != "" {
			w.Errorf("a run that a person started is in the journal: %s", got)
		}
	})
}
