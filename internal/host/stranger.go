package host

import (
	"context"
	"errors"
	"fmt"
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

// strange picks addresses that no address or route of the host is about.
func strange() (facts.Stranger, error) {
	taken, err := known()
	if err != nil {
		return facts.Stranger{}, fmt.Errorf("looking for addresses that nobody uses: %w", err)
	}
	who := facts.Stranger{Link: strangerLink}
	who.Host4, who.Address4, err = free(taken, "198.51.100.0/30", "192.0.2.0/30", "203.0.113.0/30")
	if err == nil && hasIPv6() {
		who.Host6, who.Address6, err = free(taken, "2001:db8:ffff::/126", "2001:db8:fffe::/126")
	}
	return who, err
}

// known lists the networks that the host has addresses in or routes to, but for
// default routes.
func known() ([]netip.Prefix, error) {
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	var all []netip.Prefix
	for _, a := range addresses {
		all = append(all, prefix(a.IP, a.Mask))
	}
	for _, r := range routes {
		if r.Dst != nil {
			if p := prefix(r.Dst.IP, r.Dst.Mask); p.Bits() > 0 {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

func prefix(ip, mask []byte) netip.Prefix {
	addr, _ := netip.AddrFromSlice(ip)
	bits := 0
	for _, b := range mask {
		for ; b != 0; b <<= 1 {
			bits++
		}
	}
	return netip.PrefixFrom(addr.Unmap(), bits)
}

// free returns the first two addresses that hosts may have in the first network
// that nobody knows.
func free(taken []netip.Prefix, networks ...string) (first, second netip.Addr, err error) {
	for _, text := range networks {
		network := netip.MustParsePrefix(text)
		used := false
		for _, t := range taken {
			used = used || t.Overlaps(network)
		}
		if !used {
			first = network.Addr().Next()
			return first, first.Next(), nil
		}
	}
	return first, second, fmt.Errorf("a stranger needs addresses that this host does not know, and it has addresses in or routes to all of %q", networks)
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
	attrs := netlink.NewLinkAttrs()
	attrs.Name = strangerLink
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(ns.Fd()))}
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
		return errors.Join(throughHost(s.Host4, s.Host6), operational(ctx, "eth0"))
	})
	return errors.Join(err, operational(ctx, strangerLink))
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

// Close removes the link and ends the namespace.
func (s *Stranger) Close() error {
	close(s.work)
	if s.link == nil {
		return nil
	}
	if err := netlink.LinkDel(s.link); err != nil {
		return fmt.Errorf("removing the link %s: %w", strangerLink, err)
	}
	return nil
}
