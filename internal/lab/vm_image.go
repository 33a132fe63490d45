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
)

// VMReleases lists the Debian releases that virtual machines are built of, oldest first.
func VMReleases() []string { return []string{"bookworm", "trixie"} }

// vmPackages lists what a virtual machine is made of: a fresh server without Docker.
func vmPackages() []string {
	return []string{
		"systemd", "systemd-sysv", "dbus", "udev", "kmod", "mount", "procps", "passwd", "adduser", "sudo", "login",
		"netbase", "iproute2", "iptables", "ufw", "nginx-light", "cloud-init", "e2fsprogs", "openssh-server", "rsync",
		"curl", "ca-certificates", "openssl", "logrotate", "cron", "auditd", "apparmor", "qemu-guest-agent",
		"linux-image-cloud-amd64", "initramfs-tools", "zstd",
	}
}

// vmMasked lists the units that would only take time. Audit stays: the kernel is the machine's own.
func vmMasked() []string {
	return []string{
		"apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
		"getty.target", "serial-getty@ttyS0.service", "dpkg-db-backup.timer", "man-db.timer",
	}
}

// VMPackages is where a virtual machine finds Docker's packages: it has no way to Debian's archive.
const VMPackages = "/var/lib/packages"

// VMSeed is where a virtual machine has its seed mounted.
const VMSeed = "/media/seed"

// vmHooks prepare a root file system that mmdebstrap has made, whose path is their first argument.
//
//   - Docker's packages, and those it needs, lie ready for apt.
//   - systemd-networkd is off in Debian 12 unless somebody turns it on.
//   - cloud-init would write Debian's archives to sources.list, need the package locales, and make three host keys
//     more, which takes seconds under emulation.
func vmHooks(release string) []string {
	docker := "docker.io"
	if release != "bookworm" {
		docker += " docker-cli"
	}
	return []string{
		`APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get install --yes --download-only ` + docker,
		`d="$1` + VMPackages + `"; mkdir -p "$d" && mv "$1"/var/cache/apt/archives/*.deb "$d" && cd "$d" && ` + Index,
		`echo 'deb [trusted=yes] file:` + VMPackages + ` ./' >"$1/etc/apt/sources.list"; rm -rf "$1"/etc/apt/sources.list.d/*`,
		`printf 'apt:\n  preserve_sources_list: true\nlocale: false\nssh_genkeytypes: [ed25519]\n' >"$1/etc/cloud/cloud.cfg.d/90_lab.cfg"`,
		`mkdir -p "$1` + VMSeed + `"; printf '/dev/vda / ext4 defaults 0 1\nLABEL=cidata ` + VMSeed + ` iso9660 ro,nofail 0 0\n' >"$1/etc/fstab"`,
		`systemctl --root="$1" enable systemd-networkd`,
		`rm "$1/etc/apt/apt.conf.d/99mmdebstrap"`, // the machine is to install recommended packages, as others do
	}
}

// Index is a shell command that makes an archive for apt of the packages in the working directory.
const Index = `for deb in *.deb; do dpkg-deb --field $deb; echo "Filename: ./$deb"; stat -c 'Size: %s' $deb; sha256sum $deb | sed 's/^\([^ ]*\).*/SHA256: \1/'; echo; done >Packages`

// vmImage names the directory with the disk, the kernel and the initrd of a release. The name changes with what goes
// into them.
func (h home) vmImage(release string) string {
	sum := sha256.Sum256(fmt.Append(nil, vmPackages(), vmMasked(), vmHooks(release)))
	return h.path("vm", fmt.Sprintf("%s-%x", release, sum[:4]))
}

// BuildVM makes the disk of a release's virtual machines, if it is not there. Several processes may ask for it at once.
func BuildVM(ctx context.Context, release string, log io.Writer) error {
	if !slices.Contains(VMReleases(), release) {
		return fmt.Errorf("building a virtual machine of %s: no such release; hint: %s", release, strings.Join(VMReleases(), ", "))
	}
	hm := labHome()
	if err := hm.once(ctx, hm.vmImage(release), log, func(temp string) error { return makeImage(ctx, release, temp, log) }); err != nil {
		return fmt.Errorf("building a virtual machine of %s: %w", release, err)
	}
	return nil
}

func makeImage(ctx context.Context, release, dir string, log io.Writer) error {
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := bootstrap(ctx, release, vmPackages(), vmHooks(release), root, log); err != nil {
		return err
	}
	if err := finish(root, vmMasked()); err != nil {
		return err
	}
	for pattern, name := range map[string]string{"vmlinuz-*": "kernel", "initrd.img-*": "initrd"} {
		if err := moveOne(filepath.Join(root, "boot", pattern), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	// Neither loop device nor mount: mke2fs fills the file system itself. A disk that is thrown away needs no journal.
	err := tool(ctx, "mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=1,root_owner=0:0",
		"-d", root, filepath.Join(dir, "disk"), "4G")
	return errors.Join(err, os.RemoveAll(root))
}

// moveOne moves the only file that fits the pattern.
func moveOne(pattern, to string) error {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("%d files are named %s, want one", len(found), pattern)
	}
	return os.Rename(found[0], to)
}

// tool runs a program of this machine that says nothing when all is well.
func tool(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("running %s: %w\n%s", name, err, out)
	}
	return nil
}
