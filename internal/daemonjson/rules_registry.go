package daemonjson

import (
	"cmp"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

func registryRules() []func(*check) { return []func(*check){mirrors, insecureRegistries} }

// mirrors looks at registry-mirrors. A path is possible since 24.0. What it says repeats
// no URL: there may be a password in it.
func mirrors(c *check) {
	for i, s := range c.strings("registry-mirrors") {
		u, err := url.Parse(s)
		hint := `write a URL such as "https://mirror.example.no"`
		var why string
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.Contains(s, "://"):
			why = "this is no URL that begins with https:// or http://"
		case u.RawQuery != "" || u.Fragment != "":
			why = "the URL has a query or a fragment"
		case u.User != nil:
			why, hint = "the URL holds a user or a password", "take it out: docker login is where they belong"
		case u.Path != "" && u.Path != "/" && !c.since(24, 0):
			why = "before 24.0 dockerd takes no path in the URL"
		default:
			continue
		}
		c.fatal(why, hint, "registry-mirrors", strconv.Itoa(i))
	}
}

// insecureRegistries looks at the registries that dockerd may ask without TLS: hosts,
// with or without a port, and networks.
func insecureRegistries(c *check) {
	for i, s := range c.strings("insecure-registries") {
		name := s
		for _, scheme := range []string{"http://", "https://"} {
			if strings.HasPrefix(strings.ToLower(s), scheme) {
				name = s[len(scheme):] // dockerd takes it away, with a warning in its log
			}
		}
		if _, err := netip.ParsePrefix(name); err != nil && !isHostPort(name) {
			c.fatal("this is neither a host, nor a host and a port, nor a network", `write one such as "registry.example.no:5000"`, "insecure-registries", strconv.Itoa(i))
		}
	}
}

// isHostPort reports whether s is a host's name or address, with or without a port.
func isHostPort(s string) bool {
	host, port, has := s, "", false
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !isAddress(s) {
		host, port, has = s[:i], s[i+1:], true
	}
	if number, err := strconv.Atoi(cmp.Or(port, "0")); has && (err != nil || number < 0 || number > 65535) {
		return false
	}
	return isDomain(host) || isAddress(strings.Trim(host, "[]"))
}
