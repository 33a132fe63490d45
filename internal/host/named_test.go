package host

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/provision"
)

func TestWhoMayReadAFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can give files away")
	}
	h := image(t, map[string]string{
		"/etc/passwd":    "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\nbroken\n",
		"/etc/group":     "www-data:x:33:\nadm:x:4:syslog,www-data\nbroken\n",
		"/open/users":    "a",
		"/closed/users":  "a",
		"/open/dir/file": "a",
	})
	for dir, mode := range map[string]os.FileMode{"/": 0o755, "/open": 0o755, "/closed": 0o700, "/open/dir": 0o755} {
		if err := os.Chmod(h.path(dir), mode); err != nil {
			t.Fatal(err)
		}
	}
	// The directory of the test itself is nobody else's; above the root nobody looks.
	for _, tc := range []struct {
		name, path, user string
		uid, gid         int
		mode             os.FileMode
		want             facts.Access
	}{
		{"its group's", "/open/users", "www-data", 0, 33, 0o640, facts.Access{Mode: 0o640, Workers: true}},
		{"another group of the user's", "/open/users", "www-data", 0, 4, 0o640, facts.Access{Mode: 0o640, Workers: true}},
		{"another group's", "/open/users", "www-data", 0, 5, 0o640, facts.Access{Mode: 0o640}},
		{"its own", "/open/users", "www-data", 33, 0, 0o400, facts.Access{Mode: 0o400, Workers: true}},
		{"its own, shut", "/open/users", "www-data", 33, 33, 0o044, facts.Access{Mode: 0o044}},
		{"everybody's", "/open/users", "www-data", 0, 0, 0o644, facts.Access{Mode: 0o644, Workers: true}},
		{"in a directory that is shut", "/closed/users", "www-data", 33, 33, 0o644, facts.Access{Mode: 0o644}},
		{"root as the user", "/closed/users", "root", 33, 33, 0o000, facts.Access{Workers: true}},
		{"a directory", "/open/dir", "www-data", 0, 0, 0o755, facts.Access{Mode: 0o755, Workers: true, Missing: true}},
		{"nothing", "/open/nothing", "www-data", 0, 0, 0, facts.Access{Missing: true}},
		{"nothing below a file", "/open/users/x", "www-data", 0, 0, 0, facts.Access{Missing: true}},
		{"a user that is not there", "/open/users", "nginx", 0, 0, 0o644, facts.Access{Problem: "there is no user nginx"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.Chown(h.path(tc.path), tc.uid, tc.gid); err == nil {
				if err := os.Chmod(h.path(tc.path), tc.mode); err != nil {
					t.Fatal(err)
				}
			}
			found := h.Named(context.Background(), provision.Named{User: tc.user, Files: []string{tc.path}})
			if diff := cmp.Diff(tc.want, found.Files[tc.path]); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSilentApplications(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	socket := filepath.Join(t.TempDir(), "a.sock")
	u, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	tcp := func(l net.Listener) policy.Address {
		return policy.Address{TCP: netip.MustParseAddrPort(l.Addr().String())}
	}
	h := &Host{root: "/"}
	found := h.Named(context.Background(), provision.Named{Upstreams: []policy.Address{tcp(l), tcp(gone), {Socket: socket}, {Socket: socket + "x"}}})
	want := map[string]string{gone.Addr().String(): "connection refused", "unix:" + socket + "x": "no such file or directory"}
	if diff := cmp.Diff(want, found.Silent); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
