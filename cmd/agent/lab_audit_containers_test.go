package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"molo/internal/audit"
	"molo/internal/lab/labtest"
)

// careful are the arguments of a container with nothing wrong, but for the bounds that
// the lab's kernel does not have.
func careful() []string {
	return []string{"--user 1000:1000", "--cap-drop ALL", "--read-only", "--restart on-failure:5", "--network front", "--health-cmd /none", "--label no.example.owner=ops"}
}

// image makes an image of the lab's server with these changes.
func (w *world) image(name, program string, changes ...string) {
	w.Helper()
	for i, c := range changes {
		changes[i] = "-c '" + c + "'"
	}
	w.sh(fmt.Sprintf(`docker create --name raw server:1 >/dev/null && mkdir -p /srv/raw/etc && printf 'root:x:0:0::/:\ntoor:x:0:0::/:\n' >/srv/raw/etc/passwd && docker cp raw:/server /srv/raw/%[2]s && docker rm raw >/dev/null &&
		tar -C /srv/raw -c %[2]s etc | docker import -c 'ENTRYPOINT ["/%[2]s","-http",":8080"]' %[3]s - %[1]s`, name, program, strings.Join(changes, " ")))
}

// starts starts a container that is careful but for what the arguments say; those that
// start like them are left out. The image is named by its ID unless the arguments name one.
func (w *world) starts(name string, arguments ...string) {
	w.Helper()
	image := "$(docker images -q --no-trunc good:1)"
	all := careful()
	for _, a := range arguments {
		option, _, _ := strings.Cut(a, " ")
		all = slices.DeleteFunc(all, func(c string) bool {
			return strings.HasPrefix(c, strings.TrimPrefix(option, "!")+" ") || c == strings.TrimPrefix(a, "!")
		})
		switch {
		case option == "image":
			image = "$(docker images -q --no-trunc " + strings.TrimPrefix(a, "image ") + ")"
		case option == "tag":
			image = strings.TrimPrefix(a, "tag ")
		case option[0] != '!':
			all = append(all, a)
		}
	}
	w.sh(fmt.Sprintf("docker run -d --name %s %s %s", name, strings.Join(all, " "), image))
}

func TestAuditFindsWhatIsWrongWithEachContainer(t *testing.T) {
	everyAuditRelease(t, func(w *world) {
		w.image("good:1", "server", `HEALTHCHECK CMD ["/none"]`)
		w.image("shell:1", "sshd", `HEALTHCHECK CMD ["/none"]`)
		w.sh("docker network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 -o com.docker.network.bridge.enable_icc=false front")
		w.starts("old")
		w.daemon("userns-remap", "")
		w.sh("docker start old; ln -s /etc /srv/link; mount --make-rshared /")
		w.sh("docker volume create --opt type=none --opt o=bind --opt device=/etc etc; docker volume create data")
		w.starts("web", "-v data:/data", "-v /etc/localtime:/etc/localtime:ro", "-p 127.0.0.1:8081:8080", "--sysctl net.ipv4.ip_unprivileged_port_start=0")
		w.finds("nothing wrong, and one that is older than the settings", []string{"--only", "containers,networks,sites"},
			bounds("old", "web", "fail container-no-new-privileges old", "fail container-log-driver old")...)
		w.sh("docker rm -f old")

		var names, want []string
		for _, v := range containerViolations() {
			w.starts(v.name, v.arguments...)
			names = append(names, v.name)
			for _, slug := range v.want {
				want = append(want, "fail "+slug+" "+v.name)
			}
		}
		w.sh("docker create --name stopped good:1")
		want = append(want, "fail container-stopped", "fail network-exposure 0.0.0.0:8090/tcp")
		w.finds("one thing wrong with each", []string{"--only", "containers,networks,sites"}, append(want, bounds(append(names, "web")...)...)...)
		w.required()
		w.networks()
		w.images()
	})
}

// bounds is what the lab's kernel can't give to containers. What is no name of one is
// found besides.
func bounds(names ...string) []string {
	var all []string
	for _, n := range names {
		if strings.Contains(n, " ") {
			all = append(all, n)
			continue
		}
		all = append(all, "fail container-memory "+n, "fail container-pids "+n, "fail container-cpu "+n)
	}
	return all
}

