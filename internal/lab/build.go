package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Releases lists the Debian releases the lab can build, oldest first.
func Releases() []string {
	return []string{"bookworm", "trixie", "forky"}
}

// packages lists what a host of a release is made of. Recommended packages stay out.
func packages(release string) []string {
	list := []string{
		"systemd", "systemd-sysv", "dbus", "kmod", "mount", "procps", "passwd", "adduser", "sudo", "login", "locales",
		"netbase", "iproute2", "iputils-ping", "iptables", "nftables", "ipset", "conntrack", "ufw", "docker.io",
		"nginx-light", "cloud-init", "openssh-server", "curl", "ca-certificates", "openssl", "python3", "logrotate",
		"cron", "auditd",
	}
	if release != "bookworm" {
		list = append(list, "docker-cli") // a package of its own from trixie on
	}
	return list
}

// masked lists the units that a lab has no use for, and those that reach through to the machine's kernel. auditd would
// try again for ever: the kernel's audit talks only to the machine's own PID namespace (kernel/audit.c).
func masked() []string {
	return []string{
		"apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
		"getty.target", "console-getty.service", "auditd.service", "audit-rules.service",
		"proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service", "sys-kernel-debug.mount",
		"sys-kernel-tracing.mount", "sys-kernel-config.mount",
	}
}

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// rootfs names the root file system of a release. The name changes with what goes into it, so a changed list is built
// anew.
func (h home) rootfs(release string) string {
	sum := sha256.Sum256(fmt.Append(nil, packages(release), masked()))
	return h.path("rootfs", fmt.Sprintf("%s-%x", release, sum[:4]))
}

// Build makes the root file system of a release, if it is not there. Several processes may ask for it at once.
func Build(ctx context.Context, release string, log io.Writer) error {
	if !slices.Contains(Releases(), release) {
		return fmt.Errorf("building %s: no such release; hint: %s", release, strings.Join(Releases(), ", "))
	}
	if err := labHome().build(ctx, release, log); err != nil {
		return fmt.Errorf("building %s: %w", release, err)
	}
	return nil
}

func (h home) build(ctx context.Context, release string, log io.Writer) error {
	return h.once(ctx, h.rootfs(release), log, func(temp string) error {
		if err := bootstrap(ctx, release, packages(release), nil, temp, log); err != nil {
			return err
		}
		return finish(temp, masked())
	})
}

// once has fill make a directory, if it is not there. Of several processes that ask for it, one makes it.
func (h home) once(ctx context.Context, dir string, log io.Writer, fill func(temp string) error) error {
	if exists(dir) {
		return nil
	}
	if err := h.make(); err != nil {
		return err
	}
	held, err := lock(ctx, dir+".lock", os.O_CREATE)
	if err != nil {
		return err
	}
	defer held.Close()
	if exists(dir) { // somebody else was faster
		return nil
	}
	temp := dir + ".building"
	if err := os.RemoveAll(temp); err != nil { // of a build that died; we hold the lock
		return err
	}
	fmt.Fprintf(orDiscard(log), "building %s, once: a minute or so\n", dir)
	if err := fill(temp); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return os.Rename(temp, dir)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// bootstrap fills dir with Debian's packages and then runs the hooks of mmdebstrap(1). It has a mount namespace of its own, so that what mmdebstrap mounts there can never
// outlive it or be seen by a clean-up, and a PID namespace, so that nothing survives it.
func bootstrap(ctx context.Context, release string, include, hooks []string, dir string, log io.Writer) error {
	mirror, err := mirror(ctx)
	if err != nil {
		return err
	}
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main", keyring, mirror, release)
	args := []string{"--mode=root", "--variant=apt", "--quiet",
		"--include=" + strings.Join(include, ","),
		"--aptopt=APT::Install-Recommends \"false\"",
		"--aptopt=Acquire::Check-Valid-Until \"false\"", // testing's Release file is often a mirror's old one
		"--dpkgopt=force-unsafe-io"}
	for _, hook := range hooks {
		args = append(args, "--customize-hook="+hook)
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", append(args, release, dir, source)...)
	var tail tailBuffer
	cmd.Stdout = io.MultiWriter(orDiscard(log), &tail)
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Setsid: true}
	cmd.WaitDelay = time.Second
	if err := runWithParent(cmd); err != nil {
		return fmt.Errorf("running mmdebstrap: %w\n%s", errors.Join(context.Cause(ctx), err), tail.String())
	}
	return nil
}

// mirror asks apt where this machine gets Debian from.
func mirror(ctx context.Context) (string, error) {
	if m := os.Getenv("MOLO_LAB_MIRROR"); m != "" {
		return m, nil
	}
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)").Output()
	if err != nil {
		return "", fmt.Errorf("asking apt for its mirror: %w", err)
	}
	return pickMirror(string(out))
}

// pickMirror returns the first site that serves Debian itself; its security archive has not the whole of it.
func pickMirror(indexes string) (string, error) {
	for line := range strings.Lines(indexes) {
		if site, ok := strings.CutPrefix(strings.TrimSpace(line), "Debian|Debian|"); ok {
			return site, nil
		}
	}
	if strings.TrimSpace(indexes) == "" {
		return "", errors.New("apt has no indexes yet; hint: run apt-get update first")
	}
	return "", errors.New("apt knows no mirror of Debian here; hint: set MOLO_LAB_MIRROR to the URL of one")
}

// finish takes the build's traces out of a root file system and masks the units that a lab has no use for.
func finish(root string, masked []string) error {
	for _, name := range []string{"etc/resolv.conf", "usr/sbin/policy-rc.d", "etc/hostname"} {
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			return err
		}
	}
	for _, unit := range masked {
		link := filepath.Join(root, "etc/systemd/system", unit)
		if err := os.RemoveAll(link); err != nil {
			return err
		}
		if err := os.Symlink("/dev/null", link); err != nil {
			return fmt.Errorf("masking %s: %w", unit, err)
		}
	}
	return nil
}
