package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/net/idna"
)

// sites makes the Sites of their sections, in the order of their names.
func (d *decoder) sites(sections []*section) []*Site {
	var sites []*Site
	for _, s := range sections {
		sites = append(sites, &Site{
			Name:     valueOf[string](s.label),
			Upstream: get[netip.AddrPort](s, "upstream"),
			Port:     get[uint16](s, "port"),
			MaxBody:  get[int64](s, "max_body"),
			Headers:  d.headers(s),
			TLS:      d.tls(s),
			Range:    s.header,
		})
	}
	d.loops(sites)
	d.tlsPorts(sites)
	slices.SortStableFunc(sites, func(a, b *Site) int { return cmp.Compare(a.Name.V, b.Name.V) })
	return sites
}

// loops reports an upstream on a port that nginx itself listens on: it listens on
// every address, so no container can have the port, and requests would run in circles.
func (d *decoder) loops(sites []*Site) {
	serves := map[uint16]*Site{}
	asked := map[uint16]hcl.Range{}
	for _, s := range sites {
		for _, port := range s.Ports() {
			serves[port.V], asked[port.V] = s, port.Range
		}
	}
	for _, s := range sites {
		port := s.Upstream.V.Port()
		other, loop := serves[port]
		if !loop || !s.Upstream.V.IsValid() {
			continue
		}
		d.diags = append(d.diags, invalid(fault{
			summary: "Upstream is nginx itself",
			why:     fmt.Sprintf("Nginx serves port %d on all addresses, because the site %q at %s asks for it; no container can listen there.", port, other.Name.V, place(asked[port])),
			hint:    "publish the container on another port of 127.0.0.1",
		}, s.Upstream.Range))
	}
}

// hostName reads the name of a site: a host name of RFC 1123 that is not an
// address, in lower case.
func hostName(s string) (string, *fault) {
	name := strings.ToLower(s)
	bad := func(why, hint string) (string, *fault) {
		return "", &fault{summary: "Invalid host name", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	host, port, _ := strings.Cut(name, ":")
	switch {
	case err == nil || digits(name[strings.LastIndex(name, ".")+1:], len(name)):
		return bad("is an address; nginx tells sites apart by the name in the request", "write the name that visitors type")
	case strings.Contains(name, "://"):
		return bad("is a URL", "write the host name alone")
	case strings.HasPrefix(name, "*."):
		return bad("is a wildcard, which sites don't have yet", "write a block site for each name")
	case strings.HasSuffix(name, "."):
		return bad("ends with a dot", fmt.Sprintf("write %q", strings.TrimRight(name, ".")))
	case host != "" && digits(port, len(port)):
		return bad("has a port", "write the name alone and the attribute port inside the block")
	case strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }):
		return bad("has letters outside ASCII", asciiName(name))
	case len(name) > 253:
		return bad("is longer than 253 bytes", "no name server can answer for it")
	}
	return name, dnsLabels(s, name)
}

// dnsLabels checks the labels of a host name (RFC 1123, 2.1) and the A-labels
// among them (RFC 5891).
func dnsLabels(s, name string) *fault {
	for part := range strings.SplitSeq(name, ".") {
		if !word(part, 63, "-") || strings.HasSuffix(part, "-") || !readable(part) {
			return &fault{
				summary: "Invalid host name",
				why:     fmt.Sprintf("%q has the part %q: the parts between the dots have 1 to 63 letters, digits and -, and no - at either end.", s, part),
				hint:    `write a name such as "app.example.no"`,
			}
		}
	}
	return nil
}

// readable reports whether a label is no A-label, or one that stands for a name.
func readable(label string) bool {
	if !strings.HasPrefix(label, "xn--") {
		return true
	}
	_, err := idna.Lookup.ToUnicode(label)
	return err == nil
}

// asciiName returns a hint: the name as name servers know it.
func asciiName(name string) string {
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return "write its xn-- form (RFC 5890)"
	}
	return fmt.Sprintf("write %q, as name servers know it", ascii)
}

// upstream reads where a container listens: an address of the loopback and a port.
func upstream(s string) (netip.AddrPort, *fault) {
	bad := func(why, hint string) (netip.AddrPort, *fault) {
		return netip.AddrPort{}, &fault{summary: "Invalid upstream", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	const example = `write an address and a port, such as "127.0.0.1:8081"`
	at, err := netip.ParseAddrPort(s)
	_, addrErr := netip.ParseAddr(strings.Trim(s, "[]"))
	switch {
	case strings.Contains(s, "/"):
		return bad("is a URL or a path; nginx speaks plain HTTP to the upstream and passes paths on as they are", example)
	case err != nil && addrErr == nil:
		return bad("has no port", example)
	case err != nil:
		return bad("is not an address and a port. Names are not looked up: one that can't be resolved keeps nginx from starting, with all its sites", example)
	case at.Port() == 0:
		return bad("has port 0, which nothing listens on", "write the port that the container is published on")
	case !at.Addr().IsLoopback() || at.Addr().Is4In6() || at.Addr().Zone() != "":
		return bad("is not loopback: a container that others can reach there can be asked past nginx and its headers",
			fmt.Sprintf(`publish the container with -p 127.0.0.1:%d:… and write "127.0.0.1:%d"`, at.Port(), at.Port()))
	}
	return at, nil
}

// bodySize reads the size of a request body, as nginx spells it, and returns bytes.
func bodySize(s string) (int64, *fault) {
	const most = 1 << 40
	bad := func(why, hint string) (int64, *fault) {
		return 0, &fault{summary: "Invalid size", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	size := strings.ToLower(s)
	number := strings.TrimRight(size, "kmg")
	factor, known := map[string]int64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[size[len(number):]]
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case !digits(number, 13) || !known || err != nil:
		return bad("is not a size", `write bytes, or a number and k, m or g: "10m"`)
	case n == 0:
		return bad("would mean no bound to nginx: one request could fill the disk", `write the most that the application takes, such as "2g"`)
	case n > most/factor:
		return bad("is more than 1024g", "write the most that the application takes")
	}
	return n * factor, nil
}
