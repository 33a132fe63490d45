package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

// strangerLink is the host's end of the link to the stranger. There is one at a
// time, so a second stranger can't come by mistake.
const strangerLink = "molo-probe"

// Stranger is somebody outside: a network namespace that nothing but this process
// holds, on a veth link. However the process ends, the namespace ends with it, and
// the kernel removes both ends of the link.
type Stranger struct {
	facts.Stranger
	work chan func()  // run on the thread that is in the namespace
	link netlink.Link // the host's end; nil until it is there
}

// NewStranger brings up a stranger on documentation addresses that this host does
// not know (RFC 5737, RFC 3849). It must be closed.
func (h *Host) NewStranger(ctx context.Context) (*Stranger, error) {
	if h.offline() {
		return nil, errors.New("these are the files of an image: nothing can be probed")
	}
	who, err := strange()
	if err != nil {
		return nil, err
	}
	s := &Stranger{Stranger: who, work: make(chan func())}
	namespace := make(chan *os.File)
	failed := make(chan error)
	go s.live(namespace, failed)
	select {
	case err := <-failed:
		return nil, fmt.Errorf("making a network namespace: %w", err)
	case ns := <-namespace:
		// The namespace's life must hang on the thread alone.
		defer ns.Close()
		if err := s.connect(ctx, ns); err != nil {
			return nil, errors.Join(fmt.Errorf("connecting a network namespace: %w", err), s.Close())
		}
	}
	return s, nil
}

// live is the thread of the stranger. It stays locked, so that the runtime ends it
// with the goroutine instead of letting others run in the namespace.
func (s *Stranger) live(namespace chan<- *os.File, failed chan<- error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		failed <- err
		return
	}
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		failed <- err
		return
	}
	namespace <- ns
	for job := range s.work {
		job()
	}
}

// do runs a job on the stranger's thread.
func (s *Stranger) do(job func() error) error {
	done := make(chan error)
	s.work <- func() { done <- job() }
	return <-done
}

// connect makes the link, with its other end inside the namespace from the start.
func (s *Stranger) connect(ctx context.Context, ns *os.File) error {
	hostEnd, strangerEnd := ends()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = strangerLink, hostEnd
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerHardwareAddr: strangerEnd, PeerNamespace: netlink.NsFd(int(ns.Fd()))}
	err := netlink.LinkAdd(veth)
	if errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("there is a link %s: another probe is under way", strangerLink)
	}
	if err != nil {
		return err
	}
	s.link = veth
	if err := bringUp(strangerLink, s.Host4, s.Host6); err != nil {
		return err
	}
	err = s.do(func() error {
		if err := bringUp("eth0", s.Address4, s.Address6); err != nil {
			return err
		}
		if err := throughHost(s.Host4, s.Host6); err != nil {
			return err
		}
		return acquaint(ctx, "eth0", hostEnd, s.Host4, s.Host6)
	})
	if err != nil {
		return err
	}
	return acquaint(ctx, strangerLink, strangerEnd, s.Address4, s.Address6)
}

// ends returns the hardware addresses of the host's end and of the stranger's. They
// are locally administered (bit 2 of the first byte), and fixed so that systemd-udevd,
// which replaces random ones, leaves them alone.
func ends() (host, stranger net.HardwareAddr) {
	return net.HardwareAddr{0x02, 'm', 'o', 'l', 'o', 1}, net.HardwareAddr{0x02, 'm', 'o', 'l', 'o', 2}
}

// acquaint waits for one end and tells it about the other. The first question of neighbour discovery
// is lost if the other end has not joined its multicast groups yet, and the next one
// comes a second later.
func acquaint(ctx context.Context, name string, other net.HardwareAddr, addresses ...netip.Addr) error {
	if err := operational(ctx, name); err != nil {
		return err
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if !a.IsValid() {
			continue
		}
		neighbour := netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: other}
		if err := netlink.NeighSet(&neighbour); err != nil {
			return fmt.Errorf("telling %s where %s is: %w", name, a, err)
		}
	}
	return nil
}

// operational waits until a link sends packets. The kernel may put that off for a
// second if another link came up just before (net/core/link_watch.c), and loses
// silently what is sent meanwhile.
func operational(ctx context.Context, name string) error {
	return poll(ctx, 5*time.Second, func(context.Context) error {
		link, err := netlink.LinkByName(name)
		if err == nil && link.Attrs().OperState != netlink.OperUp {
			err = fmt.Errorf("%s is %s", name, link.Attrs().OperState)
		}
		return err
	})
}

// bringUp gives a link its addresses. No duplicate can be there to be detected
// (RFC 4862, section 5.4), and waiting for one takes a second.
func bringUp(name string, addresses ...netip.Addr) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if !a.IsValid() {
			continue
		}
		bits := 30
		if a.Is6() {
			bits = 126
		}
		address, err := netlink.ParseAddr(netip.PrefixFrom(a, bits).String())
		if err != nil {
			return err
		}
		if a.Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, address); err != nil {
			return fmt.Errorf("adding %s to %s: %w", a, name, err)
		}
	}
	return netlink.LinkSetUp(link)
}

// throughHost makes the host the way to everywhere. Loopback stays down in the
// namespace: so even 127.0.0.1 leads to the host, as for neighbours who mean harm.
func throughHost(gateways ...netip.Addr) error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	for _, g := range gateways {
		if !g.IsValid() {
			continue
		}
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: g.AsSlice()}); err != nil {
			return fmt.Errorf("adding the route by way of %s: %w", g, err)
		}
	}
	return nil
}

// Who returns the stranger's link and addresses.
func (s *Stranger) Who() facts.Stranger { return s.Stranger }

// Close removes the link and ends the namespace. In that order: the end of a namespace
// takes its links along, at a time of the kernel's.
func (s *Stranger) Close() error {
	defer close(s.work)
	if s.link == nil {
		return nil
	}
	if err := netlink.LinkDel(s.link); err != nil {
		return fmt.Errorf("removing the link %s: %w", strangerLink, err)
	}
	return nil
}
