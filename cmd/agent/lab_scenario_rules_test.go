package main

import (
	"fmt"
	"strings"
	"testing"
)

// webPorts are those that the container web publishes; what it listens on are 80 and 53.
const webPorts = "-p 8080:80 -p 8443:80 -p 8082:80 -p 7001:80 -p 25:80 -p 2222:80 -p 5353:53/udp -p 6001:53/udp"

func TestScenariosOfRules(t *testing.T) {
	everyScene(t, func(s *scene) {
		s.sh("docker run -d --name web " + webPorts + " server:1")
		s.sh("docker run -d --name c2 --network six -p 8090:80 server:1")
		s.rulesOfPorts()
		s.rulesOfClients()
		s.rulesOfBothFamilies()
		s.policiesOfUFW()
	})
}

func (s *scene) rulesOfPorts() {
	s.scenario(1, "a stranger reaches no published port without a rule", func(s *scene) {
		s.expect(map[string]outcome{"W tcp 8080": open, "W udp 5353": open}) // the bypass
		s.ufw()
		s.expect(map[string]outcome{"W tcp 8080": silent, "W udp 5353": silent, "W tcp 22": open})
	})
	s.scenario(2, "a stranger reaches an allowed port, and the container sees who it is", func(s *scene) {
		s.ufw("allow 8080/tcp")
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp 8443": silent})
		if got, want := s.get("W tcp 8080", "/remote"), s.stranger.Addr4.String()+":"; !strings.HasPrefix(got, want) {
			s.Errorf("the container was asked by %q, want %s", got, want)
		}
	})
	s.scenario(2, "whatever UFW logs", func(s *scene) {
		for _, level := range []string{"full", "off"} {
			s.ufw("logging "+level, "allow log-all 8080/tcp")
			s.expect(map[string]outcome{"W tcp 8080": open, "W tcp 8443": silent})
		}
		s.ufw("logging low")
	})
	s.scenario(3, "an allowed port of the host opens no container that listens on the same port", func(s *scene) {
		s.ufw("allow 80/tcp")
		s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp " + s.address("web") + ":80": silent})
	})
	s.scenario(4, "a rule for TCP opens no UDP", func(s *scene) {
		s.ufw("allow 5353/tcp")
		s.expect(map[string]outcome{"W udp 5353": silent})
		s.ufw("allow 5353/udp")
		s.expect(map[string]outcome{"W udp 5353": open})
	})
	s.scenario(5, "a rule for one address of the host opens its port there and nowhere else", func(s *scene) {
		s.ufw("allow to " + second4 + " port 8443 proto tcp")
		s.expect(map[string]outcome{
			"W tcp " + second4 + ":8443": open, "W tcp " + second4 + ":8080": silent, "W tcp 8443": silent,
		})
	})
	s.scenario(10, "ranges and lists of ports", func(s *scene) {
		s.ufw("allow 6000:6010/udp", "allow proto tcp to any port 7000:7010,8082")
		s.expect(map[string]outcome{
			"W udp 6001": open, "W tcp 7001": open, "W tcp 8082": open, "W udp 5353": silent, "W tcp 8443": silent,
		})
	})
	s.scenario(11, "a rejected port refuses at once", func(s *scene) {
		s.ufw("reject 25/tcp")
		s.expect(map[string]outcome{"W tcp 25": refused, "W tcp 8080": silent})
	})
	s.scenario(12, "a limited port refuses the sixth connection", func(s *scene) {
		s.ufw("limit 2222/tcp")
		p := s.parse("W tcp 2222")
		for i := 1; i <= 8; i++ {
			want := open
			if i > 5 {
				want = refused
			}
			if got := p.try(patiently); got != want {
				s.Errorf("connection %d is %s, want %s", i, got, want)
			}
		}
	})
	s.scenario(13, "an application profile", func(s *scene) {
		s.write("/etc/ufw/applications.d/shop", "[Shop]\ntitle=Shop\ndescription=A shop\nports=8080,8443/tcp\n")
		s.ufw("allow Shop")
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp 8443": open, "W tcp 8082": silent})
	})
}

func (s *scene) rulesOfClients() {
	s.scenario(6, "a private network is trusted no more than others", func(s *scene) {
		s.ufw()
		s.expect(map[string]outcome{"L tcp " + private + ":8080": silent, "L tcp 8080": silent})
	})
	s.scenario(7, "a rule for one interface", func(s *scene) {
		s.ufw("allow in on " + s.lan.HostInterface + " to any port 8080 proto tcp")
		s.expect(map[string]outcome{"L tcp " + private + ":8080": open, "L tcp 8080": open, "W tcp 8080": silent})
	})
	s.scenario(8, "a deny in front of an allow", func(s *scene) {
		s.ufw("allow 8080/tcp", fmt.Sprintf("insert 1 deny from %s", s.stranger.Addr4))
		s.expect(map[string]outcome{"W tcp 8080": silent, "L tcp 8080": open})
	})
	s.scenario(9, "a deny behind an allow", func(s *scene) {
		s.ufw("allow 8080/tcp", fmt.Sprintf("deny from %s", s.stranger.Addr4))
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp 8443": silent})
	})
}

