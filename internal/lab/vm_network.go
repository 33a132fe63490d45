package lab

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The machine's card has a fixed address and a fixed slot, and with that a fixed name.
const (
	vmMAC       = "52:54:00:12:34:56"
	vmSlot      = "0x10"
	vmInterface = "enp0s16"
)

// lonePeer makes a peer in a namespace of its own that no file keeps: it ends with this process.
func lonePeer(name string) (*Peer, error) {
	p := newPeer(peerLink{Name: name})
	p.HostInterface = vmInterface
	err := onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() (err error) {
		p.net.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	return p, nil
}

// tap makes the peer's end of the cable; the file is the other end, for an emulator. With the file goes the cable.
func (p *Peer) tap() (f *os.File, err error) {
	err = p.net.do(func() (err error) {
		f, err = openTap(peerInterface)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making a cable: %w", err)
	}
	if err := p.wire(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func openTap(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "tap"), nil
}

// wire gives the peer its addresses, and the machine as its gateway.
func (p *Peer) wire() error {
	nl, err := p.net.netlink()
	if err != nil {
		return err
	}
	defer nl.Close()
	if err := address(nl, peerInterface, p.Addr4, p.Addr6); err != nil {
		return err
	}
	if err := up(nl, "lo"); err != nil {
		return err
	}
	return p.knowHost(nl)
}

// knowHost spares the peer asking who has the machine's addresses: while nobody answers, the kernel would hold packets
// back, and a port that opens just then would not be seen.
func (p *Peer) knowHost(nl *netlink.Handle) error {
	link, err := nl.LinkByName(peerInterface)
	if err != nil {
		return err
	}
	for _, n := range vmNeighbours(p, link.Attrs().Index) {
		if err := nl.NeighSet(n); err != nil {
			return fmt.Errorf("telling the peer where %s is: %w", n.IP, err)
		}
	}
	return route(nl, p.HostAddr4, p.HostAddr6)
}

func vmNeighbours(p *Peer, index int) []*netlink.Neigh {
	mac := []byte{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}
	var all []*netlink.Neigh
	for family, addr := range map[int][]byte{unix.AF_INET: p.HostAddr4.AsSlice(), unix.AF_INET6: p.HostAddr6.AsSlice()} {
		all = append(all, &netlink.Neigh{
			LinkIndex: index, Family: family, IP: addr, HardwareAddr: mac, State: unix.NUD_PERMANENT,
		})
	}
	return all
}

// vmNetworkConfig is cloud-init's description of the cable's end.
func vmNetworkConfig(p *Peer) string {
	return fmt.Sprintf(`version: 2
ethernets:
  %s:
    match:
      macaddress: "%s"
    addresses: [%s/30, "%s/64"]
    routes:
      - to: 0.0.0.0/0
        via: %s
`, vmInterface, vmMAC, p.HostAddr4, p.HostAddr6, p.Addr4)
}
