package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// netns is a network namespace, held open.
type netns struct{ file *os.File }

// do runs f on a thread that is inside the namespace. What f opens stays there; what f starts with go does not.
func (n netns) do(f func() error) error {
	return onThread(func() error { return unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET) }, f)
}

// onThread enters a network namespace, calls f and comes back, on a thread of its own. A thread that cannot come back
// is never used again: Go ends a locked thread along with its goroutine.
func onThread(enter, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		back, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("reading the network namespace: %w", err)
			return
		}
		defer back.Close()
		if err = enter(); err != nil {
			err = fmt.Errorf("entering a network namespace: %w", err)
		} else {
			err = f()
		}
		if unix.Setns(int(back.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// newNetns makes a network namespace and mounts it on path, which keeps it after this process.
func newNetns(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	return onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() error {
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	})
}

func (n netns) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return nil, fmt.Errorf("dialing %s: %w; hint: the lab has no DNS", addr, err)
	}
	err = n.do(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// listenConfig keeps to plain TCP: with MPTCP, which Go asks for otherwise, a packet is not what a test thinks it is.
func listenConfig() *net.ListenConfig {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	return &c
}

var errNoAddr = errors.New("needs an IP address and a port, or a port alone")

func checkListenAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return fmt.Errorf("listening on %s: %w", addr, errNoAddr)
	}
	return nil
}

func (n netns) listen(ctx context.Context, network, addr string) (l net.Listener, err error) {
	if err := checkListenAddr(addr); err != nil {
		return nil, err
	}
	err = n.do(func() (err error) {
		l, err = listenConfig().Listen(ctx, network, addr)
		return err
	})
	return l, err
}

func (n netns) listenPacket(ctx context.Context, network, addr string) (c net.PacketConn, err error) {
	if err := checkListenAddr(addr); err != nil {
		return nil, err
	}
	err = n.do(func() (err error) {
		c, err = listenConfig().ListenPacket(ctx, network, addr)
		return err
	})
	return c, err
}
