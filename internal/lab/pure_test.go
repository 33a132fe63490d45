package lab

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPickMirror(t *testing.T) {
	for name, c := range map[string]struct{ indexes, want, wantErr string }{
		"the archive, not its security updates": {
			indexes: "Debian|Debian-Security|http://deb.example/debian-security\nDebian|Debian|http://deb.example/debian\n",
			want:    "http://deb.example/debian",
		},
		"others that apt knows do not count": {
			indexes: "Docker|Docker|https://docker.example\nDebian|Debian|http://a.example/debian\nDebian|Debian|http://b.example/debian\n",
			want:    "http://a.example/debian",
		},
		"a new machine has to ask first": {wantErr: "apt-get update"},
		"another distribution":           {indexes: "Ubuntu|Ubuntu|http://archive.example/ubuntu\n", wantErr: "MOLO_LAB_MIRROR"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pickMirror(c.indexes)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if (err == nil) != (c.wantErr == "") || err != nil && !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("error %v, want %q", err, c.wantErr)
			}
		})
	}
}

func TestCgroup2Mount(t *testing.T) {
	for name, c := range map[string]struct{ mounts, want string }{
		"alone":             {"sysfs /sys sysfs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n", "/sys/fs/cgroup"},
		"next to version 1": {"cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", "/sys/fs/cgroup/unified"},
		"not at all":        {"cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cgroup2Mount(c.mounts); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestParseStartTime(t *testing.T) {
	stat := "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 10"
	if got, err := parseStartTime([]byte(stat)); err != nil || got != "987654" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := parseStartTime([]byte("4242 (a) S 1")); err == nil {
		t.Error("a short line is accepted")
	}
	if got, err := startTime(os.Getpid()); err != nil || got == "" || got == "0" {
		t.Errorf("of this process: %q, %v", got, err)
	}
}

func TestNewPeer(t *testing.T) {
	type addrs struct{ Peer4, Peer6, Host4, Host6, Interface string }
	for link, want := range map[int]addrs{
		0:  {"203.0.113.2", "2001:db8::2", "203.0.113.1", "2001:db8::1", "eth0"},
		1:  {"203.0.113.6", "2001:db8:1::2", "203.0.113.5", "2001:db8:1::1", "eth1"},
		63: {"203.0.113.254", "2001:db8:3f::2", "203.0.113.253", "2001:db8:3f::1", "eth63"},
	} {
		p := newPeer(peerLink{Name: "p", Link: link})
		got := addrs{p.Addr4.String(), p.Addr6.String(), p.HostAddr4.String(), p.HostAddr6.String(), p.HostInterface}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("link %d (-want +got):\n%s", link, diff)
		}
		if !netip.PrefixFrom(p.Addr4, 30).Contains(p.HostAddr4) || !netip.PrefixFrom(p.Addr6, 64).Contains(p.HostAddr6) {
			t.Errorf("link %d has its ends in different networks", link)
		}
	}
}

func TestFreeLink(t *testing.T) {
	if got, err := freeLink([]peerLink{{"a", 0}, {"b", 2}}); err != nil || got != 1 {
		t.Errorf("got %d, %v: not the gap", got, err)
	}
	var full []peerLink
	for n := range maxLinks {
		full = append(full, peerLink{"p", n})
	}
	if _, err := freeLink(full); err == nil {
		t.Error("there is no link left, and yet one was found")
	}
}

func TestSeedFiles(t *testing.T) {
	if got := seedFiles("h", nil); len(got) != 0 {
		t.Errorf("no seed became %v: cloud-init would run", got)
	}
	want := map[string]string{
		"var/lib/cloud/seed/nocloud/meta-data": "instance-id: h\nlocal-hostname: h\n",
		"var/lib/cloud/seed/nocloud/user-data": "#cloud-config\npackages: []\n",
	}
	if diff := cmp.Diff(want, seedFiles("h", map[string]string{"user-data": "#cloud-config\npackages: []\n"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"web": true, "bookworm-x7k2pq": true, "": false, "-a": false, "Web": false, "a/b": false, "..": false, "a b": false,
		strings.Repeat("a", 41): false,
	} {
		if got := validName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestRootfsNameFollowsItsContents(t *testing.T) {
	h := home("/lab")
	bookworm, trixie := filepath.Base(h.rootfs("bookworm")), filepath.Base(h.rootfs("trixie"))
	if !strings.HasPrefix(bookworm, "bookworm-") || !strings.HasPrefix(trixie, "trixie-") {
		t.Errorf("names %s and %s", bookworm, trixie)
	}
	if strings.TrimPrefix(bookworm, "bookworm-") == strings.TrimPrefix(trixie, "trixie-") {
		t.Error("different lists of packages have the same key")
	}
}

func TestTryLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if _, err := tryLock(path, 0); !os.IsNotExist(err) {
		t.Errorf("a lock that is not there: %v", err)
	}
	held, err := tryLock(path, os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path, 0); err == nil {
		t.Error("locked twice")
	}
	held.Close()
	again, err := tryLock(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestHomeOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	if err := home(dir).make(); err != nil {
		t.Errorf("our own directory: %v", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := home(dir).make(); err == nil {
		t.Error("a directory that is open to others is accepted")
	}
	if err := home("relative").make(); err == nil {
		t.Error("a relative path is accepted")
	}
}

func TestTailBuffer(t *testing.T) {
	var b tailBuffer
	b.Write([]byte(strings.Repeat("x", 2*tailSize)))
	b.Write([]byte("the end\n"))
	if got := b.String(); len(got) != tailSize-1 || !strings.HasSuffix(got, "xthe end") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-20:])
	}
}

func TestListenAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		":80": true, "203.0.113.2:80": true, "[2001:db8::2]:80": true, "localhost:80": false, "203.0.113.2": false,
	} {
		if err := checkListenAddr(addr); (err == nil) != want {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestUUID(t *testing.T) {
	id := newUUID()
	if len(id) != 36 || id[14] != '4' || strings.Count(id, "-") != 4 {
		t.Errorf("%q", id)
	}
}
