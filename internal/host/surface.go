package host

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

// containersOnTheWire lists the running containers that have addresses of their own on a
// link of the host.
func containersOnTheWire(d facts.Docker) []facts.Container {
	drivers := map[string]string{}
	for _, n := range d.Networks {
		drivers[n.Name] = n.Driver
	}
	var all []facts.Container
	for _, c := range d.Containers {
		direct := slices.ContainsFunc(c.Endpoints, func(e facts.Endpoint) bool {
			return drivers[e.Network] == "macvlan" || drivers[e.Network] == "ipvlan"
		})
		if c.Running && direct {
			all = append(all, c)
		}
	}
	return all
}

// onTheWire lists the sockets of such containers, in their own network namespaces. One
// that has ended since it was asked about listens nowhere.
func onTheWire(d facts.Docker) ([]facts.Socket, error) {
	var all []facts.Socket
	for _, c := range containersOnTheWire(d) {
		if c.PID == 0 {
			continue
		}
		sockets, err := socketsInside(c)
		switch {
		case err == nil:
			all = append(all, sockets...)
		case !ended(c.PID):
			return nil, fmt.Errorf("listing the ports of container %s: %w", c.Name, err)
		}
	}
	return all, nil
}

// socketsInside lists the sockets of a container that is not on the host's network.
func socketsInside(c facts.Container) (sockets []facts.Socket, err error) {
	err = inNamespace(fmt.Sprintf("/proc/%d/ns/net", c.PID), func() error {
		sockets, err = listeners()
		return err
	})
	for i := range sockets {
		sockets[i].Container = c.ID
	}
	return sockets, err
}

// inNamespace does a job on a thread in another network namespace. The thread stays
// locked, so that the runtime ends it with the goroutine.
func inNamespace(path string, job func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		ns, err := os.Open(path)
		if err != nil {
			done <- err
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering %s: %w", path, err)
			return
		}
		done <- job()
	}()
	return <-done
}

// RouteTo returns the link that leads to an address, and the host's own address
// that is used there. Both are empty where nothing leads there.
func (h *Host) RouteTo(a netip.Addr) (link string, own netip.Addr, err error) {
	if h.offline() {
		return "", netip.Addr{}, errors.New("these are the files of an image: no packet gets there")
	}
	routes, err := netlink.RouteGet(a.AsSlice())
	if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
		return "", netip.Addr{}, nil
	}
	if err != nil || len(routes) == 0 {
		return "", netip.Addr{}, fmt.Errorf("asking for the route to %s: %w", a, err)
	}
	l, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return "", netip.Addr{}, fmt.Errorf("asking for the route to %s: %w", a, err)
	}
	own, _ = netip.AddrFromSlice(routes[0].Src)
	return l.Attrs().Name, own.Unmap(), nil
}
