package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/host"
	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// bare takes Docker off a host, puts the packages of Docker and molo where apt finds them,
// and has cloud-init forget that there was a boot: the next one is the first.
const bare = repack + `cd /root; systemctl stop docker docker.socket; export DEBIAN_FRONTEND=noninteractive
dpkg --purge docker.io >/dev/null 2>&1; rm -rf /etc/docker /var/lib/docker/* /etc/apt/sources.list /etc/apt/sources.list.d/*
mkdir -p /var/lib/cloud/seed/nocloud/apt; mv docker.io.deb molo.deb /var/lib/cloud/seed/nocloud/apt/; cd /var/lib/cloud/seed/nocloud/apt
` + lab.Index + `
cloud-init clean --logs; ! command -v dockerd`

// localApt is how apt finds them; in user-data it stands instead of the place that the
// template names.
const localApt = "deb [trusted=yes] file:/var/lib/cloud/seed/nocloud/apt ./"

// container is what a customer's own commands add: a container published on all addresses.
var container = containerFrom("/root")

// containerFrom has the image's archive in a directory.
func containerFrom(dir string) string {
	return fmt.Sprintf(`
  - docker import -c 'ENTRYPOINT ["/server","-http",":80"]' %s/server.tar server:1
  - docker run -d --name web --restart always -p 0.0.0.0:8080:80 server:1
`, dir)
}

// userData is the template of that name, with the place of the packages filled in.
func userData(t *testing.T, name, source string) string {
	t.Helper()
	text, err := os.ReadFile("../../templates/cloud-init/" + name)
	if err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(`(?s)      # Where you keep.*?END PGP PUBLIC KEY BLOCK-----\n`)
	if !place.Match(text) {
		t.Fatalf("%s does not say where the package is", name)
	}
	return place.ReplaceAllString(string(text), "      source: "+source+"\n")
}

// cargo returns what first boots bring along: the package, and a server for a container.
func cargo(t *testing.T) (deb, server string) {
	t.Helper()
	deb, err := packaged()
	if err != nil {
		t.Fatal(err)
	}
	if server, err = lab.BuildStatic(t.Context(), lab.ServerPackage); err != nil {
		t.Fatal(err)
	}
	return deb, server
}

// newBare boots a host on which Docker and molo never were; its first boot is yet to come.
func newBare(t *testing.T, release string, seed map[string]string) *scene {
	t.Helper()
	deb, server := cargo(t)
	h := labtest.Boot(t, release)
	s := &scene{world: &world{T: t, host: h, stranger: labtest.Peer(t, h, "internet")}}
	for local, path := range map[string]string{deb: "/root/molo.deb", server: "/root/server"} {
		if err := h.Push(local, path); err != nil {
			t.Fatal(err)
		}
	}
	s.sh("tar cf /root/server.tar -C /root server; " + bare)
	s.write("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: first\nlocal-hostname: "+h.Name()+"\n")
	for name, text := range seed {
		s.write(name, text)
	}
	return s
}

const seedDir = "/var/lib/cloud/seed/nocloud/"

// firstBoot boots while somebody tries to get in from the first moment to the last.
func (s *scene) firstBoot() {
	s.Helper()
	s.shut(func() {
		if err := s.host.Crash(s.Context()); err != nil {
			s.Fatal(err)
		}
		s.sh("cloud-init status --wait >/dev/null")
	}, "W tcp 8080")
	s.cloudInitIsClean()
}

// cloudInitIsClean wants no error of any stage, and no warning either.
func (s *scene) cloudInitIsClean() {
	s.Helper()
	var status struct {
		Status      string              `json:"status"`
		Errors      []string            `json:"errors"`
		Recoverable map[string][]string `json:"recoverable_errors"`
	}
	out := s.sh("cloud-init status --format json")
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		s.Fatalf("reading cloud-init's status: %v\n%s", err, out)
	}
	if status.Status != "done" || len(status.Errors)+len(status.Recoverable) > 0 {
		s.Errorf("cloud-init says %s\n%s", out, s.sh("tail -n 60 /var/log/cloud-init-output.log"))
	}
}

// record is what molo left of the first boot; the console has its summary.
func (s *scene) record(docker string) {
	s.Helper()
	var f host.FirstBoot
	text := s.read(host.FirstBootRecord)
	if err := json.Unmarshal([]byte(text), &struct {
		*host.FirstBoot
		Run struct{ Status string } `json:"run"` // its outcomes are written, never read
	}{FirstBoot: &f}); err != nil {
		s.Fatalf("reading the record: %v\n%s", err, text)
	}
	boot := strings.TrimSpace(s.sh("cat /proc/sys/kernel/random/boot_id"))
	want := host.FirstBoot{Version: 1, Converged: true, Kept: true, Docker: docker, Boot: boot, Instance: "first"}
	if diff := cmp.Diff(want, f, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Run" }, cmp.Ignore())); diff != "" {
		s.Errorf("the record (-want +got):\n%s", diff)
	}
	summary := strings.TrimSpace(s.sh("grep ^molo: /var/log/cloud-init-output.log"))
	if strings.Count(summary, "\n") != 4 {
		s.Errorf("the summary is no five lines:\n%s", summary)
	}
	s.holds("the summary", summary, "matches /etc/molo/policies.hcl", "firewall  as the policy wants it", "the rest  as the policy wants it", "runs by itself from now on")
	s.Log(summary)
}

