package host

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/resource"
	"molo/provision"
)

// owned is an image whose users and groups have names. Giving files away needs root.
func owned(t *testing.T, files map[string]string) *Host {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("giving files away needs root")
		}
		t.Skip("SKIPPED: giving files away needs root")
	}
	all := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndeploy:x:1000:1000::/home/deploy:/bin/sh\n",
		"/etc/group":  "root:x:0:\ndocker:x:998:deploy\ndeploy:x:1000:\n",
	}
	for name, text := range files {
		all[name] = text
	}
	h := image(t, all)
	if err := os.Chmod(h.root, 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

// give changes owner and mode of a path itself.
func (h *Host) give(t *testing.T, path string, uid, gid int, mode uint32) {
	t.Helper()
	if err := os.Lchown(h.path(path), uid, gid); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(h.path(path)); err == nil && info.Mode()&os.ModeSymlink == 0 {
		if err := syscall.Chmod(h.path(path), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *Host) link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, h.path(path)); err != nil {
		t.Fatal(err)
	}
}

// access reads what a path leads to as one line, or why it can't be read.
func (h *Host) access(path string) string {
	r, err := h.readAccess(path)
	switch {
	case err != nil:
		return err.Error()
	case r == nil:
		return "not there"
	}
	return r.(resource.Access).String()
}

func grant(h *Host, path, owner, group string, mode uint32) error {
	a := resource.Access{Path: path, Owner: owner, Group: group, Mode: mode}
	return h.writeAccess(provision.Change{ID: a.ID(), Want: a})
}

func TestOwnersAndModesComeAndGo(t *testing.T) {
	h := owned(t, map[string]string{"/etc/docker/daemon.json": "{}", "/etc/docker/real.json": "{}"})
	h.give(t, "/etc/docker/daemon.json", 1000, 4242, 0o6666)
	h.link(t, "/etc/docker/real.json", "/etc/docker/link.json")
	h.give(t, "/etc/docker/real.json", 0, 998, 0o640)

	if got := h.access("/etc/docker/daemon.json"); got != "deploy:4242 6666" {
		t.Errorf("before: %s", got)
	}
	for _, to := range []string{"root:root 0644", "deploy:4242 6666"} {
		var a resource.Access
		a.Owner, a.Group, _ = strings.Cut(strings.Fields(to)[0], ":")
		a.Mode = map[string]uint32{"0644": 0o644, "6666": 0o6666}[strings.Fields(to)[1]]
		if err := grant(h, "/etc/docker/daemon.json", a.Owner, a.Group, a.Mode); err != nil {
			t.Fatal(err)
		}
		if got := h.access("/etc/docker/daemon.json"); got != to {
			t.Errorf("it is %s, want %s", got, to)
		}
	}
	if err := grant(h, "/etc/docker/link.json", "root", "root", 0o600); err != nil {
		t.Fatal(err)
	}
	if got := h.access("/etc/docker/real.json"); got != "root:root 0600" {
		t.Errorf("what an absolute link leads to below the root is %s", got)
	}
	if info, err := os.Lstat(h.path("/etc/docker/link.json")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v, %v", info, err)
	}
	if got := h.access("/etc/docker/none"); got != "not there" {
		t.Errorf("what is not there is %s", got)
	}
	if err := grant(h, "/etc/docker/none", "root", "root", 0o600); err != nil {
		t.Errorf("what is gone has no mode to be changed, but: %v", err)
	}
	if err := grant(h, "/etc/docker/daemon.json", "nobody-of-that-name", "root", 0o600); err == nil || !strings.Contains(err.Error(), `no user or group "nobody-of-that-name"`) {
		t.Errorf("an unknown user: %v", err)
	}
}

// TestNothingIsChangedThroughTheHandsOfOthers has somebody on the host lead molo to
// /etc/shadow in every way there is.
func TestNothingIsChangedThroughTheHandsOfOthers(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, h *Host)
		why  string // "": it may be changed
	}{
		{"a file of root's below root's directories", func(*testing.T, *Host) {}, ""},
		{"a file of somebody else's is root's to take", func(t *testing.T, h *Host) { h.give(t, "/etc/docker/daemon.json", 1000, 1000, 0o666) }, ""},
		{"root's own link", func(t *testing.T, h *Host) { h.swap(t, "../shadow") }, ""},
		{"somebody's link", func(t *testing.T, h *Host) {
			h.swap(t, "/etc/shadow")
			h.give(t, "/etc/docker/daemon.json", 1000, 1000, 0)
		}, "/etc/docker/daemon.json belongs to user 1000"},
		{"a directory of somebody's", func(t *testing.T, h *Host) { h.give(t, "/etc/docker", 1000, 0, 0o755) }, "/etc/docker belongs to user 1000"},
		{"a directory that everybody can write", func(t *testing.T, h *Host) { h.give(t, "/etc/docker", 0, 0, 0o1777) }, "/etc/docker can be written by everybody"},
		{"a directory that a group can write", func(t *testing.T, h *Host) { h.give(t, "/etc/docker", 0, 998, 0o775) }, "/etc/docker can be written by group 998"},
		{"root's link into a directory of somebody's", func(t *testing.T, h *Host) {
			h.swap(t, "/home/deploy/daemon.json")
			h.give(t, "/home/deploy", 1000, 1000, 0o755)
		}, "/home/deploy belongs to user 1000"},
		{"a second name for /etc/shadow", func(t *testing.T, h *Host) {
			h.swap(t, "")
			if err := os.Link(h.path("/etc/shadow"), h.path("/etc/docker/daemon.json")); err != nil {
				t.Fatal(err)
			}
		}, "/etc/docker/daemon.json has a second name somewhere (a hard link)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := owned(t, map[string]string{"/etc/docker/daemon.json": "{}", "/etc/shadow": "secret", "/home/deploy/daemon.json": "{}"})
			test.make(t, h)
			shadow := h.access("/etc/shadow")
			err := grant(h, "/etc/docker/daemon.json", "root", "root", 0o644)
			switch {
			case test.why == "" && err != nil:
				t.Fatal(err)
			case test.why != "" && (!errors.Is(err, errLoose) || !strings.HasSuffix(err.Error(), test.why)):
				t.Errorf("error %v, want one that says %s", err, test.why)
			case test.why != "" && h.access("/etc/shadow") != shadow:
				t.Errorf("/etc/shadow is %s now, it was %s", h.access("/etc/shadow"), shadow)
			}
		})
	}
}

