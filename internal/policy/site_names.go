package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

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

// otherName reads one item of redirect_from.
func otherName(before []string, n node) (string, []fault) {
	v, faults := text(hostName)(n)
	if faults != nil {
		return "", faults
	}
	name := v.(string)
	if slices.Contains(before, name) {
		return name, []fault{{summary: "Name listed twice", why: fmt.Sprintf("%q is in the list already.", name), hint: "list each name once", at: n.at}}
	}
	return name, nil
}
