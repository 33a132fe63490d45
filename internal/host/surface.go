package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/moby/moby/client"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/provision"
)

// endpoints asks the Engine API on which networks containers run. An engine that
// does not run has none: it is not asked, its socket would start it.
func (h *Host) endpoints(ctx context.Context) ([]facts.Endpoint, error) {
	unit, err := h.unit(ctx, provision.DockerUnit)
	if err != nil {
		return nil, err
	}
	if unit.Active != "active" && unit.Active != "reloading" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	engine, err := client.New(client.WithHost(dockerSocket))
	if err != nil {
		return nil, fmt.Errorf("asking Docker for the addresses of containers: %w", err)
	}
	defer engine.Close()
	list, err := engine.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return nil, fmt.Errorf("asking Docker for the addresses of containers: %w", err)
	}
	return endpointsOf(list), nil
}

// endpointsOf sorts what the API has in maps.
func endpointsOf(list client.ContainerListResult) []facts.Endpoint {
	var all []facts.Endpoint
	for _, c := range list.Items {
		if c.NetworkSettings == nil {
			continue
		}
		for network, settings := range c.NetworkSettings.Networks {
			if settings == nil {
				continue
			}
			e := facts.Endpoint{Container: c.ID, Network: network}
			for _, a := range []netip.Addr{settings.IPAddress, settings.GlobalIPv6Address} {
				if a.IsValid() {
					e.Addresses = append(e.Addresses, a)
				}
			}
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b facts.Endpoint) int {
		return strings.Compare(a.Container+a.Network, b.Container+b.Network)
	})
	return all
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
