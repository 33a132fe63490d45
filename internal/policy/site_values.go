package policy

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// upstream reads where an application listens: an address and a port, or a Unix
// socket. Whether the address is one of this host's containers is not known here.
func upstream(s string) (Address, *fault) {
	bad := func(why, hint string) (Address, *fault) {
		return Address{}, &fault{summary: "Invalid upstream", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	const example = `write an address and a port, such as "127.0.0.1:8081", or "unix:/run/app.sock"`
	if socket, ok := strings.CutPrefix(s, "unix:"); ok {
		if _, f := filePath(socket); f != nil {
			return bad("is not the path of a socket", `write the whole path: "unix:/run/app.sock"`)
		}
		return Address{Socket: socket}, nil
	}
	at, err := netip.ParseAddrPort(s)
	_, addrErr := netip.ParseAddr(strings.Trim(s, "[]"))
	switch {
	case strings.Contains(s, "://"):
		return bad("is a URL; the attribute protocol says what the application speaks, and paths are passed on as they are", example)
	case strings.Contains(s, "/"):
		return bad("is a path", example)
	case err != nil && addrErr == nil:
		return bad("has no port", example)
	case err != nil:
		return bad("is not an address and a port. Names are not looked up: one that can't be resolved keeps nginx from starting, with all its sites", example)
	case at.Port() == 0:
		return bad("has port 0, which nothing listens on", "write the port that the container is published on")
	case at.Addr().Is4In6() || at.Addr().Zone() != "":
		return bad("is an address in a form that nginx does not take", example)
	case at.Addr().IsUnspecified() || at.Addr().IsMulticast() || at.Addr() == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return bad("is no address of one server", fmt.Sprintf(`publish the container with -p 127.0.0.1:%d:… and write "127.0.0.1:%d"`, at.Port(), at.Port()))
	}
	return Address{TCP: at}, nil
}

// filePath reads the path of a file.
func filePath(s string) (string, *fault) {
	plain := func(r rune) bool {
		return r >= 'A' && r <= 'Z' || alphanumeric(r) || strings.ContainsRune("/._-+@", r)
	}
	why := ""
	switch {
	case !strings.HasPrefix(s, "/"):
		why = "does not begin with /"
	case len(s) > 1024:
		why = "is longer than 1024 bytes"
	case s == "/":
		why = "is no file"
	case path.Clean(s) != s:
		why = fmt.Sprintf("is not the shortest way to write the path of a file (%q)", path.Clean(s))
	case strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }):
		why = "has a character other than letters, digits and / . _ - + @"
	default:
		return s, nil
	}
	return "", &fault{
		summary: "Invalid path", why: fmt.Sprintf("%q %s.", s, why), hint: `write the whole path of a file, such as "/etc/ssl/example.pem"`,
	}
}