// swap puts a link in the place of daemon.json, or nothing.
func (h *Host) swap(t *testing.T, target string) {
	t.Helper()
	if err := os.Remove(h.path("/etc/docker/daemon.json")); err != nil {
		t.Fatal(err)
	}
	if target != "" {
		h.link(t, target, "/etc/docker/daemon.json")
	}
}

func TestPathsThatLeadNowhere(t *testing.T) {
	h := owned(t, map[string]string{"/etc/file": ""})
	h.link(t, "loop", "/etc/loop")
	h.link(t, "../../../../../etc/file", "/etc/up")
	h.link(t, "gone", "/etc/dangling")
	for path, want := range map[string]string{
		"/etc/loop":      "opening /etc/loop: too many levels of symbolic links",
		"/etc/up":        "root:root 0640",
		"/etc/dangling":  "not there",
		"/etc/file/x":    "opening /etc/file/x: not a directory",
		"/etc/../etc/./": h.access("/etc"),
	} {
		if got := h.access(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestThePathsByWhichDockerIsControlled(t *testing.T) {
	h := owned(t, map[string]string{
		"/etc/docker/daemon.json":                        `{"tlskey": "/etc/tls/key.pem", "tlscert": "relative.pem", "data-root": "/srv/docker"}`,
		"/etc/docker/certs.d/registry:5000/ca.crt":       "",
		"/etc/docker/certs.d/registry:5000/client.key":   "",
		"/etc/tls/key.pem":                               "",
		"/srv/docker/x":                                  "",
		"/usr/lib/systemd/system/docker.service":         "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
		"/etc/systemd/system/docker.socket.d/loose.conf": "[Socket]\nSocketGroup=998\nSocketMode=0666\n",
		"/usr/lib/systemd/system/docker.socket":          "[Socket]\nSocketMode=0660\nSocketGroup=users\n",
		"/usr/sbin/runc":                                 "",
		"/usr/bin/x":                                     "",
	})
	h.link(t, "../sbin/runc", "/usr/bin/runc")
	h.link(t, "/dev/null", "/etc/systemd/system/containerd.service")
	if err := os.MkdirAll(h.path("/dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mknod(h.path("/dev/null"), syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Fatal(err)
	}
	f := facts.Facts{Docker: facts.Docker{Config: h.text(t, "/etc/docker/daemon.json")}}
	h.pathFacts(&f)
	var got []string
	for _, p := range f.Paths {
		got = append(got, strings.TrimSpace(strings.Join([]string{p.Path, string(p.Use), string(p.Kind), p.Real}, " ")))
	}
	want := []string{
		"/etc/docker configuration directory",
		"/etc/docker/certs.d configuration directory",
		"/etc/docker/certs.d/registry:5000 configuration directory",
		"/etc/docker/certs.d/registry:5000/ca.crt certificate file",
		"/etc/docker/certs.d/registry:5000/client.key key file",
		"/etc/docker/daemon.json settings file",
		"/etc/systemd/system/docker.socket.d drop-ins directory",
		"/etc/systemd/system/docker.socket.d/loose.conf unit file",
		"/etc/tls/key.pem key file",
		"/srv/docker data directory",
		"/usr/bin/runc program file /usr/sbin/runc",
		"/usr/lib/systemd/system/docker.service unit file",
		"/usr/lib/systemd/system/docker.socket unit file",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(f.Unknown) > 0 {
		t.Errorf("paths (-want +got), unread %+v:\n%s", f.Unknown, diff)
	}
	socket := facts.DockerSocket{Group: "docker", Mode: "0666", ModeFrom: "/etc/systemd/system/docker.socket.d/loose.conf:3"}
	if diff := cmp.Diff(socket, f.Socket); diff != "" {
		t.Errorf("docker.socket (-want +got):\n%s", diff)
	}
}

func TestFilesThatDockerdIsTold(t *testing.T) {
	tests := []struct {
		name   string
		docker facts.Docker
		want   string
	}{
		{"by daemon.json", facts.Docker{Config: `{"tlskey": "/a//key"}`}, "/a/key"},
		{"by a flag", facts.Docker{Flags: []string{"--tlskey=/b"}, Config: `{"tlskey": "/a"}`}, "/b"},
		{"by a flag and a word", facts.Docker{Flags: []string{"--tlskey", "/b"}}, "/b"},
		{"by a flag without a word", facts.Docker{Flags: []string{"--tlskey"}}, ""},
		{"in dockerd's own directory, wherever that is", facts.Docker{Config: `{"tlskey": "key"}`}, ""},
		{"by something that is no path", facts.Docker{Config: `{"tlskey": 1}`}, ""},
		{"by nothing", facts.Docker{Config: "{"}, ""},
	}
	for _, test := range tests {
		if got := daemonFile(test.docker, "tlskey"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// FuzzAccounts looks for files of accounts that break the reader, or that give a name
// which leads to another number than the one asked for.
func FuzzAccounts(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/bash\ndeploy:x:1000:1000::/home/deploy:/bin/sh\n", uint32(1000))
	f.Add("a:x:1:\nb:x:1:\n", uint32(1))
	f.Add(":::\n::\n\n", uint32(0))
	f.Fuzz(func(t *testing.T, text string, id uint32) {
		name := nameIn(text, id)
		if got, err := idIn(text, name); err == nil && got != int(id) && strings.Count("\n"+text, "\n"+name+":") == 1 {
			t.Fatalf("%q: %d is %q, and that is %d", text, id, name, got)
		}
	})
}
