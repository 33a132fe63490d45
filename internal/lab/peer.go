package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
)

// Peer is another machine, at the other end of a cable to a host. It has nothing but a network: commands that run there
// are the machine's own, and Go code can open its sockets there. The host is its gateway. It stays when the host reboots.
type Peer struct {
	Addr4, Addr6         netip.Addr // its own addresses
	HostAddr4, HostAddr6 netip.Addr // the host's, on the same cable
	HostInterface        string     // the host's end of the cable

	name string
	link int
	net  netns
}

const maxLinks = 64 // as many /30 as 203.0.113.0/24 has

// newPeer derives everything from the number of the cable: 203.0.113.0/24 and 2001:db8::/32 are for documentation, so
// they are public addresses to every rule, and nobody's (RFC 5737, RFC 3849).
func newPeer(p peerLink) *Peer {
	v4 := func(host int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(4*p.Link + host)}) }
	v6 := func(host int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 4: 0, 5: byte(p.Link), 15: byte(host)})
	}
	return &Peer{
		Addr4: v4(2), Addr6: v6(2), HostAddr4: v4(1), HostAddr6: v6(1),
		HostInterface: fmt.Sprintf("eth%d", p.Link), name: p.Name, link: p.Link,
	}
}

// Peer returns the machine called name next to the host, and makes it if there is none yet.
func (h *Host) Peer(ctx context.Context, name string) (*Peer, error) {
	p, err := h.peer(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("connecting peer %s to %s: %w", name, h.name, err)
	}
	return p, nil
}

func (h *Host) peer(ctx context.Context, name string) (*Peer, error) {
	if !validName(name) {
		return nil, errors.New("a peer's name is short, lower case and plain")
	}
	unlock, err := h.own(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	run, err := h.running()
	if err != nil {
		return nil, err
	}
	if p, ok := h.peers[name]; ok {
		return p, nil
	}
	var p *Peer
	if i := slices.IndexFunc(h.state.Peers, func(p peerLink) bool { return p.Name == name }); i >= 0 {
		p, err = h.openPeer(h.state.Peers[i])
	} else {
		p, err = h.addPeer(run, name)
	}
	if err != nil {
		return nil, err
	}
	h.peers[name] = p
	return p, nil
}

// addPeer makes a peer. What it leaves behind when it fails goes with the host.
func (h *Host) addPeer(run *running, name string) (*Peer, error) {
	link, err := freeLink(h.state.Peers)
	if err != nil {
		return nil, err
	}
	added := peerLink{Name: name, Link: link}
	if err := newNetns(h.file("peer", name)); err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	p, err := h.openPeer(added)
	if err != nil {
		return nil, err
	}
	if err := plug(run.net, p); err != nil {
		return nil, err
	}
	h.state.Peers = append(h.state.Peers, added)
	return p, h.state.write(h.dir)
}

func (h *Host) openPeer(link peerLink) (*Peer, error) {
	f, err := os.Open(h.file("peer", link.Name))
	if err != nil {
		return nil, err
	}
	p := newPeer(link)
	p.net = netns{f}
	return p, nil
}

func freeLink(used []peerLink) (int, error) {
	for n := range maxLinks {
		if !slices.ContainsFunc(used, func(p peerLink) bool { return p.Link == n }) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("a host has room for %d peers", maxLinks)
}

// Name returns the peer's name.
func (p *Peer) Name() string { return p.name }

// Command returns a command of the machine that will run in the peer's network.
func (p *Peer) Command(ctx context.Context, argv ...string) *exec.Cmd {
	net := fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), p.net.file.Fd())
	return grouped(ctx, "nsenter", append([]string{net, "--"}, argv...)...)
}

// Run runs a command of the machine in the peer's network to its end, like Host.Run.
func (p *Peer) Run(ctx context.Context, argv ...string) (Result, error) {
	res, err := run(ctx, p.Command(ctx, argv...))
	if err != nil {
		return res, fmt.Errorf("running %s on peer %s: %w", argv[0], p.name, err)
	}
	return res, nil
}

// Do calls f on a thread that is in the peer's network: sockets that f opens belong there, whoever uses them later.
// Goroutines that f starts are elsewhere.
func (p *Peer) Do(f func() error) error { return p.net.do(f) }

// DialContext connects from the peer to an IP address and port. It fits http.Transport.
func (p *Peer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return p.net.dial(ctx, network, addr)
}

// Listen accepts connections at the peer, on an IP address and port or on a port alone.
func (p *Peer) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	return p.net.listen(ctx, network, addr)
}

// ListenPacket receives packets at the peer, on an IP address and port or on a port alone.
func (p *Peer) ListenPacket(ctx context.Context, network, addr string) (net.PacketConn, error) {
	return p.net.listenPacket(ctx, network, addr)
}
