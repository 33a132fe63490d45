package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kernelState prints all settings that molo could have touched, and the files.
const kernelState = `sysctl -a 2>/dev/null | grep -E '(_redirects|_source_route|tcp_syncookies|kptr_restrict|dmesg_restrict|perf_event_paranoid|bpf_disabled|va_space|protected_|dumpable|dev\.tty|swappiness) =' | grep -v veth | sort
find /etc/sysctl.d /etc/ufw -type f -exec sha256sum {} +`

func TestKernelSettingsComeAndGo(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker network create back && docker run -d --name one --network back server:1")
		before := w.sh(kernelState)
		w.policy("sysctl {\n  settings = {\n    \"vm.swappiness\" = 11\n    \"kernel.nosuch\" = 1\n    \"fs.suid_dumpable\" = null\n  }\n}\n")
		w.holds("the plan", w.molo(0, "plan").Stdout, "~ net.ipv4.conf.all.send_redirects = 1 -> 0  # policies.hcl:1, first run", "+ /etc/sysctl.d/60-molo.conf")
		w.holds("an apply", w.molo(0, "apply").Stdout, "* this kernel has no setting kernel.nosuch # policies.hcl:4")
		const now = "sysctl -n net.ipv4.conf.all.send_redirects net.ipv4.conf.docker0.send_redirects net.ipv6.conf.default.accept_redirects kernel.kptr_restrict kernel.perf_event_paranoid vm.swappiness net.ipv4.ip_forward"
		w.same("the settings", "0\n0\n0\n1\n3\n11\n1\n", w.sh(now))
		w.settled()

		w.sh("sysctl -q -w kernel.kptr_restrict=0 net.ipv4.conf.docker0.send_redirects=1")
		w.holds("an apply after the hands", w.molo(0, "apply").Stdout, "~ kernel.kptr_restrict = 0 -> 1  # policies.hcl:1, drift", "~ net.ipv4.conf.docker0.send_redirects = 1 -> 0  # policies.hcl:1, drift")

		w.sh("ip link add late0 type bridge")
		w.same("an interface that comes later", "0\n0\n", w.sh("sysctl -n net.ipv4.conf.late0.send_redirects net.ipv6.conf.late0.accept_redirects; ip link del late0"))

		if err := w.host.Reboot(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.sh("timeout 20 sh -c 'until docker info >/dev/null 2>&1; do sleep 0.1; done'")
		w.same("the settings after a reboot", "0\n0\n0\n1\n3\n11\n1\n", w.sh(now))
		w.molo(0, "plan", "--detailed-exitcode")

		w.molo(0, "uninstall", "--yes")
		if diff := cmp.Diff(before, w.sh(kernelState)); diff != "" {
			w.Errorf("the kernel after an uninstall (-before +after):\n%s", diff)
		}
	})
}

func TestWhatOthersSetIsSaidNotFought(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.policy("sysctl {}\n")
		w.sh("sed -i 's,^net/ipv4/conf/all/accept_redirects=0,net/ipv4/conf/all/accept_redirects=1,' /etc/ufw/sysctl.conf; ufw reload")
		w.write("/etc/sysctl.d/90-own.conf", "# mine\nkernel.kptr_restrict = 0\nkernel.dmesg_restrict = 1\n")
		out := w.molo(0, "apply").Stdout
		w.holds("an apply", out, "ufw sets net.ipv4.conf.all.accept_redirects = 1 whenever it starts, and 0 is not set: take the line out there # /etc/ufw/sysctl.conf:",
			"kernel.kptr_restrict will be 0 again after the next boot, not 1: this line wins over molo's # /etc/sysctl.d/90-own.conf:2")
		w.same("what ufw and molo set", "1\n1\n", w.sh("sysctl -n net.ipv4.conf.all.accept_redirects kernel.kptr_restrict"))
		w.settled()
		w.sh("ufw reload")
		w.molo(0, "plan", "--detailed-exitcode")
		w.sh("/usr/lib/systemd/systemd-sysctl")
		w.holds("a plan after a boot", w.molo(2, "plan", "--detailed-exitcode").Stdout, "~ kernel.kptr_restrict = 0 -> 1")
	})
}

func TestKernelSettingsThatAreRefused(t *testing.T) {
	everyRelease(t, func(w *world) {
		before := w.sh(kernelState)
		w.policy("sysctl {\n  settings = { \"net.ipv4.ip_forward\" = 0 }\n}\n")
		w.holds("an apply", w.molo(exitBadInput, "apply").Stderr, "containers have no network")
		w.policy("sysctl {\n  settings = { \"kernel.kptr_restrict\" = 1, \"net.ipv4.conf.all.send_redirects\" = 0, \"net.ipv4.tcp_ecn\" = 77 }\n}\n")
		if out := w.molo(1, "apply").Stdout; !strings.Contains(out, "x setting net.ipv4.tcp_ecn to 77: ") {
			w.Errorf("the kernel's refusal is not told:\n%s", out)
		}
		w.same("the kernel after a refusal", before, w.sh(kernelState))
	})
}
