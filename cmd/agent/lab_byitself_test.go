package main

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMoloRunsByItself turns molo on and touches nothing of it any more: whatever happens
// to the host, it comes to be as the policy says.
func TestMoloRunsByItself(t *testing.T) {
	everyPackaged(t, func(s *scene) {
		s.sh("docker run -d --name web --restart always -p 8080:80 -p 9090:80 server:1")
		s.sh("ufw allow 22/tcp && ufw --force enable && dpkg -i /root/molo.deb && systemctl enable --now molo.target && systemctl start molo.service")
		s.running("turning it on", "active")
		s.followsUFW()
		s.followsDocker()
		s.followsFiles()
		s.comesBack()
		s.shutAtEveryBoot()
		s.givenBack()
	})
}

// quiet waits until nothing is under way and nothing is noted, and returns how many runs
// there have been.
func (s *scene) quiet() int {
	s.Helper()
	s.eventually("molo is at rest", time.Minute, "! { test -e /run/molo/changed || systemctl is-active molo.service molo-watch.service | grep -q activating || test -e /run/molo/changed; }")
	runs, err := strconv.Atoi(strings.TrimSpace(s.sh("ls /var/lib/molo/runs | wc -l")))
	if err != nil {
		s.Fatal(err)
	}
	return runs
}

// promptly is how long a change may take to come into force: 2 s, or more where the
// machine is so busy that a run with nothing to do takes long.
func (s *scene) promptly() time.Duration {
	s.Helper()
	began := time.Now()
	s.sh("molo plan")
	return max(2*time.Second, 20*time.Since(began))
}

// follows runs a line while molo is at rest, and waits until a probe has an outcome.
func (s *scene) follows(line, name string, want outcome) {
	s.Helper()
	s.quiet()
	limit := s.promptly()
	s.sh(line)
	s.comesInto(name, want, limit)
}

// comesInto waits until a probe has an outcome.
func (s *scene) comesInto(name string, want outcome, limit time.Duration) {
	s.Helper()
	began := time.Now()
	for s.parse(name).try(shortly) != want {
		if time.Since(began) > limit {
			s.Errorf("%s is not %s after %s", name, want, limit)
			return
		}
	}
	s.Logf("%s is %s after %d ms", name, want, time.Since(began).Milliseconds())
}

func (s *scene) followsUFW() {
	s.Helper()
	s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp 9090": silent})
	s.follows("ufw allow 8080/tcp", "W tcp 8080", open)
	s.expect(map[string]outcome{"W tcp 9090": silent})
	s.follows("ufw delete allow 8080/tcp", "W tcp 8080", silent)
	// The last of many changes in a row must not be lost while the first is dealt with.
	s.follows("for port in 1 2 3 4 5 6 9090; do ufw allow $port/tcp; done", "W tcp 9090", open)
	s.shut(func() {
		s.sh("ufw reload")
		s.converges("a reload of UFW")
	}, "W tcp 8080")
	s.sh("ufw --force disable")
	s.converges("turning UFW off")
	s.sh("ufw --force enable")
	s.converges("turning UFW on")
	s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp 9090": open})
	s.sh("ufw --force reset && ufw allow 22/tcp && ufw --force enable")
	s.converges("resetting UFW")
	s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp 9090": silent})
}

func (s *scene) followsDocker() {
	s.Helper()
	began := s.quiet()
	s.shut(func() {
		s.sh("systemctl reset-failed docker; systemctl restart docker; systemctl restart docker")
		s.converges("two restarts of Docker")
		s.sh("systemctl reset-failed docker; kill -9 $(systemctl show -p MainPID --value docker)")
		s.eventually("Docker comes back", 30*time.Second, "docker ps")
		s.converges("Docker's death")
		s.sh("systemctl reset-failed docker; " + reinstall)
		s.converges("installing Docker again")
	}, "W tcp 8080", "W tcp 9090")
	if runs := s.quiet(); runs == began {
		s.Error("no run has followed Docker's starts")
	}
	s.sh("docker ps -q | grep -q .")
}

// repack makes Debian's package of Docker again from what is installed of it, with its own
// scripts, in /root/docker.io.deb: hosts of the lab have no way to Debian's archive.
const repack = `set -e; rm -rf /root/repack; mkdir -p /root/repack/DEBIAN; cd /root/repack
dpkg -L docker.io | while read -r file; do if [ -d "$file" ]; then mkdir -p ".$file"; elif [ -e "$file" ]; then cp -a "$file" ".$file"; fi; done
for script in preinst postinst prerm postrm conffiles triggers templates config; do test -e /var/lib/dpkg/info/docker.io.$script && cp -p /var/lib/dpkg/info/docker.io.$script DEBIAN/$script; done
dpkg-query -s docker.io | sed '/^Status:/d; /^Conffiles:/,/^[^ ]/{/^Conffiles:/d;/^ /d}' >DEBIAN/control
dpkg-deb -Znone -b . /root/docker.io.deb >/dev/null; rm -r /root/repack
`

// reinstall has dpkg install Docker over itself: its scripts stop and start dockerd.
const reinstall = repack + "dpkg --force-confold -i /root/docker.io.deb >/dev/null 2>&1"

