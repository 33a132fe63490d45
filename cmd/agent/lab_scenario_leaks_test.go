package main

import (
	"strings"
	"testing"
)

// TestScenariosOfMoments looks for moments in which a shut port is open, or an open
// one shut: while UFW reloads, Docker restarts, networks come and go, molo applies.
func TestScenariosOfMoments(t *testing.T) {
	everyScene(t, func(s *scene) {
		s.sh("docker run -d --name web --restart always -p 8080:80 -p 9090:80 server:1")
		s.sh("docker run -d --name c2 --restart always --network six -p 8090:80 server:1")
		s.uninstalled()
		s.ufw()
		s.momentsOfUFW()
		s.momentsOfDocker()
		s.heldConnections()
		s.foreignRules()
		s.manyRuns()
		s.brokenRuns()
		s.flushed()
		s.rebooted()
	})
}

// shutPorts are a published port over IPv4 and IPv6, and a container's own that is not published.
func (s *scene) shutPorts() []string {
	s.Helper()
	return []string{"W tcp 8080", "W tcp6 8090", "L tcp " + s.address("web") + ":9"}
}

// restart restarts dockerd; systemd refuses the fourth within a minute unless told to forget.
const restart = "systemctl reset-failed docker; systemctl restart docker"

func (s *scene) reloads() {
	s.Helper()
	for range 3 {
		s.sh("ufw reload")
	}
}

func (s *scene) restarts() {
	s.Helper()
	for range 2 {
		s.sh(restart)
	}
}

// opens checks that something leaves a hole where molo's jumps are missing. If it
// did not, the absence of a hole with them would say nothing.
func (s *scene) opens(withoutJumps, during string, port string) {
	s.Helper()
	s.sh(withoutJumps)
	for range 6 {
		if s.leaks(func() { s.sh(during) }, port) > 0 {
			s.molo(0, "apply")
			return
		}
	}
	s.molo(0, "apply")
	s.Errorf("%s is shut without molo as well: the scenario shows nothing", port)
}

func (s *scene) momentsOfUFW() {
	s.scenario(18, "a port that is not published stays shut while UFW reloads", func(s *scene) {
		web := "W tcp " + s.address("web") + ":9"
		if s.dockerBefore28() {
			s.opens("iptables -t mangle -D FORWARD -j MOLO-GUARD; iptables -D DOCKER-USER -j MOLO", "ufw reload", web)
		}
		s.shut(s.reloads, s.shutPorts()...)
	})
}

func (s *scene) momentsOfDocker() {
	s.scenario(35, "a published port stays shut while dockerd restarts and containers go on", func(s *scene) {
		if !s.dockerBefore28() {
			s.opens("iptables -t mangle -D FORWARD -j MOLO-GUARD", restart, "W tcp 8080")
		}
		s.shut(s.restarts, s.shutPorts()...)
	})
	s.scenario(35, "so do one that UFW rejects and one over a limit", func(s *scene) {
		s.ufw("reject 9090/tcp", "limit 8080/tcp")
		s.shut(s.restarts, "W tcp 9090")
		// The sixth within 30 s is over the limit, whichever table counts.
		if got := s.leaks(s.restarts, "W tcp 8080"); got > 10 {
			s.Errorf("%d connections to a port with a limit", got)
		}
		s.ufw()
	})
	s.scenario(36, "and while networks come and go", func(s *scene) {
		s.shut(func() {
			s.sh("for i in $(seq 20); do docker network create net$i && docker network rm net$i; done")
		}, s.shutPorts()...)
	})
}