// neverBare checks that Docker has never run without its configuration: without
// userns-remap it would have left images and layers of its own right below its directory.
func (s *scene) neverBare() {
	s.Helper()
	if got := s.sh("ls /var/lib/docker | grep -v -x '[0-9]*\\.[0-9]*'; true"); got != "" {
		s.Errorf("Docker has run without userns-remap, and left:\n%s", got)
	}
	s.holds("the default network", s.sh("docker network inspect bridge"), `"com.docker.network.bridge.enable_icc": "false"`)
	if s.dockerBefore27() {
		s.holds("daemon.json", s.read("/etc/docker/daemon.json"), "ip6tables")
	}
}

func (s *scene) dockerBefore27() bool { return s.host.Release() != "forky" }

func (s *scene) dockerVersion() string {
	s.Helper()
	return strings.TrimSpace(s.sh("docker version -f '{{.Server.Version}}'"))
}

// everyBare runs a test on such a host of each release, two at a time.
func everyBare(t *testing.T, seed map[string]string, test func(s *scene)) {
	eachRelease(t, func(t *testing.T, release string) { test(newBare(t, release, seed)) })
}

func TestAFirstBootWithDocker(t *testing.T) {
	everyBare(t, map[string]string{seedDir + "user-data": userData(t, "docker.yaml", localApt) + container[1:]}, func(s *scene) {
		s.firstBoot()
		s.record(s.dockerVersion())
		s.neverBare()
		s.converges("the first boot")
		s.templatesAreSound()
		s.shut(s.crashes, "W tcp 8080")
		s.follows("ufw allow 8080/tcp", "W tcp 8080", open)
	})
}

// templatesAreSound has the release's own cloud-init look at the templates as they are.
func (s *scene) templatesAreSound() {
	s.Helper()
	const dir = "/usr/share/doc/molo/examples/cloud-init/"
	for _, name := range []string{"docker.yaml", "docker-later.yaml"} {
		s.sh("cloud-init schema --config-file " + dir + name)
		s.sh("sed 's/^runcmd:/runcmd: 7\\nrumcmd:/' " + dir + name + " >/root/bad.yaml; ! cloud-init schema --config-file /root/bad.yaml 2>/dev/null")
	}
	s.sh("sh -n " + dir + "vendor-data.sh")
}

func TestAFirstBootWithoutDocker(t *testing.T) {
	everyBare(t, map[string]string{seedDir + "user-data": userData(t, "docker-later.yaml", localApt)}, func(s *scene) {
		s.firstBoot()
		s.record("")
		s.holds("the summary", s.sh("grep ^molo: /var/log/cloud-init-output.log"), "no Docker yet", "ready for Docker to be installed")
		ids := s.sh("grep -h ^dockremap: /etc/subuid /etc/subgid")
		s.quiet()
		s.shut(func() {
			commands := strings.ReplaceAll(strings.TrimSpace(container), "  - ", "")
			s.sh("export DEBIAN_FRONTEND=noninteractive; apt-get install --yes docker.io >/dev/null 2>&1 && " + strings.TrimPrefix(strings.ReplaceAll(commands, "\n", " && "), "- "))
			s.converges("the installation of Docker")
		}, "W tcp 8080")
		s.quiet()
		s.neverBare()
		s.same("the ids of containers", ids, s.sh("grep -h ^dockremap: /etc/subuid /etc/subgid"))
		s.follows("ufw allow 8080/tcp", "W tcp 8080", open)
	})
}

// TestAFirstBootOfAHoster has vendor-data lock the host down before the customer's own
// commands install Docker. nginx waits for cloud-init here: a run that waited for nginx,
// as part of cloud-init, would hold up the boot.
func TestAFirstBootOfAHoster(t *testing.T) {
	script, err := os.ReadFile("../../templates/cloud-init/vendor-data.sh")
	if err != nil {
		t.Fatal(err)
	}
	const customer = "#cloud-config\nwrite_files:\n  - path: /etc/molo/policies.hcl\n    content: |\n      docker {}\n      firewall {}\n" +
		"      site \"app.example.no\" {\n        upstream = \"127.0.0.1:8081\"\n      }\n" +
		"runcmd:\n  - apt-get install --yes docker.io"
	everyBare(t, map[string]string{
		seedDir + "user-data":                             customer + container,
		seedDir + "vendor-data":                           string(script),
		"/etc/apt/sources.list":                           localApt + "\n",
		"/etc/systemd/system/nginx.service.d/late.conf":   "[Unit]\nAfter=cloud-final.service\n",
		"/etc/systemd/system/multi-user.target.d/no.conf": "",
	}, func(s *scene) {
		s.sh("rm /etc/systemd/system/multi-user.target.wants/nginx.service; mkdir -p /etc/systemd/system/cloud-init.target.wants; ln -s /usr/lib/systemd/system/nginx.service /etc/systemd/system/cloud-init.target.wants/")
		began := time.Now()
		s.firstBoot()
		if took := time.Since(began); took > 80*time.Second {
			s.Errorf("the first boot took %s: somebody waited for a job", took)
		}
		s.record("")
		s.neverBare()
		s.converges("the customer's commands")
		s.eventually("nginx serves the site", time.Minute, "curl -s -o /dev/null -w '%{http_code}' -H 'Host: app.example.no' http://127.0.0.1/ | grep -q 502")
		s.follows("ufw allow 8080/tcp", "W tcp 8080", open)
	})
}
