package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestScenariosOfPaths(t *testing.T) {
	everyScene(t, func(s *scene) {
		s.sh("docker run -d --name web -p 8080:80 -p 5353:53/udp server:1")
		s.sh("docker run -d --name lo -p 127.0.0.1:8081:80 server:1")
		s.sh("docker run -d --name c2 --network six -p 8090:80 server:1")
		s.sh("docker run -d --name wire --network host --entrypoint /server server:1 -http :8200")
		s.pathsBeforeMolo()
		s.pathsToContainers()
		s.pathsOfTheHost()
		s.pathsFromContainers()
		s.pathsBetweenNetworks()
		s.pathsOfOthers()
		s.namedLikeDockers()
		s.otherNetworks()
		s.frag()
		s.isolated()
	})
}

// dockerBefore28 says whether Docker leaves loopback ports and containers' own
// addresses open to neighbours, which version 28 does not.
func (s *scene) dockerBefore28() bool { return s.host.Release() != "forky" }

// pathsBeforeMolo shows that the attempts below would succeed.
func (s *scene) pathsBeforeMolo() {
	s.loopbackRoute()
	want := silent
	if s.dockerBefore28() {
		want = open
	}
	s.expect(map[string]outcome{
		"W tcp 8080": open, "L tcp 127.0.0.1:8081": want,
		"W tcp " + s.address("web") + ":80": want, "W tcp " + s.address("lo") + ":80": want,
	})
	s.ufw()
}

// loopbackRoute makes L send packets for 127.0.0.1 to the host.
func (s *scene) loopbackRoute() {
	s.Helper()
	script := "ip route del local 127.0.0.0/8 dev lo table local; ip route del local 127.0.0.1 dev lo table local; " +
		"ip addr del 127.0.0.1/8 dev lo; echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; " +
		"ip route add 127.0.0.1/32 via " + s.lan.HostAddr4.String() + " src " + s.lan.Addr4.String()
	r, err := s.lan.Run(s.Context(), "sh", "-c", script)
	if err != nil || r.Code != 0 {
		s.Fatalf("routing 127.0.0.1 to the host: %v\n%s", err, r.Stderr)
	}
}

func (s *scene) pathsToContainers() {
	s.scenario(17, "a container's own address is shut, published or not", func(s *scene) {
		s.ufw("allow 8080/tcp", "allow 80/tcp")
		web := s.address("web")
		s.expect(map[string]outcome{
			"W tcp " + web + ":80": silent, "W tcp " + web + ":9": silent, "L tcp " + web + ":80": silent,
			"W udp " + web + ":53": silent, "W tcp 8080": open,
		})
	})
	s.scenario(19, "it stays so when UFW is disabled", func(s *scene) {
		s.onlyUFW("allow 8080/tcp")
		web := s.address("web")
		s.sh("ufw disable")
		s.expect(map[string]outcome{"W tcp " + web + ":9": silent, "W tcp " + web + ":80": silent})
		s.apply()
		s.expect(map[string]outcome{"W tcp " + web + ":9": silent, "W tcp " + web + ":80": silent, "W tcp 8080": silent})
		s.sh("ufw --force enable")
		s.apply()
		s.expect(map[string]outcome{"W tcp 8080": open})
	})
	s.scenario(20, "a port published on loopback can't be reached by a neighbour on the link", func(s *scene) {
		s.ufw("allow 8081/tcp", "allow in on "+s.lan.HostInterface)
		s.expect(map[string]outcome{"L tcp 127.0.0.1:8081": silent, "L tcp 8080": open})
	})
	s.scenario(21, "nor can its container", func(s *scene) {
		s.ufw("allow 8081/tcp", "allow 80/tcp")
		lo := s.address("lo")
		s.expect(map[string]outcome{"W tcp " + lo + ":80": silent, "L tcp " + lo + ":80": silent})
	})
	s.scenario(60, "a published port leads to the network that the container's default route is on", func(s *scene) {
		s.sh("docker network create aaa && docker network connect aaa web")
		s.onlyUFW()
		ip := strings.TrimSpace(s.sh("docker inspect -f '{{.NetworkSettings.Networks.aaa.IPAddress}}' web"))
		s.ufw("route allow proto tcp from any to " + ip + " port 80")
		s.expect(map[string]outcome{"W tcp 8080": open})
		if r := s.molo(0, "exposure", "--from", s.stranger.Addr4.String(), "--to", s.stranger.HostAddr4.String()+":8080/tcp"); !strings.Contains(r.Stdout, "tcp on "+s.stranger.HostInterface+": allow") {
			s.Errorf("molo says:\n%s", r.Stdout)
		}
		s.sh("docker network disconnect aaa web && docker network rm aaa")
		s.ufw()
	})
	s.scenario(34, "a container on an internal network is shut", func(s *scene) {
		s.sh("docker network create --internal inner && docker run -d --name inside --network inner server:1")
		s.ufw("allow 80/tcp")
		s.expect(map[string]outcome{"W tcp " + s.address("inside") + ":80": silent})
	})
}

