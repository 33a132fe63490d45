package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// world is a host with molo on it, UFW enabled, and a stranger outside.
type world struct {
	*testing.T
	host     machine
	stranger *lab.Peer
}

// machine is a host of the lab, or a virtual machine.
type machine interface {
	Name() string
	Release() string
	Run(ctx context.Context, argv ...string) (lab.Result, error)
	Output(ctx context.Context, argv ...string) (string, error)
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, mode fs.FileMode) error
	Push(local, name string) error
	Reboot(ctx context.Context) error
	Crash(ctx context.Context) error
}

// lab is the host, for what only a host of the lab can do.
func (w *world) lab() *lab.Host { return w.host.(*lab.Host) }

// emulated says whether the host is a virtual machine, which is some ten times slower.
func (w *world) emulated() bool {
	_, is := w.host.(*lab.VM)
	return is
}

// daemonV6 gives containers IPv6 addresses, oddly formatted and with keys that
// molo does not know.
const daemonV6 = "{\r\n\t\"ipv6\":true ,\"fixed-cidr-v6\":   \"2001:db8:d0c::/64\",\r\n\t\"experimental\":true,\"ip6tables\":true,\r\n\t" +
	"\"max-concurrent-downloads\": 3,  \"labels\":[ \"a=\\u0062\",\"big=12345678901234567890\" ] }\r\n\r\n"

// eachRelease runs a test for each release, as many at a time as go test -parallel allows.
func eachRelease(t *testing.T, test func(t *testing.T, release string)) {
	labtest.Need(t)
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			test(t, release)
		})
	}
}

// eachWithMolo is eachRelease for tests that take molo as it is built, not packaged.
func eachWithMolo(t *testing.T, test func(t *testing.T, release, molo string)) {
	labtest.Need(t)
	molo := build(t)
	eachRelease(t, func(t *testing.T, release string) { test(t, release, molo) })
}

// everyRelease runs a test on a host of each release.
func everyRelease(t *testing.T, test func(w *world)) {
	eachWithMolo(t, func(t *testing.T, release, molo string) { test(newWorld(t, release, molo)) })
}

// build compiles molo once for a test and its subtests.
func build(t testing.TB) string {
	t.Helper()
	molo, err := lab.BuildStatic(context.Background(), "molo/cmd/agent")
	if err != nil {
		t.Fatal(err)
	}
	return molo
}

func newWorld(t *testing.T, release, molo string) *world {
	t.Helper()
	h := labtest.Boot(t, release)
	w := &world{T: t, host: h, stranger: labtest.Peer(t, h, "stranger")}
	if err := h.Push(molo, "/usr/bin/molo"); err != nil {
		t.Fatal(err)
	}
	w.write("/etc/docker/daemon.json", daemonV6)
	w.sh("systemctl restart docker")
	labtest.Image(t, h, "server:1", "-http", ":80")
	w.sh("ufw allow 22/tcp")
	w.sh("ufw --force enable")
	return w
}

