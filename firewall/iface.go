package firewall

import (
	"fmt"
	"strings"
)

// Interface names a network interface, or, with a "+" at its end, every interface
// whose name begins so. The zero value stands for any.
type Interface string

// parseInterface checks a name or a pattern by the rule that UFW applies, which is
// stricter than the kernel's: at most 15 bytes, and none that a shell or
// iptables-restore could take for something else.
func parseInterface(name string) (Interface, error) {
	if name == "" || name == "." || name == ".." || len(name) > 15 {
		return "", fmt.Errorf("bad interface name %q", name)
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("_-.+,=%@", rune(c)) {
			return "", fmt.Errorf("bad interface name %q", name)
		}
	}
	return Interface(name), nil
}

// parseLink checks the name of one link. A link may be called "x+", but iptables
// would take that for a pattern.
func parseLink(name string) (Interface, error) {
	if strings.HasSuffix(name, "+") {
		return "", fmt.Errorf("interface name %q would be a pattern", name)
	}
	return parseInterface(name)
}

// matches reports whether a link is meant.
func (i Interface) matches(link string) bool {
	if prefix, pattern := strings.CutSuffix(string(i), "+"); pattern {
		return strings.HasPrefix(link, prefix)
	}
	return i == "" || string(i) == link
}
