//go:build vm

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// vmScene is a scene in a virtual machine with Debian's own kernel.
type vmScene struct {
	*scene
	vm *lab.VM
}

// TestVM takes machines of both releases through a first boot and a reboot, and then
// brings them back to that moment for each of the tests that need the kernel.
func TestVM(t *testing.T) {
	for _, release := range lab.VMReleases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			s := newVMScene(t, release)
			s.part("a first boot", (*vmScene).firstBoots)
			s.part("a reboot", (*vmScene).reboots)
			if t.Failed() {
				return // the rest starts from here
			}
			s.saved()
		})
	}
}

func (s *vmScene) saved() {
	s.Helper()
	if err := s.vm.Save(s.Context(), "converged"); err != nil {
		s.Fatal(err)
	}
	for _, p := range []struct {
		name string
		test func(s *vmScene)
	}{
		{"rules for IPv6 stand before Docker's own", (*vmScene).dockersIPv6},
		{"a kernel with AppArmor and no parser", (*vmScene).withoutParser},
		{"audit rules", (*vmScene).auditRules},
		{"what Vagrant runs", (*vmScene).vagrantScripts},
	} {
		if err := s.vm.Restore(s.Context(), "converged"); err != nil {
			s.Fatal(err)
		}
		s.part(p.name, p.test)
	}
}

// part runs a subtest on the machine as it is.
func (s *vmScene) part(name string, test func(s *vmScene)) {
	s.Helper()
	s.Run(name, func(t *testing.T) {
		began := time.Now()
		w := *s.world
		w.T = t
		test(&vmScene{&scene{world: &w}, s.vm})
		t.Logf("%s took %.0f s", name, time.Since(began).Seconds())
	})
}

// vmApt is where apt finds molo's package: on the disk with the seed.
const vmApt = "deb [trusted=yes] file:" + lab.VMSeed + " ./"

func newVMScene(t *testing.T, release string) *vmScene {
	t.Helper()
	vm := labtest.VM(t, lab.VMOptions{Release: release, Seed: vmSeed(t)})
	return &vmScene{&scene{world: &world{T: t, host: vm, stranger: vm.Peer}}, vm}
}

// vmSeed has the template for a host with Docker, the package, and an image for a container.
func vmSeed(t *testing.T) map[string][]byte {
	t.Helper()
	deb, server := cargo(t)
	return map[string][]byte{
		"user-data":   []byte(userData(t, "docker.yaml", vmApt) + containerFrom(lab.VMSeed)[1:]),
		"molo.deb":    contents(t, deb),
		"Packages":    packagesIndex(t, deb),
		"install.sh":  contents(t, "../../vagrant/install.sh"),
		"smoke.sh":    contents(t, "../../vagrant/smoke.sh"),
		"vagrant.hcl": contents(t, "../../vagrant/policies.hcl"),
		"server.tar":  archiveOf(t, contents(t, server)),
	}
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// packagesIndex makes what apt reads of an archive with one package in it, molo.deb.
func packagesIndex(t *testing.T, deb string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/molo.deb", contents(t, deb), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", lab.Index)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("indexing the package: %v\n%s", err, out)
	}
	return contents(t, dir+"/Packages")
}

func archiveOf(t *testing.T, program []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: "server", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// vmPorts are what nobody may get into from power-on.
func vmPorts() []string { return []string{"W tcp 8080", "W tcp6 8080"} }

func (s *vmScene) firstBoots() {
	s.shut(func() {
		if err := s.vm.PowerOn(s.Context()); err != nil {
			s.Fatal(err)
		}
		if err := s.vm.Await(s.Context()); err != nil {
			s.Fatal(err)
		}
		s.waits("cloud-init status --wait", 20*time.Minute)
		s.eventually("the container runs", time.Minute, "docker ps --format '{{.Names}}' | grep -qx web")
	}, vmPorts()...)
	s.cloudInitIsClean()
	s.record(s.dockerVersion())
	s.neverBare()
	s.converges("the first boot")
	s.opensTo()
}

// opensTo shows that the hammering would have seen an open port.
func (s *vmScene) opensTo() {
	s.Helper()
	s.follows("ufw allow 8080/tcp", "W tcp 8080", open)
	if s.leaks(func() { time.Sleep(2 * time.Second) }, "W tcp 8080") == 0 {
		s.Error("nobody gets into an open port: that a shut one stays shut shows nothing")
	}
	s.follows("ufw delete allow 8080/tcp", "W tcp 8080", silent)
}

// waits runs a line that may take longer than any other.
func (s *vmScene) waits(line string, limit time.Duration) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	r, err := s.vm.Run(ctx, "sh", "-c", line)
	if err != nil || r.Code != 0 {
		s.Errorf("%s: %v, exit code %d\n%s%s", line, err, r.Code, strings.TrimLeft(r.Stdout, "."), r.Stderr)
	}
}

func (s *vmScene) reboots() {
	s.shut(func() {
		if err := s.vm.Reboot(s.Context()); err != nil {
			s.Fatal(err)
		}
		s.eventually("the container comes back", time.Minute, "docker ps --format '{{.Names}}' | grep -qx web")
	}, vmPorts()...)
	s.converges("the reboot")
	s.opensTo()
}