func (s *scene) rulesOfBothFamilies() {
	s.scenario(14, "a container with IPv6 obeys UFW's rules for IPv6", func(s *scene) {
		s.ufw("allow from " + s.stranger.Addr6.String() + " to any port 8090 proto tcp")
		s.expect(map[string]outcome{"W tcp6 8090": open, "W tcp 8090": silent, "L tcp6 8090": silent})
	})
	s.scenario(15, "a container without IPv6 is reached through docker-proxy, where UFW itself decides", func(s *scene) {
		s.ufw()
		s.expect(map[string]outcome{"W tcp6 8080": silent})
		s.ufw("allow 8080/tcp")
		s.expect(map[string]outcome{"W tcp6 8080": open})
	})
	s.scenario(15, "and the policy, where that opens or shuts more", func(s *scene) {
		s.policy("firewall {\n  published_ports = \"closed\"\n}\n")
		s.ufw("allow 8080/tcp")
		s.expect(map[string]outcome{"W tcp6 8080": silent, "W tcp 8080": silent})
		s.sh("curl -fsS -m 5 -o /dev/null http://[::1]:8080/")
		s.policy("firewall {\n  publish \"web\" {\n    ports = [8080]\n    from = [\"" + s.stranger.Addr6.String() + "/128\"]\n  }\n}\n")
		s.ufw()
		s.expect(map[string]outcome{"W tcp6 8080": open, "L tcp6 8080": silent, "W tcp 8080": silent})
		s.policy(firewallOnly)
		s.sh("ufw disable")
		s.apply()
		s.expect(map[string]outcome{"W tcp6 8080": silent, "W tcp 8080": silent})
		s.ufw()
	})
	s.scenario(16, "DOCKER-USER exists and is hooked for IPv6, though Docker 20.10 has none there", func(s *scene) {
		s.ufw()
		s.expect(map[string]outcome{"W tcp6 8090": silent, "W tcp 8090": silent})
		if got := s.sh("ip6tables -S FORWARD; ip6tables -S DOCKER-USER"); !strings.Contains(got, "-A FORWARD -j DOCKER-USER") || !strings.Contains(got, "-A DOCKER-USER -j MOLO") {
			s.Errorf("there is no way to molo's rules:\n%s", got)
		}
	})
	s.scenario(49, "with IPV6=no a port published over IPv6 is shut", func(s *scene) {
		s.onlyUFW("allow 8090/tcp")
		s.sh("sed -i s/^IPV6=.*/IPV6=no/ /etc/default/ufw && ufw reload")
		s.apply()
		s.expect(map[string]outcome{"W tcp6 8090": silent, "W tcp 8090": open})
		// UFW has thrown out Docker's rules for IPv6, with all others.
		s.sh(restart)
	})
}

func (s *scene) policiesOfUFW() {
	s.scenario(50, "containers get out although UFW refuses to forward", func(s *scene) {
		s.onlyUFW()
		s.sh("sed -i 's/^DEFAULT_FORWARD_POLICY=.*/DEFAULT_FORWARD_POLICY=\"REJECT\"/' /etc/default/ufw && ufw reload")
		s.apply()
		s.egress("docker run --rm")
		s.expect(map[string]outcome{"W tcp 8080": silent})
	})
	s.scenario(51, "with incoming allowed by default a published port is open, and a container's own address is not", func(s *scene) {
		s.ufw("default allow incoming")
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp6 8090": open, "W tcp " + s.address("web") + ":9": silent})
	})
	s.scenario(52, "UFW that manages the built-in chains is refused, with the reason", func(s *scene) {
		s.ufw()
		before := s.ours()
		s.sh("sed -i s/^MANAGE_BUILTINS=.*/MANAGE_BUILTINS=yes/ /etc/default/ufw")
		r := s.molo(1, "apply")
		if said := r.Stdout + r.Stderr; !strings.Contains(said, "MANAGE_BUILTINS=yes makes UFW flush every rule") {
			s.Errorf("the reason is not given:\n%s", said)
		}
		s.same("molo's rules", before, s.ours())
		s.ufw()
	})
}