// followsFiles changes what molo goes by, and what molo itself writes: that must not keep
// it running for ever, not even where it fails each time.
func (s *scene) followsFiles() {
	s.Helper()
	began, limit := s.quiet(), s.promptly()
	s.policy("docker {}\nfirewall {\n  publish \"web\" {\n    ports = [9090]\n  }\n}\n")
	s.comesInto("W tcp 9090", open, limit)
	s.converges("a new policy")
	s.sh(`sed -i 's/"icc": *false/"icc": true/' /etc/docker/daemon.json && grep -q '"icc": *true' /etc/docker/daemon.json`)
	s.converges("a change of daemon.json")
	s.holds("daemon.json", strings.ReplaceAll(s.read("/etc/docker/daemon.json"), " ", ""), `"icc":false`)
	s.policy("docker {\n  settings = { \"seccomp-profile\" = \"/nonexistent\" }\n}\nfirewall {}\n")
	s.eventually("molo.service fails", time.Minute, "systemctl is-failed molo.service")
	if runs := s.quiet() - began; runs > 24 { // two for each start of molo.service
		s.Errorf("%d runs for three changes", runs)
	}
	s.sh("docker ps -q | grep -q .")
	s.policy("docker {}\nfirewall {}\n")
	s.converges("a policy that can be")
}

// comesBack has the timer find what nobody has told molo.
func (s *scene) comesBack() {
	s.Helper()
	s.quiet()
	s.sh("iptables -F DOCKER-USER && ip6tables -F DOCKER-USER 2>/dev/null; iptables -t mangle -F MOLO-GUARD")
	s.expect(map[string]outcome{"W tcp 8080": open})
	s.sh("mkdir -p /etc/systemd/system/molo.timer.d && printf '[Timer]\\nOnBootSec=\\nOnUnitInactiveSec=\\nOnActiveSec=1s\\nRandomizedDelaySec=0\\nAccuracySec=1ms\\n' >/etc/systemd/system/molo.timer.d/soon.conf && systemctl daemon-reload && systemctl restart molo.timer")
	s.eventually("the timer brings the rules back", 20*time.Second, "molo plan --detailed-exitcode")
	s.expect(map[string]outcome{"W tcp 8080": silent})
	s.sh("rm -r /etc/systemd/system/molo.timer.d && systemctl daemon-reload && systemctl restart molo.timer")
}

// shutAtEveryBoot cuts the power while somebody tries to get in without a pause: when all
// is well, when molo may change nothing, and when it can't know what should be.
func (s *scene) shutAtEveryBoot() {
	s.Helper()
	s.policy("firewall {}\n")
	s.converges("dropping docker")
	for _, boot := range []struct{ name, before, after string }{
		{"all is well", "true", "true"},
		{"molo is paused", "molo pause --reason test", "molo resume"},
		{"a run waits to be confirmed", confirmable, "molo apply --wait 1m; ! grep icc /etc/docker/daemon.json && echo 'firewall {}' >/etc/molo/policies.hcl"},
		{"the policy can't be read", "echo '}' >>/etc/molo/policies.hcl", "echo 'firewall {}' >/etc/molo/policies.hcl"},
	} {
		s.sh(boot.before)
		s.shut(s.crashes, "W tcp 8080", "W tcp 9090")
		s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp 22": open})
		if cycles := s.sh("journalctl -b -o cat | grep -i -e 'ordering cycle' -e 'job .* deleted'; true"); cycles != "" {
			s.Errorf("when %s: %s", boot.name, cycles)
		}
		s.sh(boot.after)
		s.eventually("after a boot when "+boot.name+" the host matches the policy", time.Minute, "molo apply --wait 1m && molo plan --detailed-exitcode")
	}
}

// confirmable leaves a run unconfirmed whose time has passed when the host is up again.
const confirmable = `printf 'firewall {}\ndocker {}\n' >/etc/molo/policies.hcl; systemctl stop molo.target; rm -f /run/molo/changed; molo apply --wait 1m --confirm 1h || true; sed -i 's/"deadline": "[^"]*"/"deadline": "2020-01-01T00:00:00Z"/' /var/lib/molo/state.json`

// crashes cuts the power and waits until the container runs again.
func (s *scene) crashes() {
	s.Helper()
	if err := s.host.Crash(s.Context()); err != nil {
		s.Fatal(err)
	}
	s.eventually("the container comes back", time.Minute, "docker ps -q | grep -q .")
}

// givenBack uninstalls what runs by itself: it must not come back on its own.
func (s *scene) givenBack() {
	s.Helper()
	s.quiet()
	s.holds("status", s.molo(0, "status").Stdout, "by itself (molo.target)")
	s.holds("uninstall", s.molo(0, "uninstall", "--yes").Stdout, "molo no longer runs by itself")
	s.running("the uninstall", "inactive")
	s.sh("! systemctl is-enabled molo.target molo-firewall.service molo-docker.service | grep -v -x disabled && ! ls /etc/systemd/system/*/molo* 2>/dev/null")
	s.sh("systemctl reset-failed docker; ufw allow 7/tcp && systemctl restart docker && ! systemctl is-active molo.service molo-docker.service | grep -v inactive && ! iptables-save | grep MOLO")
	s.expect(map[string]outcome{"W tcp 8080": open})
	s.holds("status", s.molo(0, "status").Stdout, "only when it is told to")
}
