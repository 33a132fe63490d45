package nginx

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"molo/internal/policy"
)

// plainPath is the path of a file in the characters that policies have for them.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._@+-]+)+$`)

// filePath returns the path of a file.
func filePath(name string) (token, error) {
	if len(name) > 2048 || !plainPath.MatchString(name) {
		return token{}, fmt.Errorf("%.60q is not the path of a file in letters, digits and / . _ - + @", name)
	}
	return bare(name), nil
}

// address returns where an application listens. Whether that is on this host is
// a question of its own.
func address(at policy.Address) (token, error) {
	if at.Socket != "" {
		t, err := filePath(at.Socket)
		return bare("unix:" + t.text), err
	}
	addr := at.TCP.Addr()
	if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" || addr.Is4In6() || at.TCP.Port() == 0 {
		return token{}, fmt.Errorf("upstream %s is not an address and port of one server, such as 127.0.0.1:8080", at.TCP)
	}
	return bare(at.TCP.String()), nil
}

// network returns a network in CIDR notation.
func network(p netip.Prefix) (token, error) {
	if !p.IsValid() || p.Masked() != p || p.Addr().Is4In6() {
		return token{}, fmt.Errorf("%s is not a network", p)
	}
	return bare(p.String()), nil
}

// plainRequestPath is a path in the characters that mean themselves in a URL.
var plainRequestPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// pathPattern returns the regular expression of a path. Of its characters only
// the dot means something else there, and it is written without a backslash,
// which nginx would read once more.
func pathPattern(path string) (token, error) {
	if len(path) > 512 || !plainRequestPath.MatchString(path) {
		return token{}, fmt.Errorf("%.60q is not a path of letters, digits and / . _ ~ -", path)
	}
	pattern := strings.ReplaceAll(path, ".", "[.]")
	return bare(pattern), nil
}

// plainTarget is a URL of http or https, or a path, with or without a query.
var plainTarget = regexp.MustCompile(`^(https?://[a-z0-9.-]+(:[0-9]{1,5})?)?(/[A-Za-z0-9/._~?=&-]*)?$`)

// redirectTarget returns where a client is led.
func redirectTarget(to string) (token, error) {
	if to == "" || strings.HasPrefix(to, "//") || len(to) > 2048 || !plainTarget.MatchString(to) {
		return token{}, fmt.Errorf("%.60q is neither a URL of http or https nor a path", to)
	}
	return bare(to), nil
}

// redirectStatus returns a status that leads somewhere.
func redirectStatus(status int) (token, error) {
	if !slices.Contains([]int{301, 302, 307, 308}, status) {
		return token{}, fmt.Errorf("status %d leads nowhere", status)
	}
	return number(status), nil
}

// seconds returns a time of whole seconds, at least one.
func seconds(d time.Duration) (token, error) {
	if d < time.Second || d%time.Second != 0 || d > 366*24*time.Hour {
		return token{}, fmt.Errorf("%s is not a time of whole seconds, up to a year", d)
	}
	return bare(strconv.FormatInt(int64(d/time.Second), 10) + "s"), nil
}

// count returns a number that is not negative.
func count(n int) (token, error) {
	if n < 0 {
		return token{}, fmt.Errorf("%d is less than nothing", n)
	}
	return number(n), nil
}

// positive returns a number above zero.
func positive(n int) (token, error) {
	if n < 1 {
		return token{}, fmt.Errorf("%d is not above zero", n)
	}
	return number(n), nil
}

// rate returns a number of requests in a second or a minute.
func rate(r policy.Rate) (token, error) {
	if r.Count < 1 || r.Per != "s" && r.Per != "m" {
		return token{}, fmt.Errorf("%s is not a number of requests in a second or a minute", r)
	}
	return bare(fmt.Sprintf("%dr/%s", r.Count, r.Per)), nil
}

// protocol returns the scheme of what an application speaks.
func protocol(name string) (token, error) {
	return oneOf(name, "http", "https", "grpc", "grpcs")
}

// cookieFlag returns a flag of a cookie.
func cookieFlag(name string) (token, error) {
	return oneOf(name, "secure", "httponly", "samesite=lax", "samesite=strict", "samesite=none")
}

// oneOf returns one of some words.
func oneOf(word string, words ...string) (token, error) {
	if !slices.Contains(words, word) {
		return token{}, fmt.Errorf("%.60q is not one of %s", word, strings.Join(words, ", "))
	}
	return bare(word), nil
}
