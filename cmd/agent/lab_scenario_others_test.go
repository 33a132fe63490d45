package main

import (
	"net"
	"strings"
)

// pathsOfOthers are what is none of molo's business.
func (s *scene) pathsOfOthers() {
	s.scenario(53, "a port translated to a guest of somebody else's bridge stays as it is", func(s *scene) {
		s.sh(`set -e
			ip link add lxdbr0 type bridge; ip addr add 10.66.0.1/24 dev lxdbr0; ip link set lxdbr0 up
			ip netns add guest; ip link add guest0 type veth peer name eth0 netns guest
			ip link set guest0 master lxdbr0 up; ip -n guest link set eth0 up; ip -n guest addr add 10.66.0.2/24 dev eth0
			ip -n guest route add default via 10.66.0.1
			iptables -t nat -I PREROUTING -p tcp --dport 9999 -j DNAT --to 10.66.0.2:80
			iptables -I FORWARD -o lxdbr0 -j ACCEPT; iptables -I FORWARD -i lxdbr0 -j ACCEPT
			systemd-run --unit guest ip netns exec guest /usr/local/bin/server -http :80`)
		s.ufw()
		s.expect(map[string]outcome{"W tcp 9999": open, "W tcp 10.66.0.2:80": open, "W tcp 8080": silent})
	})
	s.scenario(53, "what the host forwards between two links stays for UFW's route rules to decide", func(s *scene) {
		outside, err := s.stranger.Listen(s.Context(), "tcp", ":7001")
		if err != nil {
			s.Fatal(err)
		}
		defer outside.Close()
		go greet(outside)
		through := "L tcp " + s.stranger.Addr4.String() + ":7001"
		s.ufw()
		s.expect(map[string]outcome{through: silent})
		s.ufw("route allow in on " + s.lan.HostInterface + " out on " + s.stranger.HostInterface)
		s.expect(map[string]outcome{through: open, "L tcp 8080": silent, "W tcp 8080": silent})
	})
}

// namedLikeDockers makes a link for L that is called like a bridge of Docker's, as a
// bridge, and as something else.
func (s *scene) namedLikeDockers() {
	s.scenario(59, "a link that is only named like a bridge of Docker's is outside", func(s *scene) {
		s.ufw("allow from " + s.stranger.Addr4.String() + " to any port 8080 proto tcp")
		s.sh("systemd-run --unit database2 /usr/local/bin/server -http :5433")
		s.policy("firewall {\n  allow_from_containers = [\"5433/tcp\"]\n}\n")
		web := s.address("web")
		shut := map[string]outcome{"L tcp 8080": silent, "L tcp " + web + ":80": silent, "L tcp 5433": silent, "W tcp 8080": open}
		s.apply()
		was := s.lan.HostInterface
		s.sh("ip link set " + was + " down; ip link set " + was + " name br-ex; ip link set br-ex up; ip addr add " + private + "/24 dev br-ex; ip route replace " + s.lan.Addr4.String() + " dev br-ex")
		s.expect(shut)
		s.apply()
		s.expect(shut)
		s.contain(true, "docker run --rm", s.stranger.HostAddr4.String()+":5433")
		s.sh("ip link set br-ex down; ip link set br-ex name " + was + "; ip link set " + was + " up; ip addr add " + private + "/24 dev " + was + "; ip route replace " + s.lan.Addr4.String() + " dev " + was)
		s.policy(firewallOnly)
	})
}

// otherNetworks are networks that are not like docker0.
func (s *scene) otherNetworks() {
	s.scenario(54, "a bridge with a name of its own is covered", func(s *scene) {
		s.sh("docker network create -o com.docker.network.bridge.name=mybr0 mine && docker run -d --name own --network mine -p 8095:80 server:1")
		s.ufw()
		s.expect(map[string]outcome{"W tcp 8095": silent, "W tcp " + s.address("own") + ":9": silent})
		s.ufw("allow 8095/tcp")
		s.expect(map[string]outcome{"W tcp 8095": open})
	})
	s.scenario(54, "while Docker is down molo remembers it; without memory it is reported as a gap, unless extra_bridges names it", func(s *scene) {
		s.ufw()
		s.sh("systemctl stop docker.socket docker.service")
		if r := s.molo(0, "apply"); strings.Contains(r.Stdout, "can't say whether bridge mybr0") {
			s.Errorf("a bridge that Docker told of before is reported as a gap:\n%s", r.Stdout)
		}
		s.expect(map[string]outcome{"W tcp 8095": silent})
		s.sh("rm -r /var/lib/molo/rules")
		r := s.molo(0, "apply")
		if !strings.Contains(r.Stdout, "mybr0") {
			s.Errorf("the gap is not reported:\n%s", r.Stdout)
		}
		s.policy("firewall {\n  extra_bridges = [\"mybr0\"]\n}\n")
		if r := s.molo(0, "apply"); strings.Contains(r.Stdout, "can't say whether bridge mybr0") {
			s.Errorf("a bridge that the policy names is reported as a gap:\n%s", r.Stdout)
		}
		s.expect(map[string]outcome{"W tcp 8095": silent})
		s.policy(firewallOnly)
		s.sh("systemctl reset-failed docker; systemctl start docker")
		s.apply()
		s.expect(map[string]outcome{"W tcp 8095": silent})
	})
	s.scenario(33, "a container on a routed network obeys UFW's route rules", func(s *scene) {
		if s.dockerBefore28() {
			s.Skipf("SKIPPED: Docker of %s knows no gateway_mode", s.host.Release())
		}
		s.sh("docker network create -o com.docker.network.bridge.gateway_mode_ipv4=routed routed && docker run -d --name far --network routed -p 80 server:1")
		far := s.address("far")
		s.ufw("allow 80/tcp")
		s.expect(map[string]outcome{"W tcp " + far + ":80": silent})
		s.ufw("route allow proto tcp from " + s.stranger.Addr4.String() + " to " + far + " port 80")
		s.expect(map[string]outcome{"W tcp " + far + ":80": open, "W tcp " + far + ":9": silent, "L tcp " + far + ":80": silent})
	})
	s.scenario(32, "a container on a macvlan network is reached past every firewall, and is reported", func(s *scene) {
		s.sh("docker network create -d macvlan --subnet 10.77.0.0/24 --ip-range 10.77.0.64/28 --gateway 10.77.0.2 -o parent=" + s.lan.HostInterface + " lan")
		s.sh("docker run -d --name cam --network lan server:1")
		s.onlyUFW()
		if r := s.molo(0, "apply"); !strings.Contains(r.Stdout, "container cam") {
			s.Errorf("the container is not reported:\n%s", r.Stdout)
		}
		s.expect(map[string]outcome{"L tcp " + s.address("cam") + ":80": open})
		s.policy("firewall {\n  macvlan = \"fail\"\n}\n")
		s.molo(1, "apply")
		s.policy(firewallOnly)
	})
}

// greet answers every connection.
func greet(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.Write([]byte("hello"))
		conn.Close()
	}
}

// ours is molo's part of the tables, as the kernel prints it.
func (s *scene) ours() string {
	s.Helper()
	return s.sh("for six in '' 6; do ip${six}tables-save | grep -e '^\\*' -e MOLO; done")
}
