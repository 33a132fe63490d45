package lab_test

import (
	"net"
	"os"
	"strings"
	"testing"

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

// A service in a sandbox must not see more of the machine than the host does.
func TestSandboxedServicesDoNotReachTheMachine(t *testing.T) {
	forEachRelease(t, func(t *testing.T, h *lab.Host) {
		want := labtest.Output(t, h, "cat", "/proc/sys/kernel/random/boot_id")
		for _, property := range []string{"ProtectControlGroups=yes", "ProtectKernelTunables=yes", "ProtectKernelLogs=yes", "ProtectSystem=strict", "PrivateDevices=yes"} {
			if got := labtest.Output(t, h, "systemd-run", "--quiet", "--wait", "--pipe", "-p", property, "cat", "/proc/sys/kernel/random/boot_id"); got != want {
				t.Errorf("with %s a service sees the machine's /proc", property)
			}
		}
	})
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
