package firewall

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
)

// endpoint is a running container on a network, with what is known of both.
type endpoint struct {
	facts.Endpoint
	container facts.Container
	network   facts.Network
}

// onTheWire reports whether packets reach the container past every table of the host.
func (e endpoint) onTheWire() bool {
	return e.network.Driver == "macvlan" || e.network.Driver == "ipvlan"
}

// unfiltered is why what is sent to an endpoint on the wire gets there.
func (e endpoint) unfiltered() string {
	return fmt.Sprintf("its %s network %s passes every firewall of this host", e.network.Driver, e.Network)
}

// endpoints lists where running containers are.
func endpoints(d facts.Docker) []endpoint {
	var all []endpoint
	for _, c := range d.Containers {
		if !c.Running {
			continue
		}
		for _, e := range c.Endpoints {
			one := endpoint{Endpoint: e, container: c}
			for _, n := range d.Networks {
				if n.Name == e.Network {
					one.network = n
				}
			}
			all = append(all, one)
		}
	}
	return all
}

func shortID(id string) string { return id[:min(12, len(id))] }

// published lists the ports that Docker publishes.
func (v *View) published(d facts.Docker) []Exposure {
	var all []Exposure
	for _, c := range d.Containers {
		if !c.Running {
			continue
		}
		for _, p := range c.Published {
			address := p.Address
			if !address.IsValid() {
				address = netip.IPv4Unspecified()
			}
			e := Exposure{Kind: Published, Name: c.Name, Protocol: p.Protocol, Address: address, Port: p.Port}
			e.target = target{protocol: PortProtocol(p.Protocol), bound: netip.AddrPortFrom(address, p.Port)}
			switch {
			case !v.translate(&e.target, d, c, p.Container):
				e.Note = "taken in by docker-proxy: to the rules it is a port of the host itself"
			case address.IsLoopback() && d.Major < 28 && v.rules(e.target) == nil:
				e.Note = "Docker before 28 lets neighbours on the link in, too"
			}
			all = append(all, e)
		}
	}
	return all
}

// translate fills in where the kernel sends what arrives at a published port. It
// reports false where docker-proxy takes it in instead: the container has no address
// of the family, or Docker may not use iptables for it.
func (v *View) translate(t *target, d facts.Docker, c facts.Container, port uint16) bool {
	switch {
	case d.Effective.Rootless, !setting(d, "iptables", true):
		return false
	case t.bound.Addr().Is6() && !setting(d, "ip6tables", d.Major >= 27):
		return false
	}
	all := gateways(v.endpoints, c.ID)
	for _, e := range all {
		for _, a := range e.Addresses {
			if !t.translated() && a.Is6() == t.bound.Addr().Is6() {
				t.container, t.bridge = netip.AddrPortFrom(a, port), e.network.Bridge
			}
		}
	}
	if len(all) == 0 {
		// On an overlay network; Docker publishes such a port by way of this bridge.
		t.container, t.bridge = netip.AddrPortFrom(unspecified(t.bound.Addr()), port), "docker_gwbridge"
	}
	return t.translated()
}

// gateways lists the bridge networks of a container, the one that Docker publishes its
// ports on first: that of its default route, which libnetwork picks by priority and then
// by name (Endpoint.Less), and which changes with "docker network connect".
func gateways(all []endpoint, container string) []endpoint {
	var own []endpoint
	for _, e := range all {
		if e.container.ID == container && e.network.Driver == "bridge" && !e.network.Internal {
			own = append(own, e)
		}
	}
	slices.SortStableFunc(own, func(a, b endpoint) int {
		return cmp.Or(-cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Network, b.Network))
	})
	return own
}

// setting returns a boolean option of dockerd, from its arguments or daemon.json.
// (dockerd refuses to start when both name it.)
func setting(d facts.Docker, name string, otherwise bool) bool {
	for _, flag := range d.Flags {
		value, ok := strings.CutPrefix(flag, "--"+name)
		if ok && value == "" {
			return true
		}
		if on, err := strconv.ParseBool(strings.TrimPrefix(value, "=")); ok && err == nil {
			return on
		}
	}
	var config map[string]json.RawMessage
	if json.Unmarshal([]byte(d.Config), &config) != nil || config[name] == nil {
		return otherwise // a file that dockerd can't read starts no daemon at all
	}
	return bytes.Equal(config[name], []byte("true"))
}

// onTheWire lists the ports of containers that have addresses of their own on a link
// of the host: nothing on the host stands between them and their neighbours.
func (v *View) onTheWire(sockets []facts.Socket) []Exposure {
	var all []Exposure
	for _, e := range v.endpoints {
		if !e.onTheWire() {
			continue
		}
		for _, s := range sockets {
			if s.Container != e.container.ID || s.Address.IsLoopback() {
				continue
			}
			for _, a := range e.Addresses {
				if a.Is6() != s.Address.Is6() || !s.Address.IsUnspecified() && s.Address != a {
					continue
				}
				all = append(all, Exposure{
					Kind: OnTheWire, Name: e.container.Name, Protocol: s.Protocol, Address: a, Port: s.Port,
					Reach: []Clause{{Verdict: Allow, Why: e.unfiltered()}},
				})
			}
		}
	}
	return all
}

// sockets lists the ports on which the host's own processes listen, short of those
// by which docker-proxy holds published ports.
func sockets(d facts.Docker, all []facts.Socket) []Exposure {
	var out []Exposure
	for _, s := range all {
		if s.Process == "docker-proxy" || publishes(d, s) {
			continue
		}
		e := Exposure{Kind: Process, Name: s.Process, Protocol: s.Protocol, Address: s.Address, Port: s.Port}
		e.target = target{protocol: PortProtocol(s.Protocol), bound: netip.AddrPortFrom(s.Address, s.Port)}
		if s.Container != "" {
			e.Kind, e.Name = HostNetwork, containerName(d, s.Container)
		}
		e.Note = exception(s)
		if s.Device != "" {
			e.Note = "bound to interface " + s.Device
		}
		if !slices.ContainsFunc(out, func(o Exposure) bool { return o.Kind == e.Kind && o.Name == e.Name && o.target == e.target }) {
			out = append(out, e)
		}
	}
	return out
}

// publishes reports whether a socket holds a port that Docker publishes.
func publishes(d facts.Docker, s facts.Socket) bool {
	return slices.ContainsFunc(d.Containers, func(c facts.Container) bool {
		return c.Running && slices.ContainsFunc(c.Published, func(p facts.Publish) bool {
			return p.Protocol == s.Protocol && p.Port == s.Port && p.Address == s.Address
		})
	})
}

func containerName(d facts.Docker, id string) string {
	for _, c := range d.Containers {
		if c.ID == id {
			return c.Name
		}
	}
	return shortID(id)
}

// exception names what UFW's before.rules and before6.rules, as Debian ships them,
// let in ahead of every other rule.
func exception(s facts.Socket) string {
	if s.Protocol != "udp" {
		return ""
	}
	said := map[uint16]string{
		68:   "ufw's before.rules let in answers of DHCP servers",
		546:  "ufw's before6.rules let in answers of DHCPv6 servers on the link",
		1900: "ufw's before.rules let in UPnP discovery by multicast",
		5353: "ufw's before.rules let in mDNS by multicast",
	}
	return said[s.Port]
}
