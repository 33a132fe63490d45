package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// emulator is a running QEMU, with its monitor and the line to the agent inside.
type emulator struct {
	cmd     *exec.Cmd
	ended   <-chan error
	monitor *dialogue
	agent   *dialogue
}

// accelerator is what runs the machine's instructions. It is never guessed: a /dev/kvm may be there, open and start a
// machine that then hangs without a word.
func accelerator() []string {
	accel := cmp.Or(os.Getenv("MOLO_VM_ACCEL"), "tcg,thread=multi,tb-size=512")
	return []string{"-accel", accel, "-cpu", "qemu64"}
}

// arguments describe the machine. QEMU gets the network as a descriptor and needs none of its own.
func (v *VM) arguments(image string) []string {
	return append(accelerator(),
		"-nodefaults", "-no-user-config", "-machine", "q35", "-smp", "2", "-m", "1024", "-display", "none",
		"-serial", "file:"+v.file("console"),
		"-qmp", "unix:"+v.file("monitor")+",server=on,wait=off",
		"-chardev", "socket,id=agent,path="+v.file("agent")+",server=on,wait=off",
		"-device", "virtio-serial", "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
		"-drive", "if=virtio,format=qcow2,cache=unsafe,file="+v.file("disk"),
		"-drive", "if=virtio,format=raw,readonly=on,file="+v.file("seed.iso"),
		"-netdev", "tap,id=cable,fd=3", "-device", "virtio-net-pci,netdev=cable,mac="+vmMAC+",addr="+vmSlot,
		"-device", "virtio-rng-pci",
		"-kernel", filepath.Join(image, "kernel"), "-initrd", filepath.Join(image, "initrd"),
		"-append", "root=/dev/vda rw console=ttyS0 quiet")
}

// PowerOn switches the machine on and returns at once: what it does from here on can be watched from the peer.
func (v *VM) PowerOn(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process != nil {
		return fmt.Errorf("switching %s on: it is on", v.Name())
	}
	var err error
	for range 2 { // QEMU under emulation dies at its start now and then, without a word
		if v.process, err = v.start(ctx); err == nil {
			return nil
		}
		fmt.Fprintf(v.log, "%s did not start: %v\n", v.Name(), err)
	}
	return fmt.Errorf("switching %s on: %w\n%s", v.Name(), err, v.console())
}

func (v *VM) start(ctx context.Context) (*emulator, error) {
	tap, err := v.Peer.tap()
	if err != nil {
		return nil, err
	}
	defer tap.Close()
	said, err := os.Create(v.file("emulator"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	cmd := grouped(context.Background(), "qemu-system-x86_64", v.arguments(labHome().vmImage(v.release))...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = said, said, []*os.File{tap}
	e := &emulator{cmd: cmd}
	if e.ended, err = startWithParent(cmd); err != nil {
		return nil, err
	}
	if err := v.connect(ctx, e); err != nil {
		return nil, errors.Join(err, e.kill())
	}
	return e, nil
}

// connect waits for the emulator's sockets, for as long as it runs.
func (v *VM) connect(ctx context.Context, e *emulator) error {
	limit, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the emulator's sockets do not come up"))
	defer cancel()
	err := poll(limit, 20*time.Millisecond, func() (bool, error) {
		select {
		case err := <-e.ended:
			e.ended = nil
			return false, fmt.Errorf("the emulator ended: %w", cmp.Or(err, errors.New("without an error")))
		default:
		}
		var err error
		if e.monitor == nil {
			if e.monitor, err = dialMonitor(ctx, v.file("monitor")); err != nil {
				return false, nil //nolint:nilerr // not yet
			}
		}
		e.agent, err = dial(ctx, v.file("agent"))
		return err == nil, nil
	})
	return err
}

// kill ends the emulator, if it has not ended yet, and closes the lines to it.
func (e *emulator) kill() error {
	if e.ended != nil {
		if err := e.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		<-e.ended //nolint:errcheck // "signal: killed", as it was told
		e.ended = nil
	}
	return errors.Join(e.monitor.close(), e.agent.close())
}

// PowerOff cuts the machine's power. Nothing inside gets to clean up.
func (v *VM) PowerOff() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process == nil {
		return nil
	}
	err := v.process.kill()
	v.process = nil
	return err
}
