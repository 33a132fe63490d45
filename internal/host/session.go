package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

// Session returns the connection through which somebody is at work here, where the kernel
// forwards it to a container: an SSH server or a VPN in a container. Any other connection
// is UFW's business, which molo does not touch.
func (h *Host) Session() (facts.Flow, bool, error) {
	if h.offline() {
		return facts.Flow{}, false, nil
	}
	client, ok, err := sshClient(os.Getpid())
	if err != nil || !ok {
		return facts.Flow{}, false, err
	}
	family := netlink.InetFamily(unix.AF_INET)
	if client.Addr().Is6() {
		family = unix.AF_INET6
	}
	flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
	if err != nil {
		return facts.Flow{}, false, fmt.Errorf("looking for the connection that this is run from: %w", err)
	}
	links := &judge{links: map[netip.Addr]string{}}
	for _, f := range flows {
		flow, ok := flowOf(f)
		if ok && flow.Original.IsValid() && flow.Source == client {
			flow.In, flow.Out = links.link(flow.Source.Addr()), links.link(flow.Container.Addr())
			return flow, true, links.err
		}
	}
	return facts.Flow{}, false, nil
}

// sshClient finds who is at the other end of the SSH connection that a process belongs
// to. sudo takes the variable away, so that its parents are asked too.
func sshClient(pid int) (netip.AddrPort, bool, error) {
	for pid > 1 {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				return netip.AddrPort{}, false, nil
			}
			return netip.AddrPort{}, false, fmt.Errorf("looking for the connection that this is run from: %w", err)
		}
		for variable := range bytes.SplitSeq(environment, []byte{0}) {
			if value, ok := strings.CutPrefix(string(variable), "SSH_CONNECTION="); ok {
				client, ok := parseClient(value)
				return client, ok, nil
			}
		}
		if pid, err = parent(pid); err != nil {
			return netip.AddrPort{}, false, err
		}
	}
	return netip.AddrPort{}, false, nil
}

// parseClient reads "CLIENT PORT SERVER PORT", as sshd writes it.
func parseClient(value string) (netip.AddrPort, bool) {
	fields := strings.Fields(value)
	if len(fields) != 4 {
		return netip.AddrPort{}, false
	}
	addr, err1 := netip.ParseAddr(fields[0])
	port, err2 := strconv.ParseUint(fields[1], 10, 16)
	if err1 != nil || err2 != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.WithZone("").Unmap(), uint16(port)), true
}

// parent returns the process that started another; 0 if there is none.
func parent(pid int) (int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("looking for the connection that this is run from: %w", err)
	}
	// The name in parentheses may hold anything.
	after := stat[bytes.LastIndexByte(stat, ')')+1:]
	fields := strings.Fields(string(after))
	if len(fields) < 2 {
		return 0, nil
	}
	return strconv.Atoi(fields[1])
}
