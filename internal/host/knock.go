package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

// atOnce and countedAtOnce bound how many knocks are under way: the sixth that a
// limit rule counts is one too many for it.
const atOnce, countedAtOnce = 64, 4

// patience is when to look for the fate of a packet, and how long in all. It is
// decided while the packet is being sent; the time is for machines with other things
// to do.
func patience() []time.Duration {
	return []time.Duration{20 * time.Millisecond, 80 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond}
}

// Knock sends one packet for each knock and says what became of it. Nothing of them
// is left in the kernel's tables of connections and of counted senders, unless the
// process is killed.
func (s *Stranger) Knock(ctx context.Context, knocks []facts.Knock) ([]facts.Fate, error) {
	// A probe that was killed may have been counted.
	if err := forget(s.Address4, s.Address6); err != nil {
		return nil, err
	}
	fates := make([]facts.Fate, len(knocks))
	var plain, counted []int
	for i, k := range knocks {
		if k.Counted {
			counted = append(counted, i)
		} else {
			plain = append(plain, i)
		}
	}
	batches := slices.AppendSeq(slices.Collect(slices.Chunk(plain, atOnce)), slices.Chunk(counted, countedAtOnce))
	for _, batch := range batches {
		if err := s.knock(ctx, knocks, batch, fates); err != nil {
			return nil, err
		}
	}
	return fates, nil
}

// visit is a knock that is under way.
type visit struct {
	knock facts.Knock
	from  netip.AddrPort
	fd    int
	fate  facts.Fate
}

func (s *Stranger) knock(ctx context.Context, knocks []facts.Knock, batch []int, fates []facts.Fate) (err error) {
	heard, err := hearConfirmations()
	if err != nil {
		return err
	}
	defer heard.close()
	var visits []*visit
	defer func() {
		for _, v := range visits {
			err = errors.Join(err, v.end())
		}
		err = errors.Join(err, forget(s.Address4, s.Address6))
	}()
	err = s.do(func() error {
		for _, i := range batch {
			v, err := s.send(knocks[i])
			if err != nil {
				return fmt.Errorf("sending %s to %s: %w", knocks[i].Protocol, knocks[i].To, err)
			}
			visits = append(visits, v)
		}
		return nil
	})
	if err == nil {
		err = watch(ctx, visits, heard)
	}
	for i, v := range visits {
		fates[batch[i]] = v.fate
	}
	return err
}

// send opens a connection without waiting for it. It runs on the stranger's thread:
// a socket belongs to the namespace that it was made in.
func (s *Stranger) send(k facts.Knock) (*visit, error) {
	kind, family, own := unix.SOCK_STREAM, unix.AF_INET, s.Address4
	if k.Protocol == "udp" {
		kind = unix.SOCK_DGRAM
	}
	if k.To.Addr().Is6() {
		family, own = unix.AF_INET6, s.Address6
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	v := &visit{knock: k, fd: fd}
	if err := v.open(own); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return v, nil
}

func (v *visit) open(own netip.Addr) error {
	if err := unix.Bind(v.fd, sockaddr(netip.AddrPortFrom(own, 0))); err != nil {
		return err
	}
	bound, err := unix.Getsockname(v.fd)
	if err != nil {
		return err
	}
	switch at := bound.(type) {
	case *unix.SockaddrInet4:
		v.from = netip.AddrPortFrom(own, uint16(at.Port))
	case *unix.SockaddrInet6:
		v.from = netip.AddrPortFrom(own, uint16(at.Port))
	}
	if v.knock.Protocol == "tcp" {
		// Whoever answers sees the connection reset at once, instead of holding on to it
		// when the stranger is gone.
		if err := unix.SetsockoptLinger(v.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return err
		}
	}
	err = unix.Connect(v.fd, sockaddr(v.knock.To))
	if errors.Is(err, unix.EINPROGRESS) {
		return nil
	}
	if err == nil && v.knock.Protocol == "udp" {
		// An empty datagram: whoever gets it has nothing to misunderstand.
		_, err = unix.SendmsgN(v.fd, nil, nil, nil, 0)
	}
	return err
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

// watch waits until the fate of every knock is known.
func watch(ctx context.Context, visits []*visit, heard *confirmations) error {
	for _, wait := range patience() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		open := false
		for _, v := range visits {
			if err := v.look(heard); err != nil {
				return err
			}
			open = open || v.fate == ""
		}
		if !open {
			return nil
		}
	}
	for _, v := range visits {
		if v.fate == "" {
			v.fate = facts.Dropped
		}
	}
	return nil
}

// look finds out what is known by now. An answer proves nothing: a refusal may come
// from a container whose port is closed. But the kernel confirms a connection only
// when its first packet has passed every rule, and what REJECT answers confirms none.
func (v *visit) look(heard *confirmations) error {
	if v.fate != "" {
		return nil
	}
	code, err := unix.GetsockoptInt(v.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if err := heard.catchUp(); err != nil {
		return err
	}
	passed, err := tracked(v.knock.Protocol, v.from, v.knock.To)
	switch {
	case err != nil:
		return fmt.Errorf("looking for a connection in the kernel's table: %w", err)
	case passed || heard.began[beginning{protocolNumber(v.knock.Protocol), v.from}] || v.connected():
		v.fate = facts.Passed
	case code != 0:
		v.fate = facts.Refused
	}
	return nil
}

// connected reports whether somebody has accepted the connection.
func (v *visit) connected() bool {
	if v.knock.Protocol != "tcp" {
		return false
	}
	_, err := unix.Getpeername(v.fd)
	return err == nil
}

// end closes the socket and makes the kernel forget the connection.
func (v *visit) end() error {
	return errors.Join(unix.Close(v.fd), untrack(v.knock.Protocol, v.from, v.knock.To))
}
