package main

import (
	"fmt"
	"strings"
	"testing"
)

// Docker's nftables backend comes with version 29, which no Debian has. So these
// scenarios stop dockerd, whose containers go on (live-restore), take away the iptables
// rules that it made, and load by hand the tables that Docker 29 makes for the same
// containers (nftablesdoc in moby's integration tests).

// bridged is a container on a bridge as those tables see it.
type bridged struct {
	bridge, subnet4, subnet6, addr4, addr6 string
	pid                                    string
	published                              []string // "8080", "127.0.0.1:8081"; all lead to port 80
}

// dockerNFT is the table of one family.
func dockerNFT(family string, containers []bridged) string {
	var forward, dnat, postrouting, raw, chains strings.Builder
	seen := map[string]bool{}
	for _, c := range containers {
		addr, subnet := c.addr4, c.subnet4
		if family == "ip6" {
			addr, subnet = c.addr6, c.subnet6
		}
		if addr == "" {
			continue
		}
		if !seen[c.bridge] {
			fmt.Fprintf(&forward, "oifname %[1]q jump in__%[1]s\n iifname %[1]q jump out__%[1]s\n", c.bridge)
			fmt.Fprintf(&postrouting, "iifname %q oifname != %[1]q %s saddr %s masquerade\n", c.bridge, family, subnet)
			fmt.Fprintf(&chains, "chain out__%s { ct state established,related accept; accept; }\n", c.bridge)
		}
		seen[c.bridge] = true
		fmt.Fprintf(&raw, "%s daddr %s iifname != %q drop\n", family, addr, c.bridge)
		for _, p := range c.published {
			match, to := "tcp dport "+p, addr+":80"
			if ip, port, ok := strings.Cut(p, ":"); ok {
				match = "ip daddr " + ip + " tcp dport " + port
				if family == "ip6" {
					continue
				}
			}
			if family == "ip6" {
				to = "[" + addr + "]:80"
			}
			fmt.Fprintf(&dnat, "iifname != %q %s dnat to %s\n", c.bridge, match, to)
		}
	}
	for bridge := range seen {
		fmt.Fprintf(&chains, "chain in__%s { ct state established,related accept; iifname %[1]q accept\n", bridge)
		for _, c := range containers {
			if addr := map[string]string{"ip": c.addr4, "ip6": c.addr6}[family]; c.bridge == bridge && addr != "" && len(c.published) > 0 {
				fmt.Fprintf(&chains, "%s daddr %s tcp dport 80 accept\n", family, addr)
			}
		}
		chains.WriteString("drop\n}\n")
	}
	loopback := "127.0.0.0/8"
	if family == "ip6" {
		loopback = "::1"
	}
	return fmt.Sprintf(`table %s docker-bridges {
%s
chain nat-prerouting-and-output { %s }
chain filter-FORWARD { type filter hook forward priority filter; policy accept; %s }
chain nat-OUTPUT { type nat hook output priority -100; policy accept; %[1]s daddr != %[5]s fib daddr type local jump nat-prerouting-and-output; }
chain nat-PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local jump nat-prerouting-and-output; }
chain nat-POSTROUTING { type nat hook postrouting priority srcnat; policy accept; %[6]s }
chain raw-PREROUTING { type filter hook prerouting priority raw; policy accept; %[7]s }
}
`, family, chains.String(), dnat.String(), forward.String(), loopback, postrouting.String(), raw.String())
}

func TestScenariosOfDockersNftables(t *testing.T) {
	everyScene(t, func(s *scene) {
		s.sh("docker run -d --name web -p 8080:80 -p 8082:80 server:1")
		s.sh("docker run -d --name lo -p 127.0.0.1:8081:80 server:1")
		s.sh("docker run -d --name c2 --network six -p 8090:80 -p 8092:80 server:1")
		s.loopbackRoute()
		containers := []bridged{
			s.bridged("web", "docker0", "8080", "8082"), s.bridged("lo", "docker0", "127.0.0.1:8081"), s.bridged("c2", s.bridge("six"), "8090", "8092"),
		}
		shut := []string{"W tcp 8080", "W tcp 8090", "W tcp6 8090"}
		s.ufw("allow 8082/tcp", "allow 8092/tcp")
		s.scenario(48, "from iptables to nftables, no shut port is open for a moment", func(s *scene) {
			s.shut(func() {
				s.toNFT(containers)
				s.apply()
			}, shut...)
			if got := s.sh("iptables -S FORWARD | sed -n 2p; ip6tables -S FORWARD | sed -n 2p"); got != strings.Repeat("-A FORWARD -j MOLO\n", 2) {
				s.Errorf("molo's chains are not first in FORWARD: %s", got)
			}
		})
		s.scenario(47, "the same rules hold with Docker's nftables backend", func(s *scene) { s.verdictsWithNFT(containers) })
		s.scenario(48, "and back", func(s *scene) {
			s.shut(func() {
				s.sh("nft delete table ip docker-bridges; nft delete table ip6 docker-bridges")
				s.write("/etc/docker/daemon.json", daemonPlain)
				s.sh("systemctl reset-failed docker; systemctl start docker")
				s.apply()
			}, shut...)
			s.expect(map[string]outcome{"W tcp 8080": silent, "W tcp 8082": open, "W tcp 8092": open, "W tcp6 8090": silent, "W tcp6 8092": open})
			s.molo(0, "plan", "--detailed-exitcode")
			if got := s.sh("iptables -S; ip6tables -S"); strings.Contains(got, "-A FORWARD -j MOLO\n") {
				s.Errorf("the old jump is still there:\n%s", got)
			}
		})
	})
}

