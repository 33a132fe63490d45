package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// forEachRelease boots a host of each release, as many at a time as go test -parallel allows.
func forEachRelease(t *testing.T, test func(*testing.T, *lab.Host)) {
	labtest.Need(t)
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			test(t, labtest.Boot(t, release))
		})
	}
}

func TestHostIsDebian(t *testing.T) {
	forEachRelease(t, func(t *testing.T, h *lab.Host) {
		for _, unit := range []string{"docker", "containerd", "nginx", "ssh", "cron", "ufw"} {
			if got := labtest.Output(t, h, "systemctl", "is-active", unit); got != "active\n" {
				t.Errorf("%s is %q", unit, got)
			}
		}
		if got := labtest.Output(t, h, "systemctl", "list-units", "--failed", "--plain", "--no-legend"); got != "" {
			t.Errorf("failed units:\n%s", got)
		}
		if out := labtest.Output(t, h, "docker", "info"); !strings.Contains(out, "Storage Driver: overlay2") {
			t.Errorf("docker info:\n%s", out)
		}
		if out := labtest.Output(t, h, "ufw", "status"); out != "Status: inactive\n" {
			t.Errorf("ufw status: %q", out)
		}
		if out := labtest.Output(t, h, "cat", "/etc/os-release"); !strings.Contains(out, "="+h.Release()) {
			t.Errorf("os-release:\n%s", out)
		}
		if got := labtest.Output(t, h, "hostname"); got != h.Name()+"\n" {
			t.Errorf("hostname %q, want %q", got, h.Name())
		}
	})
}

func TestHostDoesNotReachTheMachine(t *testing.T) {
	h := labtest.Boot(t, "trixie")
	before := machine(t)
	labtest.Output(t, h, "sysctl", "-w", "kernel.pid_max=54321", "vm.swappiness=7", "fs.protected_hardlinks=0", "net.ipv4.ip_forward=0")
	labtest.Output(t, h, "iptables", "-P", "FORWARD", "DROP")
	labtest.Output(t, h, "ip", "link", "add", "fromlab0", "type", "bridge")
	if diff := cmp.Diff(before, machine(t)); diff != "" {
		t.Errorf("the machine changed (-before +after):\n%s", diff)
	}
	got := labtest.Output(t, h, "sysctl", "-n", "kernel.pid_max", "net.ipv4.ip_forward", "kernel.hostname")
	if want := "54321\n0\n" + h.Name() + "\n"; got != want {
		t.Errorf("the host has %q, want %q", got, want)
	}
	if _, err := h.Output(t.Context(), "sh", "-c", "echo 1 >/sys/kernel/profiling"); err == nil {
		t.Error("the host could write to /sys")
	}
}

// machine reads what no host may change.
func machine(t *testing.T) map[string]string {
	t.Helper()
	got := make(map[string]string)
	for _, name := range []string{
		"/proc/sys/kernel/pid_max", "/proc/sys/vm/swappiness", "/proc/sys/fs/protected_hardlinks",
		"/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/hostname",
	} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = string(data)
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		got["link "+l.Name] = l.Flags.String()
	}
	return got
}

