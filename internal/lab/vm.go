package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// VM is a virtual machine with Debian's own kernel, for what a [Host] cannot show: AppArmor, modules, audit, a real
// first boot and a real reboot. It runs under emulation and is some ten times slower than a Host. One [Peer] is on its
// cable. It dies with the process that booted it.
type VM struct {
	Peer *Peer // the machine at the other end of the cable

	release string
	dir     string
	log     io.Writer
	lock    *os.File

	mu      sync.Mutex // of what follows: one conversation at a time
	process *emulator
}

// VMOptions say how a virtual machine comes into being.
type VMOptions struct {
	Release string
	Seed    map[string][]byte // files of the disk that cloud-init takes its seed from, besides meta-data and network-config
	Log     io.Writer
}

// NewVM makes a virtual machine that is switched off; its first boot is yet to come.
func NewVM(ctx context.Context, o VMOptions) (*VM, error) {
	if err := BuildVM(ctx, o.Release, o.Log); err != nil {
		return nil, err
	}
	v, err := labHome().newVM(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("making a virtual machine of %s: %w", o.Release, err)
	}
	return v, nil
}

const vmRunning = "run-" // begins the names of directories of virtual machines, among those of images

func (hm home) newVM(ctx context.Context, o VMOptions) (*VM, error) {
	v := &VM{release: o.Release, log: orDiscard(o.Log)}
	if err := hm.claimVM(ctx, v); err != nil {
		return nil, err
	}
	err := errors.Join(v.makeSeed(ctx, o.Seed), v.makeDisk(ctx, hm.vmImage(o.Release)))
	if err == nil {
		v.Peer, err = lonePeer("internet")
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// claimVM makes a directory for the machine, and removes those whose owners have died.
func (hm home) claimVM(ctx context.Context, v *VM) error {
	all, err := lock(ctx, hm.path("lock"), os.O_CREATE)
	if err != nil {
		return err
	}
	defer all.Close()
	if err := hm.sweepVMs(); err != nil {
		return err
	}
	if v.dir, err = os.MkdirTemp(hm.path("vm"), vmRunning); err != nil {
		return err
	}
	v.lock, err = tryLock(v.file("lock"), os.O_CREATE)
	return err
}

func (hm home) sweepVMs() error {
	dirs, err := filepath.Glob(hm.path("vm", vmRunning+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		held, err := tryLock(filepath.Join(dir, "lock"), os.O_CREATE)
		if errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(dir), held.Close()); err != nil {
			return err
		}
	}
	return nil
}

// makeSeed writes the disk that a hoster would attach. The network is matched by its card: Debian 12's cloud-init
// takes no pattern of names there, and the key has to be the real name.
func (v *VM) makeSeed(ctx context.Context, files map[string][]byte) error {
	dir := v.file("seed")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	all := map[string][]byte{
		"meta-data":      []byte("instance-id: first\nlocal-hostname: " + v.Name() + "\n"),
		"network-config": []byte(vmNetworkConfig(newPeer(peerLink{}))),
	}
	for name, data := range files {
		all[name] = data
	}
	for name, data := range all {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return tool(ctx, "genisoimage", "-quiet", "-r", "-J", "-V", "cidata", "-o", v.file("seed.iso"), dir)
}

// makeDisk puts an empty layer on top of the release's disk.
func (v *VM) makeDisk(ctx context.Context, image string) error {
	return tool(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-b", filepath.Join(image, "disk"), "-F", "raw", v.file("disk"))
}

// Name is the machine's host name.
func (v *VM) Name() string { return "vm-" + v.release }

// Release is the Debian release that the machine runs.
func (v *VM) Release() string { return v.release }

func (v *VM) file(name string) string { return filepath.Join(v.dir, name) }

// Close switches the machine off and removes it.
func (v *VM) Close() error {
	err := v.PowerOff()
	if v.Peer != nil {
		err = errors.Join(err, v.Peer.net.file.Close())
	}
	err = errors.Join(err, os.RemoveAll(v.dir))
	if v.lock != nil {
		err = errors.Join(err, v.lock.Close())
	}
	return err
}

// Report tells what the machine is doing, for when something went wrong.
func (v *VM) Report(ctx context.Context) string {
	var b strings.Builder
	b.WriteString(v.console())
	for _, line := range []string{"systemctl list-jobs --no-pager", "systemctl list-units --failed --no-pager", "journalctl -b -n 100 --no-pager"} {
		res, err := v.Run(ctx, "sh", "-c", line)
		fmt.Fprintf(&b, "--- %s\n%s%s", line, res.Stdout, res.Stderr)
		if err != nil {
			fmt.Fprintln(&b, err)
			break
		}
	}
	return b.String()
}

// console returns the end of what the machine's serial line and its emulator said.
func (v *VM) console() string {
	var b strings.Builder
	for _, name := range []string{"console", "emulator"} {
		var tail tailBuffer
		data, err := os.ReadFile(v.file(name))
		if err != nil {
			data = []byte(err.Error())
		}
		tail.Write(data) //nolint:errcheck // a buffer takes everything
		fmt.Fprintf(&b, "--- %s\n%s\n", name, tail.String())
	}
	return b.String()
}
