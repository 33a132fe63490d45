package firewall_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// space is a network namespace that nothing but this test knows of: it has no name
// and ends with the test. All links are made inside spaces, so that none ever shows
// up in the machine's own namespace.
type space struct{ file *os.File }

// needSpaces skips a test, or fails it where it has to run, unless it can make
// network namespaces and load rules of the given flavour into them.
func needSpaces(t testing.TB, flavour string) {
	t.Helper()
	give := t.Skipf
	if os.Getenv("CI") == "true" {
		give = t.Fatalf
	}
	if os.Geteuid() != 0 {
		give("NOT TESTED: real packets through the %s rules; that takes root", flavour)
	}
	if _, err := exec.LookPath("iptables-" + flavour + "-restore"); err != nil {
		give("NOT TESTED: real packets through the %s rules: %v", flavour, err)
	}
	probe := newSpace(t)
	for _, family := range []string{"iptables", "ip6tables"} {
		if _, err := probe.run("*filter\nCOMMIT\n", family+"-"+flavour+"-restore", "--noflush", "-w", "30"); err != nil {
			give("NOT TESTED: real packets through the %s rules: %v", flavour, err)
		}
	}
}

// onThread runs f on a thread that is used up with it: Go ends a locked thread with
// its goroutine, so that no other code ever runs in the namespace by accident.
func onThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		result <- f()
	}()
	return <-result
}

func newSpace(t testing.TB) *space {
	t.Helper()
	s := &space{}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		var err error
		s.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		t.Fatalf("making a network namespace: %v", err)
	}
	t.Cleanup(func() { s.file.Close() })
	// Without duplicate address detection IPv6 is there as soon as a link is.
	s.sysctl(t, "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
	s.must(t, func() error { return setUp("lo") })
	return s
}

// do runs f inside the namespace, on a thread of its own. Sockets that f opens and
// programs that it runs are inside as well.
func (s *space) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

func (s *space) must(t testing.TB, f func() error) {
	t.Helper()
	if err := s.do(f); err != nil {
		t.Fatal(err)
	}
}

// run runs a program inside and returns what it prints.
func (s *space) run(stdin, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	err := s.do(func() error {
		cmd := exec.Command(name, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
		// The legacy tools take a lock, for which the machine's own must not wait.
		cmd.Env = append(os.Environ(), "LC_ALL=C", "XTABLES_LOCKFILE="+filepath.Join(os.TempDir(), "molo-firewall-test.lock"))
		return cmd.Run()
	})
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// restore loads rules without touching others.
func (s *space) restore(t testing.TB, tool, text string) {
	t.Helper()
	if _, err := s.run(text, tool, "--noflush", "-w", "30"); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// sysctl sets kernel parameters of the namespace, "net.ipv4.ip_forward=1" and so on.
func (s *space) sysctl(t testing.TB, settings ...string) {
	t.Helper()
	s.must(t, func() error {
		for _, setting := range settings {
			key, value, _ := strings.Cut(setting, "=")
			if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(key, ".", "/"), []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

func setUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// address gives a link addresses that are usable at once, then sets it up.
func address(name string, addresses ...string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("%s on %s: %w", a, name, err)
		}
	}
	return netlink.LinkSetUp(link)
}

// route adds routes, "192.0.2.0/24 203.0.113.99" and so on.
func route(routes ...string) error {
	for _, r := range routes {
		network, gateway, _ := strings.Cut(r, " ")
		_, dst, err := net.ParseCIDR(network)
		if err != nil {
			return err
		}
		if err := netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(gateway)}); err != nil {
			return fmt.Errorf("route %s: %w", r, err)
		}
	}
	return nil
}