func TestRun(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	t.Run("a command's output and exit code are kept apart", func(t *testing.T) {
		got, err := h.Run(t.Context(), "sh", "-c", "echo out; echo err >&2; exit 3")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lab.Result{Stdout: "out\n", Stderr: "err\n", Code: 3}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("a failing command is an error that holds its output", func(t *testing.T) {
		_, err := h.Output(t.Context(), "sh", "-c", "echo no luck >&2; exit 1")
		if err == nil || !strings.Contains(err.Error(), "no luck") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the environment is a login's", func(t *testing.T) {
		t.Setenv("MOLO_LEAK", "1")
		out := labtest.Output(t, h, "env")
		if strings.Contains(out, "MOLO_LEAK") || !strings.Contains(out, "HOME=/root") {
			t.Errorf("environment:\n%s", out)
		}
	})
	t.Run("it is in the host's own cgroup", func(t *testing.T) {
		if out := labtest.Output(t, h, "cat", "/proc/self/cgroup"); !strings.HasSuffix(out, "0::/lab\n") {
			t.Errorf("cgroup %q", out)
		}
	})
	t.Run("a command that takes too long is killed with its children", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := h.Run(ctx, "sh", "-c", "sleep 4242 & wait"); err == nil {
			t.Fatal("no error")
		}
		if res, err := h.Run(t.Context(), "pgrep", "-f", "sleep 4242"); err != nil || res.Code != 1 {
			t.Errorf("the child lives on: %+v, %v", res, err)
		}
	})
	t.Run("a background process does not hold it up", func(t *testing.T) {
		res, err := h.Run(t.Context(), "sh", "-c", "sleep 60 & echo started")
		if err != nil || res.Stdout != "started\n" {
			t.Errorf("%+v, %v", res, err)
		}
	})
	t.Run("a missing program is exit code 127", func(t *testing.T) {
		if res, err := h.Run(t.Context(), "no-such-program"); err != nil || res.Code != 127 {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

func TestFiles(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	write := func(name, data string, mode os.FileMode) {
		t.Helper()
		if err := h.WriteFile(name, []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	labtest.Output(t, h, "sh", "-c", "ln -s /etc/absolute /etc/link; ln -s ../../../../../../etc/up /etc/dots; ln -s /run/x /var/dir")
	write("/etc/link", "through an absolute link", 0o640)
	write("/etc/dots", "through a link that climbs", 0o644)
	write("/var/run/lab/new/file", "in new directories", 0o600)
	write("/var/run/lab/new/file", "again", 0o755)
	for name, want := range map[string]string{
		"/etc/absolute": "640 through an absolute link", "/etc/up": "644 through a link that climbs", "/run/lab/new/file": "755 again",
	} {
		if got := labtest.Output(t, h, "sh", "-c", "stat -c %a "+name+"; cat "+name); got != strings.Replace(want, " ", "\n", 1) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if exists("/etc/absolute") || exists("/etc/up") {
		t.Error("a link led out of the host")
	}
	if data, err := h.ReadFile("/etc/link"); err != nil || string(data) != "through an absolute link" {
		t.Errorf("read %q, %v", data, err)
	}
	if data, err := os.ReadFile(h.Path("/etc/absolute")); err != nil || len(data) == 0 {
		t.Errorf("from outside: %q, %v", data, err)
	}
	t.Run("a program that runs is replaced", func(t *testing.T) {
		labtest.Output(t, h, "sh", "-c", "cp /bin/sleep /opt/busy; setsid /opt/busy 600 >/dev/null 2>&1 & sleep 0.1")
		if err := h.Push("/bin/true", "/opt/busy"); err != nil {
			t.Fatal(err)
		}
		labtest.Output(t, h, "/opt/busy")
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestPeers(t *testing.T) {
	forEachRelease(t, func(t *testing.T, h *lab.Host) {
		near, far := labtest.Peer(t, h, "near"), labtest.Peer(t, h, "far")
		for _, p := range []*lab.Peer{near, far} {
			for _, addr := range []netip.Addr{p.HostAddr4, p.HostAddr6} {
				if body := fetch(t, p, "http://"+netip.AddrPortFrom(addr, 80).String()+"/"); !strings.Contains(body, "nginx") {
					t.Errorf("%s asked %v and got %q", p.Name(), addr, body)
				}
			}
		}
		again := labtest.Peer(t, h, "near")
		if again != near {
			t.Error("a peer of the same name is another one")
		}
		for _, addr := range []netip.Addr{near.Addr4, near.Addr6} {
			dialBack(t, h, near, addr)
		}
	})
}

// dialBack listens at a peer and connects to it from the host.
func dialBack(t *testing.T, h *lab.Host, p *lab.Peer, addr netip.Addr) {
	t.Helper()
	l, err := p.Listen(t.Context(), "tcp", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := h.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// fetch gets a URL from a peer.
func fetch(t *testing.T, p *lab.Peer, url string) string {
	t.Helper()
	body, err := get(t.Context(), p, url)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func get(ctx context.Context, p *lab.Peer, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DialContext: p.DialContext, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// eventually asks until a URL answers: a container is up some time before the program in it.
func eventually(t *testing.T, p *lab.Peer, url string) string {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		body, err := get(t.Context(), p, url)
		if err == nil {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestPublishedPortGoesAroundUFW(t *testing.T) {
	forEachRelease(t, func(t *testing.T, h *lab.Host) {
		p := labtest.Peer(t, h, "internet")
		labtest.Image(t, h, "web:1", "-http", ":80", "-udp", ":53")
		labtest.Output(t, h, "ufw", "--force", "enable")
		labtest.Output(t, h, "docker", "run", "-d", "--restart=always", "--name", "web", "--hostname", "web", "-p", "8080:80", "-p", "53:53/udp", "web:1")
		if got := eventually(t, p, fmt.Sprintf("http://%v:8080/", p.HostAddr4)); got != "hello from web\n" {
			t.Errorf("the container says %q", got)
		}
		if _, err := get(t.Context(), p, fmt.Sprintf("http://%v:80/", p.HostAddr4)); err == nil {
			t.Error("ufw lets port 80 of the host itself in")
		}
		if got := udp(t, p, netip.AddrPortFrom(p.HostAddr4, 53)); got != "ping" {
			t.Errorf("udp echo %q", got)
		}
		checkEgress(t, h, p)

		if err := h.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := eventually(t, p, fmt.Sprintf("http://%v:8080/", p.HostAddr4)); got != "hello from web\n" {
			t.Errorf("after a reboot the container says %q", got)
		}
		if out := labtest.Output(t, h, "ufw", "status"); !strings.Contains(out, "Status: active") {
			t.Errorf("after a reboot ufw says %q", out)
		}
	})
}

// checkEgress has the container connect to a listener at the peer, by the server's own flags.
func checkEgress(t *testing.T, h *lab.Host, p *lab.Peer) {
	t.Helper()
	l, err := p.Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to := fmt.Sprintf("%v:%d", p.Addr4, l.Addr().(*net.TCPAddr).Port)
	if out := labtest.Output(t, h, "docker", "exec", "web", "/server", "-dial", to); out != "connected to "+to+"\n" {
		t.Errorf("the container says %q", out)
	}
}

func udp(t *testing.T, p *lab.Peer, to netip.AddrPort) string {
	t.Helper()
	conn, err := p.DialContext(t.Context(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestUserNamespacesWork(t *testing.T) {
	forEachRelease(t, func(t *testing.T, h *lab.Host) {
		if err := h.WriteFile("/etc/docker/daemon.json", []byte(`{"userns-remap": "default"}`), 0o644); err != nil {
			t.Fatal(err)
		}
		labtest.Output(t, h, "systemctl", "restart", "docker")
		labtest.Image(t, h, "web:1", "-http", ":80")
		labtest.Output(t, h, "docker", "run", "-d", "--name", "web", "web:1")
		pid := strings.TrimSpace(labtest.Output(t, h, "docker", "inspect", "-f", "{{.State.Pid}}", "web"))
		if got := labtest.Output(t, h, "cat", "/proc/"+pid+"/uid_map"); strings.Fields(got)[1] == "0" {
			t.Errorf("the container's root is the host's: %q", got)
		}
	})
}

func TestRebootAndCrash(t *testing.T) {
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			h := labtest.Boot(t, release)
			p := labtest.Peer(t, h, "internet")
			for name, again := range map[string]func(context.Context) error{"reboot": h.Reboot, "crash": h.Crash} {
				id := bootID(t, h)
				labtest.Output(t, h, "sh", "-c", "echo kept >/root/file; echo lost >/run/file; iptables -N LOST")
				if err := again(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := labtest.Output(t, h, "cat", "/root/file"); got != "kept\n" {
					t.Errorf("after a %s the file holds %q", name, got)
				}
				for _, gone := range [][]string{{"cat", "/run/file"}, {"iptables", "-S", "LOST"}} {
					if res, err := h.Run(t.Context(), gone...); err != nil || res.Code == 0 {
						t.Errorf("after a %s %v still answers: %+v, %v", name, gone, res, err)
					}
				}
				if bootID(t, h) == id {
					t.Errorf("after a %s the boot id is the same", name)
				}
				if body := fetch(t, p, fmt.Sprintf("http://%v/", p.HostAddr4)); !strings.Contains(body, "nginx") {
					t.Errorf("after a %s the peer sees %q", name, body)
				}
			}
		})
	}
}

func bootID(t *testing.T, h *lab.Host) string {
	t.Helper()
	return labtest.Output(t, h, "journalctl", "--list-boots", "--no-pager", "-q", "-n", "1", "-r") +
		labtest.Output(t, h, "cat", "/proc/sys/kernel/random/boot_id")
}

func TestSeed(t *testing.T) {
	labtest.Need(t)
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			h := labtest.BootOptions(t, lab.Options{Release: release, Seed: map[string]string{
				"user-data": "#cloud-config\nwrite_files:\n- path: /etc/seeded\n  content: by cloud-init\nruncmd:\n- [touch, /etc/ran]\n",
			}})
			got := labtest.Output(t, h, "sh", "-c", "cloud-init status --wait >&2; cat /etc/seeded; ls /etc/ran; systemctl is-system-running")
			if got != "by cloud-init/etc/ran\nrunning\n" {
				t.Errorf("the seed left %q", got)
			}
		})
	}
}

func TestServer(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	p := labtest.Peer(t, h, "client")
	binary, err := lab.BuildStatic(t.Context(), lab.ServerPackage)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Push(binary, "/usr/local/bin/server"); err != nil {
		t.Fatal(err)
	}
	labtest.Output(t, h, "systemd-run", "--unit=server", "server", "-http", ":8001", "-http", ":8002")
	url := fmt.Sprintf("http://%v:8002", p.HostAddr4)
	if got := eventually(t, p, url+"/"); got != "hello from "+h.Name()+"\n" {
		t.Errorf("hello: %q", got)
	}
	var headers map[string][]string
	if err := json.Unmarshal([]byte(fetch(t, p, url+"/headers")), &headers); err != nil {
		t.Fatal(err)
	}
	if got := headers["Host"]; len(got) != 1 || "http://"+got[0] != url {
		t.Errorf("headers: %v", headers)
	}
	if got := labtest.Output(t, h, "server", "-get", "http://127.0.0.1:8001/status/500"); got != "500 Internal Server Error\n500 Internal Server Error\n" {
		t.Errorf("status: %q", got)
	}
	if res, err := h.Run(t.Context(), "server", "-dial", "127.0.0.1:9"); err != nil || res.Code != 1 {
		t.Errorf("dial: %+v, %v", res, err)
	}
}

func TestCommandTakesInput(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	cmd := h.Command(t.Context(), "tee", "/tmp/tee")
	cmd.Stdin = strings.NewReader("input")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "input" {
		t.Errorf("%q, %v", out, err)
	}
}
