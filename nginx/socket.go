package nginx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// socket is what one listen directive opens.
type socket struct {
	listen      directive
	addr        string // "*" for every IPv4 address, "[::]" for every IPv6 one
	first, last uint16 // its ports; zero for a Unix socket
}

// listens returns the sockets of a server. One that names none listens on port 80.
func listens(server directive) []socket {
	var out []socket
	for _, d := range server.block {
		if d.name == "listen" && len(d.args) > 0 {
			out = append(out, newSocket(d))
		}
	}
	if len(out) == 0 {
		out = append(out, socket{listen: server, addr: "*", first: 80, last: 80})
	}
	return out
}

// newSocket reads a listen directive: "80", "*:80", "192.0.2.1", "[::]:80", "unix:/path", "8000-8010".
func newSocket(d directive) socket {
	value := d.args[0]
	if strings.HasPrefix(value, "unix:") {
		return socket{listen: d, addr: value}
	}
	addr, ports := "*", value
	if i := strings.LastIndexByte(value, ':'); i >= 0 && !strings.HasSuffix(value, "]") {
		addr, ports = value[:i], value[i+1:]
	} else if strings.ContainsAny(value, ".[") || strings.Trim(value, "0123456789-") != "" {
		addr, ports = value, "80"
	}
	if addr == "0.0.0.0" {
		addr = "*"
	}
	first, last, isRange := strings.Cut(ports, "-")
	if !isRange {
		last = first
	}
	return socket{listen: d, addr: addr, first: port(first), last: port(last)}
}

// port reads a port; nginx has refused what is none.
func port(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// String returns "ADDRESS:PORT", the same for every spelling of one socket; UDP has
// sockets of its own.
func (k socket) String() string {
	if k.option("quic") {
		return fmt.Sprintf("%s:%d/udp", k.addr, k.first)
	}
	switch {
	case k.first == 0:
		return k.addr
	case k.first < k.last:
		return fmt.Sprintf("%s:%d-%d", k.addr, k.first, k.last)
	}
	return fmt.Sprintf("%s:%d", k.addr, k.first)
}

// covers reports whether the socket takes connections to the port.
func (k socket) covers(port uint16) bool { return k.first > 0 && k.first <= port && port <= k.last }

// wildcard reports whether the socket listens on every address of a family.
func (k socket) wildcard() bool { return k.addr == "*" || k.addr == "[::]" }

// option reports whether the directive has one of the options.
func (k socket) option(names ...string) bool {
	return len(k.listen.args) > 1 && slices.ContainsFunc(names, func(name string) bool { return slices.Contains(k.listen.args[1:], name) })
}