func (w *world) write(path, text string) {
	w.Helper()
	if err := w.host.WriteFile(path, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *world) read(path string) string {
	w.Helper()
	data, err := w.host.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	return string(data)
}

// sh runs a line on the host and returns what it printed; it must succeed.
func (w *world) sh(line string) string {
	w.Helper()
	return labtest.Output(w.T, w.host, "sh", "-c", line)
}

// molo runs molo on the host and checks its exit code.
func (w *world) molo(want int, args ...string) lab.Result {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	r, err := w.host.Run(ctx, append([]string{"molo"}, args...)...)
	if err != nil {
		w.Fatal(err)
	}
	if r.Code != want {
		w.Fatalf("molo %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.Code, want, r.Stdout, r.Stderr)
	}
	return r
}

func (w *world) policy(text string) { w.Helper(); w.write("/etc/molo/policies.hcl", text) }

// dial connects from the stranger to a port of the host.
func (w *world) dial(address netip.Addr, port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return w.stranger.DialContext(ctx, "tcp", net.JoinHostPort(address.String(), strconv.Itoa(port)))
}

// answers reports whether somebody answers a request from the stranger: a web
// server, or sshd with its banner.
func (w *world) answers(address netip.Addr, port int) bool {
	w.Helper()
	conn, err := w.dial(address, port)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\nHost: x\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && (strings.HasPrefix(line, "HTTP/1.") || strings.HasPrefix(line, "SSH-2."))
}

// reachable checks a port over IPv4 and IPv6. One that should answer gets some time:
// a new container's IPv6 address can't be used before it is known to be unique.
func (w *world) reachable(port int, want bool) {
	w.Helper()
	for _, address := range []netip.Addr{w.stranger.HostAddr4, w.stranger.HostAddr6} {
		got := w.answers(address, port)
		for deadline := time.Now().Add(5 * time.Second); want && !got && time.Now().Before(deadline); {
			got = w.answers(address, port)
		}
		if got != want {
			w.Errorf("port %d of %s: reachable %t, want %t", port, address, got, want)
		}
	}
}

// pids says which processes serve, so that a restart or a reload shows.
func (w *world) pids() string {
	w.Helper()
	return w.sh("systemctl show -p MainPID --value docker nginx; pgrep -P $(systemctl show -p MainPID --value nginx) | sort; pgrep -x server | sort")
}

const wholePolicy = `docker {}

sysctl {}

firewall {
  published_ports = "ufw"
}

site "app.example.no" {
  upstream = "127.0.0.1:8081"
}
`

func TestAPublishedPortObeysUFW(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name web -p 8080:80 server:1")
		w.sh("docker run -d --name mapped -p 9090:80 server:1")
		w.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		w.sh("docker network create back")
		w.sh("docker run -d --name one --network back server:1")
		w.policy(wholePolicy)

		w.reachable(8080, true) // the bypass: UFW denies it
		w.reachable(22, true)
		w.molo(2, "plan", "--detailed-exitcode")
		w.molo(0, "apply")

		w.reachable(8080, false)
		w.reachable(9090, false)
		w.reachable(22, true)
		w.talks()
		w.settled()

		w.sh("ufw allow 80/tcp") // the container's port, not the host's
		w.molo(0, "apply")
		w.reachable(9090, false)
		w.sh("ufw allow 8080/tcp")
		w.molo(0, "apply")
		w.reachable(8080, true)
		w.reachable(9090, false)
		w.sh("ufw allow 9090/tcp")
		w.molo(0, "apply")
		w.reachable(9090, true)
		w.survives("ufw delete allow 8080/tcp", 8080)
		w.reachable(8080, false)
		w.settled()
	})
}

// talks checks what must go on working: egress, containers among each other, and
// ports published on loopback.
func (w *world) talks() {
	w.Helper()
	outside, err := w.stranger.Listen(context.Background(), "tcp", ":7000")
	if err != nil {
		w.Fatal(err)
	}
	defer outside.Close()
	w.sh(fmt.Sprintf("docker run --rm --entrypoint /server server:1 -dial %s:7000", w.stranger.Addr4))
	w.sh("docker run --rm --network back --entrypoint /server server:1 -get http://one/")
	w.sh("curl -fsS http://127.0.0.1:8081/")
}

// settled checks that another apply has nothing to do and disturbs nobody.
func (w *world) settled() {
	w.Helper()
	before := w.pids()
	var run struct {
		Status string
		Rounds int
	}
	out := w.molo(0, "apply", "--detailed-exitcode", "--json").Stdout
	if err := json.Unmarshal([]byte(out), &run); err != nil {
		w.Fatalf("reading the report: %v\n%s", err, out)
	}
	if run.Status != "ok" || run.Rounds != 0 {
		w.Errorf("second apply: %s after %d rounds, want nothing to do\n%s", run.Status, run.Rounds, out)
	}
	w.molo(0, "plan", "--detailed-exitcode")
	if diff := cmp.Diff(before, w.pids()); diff != "" {
		w.Errorf("processes changed with nothing to do (-before +after):\n%s", diff)
	}
}

// survives closes a port while connections are held: those to other ports, and those
// through the proxy, go on; those to the port end.
func (w *world) survives(line string, port int) {
	w.Helper()
	held := map[string]net.Conn{"to the port": w.stream(port, "x"), "to another port": w.stream(9090, "x"), "through the proxy": w.stream(80, "app.example.no")}
	w.sh(line)
	w.molo(0, "apply")
	for name, conn := range held {
		// What was under way before the apply is read first.
		conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		io.Copy(io.Discard, conn)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err := io.CopyN(io.Discard, conn, 100)
		if want := name != "to the port"; (err == nil) != want {
			w.Errorf("the connection %s goes on: %t, want %t (%v)", name, err == nil, want, err)
		}
		conn.Close()
	}
}

// stream opens a connection on which the server goes on sending.
func (w *world) stream(port int, host string) net.Conn {
	w.Helper()
	return w.streamOf(w.stranger.HostAddr4, port, host)
}

func (w *world) streamOf(address netip.Addr, port int, host string) net.Conn {
	w.Helper()
	conn, err := w.dial(address, port)
	if err != nil {
		w.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /stream HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		w.Fatalf("the stream through port %d does not begin: %v", port, err)
	}
	return conn
}