type containerViolation struct {
	name      string
	arguments []string // see starts
	want      []string
}

func containerViolations() []containerViolation {
	return []containerViolation{
		{"privileged", []string{"--privileged"}, []string{"container-privileged"}},
		{"nobody", []string{"!--user"}, []string{"container-user"}},
		{"root", []string{"--user root"}, []string{"container-user"}},
		{"zero", []string{"--user 0:0"}, []string{"container-user"}},
		{"toor", []string{"--user toor"}, []string{"container-user"}},
		{"rootgroup", []string{"--user root:1"}, []string{"container-user"}},
		{"undropped", []string{"!--cap-drop"}, []string{"container-capabilities-dropped"}},
		{"admin", []string{"--cap-add SYS_ADMIN"}, []string{"container-capabilities-added"}},
		{"writable", []string{"!--read-only"}, []string{"container-read-only"}},
		{"unfiltered", []string{"--security-opt seccomp=unconfined"}, []string{"container-seccomp"}},
		{"optout", []string{"--security-opt no-new-privileges=false"}, []string{"container-no-new-privileges"}},
		{"paths", []string{"--security-opt systempaths=unconfined"}, []string{"container-system-paths"}},
		{"device", []string{"--device /dev/null:/dev/mine"}, []string{"container-devices"}},
		{"cgroup", []string{"--cgroup-parent x.slice"}, []string{"container-cgroup-parent"}},
		{"etc", []string{"-v /etc:/x:ro"}, []string{"container-mounts"}},
		{"shadow", []string{"-v /etc/shadow:/x:ro"}, []string{"container-mounts"}},
		{"link", []string{"-v /srv/link:/x"}, []string{"container-mounts"}},
		{"volume", []string{"-v etc:/x"}, []string{"container-mounts"}},
		{"whole", []string{"-v /:/x:ro"}, []string{"container-mounts", "container-runtime-socket"}},
		{"sock", []string{"-v /var/run/docker.sock:/x"}, []string{"container-runtime-socket"}},
		{"around", []string{"-v /run:/x"}, []string{"container-runtime-socket"}},
		{"containerd", []string{"-v /run/containerd/containerd.sock:/x"}, []string{"container-runtime-socket"}},
		{"shared", []string{"-v /srv:/x:rshared"}, []string{"container-propagation"}},
		{"hostnet", []string{"--network host"}, []string{"container-host-network"}},
		{"hostpid", []string{"--pid host"}, []string{"container-host-pid"}},
		{"hostipc", []string{"--ipc host"}, []string{"container-host-ipc"}},
		{"hostuts", []string{"--uts host"}, []string{"container-host-uts"}},
		{"hostcgroup", []string{"--cgroupns host"}, []string{"container-host-cgroup"}},
		{"forever", []string{"--restart always"}, []string{"container-restart"}},
		{"endless", []string{"--restart on-failure"}, []string{"container-restart"}},
		{"unhealthy", []string{"!--health-cmd", "--no-healthcheck"}, []string{"container-health-check"}},
		{"silent", []string{"--log-driver none"}, []string{"container-log-driver"}},
		{"unbounded", []string{"--log-driver json-file"}, []string{"container-log-driver"}},
		{"tagged", []string{"tag good:1"}, []string{"container-image-pinned"}},
		{"bridge", []string{"--network bridge"}, []string{"container-default-bridge"}},
		{"ssh", []string{"image shell:1"}, []string{"container-sshd"}},
		{"wide", []string{"-p 0.0.0.0:8090:8080"}, []string{"container-published-address"}},
		{"low", []string{"-p 127.0.0.1:81:8080"}, []string{"container-privileged-ports"}},
	}
}