func (s *scene) pathsOfTheHost() {
	s.scenario(22, "the host itself reaches its containers", func(s *scene) {
		s.ufw()
		for _, to := range []string{
			"127.0.0.1:8080", "127.0.0.1:8081", s.stranger.HostAddr4.String() + ":8080", "[::1]:8080",
			s.address("web") + ":80", s.address("c2") + ":80", "127.0.0.1:8090",
		} {
			s.sh("curl -fsS -m 5 -o /dev/null http://" + to + "/")
		}
	})
	s.scenario(30, "containers reach a service of the host where allow_from_containers says so", func(s *scene) {
		s.ufw()
		s.sh("systemd-run --unit database /usr/local/bin/server -http :5432")
		s.contain(false, "docker run --rm", s.stranger.HostAddr4.String()+":5432")
		s.policy("firewall {\n  allow_from_containers = [\"5432/tcp\"]\n}\n")
		s.apply()
		s.contain(true, "docker run --rm", s.stranger.HostAddr4.String()+":5432")
		s.contain(true, "docker run --rm --network six", s.stranger.HostAddr4.String()+":5432")
		s.contain(false, "docker run --rm", s.stranger.HostAddr4.String()+":22000")
		s.expect(map[string]outcome{"W tcp 5432": silent})
		s.policy(firewallOnly)
		s.apply()
		s.contain(false, "docker run --rm", s.stranger.HostAddr4.String()+":5432")
	})
	s.scenario(31, "a container on the host's network is a service of the host", func(s *scene) {
		s.ufw()
		s.expect(map[string]outcome{"W tcp 8200": silent, "W tcp6 8200": silent})
		s.ufw("allow 8200/tcp")
		s.expect(map[string]outcome{"W tcp 8200": open, "W tcp6 8200": open})
	})
}

func (s *scene) pathsFromContainers() {
	s.scenario(23, "containers reach the internet, behind the host's address", func(s *scene) {
		s.ufw()
		s.egress("docker run --rm")
		s.egress("docker run --rm --network six")
	})
	s.scenario(24, "a DNS query from a low source port is answered", func(s *scene) {
		s.ufw()
		server, err := s.stranger.ListenPacket(s.Context(), "udp", ":53")
		if err != nil {
			s.Fatal(err)
		}
		defer server.Close()
		go mirror(server)
		s.sh("docker run --rm --sysctl net.ipv4.ip_local_port_range='1024 1027' --entrypoint /server server:1 -send " + s.stranger.Addr4.String() + ":53")
	})
	s.scenario(25, "containers on the default bridge talk to each other where Docker lets them", func(s *scene) {
		s.ufw()
		s.contain(true, "docker run --rm", s.address("web")+":80")
		s.contain(true, "docker run --rm", s.address("web")+":9")
	})
	s.scenario(26, "containers of one network talk to each other, but not with enable_icc=false", func(s *scene) {
		s.ufw()
		s.sh("docker network create talking && docker run -d --name talker --network talking server:1")
		s.contain(true, "docker run --rm --network talking", s.address("talker")+":80")
		s.sh("docker network create -o com.docker.network.bridge.enable_icc=false mute && docker run -d --name muted --network mute server:1")
		s.contain(false, "docker run --rm --network mute", s.address("muted")+":80")
	})
}

func (s *scene) pathsBetweenNetworks() {
	host := s.stranger.HostAddr4.String()
	s.scenario(27, "a container does not reach the address of one on another network", func(s *scene) {
		s.ufw("allow 80/tcp")
		s.contain(false, "docker run --rm", s.address("c2")+":80")
	})
	s.scenario(28, "a container reaches what another network publishes where UFW says so", func(s *scene) {
		s.ufw()
		s.contain(false, "docker run --rm --network six", host+":8080")
		s.ufw("allow 8080/tcp")
		s.contain(true, "docker run --rm --network six", host+":8080")
	})
	s.scenario(29, "a container reaches what its own network publishes where UFW says so", func(s *scene) {
		s.ufw()
		s.contain(false, "docker run --rm", host+":8080")
		s.ufw("allow 8080/tcp")
		s.contain(true, "docker run --rm", host+":8080")
	})
}

// egress has a container connect to W, which must see the host's address.
func (s *scene) egress(run string) {
	s.Helper()
	outside, err := s.stranger.Listen(s.Context(), "tcp", ":7000")
	if err != nil {
		s.Fatal(err)
	}
	defer outside.Close()
	s.contain(true, run, s.stranger.Addr4.String()+":7000")
	conn, err := outside.Accept()
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	if from := netip.MustParseAddrPort(conn.RemoteAddr().String()).Addr(); from != s.stranger.HostAddr4 {
		s.Errorf("the connection comes from %s, want the host, %s", from, s.stranger.HostAddr4)
	}
}

// contain checks whether a new container can connect.
func (s *scene) contain(want bool, run, to string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	r, err := s.host.Run(ctx, "sh", "-c", run+" --entrypoint /server server:1 -dial "+to+" -timeout 2s")
	if err != nil {
		s.Fatal(err)
	}
	if connected := strings.Contains(r.Stdout, "connected to"); connected != want {
		s.Errorf("%s connects to %s: %t, want %t\n%s%s", run, to, connected, want, r.Stdout, r.Stderr)
	}
}

// get asks over HTTP and returns the body.
func (s *scene) get(name, path string) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 5*time.Second)
	defer cancel()
	conn, err := s.parse(name).dial(ctx)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path)
	answer, err := io.ReadAll(conn)
	if err != nil {
		s.Fatal(err)
	}
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	return body
}

// mirror sends every packet back.
func mirror(c net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		c.WriteTo(buf[:n], from)
	}
}

// isolated comes last: dockerd takes icc=false over only where no container runs.
func (s *scene) isolated() {
	s.scenario(25, "containers on the default bridge don't talk to each other with icc=false", func(s *scene) {
		s.sh("docker rm -f $(docker ps -aq)")
		s.write("/etc/docker/daemon.json", strings.Replace(daemonPlain, "{", `{"icc": false, `, 1))
		s.sh("systemctl reset-failed docker; systemctl restart docker")
		s.sh("docker run -d --name web -p 8080:80 server:1")
		s.ufw("allow 8080/tcp")
		s.contain(false, "docker run --rm", s.address("web")+":80")
		s.expect(map[string]outcome{"W tcp 8080": open})
	})
}
