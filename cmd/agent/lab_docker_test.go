package main

import (
	"strings"
	"testing"
)

const dockerOnly = "docker {}\n"

// says checks that a command's output holds some texts.
func (w *world) holds(what, got string, want ...string) {
	w.Helper()
	for _, text := range want {
		if !strings.Contains(got, text) {
			w.Errorf("%s lacks %q:\n%s", what, text, got)
		}
	}
}

// reset lets systemd forget how often docker.service was started lately.
func (w *world) reset() { w.Helper(); w.sh("systemctl reset-failed docker") }

func TestUserNamespacesMoveThereAndBack(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker volume create data && docker run -d --name web --restart always -v data:/data -p 8080:80 server:1")
		w.policy("docker {\n  userns_remap = \"default\"\n}\n")
		w.holds("an apply without leave", w.molo(1, "apply").Stdout, `userns_remap = "default" is not done: 1 container (web), 1 image and 1 volume (data) would vanish`, "userns_migration = true")
		w.holds("docker ps", w.sh("docker ps"), "web")
		w.holds("daemon.json, which has the rest", w.read("/etc/docker/daemon.json"), `"icc"`)

		w.reset()
		w.policy("docker {\n  userns_remap     = \"default\"\n  userns_migration = true\n}\n")
		plan := w.molo(0, "plan").Stdout
		w.holds("the plan", plan, "stops 1 container (web), which are out of sight afterwards", "out of Docker's view afterwards, until userns_remap is what it was")
		w.molo(0, "apply")
		w.holds("docker info", w.sh("docker info"), "userns")
		if got := w.sh("docker ps -aq; docker volume ls -q; docker images -q"); got != "" {
			w.Errorf("the remapped engine knows:\n%s", got)
		}
		w.molo(0, "plan", "--detailed-exitcode")
		if got := w.sh("pgrep -x server || true"); got != "" {
			w.Errorf("a container runs that dockerd does not see: process %s", got)
		}

		w.reset()
		w.policy("docker {\n  userns_remap     = \"off\"\n  userns_migration = true\n}\n")
		w.molo(0, "apply")
		w.holds("docker ps after going back", w.sh("docker ps -a; docker volume ls"), "web", "data")
		w.sh("timeout 20 sh -c 'until docker start web && curl -fs -o /dev/null http://127.0.0.1:8080; do sleep 0.2; done'")
	})
}

// TestAMoveThatIsKilledOrphansNothing ends molo between the key in daemon.json and the
// restart: the next run must stop the container before dockerd looks elsewhere.
func TestAMoveThatIsKilledOrphansNothing(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name web --restart always server:1")
		w.policy("docker {\n  userns_remap = \"off\"\n}\n")
		w.molo(0, "apply")
		w.reset()
		w.policy("docker {\n  userns_remap     = \"default\"\n  userns_migration = true\n}\n")
		w.kill("userns-remap is written", "grep -q 'userns-remap.*default' /etc/docker/daemon.json")
		w.sh("docker info 2>/dev/null | grep -c userns | grep -qx 0 && pgrep -x server")
		w.holds("the plan", w.molo(0, "plan").Stdout, "stops 1 container (web), which are out of sight afterwards")
		w.molo(0, "apply")
		w.holds("docker info", w.sh("docker info"), "userns")
		if got := w.sh("pgrep -x server || true"); got != "" {
			w.Errorf("a container runs that dockerd does not see: process %s", got)
		}
		w.molo(0, "plan", "--detailed-exitcode")
	})
}

func TestAUserNamespaceThatIsNoneIsTakenBack(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name web server:1")
		before := w.read("/etc/docker/daemon.json")
		w.policy("docker {\n  userns_remap     = \"nobody-here\"\n  userns_migration = true\n}\n")
		w.molo(1, "apply")
		w.same("daemon.json", before, w.read("/etc/docker/daemon.json"))
		w.holds("docker ps", w.sh("docker ps"), "web")
	})
}

func TestARestartWaitsForAPerson(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.policy("docker {\n  restart = \"manual\"\n}\n")
		pid := w.sh("pidof dockerd")
		const waits = ". restart docker.service waits for a person (policies.hcl:2): systemctl restart docker"
		w.holds("the first apply", w.molo(0, "apply").Stdout, waits)
		w.holds("the second apply", w.molo(0, "apply").Stdout, waits, "due since")
		w.write("/etc/ufw/user.rules", "### RULES ###\n") // nothing of the docker part
		w.holds("the plan", w.molo(0, "plan").Stdout, waits, "icc, no-new-privileges")
		w.holds("the status of docker", w.molo(0, "status", "docker").Stdout, "x  icc", "by dockerd", "a restart of docker.service is due")
		w.holds("the status", w.molo(0, "status").Stdout, "a restart of docker.service is due")
		w.same("dockerd's process", pid, w.sh("pidof dockerd"))
		w.reset()
		w.sh("systemctl restart docker")
		if out := w.molo(0, "plan", "--detailed-exitcode").Stdout; strings.Contains(out, "waits for a person") {
			w.Errorf("after a restart by hand the plan says:\n%s", out)
		}
		w.holds("the network", w.sh("docker network inspect bridge"), `"com.docker.network.bridge.enable_icc": "false"`)
	})
}

