package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/lab/labtest"
)

// exposed returns what exposure says: "all/8080/tcp" (v4 and v6 alike),
// "127.0.0.1/8081/tcp" to "words | why", clauses joined by "; ".
func (w *world) exposed(args ...string) map[string]string {
	w.Helper()
	var out struct {
		Exposures []struct {
			Name, Protocol, Address string
			Port                    int
			Reach                   []struct{ Verdict, Source, Why string }
		}
		Findings []struct{ Where, What string }
	}
	text := w.molo(0, append([]string{"exposure", "--json"}, args...)...).Stdout
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		w.Fatalf("reading the exposure: %v\n%s", err, text)
	}
	got := map[string]string{}
	for _, e := range out.Exposures {
		var clauses []string
		for _, c := range e.Reach {
			clauses = append(clauses, strings.TrimSpace(c.Source+" "+c.Verdict)+" | "+c.Why)
		}
		got[fmt.Sprintf("%s %s %d/%s", e.Name, e.Address, e.Port, e.Protocol)] = strings.Join(clauses, "; ")
	}
	for _, f := range out.Findings {
		got[f.Where] = f.What
	}
	return got
}

// says checks some of what exposure says.
func (w *world) says(want map[string]string, args ...string) {
	w.Helper()
	all := w.exposed(args...)
	got := map[string]string{}
	for key := range want {
		got[key] = all[key]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("exposure (-want +got):\n%s\nall of it:\n%s", diff, w.molo(0, append([]string{"exposure"}, args...)...).Stdout)
	}
}

// busy publishes ports of every kind, and lets UFW say something about some of them.
func (w *world) busy() {
	w.Helper()
	w.sh("docker network create back")
	w.sh("docker network create -d macvlan --subnet 10.77.0.0/24 -o parent=" + w.stranger.HostInterface + " lan")
	w.sh("docker run -d --name web -p 8080:80 -p 8082:80 -p 8083:80 -p 8084:80 -p 5353:53/udp -p 5354:53/udp server:1")
	w.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1")
	w.sh("docker run -d --name one --network back -p 9090:80 server:1")
	w.sh(fmt.Sprintf("docker run -d --name edge -p %s:8443:80 server:1", w.stranger.HostAddr4))
	w.sh("docker run -d --name wire --network host --entrypoint /server server:1 -http :7000")
	w.sh("docker run -d --name cam --network lan server:1")
	w.sh("ufw allow 8080/tcp comment 'the shop'")
	w.sh("ufw allow from 192.0.2.0/24 to any port 8082 proto tcp")
	w.sh("ufw limit 8083/tcp")
	w.sh("ufw reject 8084/tcp")
	w.sh("ufw allow 5354/udp")
	w.sh("ufw allow 7000/tcp")
	w.policy(wholePolicy)
}