// requestPath reads the label of a block path and takes a slash off its end.
func requestPath(s string) (string, *fault) {
	bad := func(why, hint string) (string, *fault) {
		return "", &fault{summary: "Invalid path", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	const example = `write one such as "/api/"`
	switch {
	case s == "/":
		return bad("is the site itself", "write its attributes into the block site")
	case !strings.HasPrefix(s, "/") || len(s) > 200:
		return bad("is not a path that begins with / and has at most 200 bytes", example)
	case strings.ContainsFunc(s, func(r rune) bool { return !urlRune(r) }):
		return bad("has a character other than letters, digits and / . _ ~ -", "write a path above it that has only those")
	}
	name := strings.TrimSuffix(s, "/")
	if path.Clean(name) != name {
		return bad("holds //, /./ or /../, which nginx takes out before it compares", fmt.Sprintf("write %q", path.Clean(name)+"/"))
	}
	for part := range strings.SplitSeq(name[1:], "/") {
		if strings.HasPrefix(part, ".") && part != ".well-known" {
			return bad("is a hidden file, and those are not passed on", "hidden_files = true passes them on for the whole site")
		}
	}
	return name, nil
}

// urlRune reports a character that means itself in the path of a URL, and nothing
// to nginx (RFC 3986, 2.3).
func urlRune(r rune) bool {
	return r >= 'A' && r <= 'Z' || alphanumeric(r) || strings.ContainsRune("/._~-", r)
}

// redirect reads where a client is led: a site, a page of one, or another path.
func redirect(s string) (string, *fault) {
	bad := func(why, hint string) (string, *fault) {
		return "", &fault{summary: "Invalid target", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	const example = `write a site such as "https://example.no", a page of one, or a path such as "/new/"`
	target := s
	for _, scheme := range []string{"https://", "http://"} {
		rest, ok := strings.CutPrefix(s, scheme)
		if !ok {
			continue
		}
		host, page, hasPage := strings.Cut(rest, "/")
		if f := redirectHost(host); f != nil {
			return "", f
		}
		if !hasPage {
			return s, nil
		}
		target = "/" + page
	}
	switch {
	case !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//"):
		return bad("is neither a URL of http or https nor a path", example)
	case strings.ContainsFunc(target, func(r rune) bool { return !urlRune(r) && !strings.ContainsRune("?=&", r) }):
		return bad("has a character other than letters, digits and / . _ ~ - ? = &", example)
	}
	return s, nil
}

// redirectHost says what is wrong with the host of a target, with or without a port.
func redirectHost(s string) *fault {
	host, port, hasPort := strings.Cut(s, ":")
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0 || !digits(port, 5)) {
		return &fault{summary: "Invalid target", why: fmt.Sprintf("%q is no port.", port), hint: "write a number from 1 to 65535, or leave it out"}
	}
	name, f := hostName(host)
	if f == nil && name != host {
		f = &fault{summary: "Invalid target", why: fmt.Sprintf("%q has capital letters.", host), hint: fmt.Sprintf("write %q", name)}
	}
	return f
}

// redirectStatus reads the status of a redirect.
func redirectStatus(n node) (any, []fault) {
	i, faults := whole(n, 300, 399)
	if faults == nil && !slices.Contains([]int64{301, 302, 307, 308}, i) {
		faults = []fault{{
			summary: "Invalid status", why: fmt.Sprintf("%d leads no client elsewhere.", i), at: n.at,
			hint: "308 leads there for good and 307 for now; 301 and 302 do too, and may turn a POST into a GET",
		}}
	}
	if faults != nil {
		return nil, faults
	}
	return int(i), nil
}

// duration reads a time from least to most: "500ms" is too short for anything here.
func duration(least, most time.Duration) func(string) (time.Duration, *fault) {
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	return func(s string) (time.Duration, *fault) {
		number := strings.TrimRight(s, "smhd")
		unit, known := units[s[len(number):]]
		n, err := strconv.ParseInt(number, 10, 32)
		if !digits(number, 9) || !known || err != nil {
			return 0, &fault{summary: "Invalid time", why: fmt.Sprintf("%q is not a time.", s), hint: `write a number and s, m, h or d: "60s"`}
		}
		if t := time.Duration(n) * unit; n <= int64(most/unit) && t >= least {
			return t, nil
		}
		return 0, &fault{summary: "Invalid time", why: fmt.Sprintf("%q is not from %s to %s.", s, spell(least), spell(most)), hint: "write a time in between"}
	}
}

// spell writes a time as a policy does.
func spell(t time.Duration) string {
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if t >= unit.is && t%unit.is == 0 {
			return fmt.Sprintf("%d%s", t/unit.is, unit.name)
		}
	}
	return fmt.Sprintf("%ds", t/time.Second)
}

// maxAge reads for how long browsers shall insist on TLS; "" sends no such header.
func maxAge(s string) (time.Duration, *fault) {
	if s == "" {
		return -1, nil
	}
	return duration(0, 3650*24*time.Hour)(s)
}

// day reads a date (ISO 8601).
func day(s string) (time.Time, *fault) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, &fault{summary: "Invalid date", why: fmt.Sprintf("%q is not a day of the calendar.", s), hint: `write year, month and day: "2026-11-24"`}
	}
	return t, nil
}

// rate reads a number of requests in a time.
func rate(s string) (Rate, *fault) {
	count, per, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	if !digits(count, 6) || err != nil || n == 0 || per != "s" && per != "m" {
		return Rate{}, &fault{
			summary: "Invalid rate", why: fmt.Sprintf("%q is not a number of requests in a second or a minute.", s),
			hint: `write one such as "10/s" or "30/m"`,
		}
	}
	return Rate{n, per}, nil
}

// realm reads what a browser shows when it asks for a password.
func realm(s string) (string, *fault) {
	if i := strings.IndexFunc(s, unsafeInHeader); i >= 0 || s == "" || len(s) > 100 {
		return "", &fault{
			summary: "Invalid realm", why: fmt.Sprintf("%q is not a text of 1 to 100 characters of ASCII without $, \" and \\.", s),
			hint: `write what people should read there, such as "Internal"`,
		}
	}
	return s, nil
}

// cookieFlag reads one item of cookie_flags.
func cookieFlag(before []string, n node) (string, []fault) {
	flags := []string{"secure", "httponly", "samesite=lax", "samesite=strict", "samesite=none"}
	v, faults := text(choose(flags))(n)
	if faults != nil {
		return "", faults
	}
	flag := v.(string)
	name, _, _ := strings.Cut(flag, "=")
	for _, other := range before {
		if strings.HasPrefix(other, name) {
			return flag, []fault{{summary: "Flag listed twice", why: fmt.Sprintf("%s is in the list already.", name), hint: "list each flag once", at: n.at}}
		}
	}
	return flag, nil
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
