package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Preflight returns every reason why no host can run here, as one error, each with what to do about it.
func Preflight() error {
	if os.Geteuid() != 0 {
		return errors.New("the lab needs root")
	}
	errs := checkTools(tools())
	errs = append(errs, checkCgroup(), checkDisk(labHome()), checkKernel())
	return errors.Join(errs...)
}

// tools maps the programs the lab runs, and the key that Debian's archive is checked with, to their packages.
func tools() map[string]string {
	return map[string]string{
		"mmdebstrap": "mmdebstrap", "nsenter": "util-linux", "mount": "mount", "pivot_root": "util-linux",
		"apt-get": "apt", keyring: "debian-archive-keyring",
	}
}

// PreflightVM returns every reason why no virtual machine can run here.
func PreflightVM() error {
	if os.Geteuid() != 0 {
		return errors.New("the lab needs root")
	}
	need := tools()
	for tool, pkg := range map[string]string{
		"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "genisoimage": "genisoimage", "mke2fs": "e2fsprogs",
	} {
		need[tool] = pkg
	}
	return errors.Join(checkTools(need)...)
}

func checkTools(tools map[string]string) []error {
	var errs []error
	for tool, pkg := range tools {
		if filepath.IsAbs(tool) {
			if exists(tool) {
				continue
			}
		} else if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("%s is missing; hint: apt-get install %s", tool, pkg))
	}
	return errs
}

func checkCgroup() error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	root := cgroup2Mount(string(mounts))
	if root == "" {
		return errors.New("no cgroup2 is mounted; hint: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")
	}
	if err := unix.Access(root, unix.W_OK); err != nil {
		return fmt.Errorf("%s cannot be written (%w); hint: a container needs --privileged --cgroupns=host", root, err)
	}
	return nil
}

// checkDisk refuses a home that is on an overlay, as in a container: another one cannot be stacked on it.
func checkDisk(hm home) error {
	dir := string(hm)
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("looking at the disk of %s: %w", dir, err)
	}
	if st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return fmt.Errorf("%s is on an overlay; hint: set MOLO_LAB_HOME to a directory on another file system", dir)
	}
	return nil
}

// checkKernel tries what a host needs of the kernel in a network namespace of its own. Trying is what makes the kernel
// load a module by itself where it can; asking for a list would not.
func checkKernel() error {
	errs := []error{checkOverlay()}
	inside := onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() error {
		errs = append(errs, checkLink("bridge", &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "probe0"}}))
		errs = append(errs, checkLink("veth", &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "probe1"}, PeerName: "probe2"}))
		errs = append(errs, checkNftables(), checkSetting("net/bridge/bridge-nf-call-iptables", "br_netfilter"))
		return nil
	})
	errs = append(errs, inside, checkSetting("net/netfilter/nf_conntrack_max", "nf_conntrack"))
	return errors.Join(errs...)
}

func missingModule(name string, err error) error {
	return fmt.Errorf("the kernel has no %s (%w); hint: modprobe %s", name, err, name)
}

func checkOverlay() error {
	fd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return missingModule("overlay", err)
	}
	return unix.Close(fd)
}

func checkLink(module string, link netlink.Link) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.LinkAdd(link); err != nil {
		return missingModule(module, err)
	}
	return nil
}

// checkNftables asks for the number of the rule set's generation: an answer is all it takes.
func checkNftables() error {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC})
	if _, err := req.Execute(unix.NETLINK_NETFILTER, 0); err != nil {
		return missingModule("nf_tables", err)
	}
	return nil
}

func checkSetting(name, module string) error {
	if _, err := os.Stat(filepath.Join("/proc/sys", name)); err != nil {
		return missingModule(module, err)
	}
	return nil
}
