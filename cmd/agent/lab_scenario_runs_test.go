package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func (s *scene) heldConnections() {
	s.scenario(37, "a connection lives through an apply, a reload of UFW and a restart of dockerd", func(s *scene) {
		s.ufw("allow 8080/tcp")
		held := s.stream(8080, "x")
		defer held.Close()
		s.ufw("allow 8080/tcp", "allow 9090/tcp")
		s.goesOn(held, true, "an apply")
		s.sh("ufw reload")
		s.goesOn(held, true, "a reload of UFW")
		s.sh(restart)
		s.goesOn(held, true, "a restart of dockerd")
		s.apply()
		s.goesOn(held, true, "another apply")
	})
	s.scenario(38, "a connection to a port that closes ends, unless cut_established says otherwise", func(s *scene) {
		for _, cut := range []bool{false, true} {
			s.policy(fmt.Sprintf("firewall {\n  cut_established = %t\n}\n", cut))
			s.ufw("allow 8080/tcp")
			held := s.stream(8080, "x")
			s.ufw()
			s.goesOn(held, !cut, fmt.Sprintf("closing its port with cut_established = %t", cut))
			held.Close()
			s.expect(map[string]outcome{"W tcp 8080": silent})
		}
		s.policy(firewallOnly)
	})
	s.scenario(38, "nor does a container go on with it whose port is the one that it is published on", func(s *scene) {
		s.sh("docker run -d --name same -p 9:9 server:1")
		s.ufw("allow 9/tcp")
		held := s.stream(9, "x")
		defer held.Close()
		s.ufw()
		s.goesOn(held, false, "closing its port")
		s.sh("docker rm -f same")
	})
	s.scenario(38, "a connection to a container's own address ends as well", func(s *scene) {
		if !s.dockerBefore28() {
			s.Skipf("SKIPPED: Docker of %s drops such packets itself", s.host.Release())
		}
		own := s.address("web")
		s.ufw("route allow proto tcp from any to " + own + " port 80")
		held := s.streamOf(netip.MustParseAddr(own), 80, "x")
		defer held.Close()
		s.ufw()
		s.goesOn(held, false, "taking the route rule back")
	})
	s.scenario(38, "one that may have come in on a link that is allowed does not", func(s *scene) {
		s.ufw("allow 8080/tcp")
		held := s.streamOf(netip.MustParseAddr(private), 8080, "x")
		defer held.Close()
		s.ufw("allow in on " + s.lan.HostInterface + " to any port 8080 proto tcp")
		s.goesOn(held, true, "allowing its port on the link that has the address only")
	})
}

// goesOn reads what was under way, and then waits for more.
func (s *scene) goesOn(conn net.Conn, want bool, after string) {
	s.Helper()
	conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	io.Copy(io.Discard, conn)
	conn.SetReadDeadline(time.Now().Add(4 * time.Second))
	if _, err := io.CopyN(io.Discard, conn, 50); (err == nil) != want {
		s.Errorf("after %s the connection goes on: %t, want %t (%v)", after, err == nil, want, err)
	}
}

func (s *scene) foreignRules() {
	s.scenario(40, "a ban of somebody else's in DOCKER-USER stays and holds", func(s *scene) {
		s.ufw("allow 8080/tcp")
		for _, place := range []string{"1", "2"} { // before and behind molo's jump
			ban := "DOCKER-USER %s-s " + s.stranger.Addr4.String() + " -j DROP"
			s.sh("iptables -I " + fmt.Sprintf(ban, place+" "))
			for _, event := range []string{"molo apply --no-probe", "ufw reload", restart} {
				s.sh(event)
				s.expect(map[string]outcome{"W tcp 8080": silent, "L tcp 8080": open})
			}
			s.apply()
			s.sh("iptables -D " + fmt.Sprintf(ban, ""))
		}
		s.expect(map[string]outcome{"W tcp 8080": open})
	})
}

func (s *scene) manyRuns() {
	s.scenario(39, "an allowed port can be reached through 100 applies", func(s *scene) {
		s.ufw("allow 8080/tcp", "allow 8090/tcp")
		s.steady(func() {
			for i := range 100 {
				s.policy(fmt.Sprintf("firewall {\n  publish \"other\" {\n    ports = [%d]\n  }\n}\n", 9000+i%2))
				s.apply()
			}
		}, "W tcp 8080", "W tcp6 8090", "L tcp 8080")
		s.policy(firewallOnly)
	})
	s.scenario(45, "an apply with nothing to do keeps the counters", func(s *scene) {
		s.ufw("allow 8080/tcp")
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp 9090": silent, "W tcp6 8090": silent})
		const counted = "for six in '' 6; do ip${six}tables-save -c | grep -e '-A MOLO'; done"
		before := s.sh(counted)
		if !regexp.MustCompile(`(?m)^\[[1-9]`).MatchString(before) {
			s.Fatalf("nothing was counted:\n%s", before)
		}
		if r := s.molo(0, "apply", "--detailed-exitcode"); !strings.Contains(r.Stdout, "No changes") {
			s.Errorf("the second apply says:\n%s", r.Stdout)
		}
		s.same("the counters", before, s.sh(counted))
	})
	s.scenario(44, "two applies and a ufw that goes on and on do not get in each other's way", func(s *scene) {
		s.ufw("allow 8080/tcp")
		s.concurrent()
		s.molo(0, "apply")
		s.molo(0, "plan", "--detailed-exitcode")
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp 9090": silent, "W tcp6 8090": silent})
		for _, table := range []string{"iptables -t filter", "iptables -t mangle", "ip6tables -t filter", "ip6tables -t mangle"} {
			jump := "-j MOLO$"
			if strings.Contains(table, "mangle") {
				jump = "-j MOLO-GUARD$"
			}
			if got := s.sh(table + " -S | grep -c -e '" + jump + "'"); got != "1\n" {
				s.Errorf("%s has %s jumps to molo's chains, want 1", table, strings.TrimSpace(got))
			}
		}
	})
}