func TestTheOwnersDaemonJSONKeepsItsBytes(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.policy("docker {}\n")
		w.molo(0, "apply")
		got := w.read("/etc/docker/daemon.json")
		kept, _, found := strings.Cut(got, ",\r\n\t\"icc\"")
		if !found {
			w.Fatalf("daemon.json has no icc in the owner's style:\n%q", got)
		}
		if !strings.HasPrefix(daemonV6, kept) {
			w.Errorf("the owner's bytes changed:\n%q\nwas\n%q", got, daemonV6)
		}
		if effective := w.sh("docker network inspect bridge"); !strings.Contains(effective, `"com.docker.network.bridge.enable_icc": "false"`) {
			w.Errorf("icc=false is not in force:\n%s", effective)
		}
		if info := w.sh("docker info"); !strings.Contains(info, "Live Restore Enabled: true") || !strings.Contains(info, "Logging Driver: local") {
			w.Errorf("the settings are not in force:\n%s", info)
		}
		w.policy("")
		w.molo(0, "apply")
		if diff := cmp.Diff(daemonV6, w.read("/etc/docker/daemon.json")); diff != "" {
			w.Errorf("after the block was dropped, daemon.json is not what it was (-was +is):\n%s", diff)
		}
	})
}

func TestADaemonThatRefusesToStartIsPutBack(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name web -p 8080:80 server:1")
		before := w.sh("pgrep -x server")
		w.policy("docker {\n  settings = { \"seccomp-profile\" = \"/nonexistent\" }\n}\n")
		r := w.molo(1, "apply")
		if !strings.Contains(r.Stdout, "seccomp") || !strings.Contains(r.Stdout, "/nonexistent") {
			w.Errorf("the message does not say what dockerd said:\n%s", r.Stdout)
		}
		if diff := cmp.Diff(daemonV6, w.read("/etc/docker/daemon.json")); diff != "" {
			w.Errorf("daemon.json (-was +is):\n%s", diff)
		}
		if got := w.sh("docker ps --format {{.Names}}"); got != "web\n" {
			w.Errorf("running containers: %q, want web", got)
		}
		if diff := cmp.Diff(before, w.sh("pgrep -x server")); diff != "" {
			w.Errorf("the container was restarted (-before +after):\n%s", diff)
		}
		w.policy("docker {}\n")
		w.molo(0, "apply")
	})
}

func TestASiteWhosePortIsTakenIsPutBack(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		w.policy("site \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n")
		w.molo(0, "apply")
		before := w.sh("readlink /etc/nginx/molo/current")
		w.sh("systemd-run --unit squatter python3 -m http.server 8099")
		w.sh("timeout 5 sh -c 'until curl -s -o /dev/null http://127.0.0.1:8099/; do sleep 0.05; done'")
		w.policy("site \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n  port = 8099\n}\n")
		r := w.molo(1, "apply")
		if !strings.Contains(r.Stdout, "8099") {
			w.Errorf("the message does not name the port:\n%s", r.Stdout)
		}
		if diff := cmp.Diff(before, w.sh("readlink /etc/nginx/molo/current")); diff != "" {
			w.Errorf("generation (-before +after):\n%s", diff)
		}
		w.sh("curl -fsS -H 'Host: app.example.no' http://127.0.0.1/")
		w.policy("")
		w.molo(0, "apply")
		if got := w.sh("readlink /etc/nginx/sites-enabled/default"); got != "/etc/nginx/sites-available/default\n" {
			w.Errorf("Debian's default site was not put back: %q", got)
		}
		// Old workers answer for a moment after a reload.
		w.sh("timeout 5 sh -c 'until curl -fsS http://127.0.0.1/; do sleep 0.05; done'")
	})
}

func TestUninstallLeavesNothingBehind(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name web -p 8080:80 server:1")
		w.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		w.sh("iptables -I DOCKER-USER -s 192.0.2.66 -j DROP") // somebody else's rule
		// iptables makes a table with its empty built-in chains when it is first used.
		w.sh("for t in iptables ip6tables; do $t -t mangle -N first; $t -t mangle -X first; done")
		const state = "for t in iptables ip6tables; do $t-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'; done; find /etc/nginx /etc/docker -printf '%p %l\\n' | sort; cat /etc/docker/daemon.json"
		w.policy("firewall {}\n\nsite \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n")
		before := w.sh(state)
		w.molo(0, "apply")
		w.reachable(8080, false)
		w.molo(0, "uninstall", "--only", "firewall", "--yes")
		w.reachable(8080, true)
		w.molo(0, "uninstall", "--yes")
		if diff := cmp.Diff(before, w.sh(state)); diff != "" {
			w.Errorf("the host is not as it was (-before +after):\n%s", diff)
		}
	})
}