func TestExposureSaysWhoReachesWhat(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.busy()
		const open = "allow | Docker opens what it publishes: no rules of molo's stand in the way"
		const denied = "deny | default: deny incoming"
		edge := fmt.Sprintf("edge %s 8443/tcp", w.stranger.HostAddr4)
		always := map[string]string{
			"sshd 0.0.0.0 22/tcp": "allow | ufw: allow 22/tcp", "sshd :: 22/tcp": "allow | ufw: allow 22/tcp",
			"wire 0.0.0.0 7000/tcp": "allow | ufw: allow 7000/tcp", "wire :: 7000/tcp": "allow | ufw: allow 7000/tcp",
			"container cam":   "it is on the macvlan network lan, which passes every firewall of this host",
			"one :: 9090/tcp": denied, // docker-proxy
		}
		w.says(always)
		w.says(map[string]string{
			"web 0.0.0.0 8080/tcp": open, "web :: 8080/tcp": open, "web 0.0.0.0 5353/udp": open, edge: open,
			"app 127.0.0.1 8081/tcp": "deny | bound to 127.0.0.1", "one 0.0.0.0 9090/tcp": open,
			"iptables": "molo's rules are not in force: every port that Docker publishes is open to everybody",
		})
		shut := map[string]string{
			"web 0.0.0.0 8080/tcp": "allow | ufw: allow 8080/tcp # the shop", "web :: 8080/tcp": "allow | ufw: allow 8080/tcp # the shop",
			"web 0.0.0.0 8082/tcp": "192.0.2.0/24 allow | ufw: allow from 192.0.2.0/24 to any port 8082 proto tcp; " + denied,
			"web :: 8082/tcp":      denied,
			"web 0.0.0.0 8083/tcp": "limit | ufw: limit 8083/tcp", "web :: 8084/tcp": "reject | ufw: reject 8084/tcp",
			"web 0.0.0.0 5353/udp": denied, "web :: 5354/udp": "allow | ufw: allow 5354/udp",
			"app 127.0.0.1 8081/tcp": "deny | published for this host only", "one 0.0.0.0 9090/tcp": denied, edge: denied,
			"iptables": "", "ip mangle": "",
		}
		w.says(shut, "--planned")
		w.holds("the exposure", w.molo(0, "exposure").Stdout, "> once the policy is applied: 8082/tcp of container web over IPv6: everybody -> nobody (default: deny incoming)",
			"> once the policy is applied: 8082/tcp of container web: everybody -> 192.0.2.0/24, nobody else (default: deny incoming)")
		w.molo(0, "apply")
		w.says(shut)
		w.says(always)

		w.sh("ufw delete allow 8080/tcp") // not applied yet
		w.says(map[string]string{"web 0.0.0.0 8080/tcp": "allow | ufw: allow 8080/tcp # the shop"})
		w.says(map[string]string{"web 0.0.0.0 8080/tcp": denied}, "--planned")
		w.explains()
		w.macvlan()
		w.sh("iptables -S INPUT | grep -e '-j ufw' | sed s/^-A/-D/ | while read -r rule; do iptables $rule; done")
		w.says(map[string]string{
			"sshd 0.0.0.0 22/tcp": "allow | ufw is enabled, but its rules are not loaded", "sshd :: 22/tcp": "allow | ufw: allow 22/tcp",
			"iptables filter": "ufw is enabled, but its rules are not loaded: every port of the host itself is open to everybody",
		})
		w.sh("ufw disable; ufw --force enable")
		w.sh("iptables -F MOLO-IN; iptables -t mangle -F MOLO-GUARD-IN; iptables -t security -F MOLO-LAST-IN")
		w.says(map[string]string{"web 0.0.0.0 8080/tcp": open, "web :: 8082/tcp": denied})
	})
}

// macvlan checks the ports of a container that no rule of the host is about.
func (w *world) macvlan() {
	w.Helper()
	addr := strings.TrimSpace(w.sh("docker inspect -f '{{.NetworkSettings.Networks.lan.IPAddress}}' cam"))
	const why = "its macvlan network lan passes every firewall of this host"
	w.says(map[string]string{"cam " + addr + " 80/tcp": "allow | " + why})
	if out := w.molo(0, "exposure", "--from", w.stranger.Addr4.String(), "--to", addr+":80/tcp").Stdout; !strings.Contains(out, why) {
		w.Errorf("a connection to the container on the wire is explained so:\n%s", out)
	}
}

// explains asks about single connections.
func (w *world) explains() {
	w.Helper()
	for to, want := range map[string]string{
		":8082/tcp": "default: deny incoming", ":8083/tcp": "ufw: limit 8083/tcp", ":22/tcp": "ufw: allow 22/tcp",
		fmt.Sprintf("%s:8443/tcp", w.stranger.HostAddr4): "default: deny incoming", ":4000/udp": "nothing listens there",
	} {
		out := w.molo(0, "exposure", "--from", w.stranger.Addr4.String(), "--to", to).Stdout
		if !strings.Contains(out, want) || !strings.Contains(out, " on "+w.stranger.HostInterface+":") {
			w.Errorf("a connection to %s is explained without %q:\n%s", to, want, out)
		}
	}
	if out := w.molo(0, "exposure", "--from", w.stranger.Addr6.String(), "--to", "[2001:db8::1]:8080/tcp").Stdout; !strings.Contains(out, "ufw: allow 8080/tcp") {
		w.Errorf("a connection over IPv6 is explained so:\n%s", out)
	}
}