// required checks that a policy makes its findings required, lets off what it asks less
// of, and exempts what it names.
func (w *world) required() {
	w.Helper()
	w.policy(`containers {
  read_only    = false
  memory_limit = false
  pids_limit   = false
  owner_label  = "no.example.team"
  published_on = "any"
}

site "app.example.no" {
  upstream = "127.0.0.1:8090"
}

exempt "disk" {
  checks    = ["container-privileged"]
  container = "privileged"
  reason    = "formats disks"
  expires   = "2999-12-31"
}

exempt "over" {
  checks  = ["container-devices"]
  label   = "no.example.owner=ops"
  reason  = "was needed once"
  expires = "2026-01-01"
}
`)
	found := map[string]string{}
	for _, f := range w.report().Findings {
		if f.Status != audit.Pass {
			found[f.Slug+" "+f.Where] = string(f.Status) + " " + string(f.Level)
		}
	}
	for what, want := range map[string]string{
		"container-read-only writable":               "exempt recommended",
		"container-memory web":                       "exempt recommended",
		"container-published-address wide":           "exempt required",
		"container-privileged privileged":            "exempt required",
		"container-devices device":                   "fail recommended",
		"container-user zero":                        "fail required",
		"container-image-pinned tagged":              "fail required",
		"container-owner web":                        "fail required",
		"site-upstream app.example.no":               "fail required",
		"policy-exemption /etc/molo/policies.hcl:20": "fail recommended",
	} {
		if found[what] != want {
			w.Errorf("%s: %q, want %q", what, found[what], want)
		}
	}
	w.sh("rm /etc/molo/policies.hcl")
}

// networks checks networks, and a port that only IPv6 has.
func (w *world) networks() {
	w.Helper()
	w.sh("docker rm -f $(docker ps -aq)")
	w.daemon("userns-remap", "", "ipv6", "true", "fixed-cidr-v6", `"2001:db8:d0c::/64"`, "experimental", "true", "ip6tables", "true")
	w.sh("docker network create open && docker network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 chatty")
	w.starts("left", "--network chatty")
	w.starts("right", "--network chatty")
	w.starts("six", "--network bridge", "-p [::]:8082:8080")
	w.finds("networks", []string{"--only", "containers,networks"}, bounds("left", "right", "six",
		"fail network-publish-address open", "fail network-icc chatty", "fail container-default-bridge six", "fail container-published-address six", "fail network-exposure [::]:8082/tcp")...)
	w.wire()
	w.sh("docker rm -f $(docker ps -aq); docker network rm open chatty")
}

// wire checks that a container with an address of its own on a link of the host leaves
// nothing unknown.
func (w *world) wire() {
	w.Helper()
	w.sh("docker network create -d macvlan --subnet 10.77.0.0/24 -o parent=" + w.stranger.HostInterface + " lan")
	w.starts("cam", "--network lan")
	for _, f := range w.report("--only", "networks,swarm-address").Findings {
		if f.Status == audit.Unknown {
			w.Errorf("with a container on a macvlan network, %s is unknown: %s", f.Slug, f.Why)
		}
	}
	w.sh("docker rm -f cam && docker network rm lan")
}

// images checks images, and that the value of no secret is read.
func (w *world) images() {
	w.Helper()
	w.image("secret:1", "server", `HEALTHCHECK CMD ["/none"]`, "ENV DB_PASSWORD=correct-horse")
	w.starts("user", "image good:1")
	w.finds("images", []string{"--only", "images"}, "fail image-health-check server:1", "fail image-secrets secret:1", "fail image-unused")
	w.sh("docker rmi server:1 secret:1 shell:1")
	w.finds("images that are right", []string{"--only", "images"})
	if text := w.sh("cat /var/lib/molo/audits/*"); strings.Contains(text, "correct-horse") {
		w.Error("the value of a secret is in a report")
	}
}

// TestAuditRespectsRemappedUsers: with user namespaces remapped, root in a container
// is nobody, unless the container opts out.
func TestAuditRespectsRemappedUsers(t *testing.T) {
	everyAuditRelease(t, func(w *world) {
		w.daemon()
		labtest.Image(t, w.lab(), "server:1", "-http", ":80")
		w.image("good:1", "server", `HEALTHCHECK CMD ["/none"]`)
		w.sh("docker network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 -o com.docker.network.bridge.enable_icc=false front")
		w.starts("root", "!--user")
		w.starts("out", "!--user", "--userns host")
		w.finds("root in two containers", []string{"--only", "containers"}, bounds("root", "out", "fail container-user out", "fail container-host-userns out")...)
	})
}

