package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// plugAll brings a booting host's network up: the loopback interface and the cables of its peers.
func (h *Host) plugAll(host netns) error {
	nl, err := host.netlink()
	if err != nil {
		return err
	}
	defer nl.Close()
	if err := up(nl, "lo"); err != nil {
		return err
	}
	for _, link := range h.state.Peers {
		if h.peers[link.Name] == nil { // another process made it
			if h.peers[link.Name], err = h.openPeer(link); err != nil {
				return err
			}
		}
		if err := plug(host, h.peers[link.Name]); err != nil {
			return fmt.Errorf("peer %s: %w", link.Name, err)
		}
	}
	return nil
}

// unplugAll takes the cables out of the peers. The kernel would do that too, some time after the host is gone.
func (h *Host) unplugAll() error {
	for _, p := range h.peers {
		nl, err := p.net.netlink()
		if err != nil {
			return err
		}
		err = unplug(nl)
		nl.Close()
		if err != nil {
			return fmt.Errorf("unplugging peer %s: %w", p.name, err)
		}
	}
	return nil
}

const peerInterface = "eth0"

func unplug(nl *netlink.Handle) error {
	link, err := nl.LinkByName(peerInterface)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := nl.LinkDel(link); !errors.Is(err, unix.ENODEV) { // the kernel may come first
		return err
	}
	return nil
}

// plug connects a peer. Both ends of the cable are made where they belong: the machine's own network never sees them.
func plug(host netns, p *Peer) error {
	here, err := host.netlink()
	if err != nil {
		return err
	}
	defer here.Close()
	there, err := p.net.netlink()
	if err != nil {
		return err
	}
	defer there.Close()
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: p.HostInterface}, PeerName: peerInterface,
		PeerNamespace: netlink.NsFd(int(p.net.file.Fd())),
	}
	if err := here.LinkAdd(cable); err != nil {
		return fmt.Errorf("adding a cable: %w", err)
	}
	if err := address(here, p.HostInterface, p.HostAddr4, p.HostAddr6); err != nil {
		return err
	}
	if err := address(there, peerInterface, p.Addr4, p.Addr6); err != nil {
		return err
	}
	if err := up(there, "lo"); err != nil {
		return err
	}
	return route(there, p.HostAddr4, p.HostAddr6)
}

// address gives an interface its addresses and brings it up. IPv6 addresses are used at once, without asking around for
// others that have them.
func address(nl *netlink.Handle, name string, v4, v6 netip.Addr) error {
	link, err := nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", name, err)
	}
	for _, prefix := range []netip.Prefix{netip.PrefixFrom(v4, 30), netip.PrefixFrom(v6, 64)} {
		addr := &netlink.Addr{IPNet: &net.IPNet{
			IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
		}}
		if prefix.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := nl.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("giving %s the address %v: %w", name, prefix, err)
		}
	}
	return up(nl, name)
}

func up(nl *netlink.Handle, name string) error {
	link, err := nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", name, err)
	}
	if err := nl.LinkSetUp(link); err != nil {
		return fmt.Errorf("bringing %s up: %w", name, err)
	}
	return nil
}

// route makes gateways of these addresses, for everything.
func route(nl *netlink.Handle, gateways ...netip.Addr) error {
	link, err := nl.LinkByName(peerInterface)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", peerInterface, err)
	}
	for _, gw := range gateways {
		r := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: gw.AsSlice()}
		if err := nl.RouteAdd(r); err != nil {
			return fmt.Errorf("routing through %v: %w", gw, err)
		}
	}
	return nil
}

// netlink opens a socket for the namespace's interfaces, addresses and routes.
func (n netns) netlink() (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(vnetns.NsHandle(n.file.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening netlink: %w", err)
	}
	return h, nil
}