func TestProbeProvesTheExposure(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.busy()
		w.sh("docker run -d --name deaf -p 9191:1 server:1") // nobody listens on port 1
		w.sh("ufw allow 9191/tcp")
		w.sh("ufw allow 9090/tcp")
		w.probed(1) // not applied: every port is open
		w.molo(0, "apply")

		began := time.Now()
		trials := w.probed(0)
		if spent := time.Since(began); spent > 5*time.Second {
			w.Errorf("the probe took %s", spent)
		}
		h4, h6 := "198.51.100.1", "[2001:db8:ffff::1]"
		want := map[string]string{
			h4 + ":8080/tcp": "passed", h6 + ":8080/tcp": "passed", h4 + ":8082/tcp": "dropped", h6 + ":8082/tcp": "dropped",
			h4 + ":8083/tcp": "passed", h6 + ":8083/tcp": "passed", h4 + ":8084/tcp": "refused", h6 + ":8084/tcp": "refused",
			h4 + ":5353/udp": "dropped", h6 + ":5353/udp": "dropped", h4 + ":5354/udp": "passed", h6 + ":5354/udp": "passed",
			h4 + ":9090/tcp": "passed", h6 + ":9090/tcp": "passed", h4 + ":9191/tcp": "passed", h6 + ":9191/tcp": "passed",
			"127.0.0.1:8081/tcp": "dropped", w.stranger.HostAddr4.String() + ":8443/tcp": "dropped",
		}
		if diff := cmp.Diff(want, trials); diff != "" {
			w.Errorf("what became of the packets (-want +got):\n%s", diff)
		}
		for range 3 { // a limit that remembered would refuse the sixth
			w.probed(0)
		}
		w.leavesNothing()

		for _, flush := range []string{"iptables -F MOLO-IN; iptables -t mangle -F MOLO-GUARD-IN", "ip6tables -F MOLO-IN; ip6tables -t mangle -F MOLO-GUARD-IN"} {
			w.sh(flush)
			w.probed(1)
			w.molo(0, "apply")
			w.probed(0)
		}
		w.sh("iptables -I DOCKER-USER -p tcp -j DROP") // somebody closes what the policy opens
		w.probed(1)
	})
}

// probed runs the probe and returns what became of each packet.
func (w *world) probed(code int) map[string]string {
	w.Helper()
	var out struct {
		OK     bool
		Trials []struct {
			Protocol, To, Got string
		}
	}
	text := w.molo(code, "probe", "--json").Stdout
	if err := json.Unmarshal([]byte(text), &out); err != nil || out.OK != (code == 0) {
		w.Fatalf("reading the probe: %v\n%s", err, text)
	}
	got := map[string]string{}
	for _, t := range out.Trials {
		got[t.To+"/"+t.Protocol] = t.Got
	}
	return got
}

// leavesNothing checks that nothing of the stranger is left in the kernel.
func (w *world) leavesNothing() {
	w.Helper()
	if left := w.sh("ip -o link | grep molo-probe; ip route | grep 198.51.100; cat /proc/net/xt_recent/* /proc/net/nf_conntrack | grep -e 198.51.100 -e 2001:0db8:ffff; true"); left != "" {
		w.Errorf("the stranger left:\n%s", left)
	}
}

func TestAKilledProbeLeavesNoLink(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.busy()
		w.molo(0, "apply")
		// Denied ports keep it waiting for a second.
		w.sh("molo probe >/dev/null 2>&1 & pid=$!; timeout 10 sh -c 'until ip link show molo-probe >/dev/null 2>&1; do :; done' && sleep 0.2 && ip link show molo-probe && kill -9 $pid")
		w.sh("timeout 5 sh -c 'while ip link show molo-probe 2>/dev/null; do sleep 0.05; done'")
		w.probed(0)
	})
}

func TestAProbeTakesNoAddressThatIsInUse(t *testing.T) {
	labtest.Need(t)
	w := newWorld(t, "trixie", build(t))
	w.policy("firewall {}\n")
	w.molo(0, "apply")
	w.sh("ip route add blackhole 198.51.100.0/24; ip route add blackhole 192.0.2.0/24")
	r := w.molo(1, "probe") // the lab itself has 203.0.113.0/30
	if !strings.Contains(r.Stderr, "203.0.113.0/30") {
		w.Errorf("the message does not name the addresses:\n%s", r.Stderr)
	}
	w.sh("ip route del blackhole 192.0.2.0/24; ip link add molo-probe type bridge")
	if r := w.molo(1, "probe"); !strings.Contains(r.Stderr, "another probe") {
		w.Errorf("the message does not say why:\n%s", r.Stderr)
	}
	w.sh("ip link del molo-probe")
	if got := w.molo(0, "probe").Stdout; !strings.Contains(got, "192.0.2.2") {
		w.Errorf("the probe did not take the next addresses:\n%s", got)
	}
}