// flushed leaves nothing of molo's but the guard.
func (s *scene) flushed() {
	s.scenario(42, "the guard holds when the filter table is flushed and dockerd restarts, and an apply restores the rest", func(s *scene) {
		s.ufw("allow from "+s.stranger.Addr4.String()+" to any port 8090 proto tcp", "reject 9090/tcp")
		s.shut(func() { s.sh("iptables -F; ip6tables -F; " + restart) }, append(s.shutPorts(), "W tcp 9090")...)
		s.apply()
		s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp 8090": open, "W tcp6 8090": silent})
		s.molo(0, "plan", "--detailed-exitcode")
		// UFW puts its own jumps back only after this, which flushes Docker's rules as well.
		s.sh("/lib/ufw/ufw-init flush-all; ufw --force disable; ufw --force enable; " + restart)
		s.apply()
	})
}

// rebooted polls from before the power is cut until the host is up again.
func (s *scene) rebooted() {
	s.firewallAtBoot()
	s.sh("docker network create -o com.docker.network.bridge.name=mybr0 mine && docker run -d --name own --restart always --network mine -p 8095:80 server:1")
	s.scenario(41, "no shut port is open at any moment of a boot", func(s *scene) {
		s.ufw("allow 9090/tcp")
		s.shut(func() { s.boots() }, append(s.shutPorts(), "W tcp 8095")...)
		s.expect(map[string]outcome{
			"W tcp 8080": silent, "W tcp 8095": silent, "W tcp 9090": open, "W tcp6 8090": silent, "W tcp " + s.address("web") + ":9": silent,
		})
		s.apply() // Docker 20.10 puts its IPv6 rules ahead of DOCKER-USER; the guard holds meanwhile
		s.molo(0, "plan", "--detailed-exitcode")
	})
	s.scenario(41, "nor where UFW's rules can't be read", func(s *scene) {
		s.sh("cp /etc/ufw/user.rules /root/whole && sed '/^### END RULES/,$d' /root/whole >/etc/ufw/user.rules")
		s.shut(func() { s.boots() }, s.shutPorts()...)
		s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp 9090": silent, "W tcp6 8090": silent})
		if got := s.sh("systemctl is-failed molo-firewall; true"); got != "failed\n" {
			s.Errorf("molo-firewall.service is %s", got)
		}
		s.sh("cp /root/whole /etc/ufw/user.rules; systemctl restart molo-firewall")
		s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp 9090": open})
	})
}

// firewallAtBoot installs the unit that loads the rules before Docker starts.
func (s *scene) firewallAtBoot() {
	s.Helper()
	if err := s.host.Push("../../templates/systemd/molo-firewall.service", "/etc/systemd/system/molo-firewall.service"); err != nil {
		s.Fatal(err)
	}
	s.sh("systemctl daemon-reload && systemctl enable molo-firewall")
}

// boots cuts the power and waits until the containers run again.
func (s *scene) boots() {
	s.Helper()
	if err := s.host.Crash(s.Context()); err != nil {
		s.Fatal(err)
	}
	s.addresses()
	s.sh("timeout 60 sh -c 'until [ $(docker ps --quiet | wc -l) = 3 ]; do sleep 0.2; done'")
}

// tables is the text of all firewall tables, without counters.
func (s *scene) tables() string {
	s.Helper()
	return s.sh("for table in filter nat mangle raw security; do for six in '' 6; do echo ip$six $table; ip${six}tables -t $table -S; done; done")
}

// uninstalled comes first, as UFW and Docker change the order of their rules when they
// restart.
func (s *scene) uninstalled() {
	s.scenario(57, "after an uninstall the tables are what they were", func(s *scene) {
		r, err := s.host.Run(s.Context(), "molo", "uninstall", "--help")
		if err != nil {
			s.Fatal(err)
		}
		if r.Code != 0 || !strings.Contains(r.Stdout, "--only") {
			s.Skip("SKIPPED: this molo has no command \"uninstall\"")
		}
		pristine := s.tables()
		s.apply()
		s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp6 8090": silent})
		if s.tables() == pristine {
			s.Error("the apply has changed nothing")
		}
		s.molo(0, "uninstall", "--only", "firewall", "--yes")
		s.same("the tables", pristine, s.tables())
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp6 8090": open})
	})
}
