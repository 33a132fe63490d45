package main

import (
	"strings"
	"testing"
)

const (
	auditRules = "/etc/audit/rules.d/60-molo-docker.rules"
	// standIn has systemd believe that auditd runs: the lab's kernel lets no audit be
	// changed, so the real one could not.
	standIn = "rm -f /etc/systemd/system/auditd.service; printf '[Service]\\nExecStart=/usr/bin/sleep infinity\\n' >/etc/systemd/system/auditd.service; systemctl daemon-reload; systemctl start auditd"
)

// TestAuditRulesWhereTheKernelTakesNone shows the real auditctl of each release against a
// kernel that refuses, as in every container. Rules that a kernel takes need a machine of
// its own, or a stand-in for one.
func TestAuditRulesWhereTheKernelTakesNone(t *testing.T) {
	everyRelease(t, func(w *world) {
		before := w.sh("find /etc/audit /etc/tmpfiles.d -type f -exec sha256sum {} +")
		w.policy("docker {}\n")
		w.holds("an apply without auditd", w.molo(0, "apply").Stdout, "+ "+auditRules, "* auditd does not run: its rules take effect when it starts")
		w.same("owner and mode", "root:root 640\n", w.sh("stat -c '%U:%G %a' "+auditRules))
		w.holds("the rules", w.read(auditRules), "-F dir=/etc/docker -F perm=wa -F key=molo-docker\n", "-F path=/usr/sbin/dockerd -F perm=wa -F", "-F path=/usr/sbin/runc -F",
			"-F path=/usr/bin/containerd -F", "-F path=/usr/lib/systemd/system/docker.service -F", "-F path=/run/docker.sock -F perm=wa -F")
		if text := w.read(auditRules); strings.Contains(text, "/var/lib/docker") || strings.Contains(text, "/run/containerd") {
			w.Errorf("the quiet rules flood the log:\n%s", text)
		}
		w.settled()

		w.sh(standIn)
		w.holds("an apply where the kernel refuses", w.molo(0, "apply").Stdout, "* the kernel does not let its audit be changed from here, as in a container: the rules take effect where auditd can load them (auditctl: exit status 255")
		w.settled()

		w.policy("docker {\n  audit_rules = \"cis\"\n}\n")
		w.molo(0, "apply")
		w.holds("the rules for CIS", w.read(auditRules), "-F path=/run/containerd/containerd.sock -F perm=rwa -F", "-F path=/var/lib/docker -F perm=rwa -F", "-F path=/etc/docker/daemon.json -F perm=rwa -F")
		w.sh("systemd-tmpfiles --create /etc/tmpfiles.d/60-molo-docker.conf")
		w.same("containerd's directory", "711 root\n", w.sh("stat -c '%a %U' /run/containerd"))
		w.settled()

		w.molo(0, "uninstall", "--yes")
		w.same("what is left of the rules", before, w.sh("find /etc/audit /etc/tmpfiles.d -type f -exec sha256sum {} +"))
	})
}

// auditKernel stands in for a kernel that takes rules: auditctl and augenrules as scripts
// that keep them in a file and print them as audit 3 does. With /run/audit/refuse they
// fail in the middle; after "auditctl -e 2" they change nothing.
const auditKernel = `mkdir -p /run/audit; touch /run/audit/rules
cat >/usr/sbin/auditctl <<'END'
#!/bin/sh
case "$1" in
-s) echo "enabled $(test -e /run/audit/locked && echo 2 || echo 1)"; echo "failure 1" ;;
-l) if test -s /run/audit/rules; then cat /run/audit/rules; else echo "No rules"; fi ;;
-D) sed -i "/key=$3\$/d" /run/audit/rules; echo "No rules" ;;
-e) touch /run/audit/locked ;;
esac
END
cat >/usr/sbin/augenrules <<'END'
#!/bin/sh
test -e /run/audit/locked && exit 0
: >/run/audit/rules
cat /etc/audit/rules.d/*.rules | sed -n 's/^-a always,exit -F arch=b[0-9]*/& -S all/p' | while read -r rule; do
	case "$rule" in *sbin/runc*) if test -e /run/audit/refuse; then echo "Error sending add rule data request (No such file or directory)" >&2; exit 1; fi ;; esac
	echo "$rule" >>/run/audit/rules
done
END
`

func TestAuditRulesWhereTheKernelTakesThem(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh(auditKernel + standIn)
		w.policy("docker {}\n")
		w.sh("touch /run/audit/refuse")
		w.holds("an apply that the kernel refuses in the middle", w.molo(1, "apply", "--only", "docker,auditd").Stdout,
			"x loading the audit rules: the kernel did not take 2 of molo's rules, beginning with the one for b64 /usr/sbin/runc wa", "No such file or directory")
		w.same("the rules of a failed apply", "", w.sh("cat "+auditRules+" /run/audit/rules 2>/dev/null || true"))
		w.holds("daemon.json, which is another part", w.read("/etc/docker/daemon.json"), `"icc"`)

		w.sh("rm /run/audit/refuse")
		w.auditRulesComeAndGo()
	})
}

// auditRulesComeAndGo needs auditd that runs, and a kernel that takes rules: the stand-in,
// or that of a virtual machine. It leaves the kernel locked until the next boot.
func (w *world) auditRulesComeAndGo() {
	w.Helper()
	w.policy("docker {}\n")
	w.holds("an apply", w.molo(0, "apply").Stdout, "! load audit rules\n")
	loaded := w.sh("auditctl -l")
	w.holds("the kernel's rules", loaded, "-F dir=/etc/docker -F perm=wa -F key=molo-docker\n", "-F path=/usr/sbin/runc -F perm=wa -F key=molo-docker\n")
	w.settled()

	w.sh("auditctl -D -k molo-docker")
	w.holds("an apply after the rules were deleted", w.molo(0, "apply").Stdout, "! load audit rules: of molo's rules, ")
	w.same("the kernel's rules", loaded, w.sh("auditctl -l"))

	w.molo(0, "uninstall", "--yes")
	w.same("the kernel's rules after an uninstall", "No rules\n", w.sh("auditctl -l"))

	w.molo(0, "apply")
	w.sh("auditctl -e 2")
	w.policy("docker {\n  audit_rules = \"cis\"\n}\n")
	w.holds("an apply to a locked kernel", w.molo(0, "apply").Stdout, "* the kernel's audit is locked (auditctl -e 2): the rules take effect at the next boot")
	w.holds("the file", w.read(auditRules), "/run/containerd/containerd.sock")
	w.same("the kernel's rules", loaded, w.sh("auditctl -l"))
	w.settled()
}
