package lab_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

func TestCloseLeavesNothing(t *testing.T) {
	forEachRelease(t, func(t *testing.T, h *lab.Host) {
		p := labtest.Peer(t, h, "internet")
		labtest.Image(t, h, "web:1", "-http", ":80")
		labtest.Output(t, h, "docker", "run", "-d", "-p", "8080:80", "web:1")
		eventually(t, p, fmt.Sprintf("http://%v:8080/", p.HostAddr4))
		if got := traces(t, h.Name()); len(got) < 4 { // directory, mount, cgroup, processes: the check can see them
			t.Fatalf("a living host has only these traces: %v", got)
		}
		for range 2 {
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got := traces(t, h.Name()); len(got) != 0 {
			t.Errorf("left behind: %v", got)
		}
		if _, err := h.Run(t.Context(), "true"); err == nil {
			t.Error("a closed host runs a command")
		}
	})
}

// traces lists what there is of a host on this machine.
func traces(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{
		cmp.Or(os.Getenv("MOLO_LAB_HOME"), "/var/tmp/molo-lab") + "/host/" + name,
		"/sys/fs/cgroup/molo-lab-" + name, "/sys/fs/cgroup/unified/molo-lab-" + name, "/run/netns/*" + name + "*",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, name) {
			found = append(found, "mount "+line)
		}
	}
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range groups {
		data, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(data), "molo-lab-"+name) {
			continue
		}
		cmd, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err == nil && len(cmd) > 0 { // a zombie has none: it ended, and waits for the machine's init
			found = append(found, fmt.Sprintf("process %s %q", filepath.Dir(file), cmd))
		}
	}
	return found
}

// TestHelperOwner is not a test of its own: the test below runs it as a process that it can kill.
func TestHelperOwner(t *testing.T) {
	if os.Getenv("MOLO_LAB_HELPER") != "owner" {
		t.Skip("a helper of TestKilledOwner")
	}
	h, err := lab.Boot(t.Context(), lab.Options{Release: "bookworm"})
	if err != nil {
		t.Fatal(err)
	}
	labtest.Peer(t, h, "internet")
	fmt.Printf("booted %s %d\n", h.Name(), h.Pid())
	time.Sleep(time.Hour)
}

func TestKilledOwner(t *testing.T) {
	labtest.Need(t)
	owner, name, pid := startOwner(t)
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)

	if err := lab.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := traces(t, name); len(got) < 4 {
		t.Fatalf("a sweep took the host of a living owner: %v", got)
	}
	if _, err := lab.Boot(t.Context(), lab.Options{Release: "bookworm", Name: name}); err == nil {
		t.Error("a second host got the same name")
	}

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	owner.Wait()
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Fatalf("PID 1 outlives its owner: %v", err)
	}
	if err := lab.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := traces(t, name); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// startOwner starts a process that boots a host, and returns the process, the host's name and its PID 1.
func startOwner(t *testing.T) (owner *exec.Cmd, name string, pid int) {
	t.Helper()
	owner = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperOwner$")
	owner.Env = append(os.Environ(), "MOLO_LAB_HELPER=owner")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if n, _ := fmt.Sscanf(lines.Text(), "booted %s %d", &name, &pid); n == 2 {
			return owner, name, pid
		}
		t.Log(lines.Text())
	}
	t.Fatal("the owner did not boot a host")
	return nil, "", 0
}

func TestKeptHost(t *testing.T) {
	labtest.Need(t)
	booted, err := lab.Boot(t.Context(), lab.Options{Release: "bookworm", Keep: true, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { booted.Close() })
	near := labtest.Peer(t, booted, "near")

	h, err := lab.Open(booted.Name())
	if err != nil {
		t.Fatal(err)
	}
	if got := labtest.Output(t, h, "hostname"); got != booted.Name()+"\n" {
		t.Errorf("opened %q", got)
	}
	if p := labtest.Peer(t, h, "near"); p.Addr4 != near.Addr4 {
		t.Errorf("the peer has the address %v, had %v", p.Addr4, near.Addr4)
	}
	if p := labtest.Peer(t, h, "far"); p.Addr4 == near.Addr4 {
		t.Error("another peer has the same address")
	}
	if err := h.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	fetch(t, near, fmt.Sprintf("http://%v/", near.HostAddr4))
	if err := lab.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkListed(t, h.Name(), lab.Info{Name: h.Name(), Release: "bookworm", Pid: h.Pid(), Kept: true})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if got := traces(t, h.Name()); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	if _, err := lab.Open(h.Name()); err == nil {
		t.Error("a closed host opens")
	}
}

func checkListed(t *testing.T, name string, want lab.Info) {
	t.Helper()
	list, err := lab.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range list {
		if got.Name == name {
			if got != want {
				t.Errorf("listed as %+v, want %+v", got, want)
			}
			return
		}
	}
	t.Errorf("%s is not in %+v", name, list)
}

func TestOwnedHostIsNotForOthers(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	other, err := lab.Open(h.Name())
	if err != nil {
		t.Fatal(err)
	}
	checkListed(t, h.Name(), lab.Info{Name: h.Name(), Release: "bookworm", Pid: h.Pid(), Owned: true})
	if got := labtest.Output(t, other, "hostname"); got != h.Name()+"\n" {
		t.Errorf("opened %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := other.Reboot(ctx); err == nil {
		t.Error("another handle rebooted it")
	}
}

// TestFailedBoot has a boot hang in cloud-init, and gives up when systemd can be asked.
func TestFailedBoot(t *testing.T) {
	labtest.Need(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if h, err := lab.Open("hurried"); err == nil {
				if _, err := h.Output(ctx, "systemctl", "list-jobs"); err == nil {
					return
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	h, err := lab.Boot(ctx, lab.Options{Release: "bookworm", Name: "hurried", Seed: map[string]string{
		"meta-data": "instance-id: hurried\n", "user-data": "#cloud-config\nbootcmd:\n  - sleep 1000\n",
	}})
	if err == nil {
		h.Close()
		t.Fatal("booted")
	}
	for _, want := range []string{"booting bookworm: ", "--- console", "--- systemctl list-jobs"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not hold %q:\n%v", want, err)
		}
	}
	if got := traces(t, "hurried"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}
