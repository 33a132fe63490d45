package main

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// packaged builds the package once for all tests, in the lab's home, which removes it in
// the end.
var packaged = sync.OnceValues(func() (string, error) {
	binary, err := lab.BuildStatic(context.Background(), lab.ServerPackage)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(binary), "deb-")
	if err != nil {
		return "", err
	}
	return makePackage(dir, "v0.0.1", "amd64")
})

// makePackage builds the package and returns its path.
func makePackage(dir, version, arch string, env ...string) (string, error) {
	cmd := exec.Command("../../packaging/build", version, arch, dir)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// newPackaged boots a host with the package on it, and what tests of packets need.
func newPackaged(t *testing.T, release string) *scene {
	t.Helper()
	deb, err := packaged()
	if err != nil {
		t.Fatal(err)
	}
	h := labtest.Boot(t, release)
	s := &scene{world: &world{T: t, host: h, stranger: labtest.Peer(t, h, "internet")}}
	if err := h.Push(deb, "/root/molo.deb"); err != nil {
		t.Fatal(err)
	}
	labtest.Image(t, h, "server:1", "-http", ":80")
	return s
}

// everyPackaged runs a test on such a host of each release.
func everyPackaged(t *testing.T, test func(s *scene)) {
	eachRelease(t, func(t *testing.T, release string) { test(newPackaged(t, release)) })
}

func TestThePackageIsTheSameBytesEachTime(t *testing.T) {
	labtest.Need(t)
	same := map[string]bool{}
	for _, zone := range []string{"UTC", "Asia/Tokyo"} {
		deb, err := makePackage(t.TempDir(), "v1.2.3-rc1-4-gabc1234", "amd64", "SOURCE_DATE_EPOCH=1700000000", "TZ="+zone)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(deb); name != "molo_1.2.3~rc1+4.gabc1234_amd64.deb" {
			t.Errorf("the package is called %s", name)
		}
		data, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		same[fmt.Sprintf("%x", sha256.Sum256(data))] = true
	}
	if len(same) != 1 {
		t.Errorf("two builds of one source: %v", same)
	}
}

func TestThePackageForARM(t *testing.T) {
	labtest.Need(t)
	deb, err := makePackage(t.TempDir(), "97a7bae-dirty", "arm64", "SOURCE_DATE_EPOCH=1700000000")
	if err != nil {
		t.Fatal(err)
	}
	if name := filepath.Base(deb); name != "molo_0~git20231114221320.97a7bae.dirty_arm64.deb" {
		t.Errorf("the package is called %s", name)
	}
	dir := t.TempDir()
	if out, err := exec.Command("dpkg-deb", "--extract", deb, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := elf.Open(filepath.Join(dir, "usr/bin/molo"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if program.Machine != elf.EM_AARCH64 {
		t.Errorf("the program is for %s", program.Machine)
	}
}

// TestThePackage takes a host through the life of a package, and looks after each step
// at what is left and what goes on.
func TestThePackage(t *testing.T) {
	everyPackaged(t, func(s *scene) {
		s.sh("docker run -d --name web --restart always -p 8080:80 server:1; docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		s.sh("ufw allow 22/tcp && ufw --force enable")
		// iptables makes a table with its empty built-in chains when it is first used.
		s.sh("for t in iptables ip6tables; do for table in mangle nat; do $t -t $table -N first; $t -t $table -X first; done; done")
		pristine := s.pristine()
		s.installed(pristine)
		s.unitsAreSound()
		s.turnedOn()
		s.upgraded()
		s.removed()
		s.sh("dpkg --force-confold -i /root/molo.deb")
		s.running("a new installation", "active")
		s.purged(pristine)
	})
}

// pristine is what molo could change of a host. What Docker has among the rules is left
// out: it lays them out anew when it restarts.
func (s *scene) pristine() string {
	s.Helper()
	return s.sh("for t in iptables ip6tables; do $t-save | grep -v -i -e '^#' -e docker -e 172.17 | sed 's/\\[[0-9:]*\\]//'; done; " +
		"find /etc /usr/lib/systemd /var/lib/systemd/deb-systemd-helper-enabled -not -path '/etc/ld.so.cache' -printf '%p %l\\n' | sort; " +
		"cat /etc/docker/daemon.json 2>&1; ls -d /var/lib/molo /run/molo /etc/molo 2>&1; true")
}

// running checks whether molo runs by itself.
func (s *scene) running(when, want string) {
	s.Helper()
	units := "for unit in molo.target molo.timer molo.path molo-watch.path; do test $(systemctl is-active $unit) = " + want + " || { systemctl status $unit; exit 1; }; done"
	s.eventually("after "+when+" all that has molo run by itself is "+want, 10*time.Second, units)
}

func (s *scene) installed(pristine string) {
	s.Helper()
	s.sh("dpkg -i /root/molo.deb && /var/lib/dpkg/info/molo.postinst configure '' && dpkg --verify molo")
	s.running("the installation", "inactive")
	s.same("the tables", tablesOf(pristine), tablesOf(s.pristine()))
	s.expect(map[string]outcome{"W tcp 8080": open})
	s.sh("systemctl preset molo.target molo-firewall.service molo-docker.service")
	if got := s.sh("systemctl is-enabled molo.target molo-firewall molo-docker; ls -d /var/lib/molo 2>&1; true"); got != "disabled\ndisabled\ndisabled\nls: cannot access '/var/lib/molo': No such file or directory\n" {
		s.Errorf("after the installation:\n%s", got)
	}
	s.sh("zcat /usr/share/man/man8/molo.8.gz | grep -q '^.SS \"molo apply\"' && zcat /usr/share/man/man5/policies.hcl.5.gz | grep -q publish_address")
	s.sh("bash -c '. /usr/share/bash-completion/completions/molo && complete -p molo'")
	s.molo(0, "validate")
}

// tablesOf is the part of the pristine state that iptables printed.
func tablesOf(pristine string) string {
	tables, _, _ := strings.Cut(pristine, "\n/etc ")
	return tables
}

// turnedOn has molo run by itself; the first run comes at once, as the boot is long ago.
func (s *scene) turnedOn() {
	s.Helper()
	s.sh("systemctl enable --now molo.target && systemctl start molo.service")
	s.running("turning it on", "active")
	s.expect(map[string]outcome{"W tcp 8080": silent})
	s.molo(0, "plan", "--detailed-exitcode")
}

func (s *scene) upgraded() {
	s.Helper()
	const next = "rm -rf /root/next && dpkg-deb -R /root/molo.deb /root/next && sed -i 's/^Version: .*/Version: 0.0.2/' /root/next/DEBIAN/control && " +
		"sed -i 's/30min/31min/' /root/next/usr/lib/systemd/system/molo.timer && echo '# of the package' >>/root/next/etc/molo/policies.hcl && " +
		"echo 'docker {}  # mine' >/etc/molo/policies.hcl && echo 'firewall {}' >>/etc/molo/policies.hcl && dpkg-deb -Znone -b /root/next /root/next.deb && "
	s.sh(next + "dpkg --force-confold -i /root/next.deb")
	s.running("the upgrade", "active")
	s.holds("the timer", s.sh("systemctl show -p TimersMonotonic molo.timer"), "31min")
	s.holds("the policy", s.read("/etc/molo/policies.hcl"), "# mine")
	s.expect(map[string]outcome{"W tcp 8080": silent})
	s.converges("the upgrade")
}

// converges waits until there is nothing to do, and says how long that took.
func (s *scene) converges(what string) {
	s.Helper()
	s.eventually("after "+what+" the host matches the policy", 20*time.Second, "molo plan --detailed-exitcode")
}

// eventually runs a line until it succeeds; what says what that means.
func (s *scene) eventually(what string, limit time.Duration, line string) {
	s.Helper()
	if s.emulated() {
		limit *= 5
	}
	began := time.Now()
	for {
		r, err := s.host.Run(s.Context(), "sh", "-c", line)
		if err != nil {
			s.Fatal(err)
		}
		if r.Code == 0 {
			s.Logf("%s: after %d ms", what, time.Since(began).Milliseconds())
			return
		}
		if time.Since(began) > limit {
			s.Errorf("%s: not within %s\n%s%s", what, limit, r.Stdout, r.Stderr)
			return
		}
	}
}

// removed leaves what runs as it is, and holds until the next boot.
func (s *scene) removed() {
	s.Helper()
	before := s.pids()
	out := s.sh("dpkg -r molo 2>&1")
	s.holds("the removal", out, "from the next boot on ports that Docker publishes are open again")
	s.running("the removal", "inactive")
	s.same("the processes", before, s.pids())
	s.expect(map[string]outcome{"W tcp 8080": silent})
	s.sh("ufw reload && docker exec web /server -get http://127.0.0.1/ && docker run --rm server:1 -version 2>/dev/null; curl -fsS http://127.0.0.1/ >/dev/null && nginx -t -q")
}

// purged gives everything back; as long as that does not work, the purge does not either.
func (s *scene) purged(pristine string) {
	s.Helper()
	s.policy("docker {}\nfirewall {}\nsite \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n")
	s.molo(0, "apply", "--wait", "30s")
	s.sh("echo nonsense >/etc/nginx/conf.d/broken.conf")
	s.holds("a purge that can't be", s.sh("dpkg -P molo 2>&1; echo code=$?"), "broken.conf", "Purge again when that is mended", "code=1")
	s.sh("rm /etc/nginx/conf.d/broken.conf; dpkg -P molo && dpkg -P molo 2>/dev/null && rm /root/*.deb")
	if diff := cmp.Diff(pristine, s.pristine()); diff != "" {
		s.Errorf("after the purge the host is not as it was before molo (-before +after):\n%s", diff)
	}
	s.expect(map[string]outcome{"W tcp 8080": open})
	s.sh("curl -fsS http://127.0.0.1/ >/dev/null && docker ps -q | grep -q .")
}