// concurrent runs applies in two places while ufw changes its rules in a third. An
// apply may find the other at work, and nothing else may go wrong.
func (s *scene) concurrent() {
	s.Helper()
	out := s.sh(`
		applies() { for i in $(seq 12); do molo apply >/tmp/apply$1 2>&1; code=$?; echo $code; [ $code = 0 ] || [ $code = 75 ] || cat /tmp/apply$1; done; }
		applies 1 >/tmp/codes1 & applies 2 >/tmp/codes2 &
		for i in $(seq 6); do ufw allow 95$i/tcp >/dev/null; ufw delete allow 95$i/tcp >/dev/null; done
		wait; cat /tmp/codes1 /tmp/codes2`)
	count := map[string]int{}
	for line := range strings.Lines(out) {
		count[strings.TrimSpace(line)]++
	}
	if count["0"] < 2 || count["0"]+count["75"] != 24 || len(count) > 2 {
		s.Errorf("the applies ended with %v, want only 0 and 75:\n%s", count, out)
	}
}

// steady connects again and again while something is going on; every connection must come about.
func (s *scene) steady(during func(), names ...string) {
	s.Helper()
	var connected, failed atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			for p := s.parse(name); !isClosed(stop); time.Sleep(20 * time.Millisecond) {
				got := p.try(4 * time.Second)
				if got == open {
					connected.Add(1)
				} else if failed.Add(1) == 1 {
					s.Errorf("%s is %s", name, got)
				}
			}
		})
	}
	during()
	close(stop)
	all.Wait()
	s.Logf("%v: %d connections, %d failures", names, connected.Load(), failed.Load())
	if failed.Load() > 0 || connected.Load() < 100 {
		s.Errorf("%d of %d connections failed", failed.Load(), connected.Load()+failed.Load())
	}
}

func (s *scene) brokenRuns() {
	s.scenario(44, "a jump that is gone when it should be taken away costs one attempt, not the run", func(s *scene) {
		s.ufw()
		s.write("/usr/local/sbin/iptables-restore", "#!/bin/sh\n[ -e /run/raced ] || { touch /run/raced; iptables -D DOCKER-USER -j MOLO; }\nexec /usr/sbin/iptables-restore \"$@\"\n")
		s.sh("chmod +x /usr/local/sbin/iptables-restore; iptables -I DOCKER-USER -j MOLO")
		s.apply()
		if got := s.sh("ls /run/raced; iptables -S DOCKER-USER"); strings.Count(got, "-j MOLO\n") != 1 {
			s.Errorf("the jumps are:\n%s", got)
		}
		s.sh("rm /usr/local/sbin/iptables-restore")
	})
	s.scenario(43, "an apply that is killed leaves the old rules of a table or the new ones", func(s *scene) {
		s.ufw("allow 8080/tcp", "allow 7000:7010/udp")
		s.sh("cp -r /etc/ufw /root/fresh")
		fresh := s.sections()
		s.ufw()
		s.sh("cp -r /etc/ufw /root/old")
		old := s.sections()
		n := 1
		for ; s.killAtExec(n); n++ {
			for i, got := range s.sections() {
				if got != old[i] && got != fresh[i] {
					s.Errorf("killed at program %d, table %d is neither old nor new:\n%s", n, i, got)
				}
			}
		}
		if s.Logf("killed at %d programs", n-1); n < 5 {
			s.Errorf("an apply was killed %d times, want 4 at least", n-1)
		}
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp 9090": silent})
	})
	s.scenario(46, "with half a file of UFW's the last good rules stay", func(s *scene) {
		s.ufw("allow 8080/tcp")
		before := s.ours()
		s.sh("cp /etc/ufw/user.rules /root/whole && sed '/^### END RULES/,$d' /root/whole >/etc/ufw/user.rules")
		r := s.molo(1, "apply")
		if said := r.Stdout + r.Stderr; !strings.Contains(said, "/etc/ufw/user.rules") {
			s.Errorf("the file is not named:\n%s", said)
		}
		s.same("molo's rules", before, s.ours())
		s.expect(map[string]outcome{"W tcp 8080": open, "W tcp 9090": silent})
		s.sh("cp /root/whole /etc/ufw/user.rules")
		s.molo(0, "apply")
	})
}

// sections is molo's part of each table.
func (s *scene) sections() []string {
	s.Helper()
	return strings.Split(s.ours(), "*")
}

// killAtExec goes from the old rules of UFW to the fresh ones, and kills the apply
// when it starts its nth program. It says whether there was one.
func (s *scene) killAtExec(n int) bool {
	s.Helper()
	// A program that was started ends by itself; in brackets, the pattern does not match this script.
	out := s.sh(fmt.Sprintf(`set -e
		cp /root/old/*.rules /etc/ufw/; molo apply --no-probe >/dev/null; cp /root/fresh/*.rules /etc/ufw/; rm -f /tmp/log; mkfifo /tmp/log; set +e
		molo apply --verbose >/dev/null 2>/tmp/log & pid=$!
		n=0; while read -r line; do case $line in *msg=exec*) n=$((n+1)); [ $n -ne %d ] || kill -KILL $pid;; esac; done </tmp/log
		wait $pid; echo $?; while pgrep -f 'tables-[r]estore' >/dev/null; do sleep 0.02; done`, n))
	return out == "137\n"
}
