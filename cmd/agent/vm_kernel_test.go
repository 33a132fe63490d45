//go:build vm

package main

import (
	"strings"
	"time"

	"molo/internal/audit"
	"molo/internal/lab"
)

// dockersIPv6 has containers with IPv6 addresses. Docker 20.10 knows no DOCKER-USER
// there, and puts its own rules first whenever it starts.
func (s *vmScene) dockersIPv6() {
	s.sh("docker network create --ipv6 --subnet 2001:db8:c2::/64 six && docker run -d --name c2 --restart always --network six -p 8090:80 server:1")
	s.converges("a container with an IPv6 address")
	s.standsFirst()
	s.shut(func() {
		s.sh(restart)
		s.eventually("Docker is back", time.Minute, "docker ps --format '{{.Names}}' | grep -qx c2")
	}, "W tcp6 8090")
	s.converges("a restart of Docker")
	s.standsFirst()
	s.follows("ufw allow 8090/tcp", "W tcp6 8090", open)
}

// standsFirst checks that the way through DOCKER-USER comes before whatever of Docker's
// accepts a packet.
func (s *vmScene) standsFirst() {
	s.Helper()
	rules := s.sh("ip6tables -S")
	s.holds("the rules for IPv6", rules, "-N DOCKER-USER\n", "-N MOLO\n")
	if place := firstForward(rules, "-j DOCKER-USER"); place < 0 || place > firstForward(rules, "-j ACCEPT", "-j DOCKER\n") {
		s.Errorf("Docker accepts before DOCKER-USER is asked:\n%s", rules)
	}
}

// firstForward is the place of the first rule of FORWARD with one of the targets.
func firstForward(rules string, targets ...string) int {
	place := 0
	for line := range strings.Lines(rules) {
		if !strings.HasPrefix(line, "-A FORWARD ") {
			continue
		}
		for _, target := range targets {
			if strings.Contains(line, target) {
				return place
			}
		}
		place++
	}
	return -1
}

// withoutParser takes away the program that loads Docker's profile, as where docker.io
// was installed without the packages it recommends.
func (s *vmScene) withoutParser() {
	s.sh("test $(cat /sys/module/apparmor/parameters/enabled) = Y && docker inspect -f '{{.AppArmorProfile}}' web | grep -x docker-default")
	s.parserIs(audit.Pass)
	s.sh("mv /usr/sbin/apparmor_parser /root/ && docker rm -f web && printf docker-default >/sys/kernel/security/apparmor/.remove")
	r, err := s.vm.Run(s.Context(), "docker", "run", "-d", "--name", "new", "server:1")
	if err != nil {
		s.Fatal(err)
	}
	if r.Code == 0 || !strings.Contains(r.Stderr, "apparmor_parser") {
		s.Errorf("Docker started a container without a profile: exit code %d\n%s", r.Code, r.Stderr)
	}
	s.parserIs(audit.Fail)
	s.sh("docker rm -f new; mv /root/apparmor_parser /usr/sbin/ && docker run -d --name new server:1")
	s.parserIs(audit.Pass)
}

// parserIs checks what the audit says of the program.
func (s *vmScene) parserIs(want audit.Status) {
	s.Helper()
	for _, f := range s.report().Findings {
		if f.Slug == "host-apparmor-parser" {
			if f.Status != want {
				s.Errorf("the audit says %s of AppArmor's parser, want %s", f.Status, want)
			}
			return
		}
	}
	s.Error("the audit says nothing of AppArmor's parser")
}

// vagrantScripts runs what the Vagrantfile has a machine run, on one where all of it has
// been done before.
func (s *vmScene) vagrantScripts() {
	s.sh("mkdir /tmp/molo && cd /tmp/molo && cp " + lab.VMSeed + "/molo.deb . && cp " + lab.VMSeed + "/vagrant.hcl policies.hcl && tar xf " + lab.VMSeed + "/server.tar")
	s.sh("docker rm -f web && sh " + lab.VMSeed + "/install.sh")
	out := s.sh("sh " + lab.VMSeed + "/smoke.sh")
	s.holds("the smoke test", out, "smoke: port 8080 is shut\n", "smoke: port 8080 is open after", "smoke: port 8080 is shut again\n", "smoke: all is well\n")
	if r, err := s.vm.Run(s.Context(), "sh", "-c", "ufw allow 8080/tcp && sh "+lab.VMSeed+"/smoke.sh"); err != nil || r.Code == 0 {
		s.Errorf("the smoke test sees nothing in a port that UFW opens: %v\n%s", err, r.Stdout)
	}
}

// auditRules starts from a host without molo's rules.
func (s *vmScene) auditRules() {
	s.sh("systemctl is-active auditd && molo uninstall --yes && systemctl stop molo.target")
	s.auditRulesComeAndGo()
}
