package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// opened lets the stranger in to port 2222 of a container, which stands for an SSH server.
const opened = "firewall {\n  publish \"ssh\" {\n    ports = [2222]\n  }\n}\n"

// withSSH is a host whose SSH server is in a container.
func (w *world) withSSH() {
	w.Helper()
	w.sh("docker run -d --name bastion -p 2222:80 server:1")
	w.policy(opened)
	w.molo(0, "apply")
	w.reachable(2222, true)
}

// within waits until the port can be reached, and says how long it took.
func (w *world) within(limit time.Duration, port int) {
	w.Helper()
	for began := time.Now(); ; {
		if w.answers(w.stranger.HostAddr4, port) {
			w.Logf("port %d is back after %.1f s", port, time.Since(began).Seconds())
			return
		}
		if time.Since(began) > limit {
			w.Fatalf("port %d is not back after %s", port, limit)
		}
	}
}

func TestARunThatNobodyConfirmsIsTakenBack(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.withSSH()
		before := w.tables()
		w.policy("docker {}\nfirewall {}\n")
		w.reset()
		w.sh("docker rm -f bastion; docker run -d --name bastion -p 2222:80 server:1")
		owners := w.read("/etc/docker/daemon.json")
		// The shell that it is run from dies with its session.
		w.sh("setsid sh -c 'molo apply --confirm 10s >/tmp/out 2>&1'; true")
		w.holds("the apply", w.read("/tmp/out"), `Unless you run "molo confirm" within 10s, all of it is taken back.`)
		w.reachable(2222, false)
		w.holds("the status", w.molo(0, "status").Stdout, "is taken back at", "molo confirm")
		w.holds("another apply", w.molo(exitLocked, "apply").Stderr, "waits to be confirmed until", "molo confirm keeps it")
		w.within(15*time.Second, 2222)
		w.calm()
		w.holds("the record", w.read("/var/lib/molo/last-run.json"), `"action": "rollback"`, "nobody confirmed it")
		w.same("the tables", before, w.tables())
		w.same("daemon.json", owners, w.read("/etc/docker/daemon.json"))
		if out := w.molo(0, "apply").Stdout; !strings.Contains(out, "Paused since") || !strings.Contains(out, "the policy is another one") {
			w.Errorf("the next apply says:\n%s", out)
		}
		w.reachable(2222, true)
		w.policy(opened + "docker {}\n")
		w.reset()
		w.molo(0, "apply")
		w.reachable(2222, true)
	})
}

// tables is molo's part of the firewall, as the kernel prints it.
func (w *world) tables() string {
	w.Helper()
	return w.sh("for six in '' 6; do ip${six}tables-save | grep -e '^\\*' -e MOLO | sed 's/ \\[[0-9:]*\\]$//'; done")
}

func TestARunThatIsConfirmedStays(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.withSSH()
		w.policy("firewall {}\n")
		w.molo(0, "apply", "--confirm", "30s")
		w.holds("confirm", w.molo(0, "confirm").Stdout, "stays")
		if got := w.sh("systemctl list-timers --all --no-legend 'molo-rollback*'"); got != "" {
			w.Errorf("a timer is left: %s", got)
		}
		w.molo(1, "confirm")
		w.molo(0, "plan", "--detailed-exitcode")
		w.molo(0, "apply", "--confirm", "30s") // nothing to do, nothing to confirm
		if got := w.sh("systemctl list-timers --all --no-legend 'molo-rollback*'"); got != "" {
			w.Errorf("after an apply that changed nothing a timer is left: %s", got)
		}
		w.reachable(2222, false)
		w.holds("rollback", w.molo(0, "rollback").Stdout, "Taken back: run")
		w.reachable(2222, true)
		w.molo(0, "resume")
		w.molo(0, "apply")
		w.reachable(2222, false)
	})
}

// TestARunIsTakenBackThoughMoloAndItsTimerAreGone kills molo in the middle, and lets the
// power fail: the next run finds that nobody has confirmed.
func TestARunIsTakenBackThoughMoloAndItsTimerAreGone(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.withSSH()
		w.policy("docker {}\nfirewall {}\n")
		w.reset()
		w.sh("molo apply --confirm 10s >/dev/null 2>&1 & pid=$!; timeout 30 sh -c 'until grep -q no-new-privileges /etc/docker/daemon.json; do :; done'; kill -9 $pid")
		w.holds("the timers", w.sh("systemctl list-timers --all --no-legend 'molo-rollback*'"), "molo-rollback")
		w.sh("timeout 60 sh -c 'until docker ps >/dev/null 2>&1; do sleep 0.2; done'; systemctl stop 'molo-rollback*.timer'; systemctl reset-failed docker")
		w.sh(`sed -i 's/"uptime": [0-9]*/"uptime": 1/' /var/lib/molo/state.json`)
		w.holds("the next apply", w.molo(0, "apply").Stdout, "Taken back", "nobody confirmed it")
		w.within(5*time.Second, 2222)
		w.sh("! grep -q no-new-privileges /etc/docker/daemon.json")
	})
}