// verdictsWithNFT goes through scenarios 1, 2, 14, 17, 20, 23, 25 and 28 again.
func (s *scene) verdictsWithNFT(containers []bridged) {
	s.Helper()
	web, lo, c2 := containers[0], containers[1], containers[2]
	outside, err := s.stranger.Listen(s.Context(), "tcp", ":7000")
	if err != nil {
		s.Fatal(err)
	}
	defer outside.Close()
	go greet(outside)
	s.expect(map[string]outcome{
		"W tcp 8080": silent, "W tcp 8082": open, "W tcp 8090": silent, "W tcp 8092": open, "W tcp6 8090": silent, "W tcp6 8092": open,
		"W tcp " + web.addr4 + ":80": silent, "W tcp " + web.addr4 + ":9": silent, "L tcp " + web.addr4 + ":80": silent,
		"L tcp 127.0.0.1:8081": silent, "W tcp " + lo.addr4 + ":80": silent,
	})
	for _, c := range containers { // egress
		s.inside(c, true, s.stranger.Addr4.String()+":7000")
	}
	s.inside(c2, true, "["+s.stranger.Addr6.String()+"]:7000")
	s.inside(lo, true, web.addr4+":80")                              // one bridge
	s.inside(c2, false, web.addr4+":80")                             // another network
	s.inside(c2, true, s.stranger.HostAddr4.String()+":8080")        // what it publishes: Docker 29 lets it
	s.sh("curl -fsS -m 5 -o /dev/null http://" + web.addr4 + ":80/") // the host itself
	s.policy("firewall {\n  inter_network = \"ufw\"\n}\n")
	s.apply()
	s.inside(c2, false, s.stranger.HostAddr4.String()+":8080")
	s.inside(c2, true, s.stranger.HostAddr4.String()+":8082")
	s.policy(firewallOnly)
	s.apply()
	s.shut(s.reloads, "W tcp 8080", "W tcp6 8090", "L tcp "+web.addr4+":9")
	s.molo(0, "plan", "--detailed-exitcode")
}

func (s *scene) bridge(network string) string {
	s.Helper()
	return "br-" + s.sh("docker network inspect -f '{{.Id}}' " + network)[:12]
}

func (s *scene) bridged(name, bridge string, published ...string) bridged {
	s.Helper()
	text := s.sh("docker inspect -f '{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}/{{.IPPrefixLen}} {{.GlobalIPv6Address}}{{end}}' " + name)
	f := strings.Fields(text)
	if len(f) < 2 {
		s.Fatalf("container %s is %q", name, text)
	}
	c := bridged{bridge: bridge, pid: f[0], subnet4: f[1], published: published}
	c.addr4, _, _ = strings.Cut(f[1], "/")
	if len(f) > 2 {
		c.addr6, c.subnet6 = f[2], f[2]
	}
	return c
}

// toNFT does what a restart into Docker 29 with firewall-backend nftables does.
func (s *scene) toNFT(containers []bridged) {
	s.Helper()
	s.sh("systemctl stop docker.socket docker.service")
	s.write("/etc/docker/daemon.json", `{"firewall-backend": "nftables", "live-restore": true}`)
	s.write("/root/docker.nft", dockerNFT("ip", containers)+dockerNFT("ip6", containers))
	// dockerd takes its own iptables rules away; the jump to DOCKER-USER stays.
	s.sh(`set -e; nft -f /root/docker.nft
		for six in '' 6; do
			for table in filter nat raw; do
				ip${six}tables -t $table -S | grep -E '^-A (FORWARD|PREROUTING|POSTROUTING|OUTPUT|DOCKER[A-Z0-9-]*) ' | grep -vE -- '-A DOCKER-USER|-j (DOCKER-USER|ufw)' |
					sed s/^-A/-D/ | while read -r rule; do eval ip${six}tables -t $table "$rule"; done
			done
		done`)
}

// inside connects from a container's network.
func (s *scene) inside(c bridged, want bool, to string) {
	s.Helper()
	r, err := s.host.Run(s.Context(), "nsenter", "-t", c.pid, "-n", "server", "-dial", to, "-timeout", "2s")
	if err != nil {
		s.Fatal(err)
	}
	if connected := strings.Contains(r.Stdout, "connected to"); connected != want {
		s.Errorf("the container on %s at %s connects to %s: %t, want %t\n%s%s", c.bridge, c.addr4, to, connected, want, r.Stdout, r.Stderr)
	}
}