func TestADaemonThatDoesNotStartIsNotTriedAgain(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name web server:1")
		squatter := "systemd-run -q --unit squatter python3 -m http.server 9323 --bind 127.0.0.1; timeout 20 sh -c 'until curl -fs -o /dev/null http://127.0.0.1:9323; do sleep 0.1; done'"
		w.sh(squatter)
		w.policy("docker {\n  settings = { \"metrics-addr\" = \"127.0.0.1:9323\" }\n}\n")
		w.molo(1, "apply")
		pid := w.sh("pidof dockerd")
		w.holds("the next apply", w.molo(1, "apply").Stdout, "was tried at", "molo apply --retry")
		w.same("dockerd's process", pid, w.sh("pidof dockerd"))
		w.reset()
		w.sh("systemctl stop squatter")
		w.molo(1, "apply")
		w.molo(0, "apply", "--retry")
		w.molo(0, "plan", "--detailed-exitcode")
		w.holds("docker ps", w.sh("docker ps"), "web")
	})
}

// TestWhatDockerdWouldDieOfIsNotTried has files and policies that "dockerd --validate"
// passes or that Docker 20.10 can't validate at all.
func TestWhatDockerdWouldDieOfIsNotTried(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name web server:1")
		pid := w.sh("pidof dockerd")
		for _, tt := range []struct{ file, policy, want string }{
			{`{}`, "docker {\n  settings = { \"seccomp-profile\" = \"/etc/docker/none.json\" }\n}\n", "policies.hcl:2: /etc/docker/daemon.json: seccomp-profile"},
			{`{}`, "docker {\n  settings = { \"default-ulimits\" = { \"nofile\" = { \"Soft\" = 9, \"Hard\" = 9 } } }\n}\n", "policies.hcl:2: /etc/docker/daemon.json: default-ulimits.nofile"},
			{`{"default-address-pools": [{"base": "10.0.0.0/8", "size": 33}]}`, dockerOnly, "daemon.json: default-address-pools"},
			{`{}`, "docker {\n  userns_remap     = \"nobody-here\"\n  userns_migration = true\n}\n", "nobody-here"},
			{`{"log-opts": {"labels": "x"}}`, dockerOnly, "daemon.json: log-opts.labels"},
			{`{"cluster-store": "x", "graph": "/srv/docker", "bip": "10.9.0.0"}`, dockerOnly, "daemon.json: bip"},
		} {
			w.write("/etc/docker/daemon.json", tt.file)
			w.policy(tt.policy)
			r := w.molo(1, "apply")
			w.holds("an apply with "+tt.file+" and "+tt.policy, r.Stdout+r.Stderr, tt.want)
			w.same("daemon.json", tt.file, w.read("/etc/docker/daemon.json"))
		}
		w.same("dockerd's process", pid, w.sh("pidof dockerd"))
	})
}

// TestAFileOfAnOlderEngineIsRefused brings a daemon.json that Docker 20.10 starts with to
// engines that have dropped keys of it.
func TestAFileOfAnOlderEngineIsRefused(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.write("/etc/docker/daemon.json", `{"oom-score-adjust": -400, "graph": "/var/lib/docker"}`)
		w.policy(dockerOnly)
		w.holds("the plan", w.sh("molo plan || true"), "daemon.json: oom-score-adjust", "daemon.json: graph")
		if w.host.Release() != "bookworm" {
			w.molo(1, "apply")
		}
	})
}

func TestAFlagIsNamedWithItsLine(t *testing.T) {
	everyRelease(t, func(w *world) {
		before := w.read("/etc/docker/daemon.json")
		w.write("/etc/default/docker", "# options\nDOCKER_OPTS=\"--icc=false\"\n")
		w.policy(dockerOnly)
		for _, state := range []string{"systemctl restart docker", "systemctl stop docker.socket docker"} {
			w.reset()
			w.sh(state)
			w.holds("an apply after "+state, w.molo(1, "apply").Stderr, "dockerd already gets --icc=false from /etc/default/docker:2", "policies.hcl:1")
		}
		w.same("daemon.json", before, w.read("/etc/docker/daemon.json"))
	})
}

func (w *world) same(what, before, after string) {
	w.Helper()
	if before != after {
		w.Errorf("%s changed from\n%s\nto\n%s", what, before, after)
	}
}