// TestDockersOwnFlavourOfIptables has Docker's chains in the other flavour than the
// one that "iptables" is when molo runs.
func TestDockersOwnFlavourOfIptables(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("systemctl stop docker docker.socket; ufw --force disable; iptables -F; iptables -t nat -F; iptables -X; iptables -t nat -X; ip6tables -F; ip6tables -X")
		w.sh("update-alternatives --set iptables /usr/sbin/iptables-legacy; update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy")
		w.sh("systemctl start docker; docker run -d --name web -p 8080:80 server:1")
		w.sh("update-alternatives --set iptables /usr/sbin/iptables-nft; update-alternatives --set ip6tables /usr/sbin/ip6tables-nft")
		w.sh("ufw --force enable")
		w.policy("firewall {}\n")
		w.reachable(22, true)
		w.molo(0, "apply")
		w.reachable(8080, false)
		if rules := w.sh("iptables-legacy-save; ip6tables-legacy-save"); strings.Count(rules, "-A DOCKER-USER -j MOLO\n") != 2 {
			w.Errorf("molo's jumps are not where Docker's chains are:\n%s", rules)
		}
		if rules := w.sh("iptables-nft-save; ip6tables-nft-save"); strings.Contains(rules, "MOLO") {
			w.Errorf("molo has rules where Docker has none:\n%s", rules)
		}
		w.settled()
		w.movesToTheOtherFlavour()
		w.waitsForTheLock()
	})
}

// movesToTheOtherFlavour has Docker leave the flavour in which molo's rules are, and come
// back: rules that are left behind would go on dropping, and nobody would see them.
func (w *world) movesToTheOtherFlavour() {
	w.Helper()
	to := func(flavour string) {
		w.sh("systemctl stop docker docker.socket; update-alternatives --set iptables /usr/sbin/iptables-" + flavour + "; update-alternatives --set ip6tables /usr/sbin/ip6tables-" + flavour)
		w.sh("systemctl reset-failed docker; systemctl start docker; docker start web")
	}
	const now, before = "nft", "legacy"
	to(now)
	w.molo(2, "plan", "--detailed-exitcode")
	w.molo(0, "apply", "--no-probe")
	if rules := w.sh("iptables-" + before + "-save; ip6tables-" + before + "-save"); strings.Contains(rules, "MOLO") {
		w.Errorf("in %s is left:\n%s", before, rules)
	}
	if rules := w.sh("iptables-" + now + "-save; ip6tables-" + now + "-save"); strings.Count(rules, "-A DOCKER-USER -j MOLO\n") != 2 {
		w.Errorf("molo's jumps are not in %s:\n%s", now, rules)
	}
	w.molo(0, "plan", "--detailed-exitcode")
	w.reachable(8080, false)
	to(before)
	w.molo(0, "uninstall", "--only", "firewall", "--yes")
	if rules := w.sh("for f in nft legacy; do iptables-$f-save; ip6tables-$f-save; done"); strings.Contains(rules, "MOLO") {
		w.Errorf("after an uninstall in %s there is left:\n%s", before, rules)
	}
	w.sh("update-alternatives --set iptables /usr/sbin/iptables-nft; update-alternatives --set ip6tables /usr/sbin/ip6tables-nft")
	// What Docker left here says nothing of where it is.
	w.sh("ufw --force disable; iptables -F; iptables -t nat -F; iptables -X; iptables -t nat -X; ip6tables -F; ip6tables -t nat -F; ip6tables -X; ip6tables -t nat -X; ufw --force enable")
	w.molo(0, "apply", "--no-probe")
}

// waitsForTheLock has another program hold the lock that iptables-legacy takes: what stands
// goes on standing, and the next run does it.
func (w *world) waitsForTheLock() {
	w.Helper()
	w.policy("firewall {\n  publish \"web\" {\n    ports = [8080]\n  }\n}\n")
	w.sh("setsid flock --close /run/xtables.lock sleep 60 >/dev/null 2>&1 & echo $! >/run/holder; timeout 5 sh -c 'while flock --nonblock /run/xtables.lock true; do sleep 0.1; done'")
	w.holds("an apply while the lock is held", w.molo(1, "apply").Stdout, "xtables lock")
	w.reachable(8080, false)
	w.sh("kill $(cat /run/holder)")
	w.molo(0, "apply", "--no-probe") // UFW, in the other flavour, drops what is forwarded
	w.molo(0, "plan", "--detailed-exitcode")
}