// hostileNames is a host whose containers have labels, images and mounts that mean
// something to a terminal.
func TestNamesOfContainersBreakNeitherTableNorJSON(t *testing.T) {
	everyAuditRelease(t, func(w *world) {
		w.sh(`d=$(printf '/root/\033[2J\033]0;owned\007\n\033[31mfail everything\342\200\256'); mkdir "$d"
			docker run -d --name evil --label "$(printf 'a\033[2J=\033[31m')" --env "X=$(head -c 100000 /dev/zero | tr '\0' A)" -v "$d:/x" --user "$(printf '0:0')" \
			--label "big=$(head -c 100000 /dev/zero | tr '\0' A)" server:1`)
		for _, args := range [][]string{nil, {"--json"}} {
			r := w.molo(3, append([]string{"audit"}, args...)...)
			odd := func(c rune) bool { return c != '\n' && (unicode.Is(unicode.Cc, c) || unicode.Is(unicode.Cf, c)) }
			if strings.ContainsFunc(r.Stdout, odd) || strings.ContainsFunc(r.Stderr, odd) {
				w.Errorf("molo audit %v prints what a terminal obeys", args)
			}
			if !strings.Contains(r.Stdout, `/root/\x1b[2J`) && !strings.Contains(r.Stdout, `/root/\\x1b[2J`) {
				w.Errorf("molo audit %v does not name the mount:\n%s", args, r.Stdout)
			}
			if len(r.Stdout) > 100_000 {
				w.Errorf("molo audit %v prints %d bytes", args, len(r.Stdout))
			}
		}
	})
}

// TestAuditEndsWhereDockerdHangs: a daemon that answers nothing ends in unknown, not in
// a hang or a pass; and so does a user who may not ask.
func TestAuditEndsWhereDockerdHangs(t *testing.T) {
	foreseen := []string{"daemon-start", "daemon-next-engine"} // by the file alone
	everyAuditRelease(t, func(w *world) {
		w.sh("docker run -d --name web server:1")
		r, err := w.host.Run(context.Background(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "molo", "audit", "--json", "--fail-on", "never")
		if err != nil || r.Code != 0 || !strings.Contains(r.Stdout, "the Docker Engine API: permission denied") {
			w.Errorf("without root: %v, exit code %d\n%.2000s%s", err, r.Code, r.Stdout, r.Stderr)
		}
		if kept := strings.TrimSpace(w.sh("ls /var/lib/molo/audits 2>/dev/null | wc -l")); kept != "0" {
			w.Errorf("%s reports kept of one who is not root", kept)
		}
		w.sh("kill -STOP $(systemctl show -p MainPID --value docker)")
		began := time.Now()
		report := w.report()
		took := time.Since(began)
		w.sh("kill -CONT $(systemctl show -p MainPID --value docker)")
		if took > 30*time.Second {
			w.Errorf("the audit took %s", took)
		}
		unknown := 0
		for _, f := range report.Findings {
			if f.Status == audit.Unknown {
				unknown++
			}
			if f.Status == audit.Pass && slices.Contains([]audit.Area{audit.AreaDaemon, audit.AreaContainers, audit.AreaImages}, f.Area) && !slices.Contains(foreseen, f.Slug) {
				w.Errorf("%s passes, and dockerd hangs", f.Slug)
			}
		}
		if unknown < 50 {
			w.Errorf("%d findings are unknown", unknown)
		}
		if kept := strings.TrimSpace(w.sh("ls /var/lib/molo/audits | wc -l")); kept != "1" {
			w.Errorf("%s reports kept, want 1", kept)
		}
		w.sh("systemctl stop docker docker.socket")
		for _, f := range w.report("--only", "daemon").Findings {
			if f.Status == audit.Pass && !slices.Contains(foreseen, f.Slug) {
				w.Errorf("%s passes, and dockerd does not run", f.Slug)
			}
		}
		if state := strings.TrimSpace(w.sh("systemctl is-active docker || true")); state != "inactive" {
			w.Errorf("an audit started dockerd: it is %s", state)
		}
	})
}
