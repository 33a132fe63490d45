package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

// Surface reads what packets from outside can be addressed to, besides what Docker
// publishes.
func (h *Host) Surface(ctx context.Context, d facts.Docker) (facts.Surface, error) {
	if h.offline() {
		return facts.Surface{}, errors.New("these are the files of an image: nothing listens there")
	}
	sockets, err := listeners()
	if err != nil {
		return facts.Surface{}, err
	}
	wire, err := onTheWire(d)
	if err != nil {
		return facts.Surface{}, err
	}
	without, err := h.withoutUFW(ctx)
	return facts.Surface{Sockets: sockets, OnTheWire: wire, WithoutUFW: without}, err
}

// The states of sockets that take in packets of anybody, as bits (net/tcp_states.h).
const (
	unconnected = 1 << 7 // TCP_CLOSE: a UDP socket that is bound
	listening   = 1 << 10
)

// listeners lists the sockets of this network namespace, in the kernel's order.
func listeners() ([]facts.Socket, error) {
	order, byInode, err := openSockets(
		diagnosis{"tcp", unix.IPPROTO_TCP, listening}, diagnosis{"udp", unix.IPPROTO_UDP, unconnected}, diagnosis{"sctp", unix.IPPROTO_SCTP, listening},
	)
	if err != nil {
		return nil, err
	}
	if err := name(byInode); err != nil {
		return nil, err
	}
	var all []facts.Socket
	for _, inode := range order {
		all = append(all, byInode[inode]...)
	}
	return all, nil
}

// openSockets lists sockets of this network namespace by their inodes, and the inodes in
// the kernel's order.
func openSockets(kinds ...diagnosis) (order []uint32, byInode map[uint32][]facts.Socket, err error) {
	byInode = map[uint32][]facts.Socket{}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		for _, kind := range kinds {
			messages, err := kind.dump(family)
			if kind.name == "sctp" && errors.Is(err, unix.ENOENT) {
				continue // nobody has used SCTP since the boot: its module is not loaded
			}
			if err != nil {
				return nil, nil, fmt.Errorf("listing %s sockets: %w", kind.name, err)
			}
			for _, m := range messages {
				inode, sockets, err := kind.read(m)
				if err != nil {
					return nil, nil, fmt.Errorf("listing %s sockets: %w", kind.name, err)
				}
				if _, seen := byInode[inode]; !seen {
					order = append(order, inode)
				}
				byInode[inode] = append(byInode[inode], sockets...)
			}
		}
	}
	return order, byInode, nil
}

// diagnosis asks for the sockets of one protocol that are in some states. Package
// netlink asks for all of them, which on a busy host are many.
type diagnosis struct {
	name     string
	protocol uint8
	states   uint32
}

// The sizes of structs in linux/inet_diag.h, and the attribute that says whether a
// socket is for IPv6 only.
const (
	diagRequestSize = 56 // struct inet_diag_req_v2
	diagMessageSize = 72 // struct inet_diag_msg
	diagV6Only      = 11 // INET_DIAG_SKV6ONLY
)

// diagRequest is a struct inet_diag_req_v2.
type diagRequest [diagRequestSize]byte

// Len returns the length of the request in bytes.
func (diagRequest) Len() int { return diagRequestSize }

// Serialize returns the request as the kernel reads it.
func (r diagRequest) Serialize() []byte { return r[:] }

func (d diagnosis) dump(family uint8) ([][]byte, error) {
	var body diagRequest
	body[0], body[1] = family, d.protocol
	binary.NativeEndian.PutUint32(body[4:], d.states)
	request := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
	request.AddData(body)
	return request.Execute(unix.NETLINK_INET_DIAG, 0)
}

// read returns the inode of a socket and the ports it takes packets on: an IPv6
// socket on all addresses takes IPv4 packets too, unless told not to.
func (d diagnosis) read(message []byte) (uint32, []facts.Socket, error) {
	if len(message) < diagMessageSize {
		return 0, nil, fmt.Errorf("the kernel's answer has %d bytes, want %d", len(message), diagMessageSize)
	}
	inode := binary.NativeEndian.Uint32(message[68:])
	socket := facts.Socket{Protocol: d.name, Port: binary.BigEndian.Uint16(message[4:]), Address: netip.AddrFrom4([4]byte(message[8:12]))}
	if device := binary.NativeEndian.Uint32(message[40:]); device != 0 {
		if link, err := netlink.LinkByIndex(int(device)); err == nil {
			socket.Device = link.Attrs().Name
		}
	}
	if message[0] != unix.AF_INET6 {
		return inode, []facts.Socket{socket}, nil
	}
	socket.Address = netip.AddrFrom16([16]byte(message[8:24]))
	if socket.Address.Is4In6() {
		socket.Address = socket.Address.Unmap()
		return inode, []facts.Socket{socket}, nil
	}
	only := attribute(message[diagMessageSize:], diagV6Only)
	if len(only) == 1 && only[0] != 0 || !socket.Address.IsUnspecified() {
		return inode, []facts.Socket{socket}, nil
	}
	both := socket
	both.Address = netip.IPv4Unspecified()
	return inode, []facts.Socket{both, socket}, nil
}

// name fills in whose sockets they are, as far as we may look into processes.
func name(sockets map[uint32][]facts.Socket) error {
	links, err := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	if err != nil {
		return fmt.Errorf("looking for the processes behind sockets: %w", err)
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue // closed meanwhile, or somebody else's
		}
		inode, isSocket := socketInode(target)
		if !isSocket {
			continue
		}
		own := sockets[inode]
		if len(own) == 0 || own[0].PID != 0 {
			continue // the first process of several that share it
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil {
			return fmt.Errorf("looking for the processes behind sockets: %w", err)
		}
		process, container, err := describe(pid)
		if err != nil {
			return err
		}
		for i := range own {
			own[i].PID, own[i].Process, own[i].Container = pid, process, container
		}
	}
	return nil
}

// describe returns the name of a process and the container it is in. One that has
// ended has neither.
func describe(pid int) (process, container string, err error) {
	var texts [2]string
	for i, file := range []string{"comm", "cgroup"} {
		data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			return "", "", fmt.Errorf("looking for the processes behind sockets: %w", err)
		}
		texts[i] = strings.TrimSpace(string(data))
	}
	// A control group is named "/system.slice/docker-ID.scope" or "/docker/ID".
	if found := regexp.MustCompile(`docker[-/]([0-9a-f]{64})`).FindStringSubmatch(texts[1]); found != nil {
		container = found[1]
	}
	return texts[0], container, nil
}
