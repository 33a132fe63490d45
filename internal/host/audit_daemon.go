package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/provision"
)

// strangerTimeout bounds one request to a socket of dockerd's.
const strangerTimeout = 2 * time.Second

// daemonSockets lists the TCP sockets that dockerd listens on, those included that
// systemd has handed to it, and asks whether the Engine API answers there. That says what
// is in force: files may have changed since dockerd started.
func (h *Host) daemonSockets(ctx context.Context) ([]facts.DaemonSocket, error) {
	unit, err := h.unit(ctx, provision.DockerUnit)
	if err != nil || unit.MainPID == 0 {
		return nil, err
	}
	sockets, err := socketsOf(int(unit.MainPID))
	if err != nil {
		return nil, err
	}
	all := make([]facts.DaemonSocket, len(sockets))
	var jobs []func()
	for i, at := range sockets {
		jobs = append(jobs, func() { all[i] = daemonSocket(ctx, at) })
	}
	parallel(engineWorkers, jobs)
	return all, nil
}

func daemonSocket(ctx context.Context, at netip.AddrPort) facts.DaemonSocket {
	open, err := answersStrangers(ctx, at)
	if err != nil {
		return facts.DaemonSocket{Address: at, Unread: unreadable("", "", err).Why}
	}
	return facts.DaemonSocket{Address: at, Open: open}
}

// socketsOf lists the addresses that a process listens on over TCP. A socket for both
// address families is listed once.
func socketsOf(pid int) ([]netip.AddrPort, error) {
	links, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		return nil, fmt.Errorf("looking for the sockets of process %d: %w", pid, err)
	}
	order, byInode, err := openSockets(diagnosis{"tcp", unix.IPPROTO_TCP, listening})
	if err != nil {
		return nil, err
	}
	own := map[uint32]bool{}
	for _, link := range links {
		target, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "fd", link.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // closed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the sockets of process %d: %w", pid, err)
		}
		if inode, ok := socketInode(target); ok {
			own[inode] = true
		}
	}
	var all []netip.AddrPort
	for _, inode := range order {
		if s := byInode[inode]; own[inode] && len(s) > 0 {
			all = append(all, netip.AddrPortFrom(s[0].Address, s[0].Port))
		}
	}
	return all, nil
}

// socketInode reads what a link in /proc/PID/fd leads to: "socket:[4711]".
func socketInode(target string) (uint32, bool) {
	digits, ok := strings.CutPrefix(target, "socket:[")
	inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 32)
	return uint32(inode), ok && err == nil
}

// answersStrangers reports whether the Engine API answers at an address to somebody who
// shows no certificate, in the clear or over TLS. dockerd's other sockets (of its swarm,
// with its metrics) speak otherwise.
func answersStrangers(ctx context.Context, at netip.AddrPort) (bool, error) {
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(map[bool]netip.Addr{true: netip.MustParseAddr("127.0.0.1"), false: netip.IPv6Loopback()}[at.Addr().Is4()], at.Port())
	}
	for _, scheme := range []string{"http", "https"} {
		open, err := answersPing(ctx, scheme+"://"+at.String())
		if err != nil || open {
			return open, err
		}
	}
	return false, nil
}

// answersPing asks for what every engine answers. An error says that it could not be
// asked; who hangs up or talks of something else is not the Engine API.
func answersPing(ctx context.Context, address string) (bool, error) {
	transport := &http.Transport{
		// Whoever answers: there is nothing to be kept from it.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	client := &http.Client{Transport: transport, Timeout: strangerTimeout}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/_ping", nil)
	if err != nil {
		return false, err
	}
	answer, err := client.Do(request)
	var problem net.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &problem) && problem.Timeout(), errors.As(err, &dial) && dial.Op == "dial":
		return false, fmt.Errorf("asking %s: %w", address, err)
	case err != nil:
		return false, nil
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK && answer.Header.Get("Api-Version") != "", nil
}