// calm waits until no rollback is under way or to come.
func (w *world) calm() {
	w.Helper()
	w.sh("timeout 90 sh -c 'while systemctl list-units --all --plain --no-legend \"molo-rollback*\" | grep -q .; do sleep 0.1; done'")
}

// TestARollbackComesThroughWhateverIsInItsWay has the lock of iptables held by another
// program, and that of molo by a probe, when the time is up.
func TestARollbackComesThroughWhateverIsInItsWay(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.withSSH()
		w.policy("firewall {}\n")
		w.reset()
		w.molo(0, "apply", "--confirm", "5s")
		w.reachable(2222, false)
		w.sh("(flock 9; touch /run/held; while test -e /run/held; do sleep 0.1; done) 9>/run/molo/lock >/dev/null 2>&1 &")
		w.sh("timeout 60 sh -c 'until systemctl list-units --plain --no-legend \"molo-rollback*.service\" | grep -q .; do sleep 0.1; done'")
		w.sh("mv /usr/sbin/iptables-restore /usr/sbin/iptables-restore.away; printf '#!/bin/sh\necho the lock of xtables is held >&2; exit 4\n' >/usr/sbin/iptables-restore; chmod +x /usr/sbin/iptables-restore; rm /run/held")
		w.sh("timeout 60 sh -c 'until grep -q \"not all of it\\|xtables is held\" /var/lib/molo/last-run.json; do sleep 0.1; done'")
		w.holds("the status", w.molo(0, "status").Stdout, "molo confirm")
		w.sh("mv /usr/sbin/iptables-restore.away /usr/sbin/iptables-restore")
		w.within(40*time.Second, 2222)
		w.calm()
		w.holds("the next apply", w.molo(0, "apply").Stdout, "Paused since", "nobody confirmed it")
	})
}

// TestAnotherBootTakesBackAtOnce reboots a host whose run waits to be confirmed. Its rules
// are the earlier ones before Docker is there.
func TestAnotherBootTakesBackAtOnce(t *testing.T) {
	everyPackaged(t, func(s *scene) {
		s.sh("docker run -d --name bastion --restart always -p 0.0.0.0:2222:80 server:1; ufw allow 22/tcp && ufw --force enable && dpkg -i /root/molo.deb")
		s.policy(opened)
		s.sh("systemctl enable --now molo.target && systemctl start molo.service")
		s.expect(map[string]outcome{"W tcp 2222": open})
		s.sh("systemctl stop molo.target")
		s.policy("firewall {}\ndocker {}\n")
		s.sh("systemctl reset-failed docker; molo apply --confirm 1h")
		s.expect(map[string]outcome{"W tcp 2222": silent})
		if err := s.host.Reboot(s.Context()); err != nil {
			s.Fatal(err)
		}
		s.eventually("the container comes back", time.Minute, "docker ps --format '{{.Names}}' | grep -qx bastion")
		s.expect(map[string]outcome{"W tcp 2222": open})
		s.eventually("the rest is taken back", 4*time.Minute, "! grep -q no-new-privileges /etc/docker/daemon.json && ! grep -q unconfirmed.: /var/lib/molo/state.json")
		s.holds("the status", s.sh("molo status || true"), "Paused since", "nobody confirmed it")
	})
}

func TestAPlanThatCutsItsOwnConnectionIsRefused(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.withSSH()
		conn, err := w.dial(w.stranger.HostAddr4, 2222)
		if err != nil {
			w.Fatal(err)
		}
		defer conn.Close()
		client := conn.LocalAddr().(*net.TCPAddr)
		session := fmt.Sprintf("SSH_CONNECTION='%s %d 172.17.0.2 80'", client.IP, client.Port)
		w.policy("firewall {}\n")
		const why = "this would cut the connection that you run it from: port 2222/tcp would be shut to"
		w.holds("an apply", w.sh(session+" molo apply 2>&1; echo code=$?"), why, "--allow-lockout", "code=1")
		w.holds("an apply through sudo", w.sh(session+" sh -c 'env -u SSH_CONNECTION molo apply' 2>&1; true"), why)
		w.reachable(2222, true)
		w.policy(opened + "docker {\n  live_restore = false\n}\n")
		w.holds("an apply that stops the container", w.sh(session+" molo apply 2>&1; true"), "the restart of docker.service would stop container bastion")
		w.policy("firewall {}\n")
		w.sh("SSH_CONNECTION='203.0.113.77 1 172.17.0.2 80' molo plan")
		w.sh(session + " molo apply --allow-lockout")
		w.reachable(2222, false)
	})
}

func TestAPauseIsKept(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.policy("firewall {}\n")
		w.molo(1, "pause")
		w.molo(1, "pause", "--reason", "x", "--until", "yesterday")
		w.molo(0, "pause", "--reason", "moving house", "--until", "2h")
		w.holds("an apply", w.molo(0, "apply").Stdout, "Paused since", "moving house")
		w.holds("the status", w.molo(0, "status").Stdout, "! Paused since", "moving house")
		w.molo(2, "plan", "--detailed-exitcode")
		w.sh("molo pause --reason short --until 1s; sleep 1.1") // a pause that is over
		w.molo(0, "apply")
		w.molo(0, "plan", "--detailed-exitcode")
	})
}
