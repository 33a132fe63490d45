package policy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// text cases are good when fault is empty; else fault is a part of what is said.
type textCase[T any] struct {
	name, in string
	want     T
	fault    string
}

func checkText[T any](t *testing.T, parse func(string) (T, *fault), cases []textCase[T]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, f := parse(c.in)
			switch {
			case f == nil && c.fault != "":
				t.Errorf("%q was accepted as %v, want %q", c.in, got, c.fault)
			case f != nil && (c.fault == "" || !strings.Contains(f.detail(), c.fault)):
				t.Errorf("%q was refused: %q, want %q", c.in, f.detail(), c.fault)
			case f == nil:
				if diff := cmp.Diff(c.want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, Address{})); diff != "" {
					t.Errorf("%q (-want +got):\n%s", c.in, diff)
				}
			}
		})
	}
}

func TestNumbersHoldTheirBounds(t *testing.T) {
	for value, good := range map[string]bool{
		"port = 1": true, "port = 65535": true, "port = 65536": false, "port = 0": false, "port = -1": false, "port = 80.5": false,
		"port = 18446744073709551696": false, // 80, cut to 64 bits
	} {
		p, diags := Parse([]Source{{"p.hcl", []byte("site \"a\" {\n  upstream = \"127.0.0.1:8081\"\n  " + value + "\n}\n")}})
		if (p != nil) != good {
			t.Errorf("%s:\n%s", value, rendered(t, diags))
		}
	}
}

func TestStringsHoldTheirBounds(t *testing.T) {
	if f := plain(strings.Repeat("a", maxText)); f != nil {
		t.Errorf("%d bytes: %s", maxText, f.detail())
	}
	if f := plain(strings.Repeat("a", maxText+1)); f == nil {
		t.Errorf("%d bytes were accepted", maxText+1)
	}
	if f := plain("a\xff"); f == nil {
		t.Error("invalid UTF-8 was accepted")
	}
}

func TestSettingsAreTheJSONThatWasWritten(t *testing.T) {
	for in, want := range map[string]string{
		`true`:                                 `true`,
		`"<&>"`:                                `"<&>"`,
		`"å \"\\"`:                             `"å \"\\"`,
		`9007199254740993`:                     `9007199254740993`,
		`18446744073709551615`:                 `18446744073709551615`,
		`-9223372036854775808`:                 `-9223372036854775808`,
		`1.50`:                                 `1.5`,
		`1e-100`:                               `1e-100`,
		`1e3`:                                  `1000`,
		`[1, [true, null], {}]`:                `[1,[true,null],{}]`,
		`{ b = 1, a = { c = null }, "" = "" }`: `{"b":1,"a":{},"":""}`,
	} {
		p := parseOne(t, "p.hcl", []byte("docker {\n  settings = { quantum-tunnel = "+in+" }\n}\n"))
		if got := string(p.Docker.Settings.V[0].Value); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func TestSettingsThatJSONCanNotHoldAreRefused(t *testing.T) {
	for _, in := range []string{`18446744073709551616`, `-9223372036854775809`, `1e300`, `1e-400`, `1/0`, `{ (1) = 2 }`, `"a\nb"`, `["a\nb"]`, `{ "a\nb" = 1 }`} {
		if p, _ := Parse([]Source{{"p.hcl", []byte("docker {\n  settings = { quantum-tunnel = " + in + " }\n}\n")}}); p != nil {
			t.Errorf("%s became %s", in, p.Docker.Settings.V[0].Value)
		}
	}
}

func TestHeadersAreVisibleASCII(t *testing.T) {
	any := header(func(s string) (string, *fault) { return s, nil })
	for in, good := range map[string]bool{"": true, "a b;'(~!": true, "$": false, `"`: false, `\`: false, "å": false, "a\tb": false, "\x7f": false} {
		if _, faults := any(node{kind: isString, text: in}); (len(faults) == 0) != good {
			t.Errorf("%q: %v", in, faults)
		}
	}
}

func TestHostNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	checkText(t, hostName, []textCase[string]{
		{name: "a name", in: "app.example.no", want: "app.example.no"},
		{name: "one label", in: "localhost", want: "localhost"},
		{name: "capitals become small", in: "APP.example.NO", want: "app.example.no"},
		{name: "digits that are no address", in: "4.example.4no", want: "4.example.4no"},
		{name: "an A-label", in: "xn--blbr-roah.example.no", want: "xn--blbr-roah.example.no"},
		{name: "a label of 63", in: long + ".no", want: long + ".no"},
		{name: "a label of 64", in: long + "a.no", fault: "1 to 63"},
		{name: "253 bytes", in: strings.Repeat("a.", 126) + "b", want: strings.Repeat("a.", 126) + "b"},
		{name: "254 bytes", in: strings.Repeat("a.", 126) + "bc", fault: "longer than 253"},
		{name: "an underscore", in: "_dmarc.example.no", fault: "the part"},
		{name: "a hyphen at the end", in: "app-.example.no", fault: "the part"},
		{name: "an empty label", in: "app..no", fault: "the part"},
		{name: "nothing", in: "", fault: "the part"},
		{name: "a space", in: "app example.no", fault: "the part"},
		{name: "a dot alone", in: ".", fault: "ends with a dot"},
		{name: "an IPv4 address", in: "127.0.0.1", fault: "is an address"},
		{name: "an IPv4 address in short", in: "127.1", fault: "is an address"},
		{name: "an IPv6 address", in: "::1", fault: "is an address"},
		{name: "an IPv6 address in brackets", in: "[::1]", fault: "is an address"},
		{name: "a wildcard", in: "*.example.no", fault: "wildcard"},
		{name: "a port", in: "app.example.no:80", fault: "has a port"},
		{name: "a URL", in: "http://app.example.no", fault: "is a URL"},
		{name: "letters outside ASCII", in: "blåbær.no", fault: `"xn--blbr-roah.no"`},
		{name: "letters that no name may have", in: "a☃\u0301b.no", fault: "xn--"},
		{name: "a broken A-label", in: "xn--99999999.no", fault: "the part"},
	})
}

func TestUpstreams(t *testing.T) {
	tcp := func(s string) Address { return Address{TCP: netip.MustParseAddrPort(s)} }
	checkText(t, upstream, []textCase[Address]{
		{name: "IPv4 loopback", in: "127.0.0.1:8080", want: tcp("127.0.0.1:8080")},
		{name: "another address of 127.0.0.0/8", in: "127.8.8.8:1", want: tcp("127.8.8.8:1")},
		{name: "IPv6 loopback", in: "[::1]:65535", want: tcp("[::1]:65535")},
		{name: "a container's address", in: "172.17.0.2:8080", want: tcp("172.17.0.2:8080")},
		{name: "a container's IPv6 address", in: "[2001:db8::2]:8080", want: tcp("[2001:db8::2]:8080")},
		{name: "a socket", in: "unix:/run/app/app.sock", want: Address{Socket: "/run/app/app.sock"}},
		{name: "a socket somewhere", in: "unix:app.sock", fault: "not the path of a socket"},
		{name: "a socket and a path behind it", in: "unix:/run/app.sock:/x", fault: "not the path of a socket"},
		{name: "a socket with an end", in: "unix:/run/app.sock; }", fault: "not the path of a socket"},
		{name: "all addresses", in: "0.0.0.0:8080", fault: "no address of one server"},
		{name: "all IPv6 addresses", in: "[::]:8080", fault: "no address of one server"},
		{name: "a group of servers", in: "224.0.0.1:8080", fault: "no address of one server"},
		{name: "everybody", in: "255.255.255.255:8080", fault: "no address of one server"},
		{name: "IPv4 mapped into IPv6", in: "[::ffff:127.0.0.1]:8080", fault: "form that nginx does not take"},
		{name: "a zone", in: "[::1%lo]:8080", fault: "form that nginx does not take"},
		{name: "a name", in: "localhost:8080", fault: "Names are not looked up"},
		{name: "a URL", in: "http://127.0.0.1:8080", fault: "is a URL"},
		{name: "a path behind it", in: "127.0.0.1:8080/app", fault: "is a path"},
		{name: "no port", in: "127.0.0.1", fault: "no port"},
		{name: "no port with brackets", in: "[::1]", fault: "no port"},
		{name: "port 0", in: "127.0.0.1:0", fault: "port 0"},
		{name: "a port beyond", in: "127.0.0.1:70000", fault: "not an address and a port"},
		{name: "a directive behind it", in: "127.0.0.1:80; }", fault: "not an address and a port"},
		{name: "nothing", in: "", fault: "not an address and a port"},
	})
}

func TestPathsOfRequests(t *testing.T) {
	checkText(t, requestPath, []textCase[string]{
		{name: "a directory", in: "/api/", want: "/api"},
		{name: "the same without a slash", in: "/api", want: "/api"},
		{name: "more of them", in: "/a-b/c.d/~e_f", want: "/a-b/c.d/~e_f"},
		{name: "well-known", in: "/.well-known/x", want: "/.well-known/x"},
		{name: "the site", in: "/", fault: "is the site itself"},
		{name: "nothing", in: "", fault: "not a path"},
		{name: "no slash", in: "api", fault: "not a path"},
		{name: "a hidden file", in: "/a/.git/", fault: "hidden"},
		{name: "above", in: "/a/../b", fault: `write "/b/"`},
		{name: "two slashes", in: "/a//b", fault: `write "/a/b/"`},
		{name: "a slash twice at the end", in: "/a//", fault: "//"},
		{name: "a regular expression", in: "/a(.*)", fault: "character"},
		{name: "an encoded character", in: "/a%2fb", fault: "character"},
		{name: "a query", in: "/a?b", fault: "character"},
		{name: "a variable", in: "/a$uri", fault: "character"},
		{name: "much", in: "/" + strings.Repeat("a", 200), fault: "200 bytes"},
	})
}

func TestRedirects(t *testing.T) {
	same := func(s string) textCase[string] { return textCase[string]{name: s, in: s, want: s} }
	checkText(t, redirect, []textCase[string]{
		same("https://example.no"), same("http://example.no:8080"), same("https://example.no/"), same("https://example.no/a/b?c=d&e"), same("/new/"), same("/new?a=b"),
		{name: "another scheme", in: "ftp://example.no", fault: "neither"},
		{name: "a script", in: "javascript:alert(1)", fault: "neither"},
		{name: "a host alone", in: "example.no", fault: "neither"},
		{name: "a host behind two slashes", in: "//example.no", fault: "neither"},
		{name: "no host", in: "https:///x", fault: "the part"},
		{name: "an address", in: "https://192.0.2.1", fault: "is an address"},
		{name: "a port too high", in: "https://example.no:65536", fault: "is no port"},
		{name: "no port", in: "https://example.no:", fault: "is no port"},
		{name: "capital letters", in: "https://Example.no", fault: `write "example.no"`},
		{name: "a name and a password", in: "https://a@example.no", fault: "the part"},
		{name: "a variable", in: "https://example.no/$uri", fault: "character"},
		{name: "a line", in: "/a\nb", fault: "character"},
	})
}

func TestTimes(t *testing.T) {
	checkText(t, duration(time.Second, 24*time.Hour), []textCase[time.Duration]{
		{name: "seconds", in: "60s", want: time.Minute},
		{name: "minutes", in: "5m", want: 5 * time.Minute},
		{name: "the most", in: "1d", want: 24 * time.Hour},
		{name: "more than the most", in: "25h", fault: `"25h" is not from 1s to 1d`},
		{name: "less than the least", in: "0s", fault: "not from"},
		{name: "no unit", in: "60", fault: "not a time"},
		{name: "two units", in: "1m30s", fault: "not a time"},
		{name: "another unit", in: "1w", fault: "not a time"},
		{name: "milliseconds", in: "500ms", fault: "not a time"},
		{name: "more than 32 bits", in: "9999999999d", fault: "not a time"},
		{name: "more than it looks", in: "999999999d", fault: "not from"},
		{name: "nothing", in: "", fault: "not a time"},
	})
	checkText(t, maxAge, []textCase[time.Duration]{
		{name: "two years", in: "730d", want: 730 * 24 * time.Hour},
		{name: "forgetting", in: "0s", want: 0},
		{name: "nothing", in: "", want: -1},
		{name: "too long", in: "3651d", fault: "not from"},
	})
	checkText(t, day, []textCase[time.Time]{
		{name: "a day", in: "2026-11-24", want: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)},
		{name: "none", in: "2026-02-30", fault: "not a day"},
		{name: "a time", in: "2026-11-24T10:00:00Z", fault: "not a day"},
	})
}

func TestRates(t *testing.T) {
	checkText(t, rate, []textCase[Rate]{
		{name: "a second", in: "10/s", want: Rate{10, "s"}},
		{name: "a minute", in: "30/m", want: Rate{30, "m"}},
		{name: "none", in: "0/s", fault: "not a number of requests"},
		{name: "an hour", in: "30/h", fault: "not a number of requests"},
		{name: "no time", in: "30", fault: "not a number of requests"},
		{name: "nginx's own", in: "30r/s", fault: "not a number of requests"},
		{name: "half", in: "0.5/s", fault: "not a number of requests"},
	})
}

func TestBodySizes(t *testing.T) {
	checkText(t, bodySize, []textCase[int64]{
		{name: "bytes", in: "1", want: 1},
		{name: "kilobytes", in: "8k", want: 8 << 10},
		{name: "a capital", in: "8K", want: 8 << 10},
		{name: "megabytes", in: "10m", want: 10 << 20},
		{name: "the most", in: "1024g", want: 1 << 40},
		{name: "more than the most", in: "1025g", fault: "more than"},
		{name: "more than 64 bits", in: "9999999999999g", fault: "more than"},
		{name: "a number without end", in: "99999999999999", fault: "not a size"},
		{name: "no bound", in: "0", fault: "no bound"},
		{name: "no bound with a unit", in: "0m", fault: "no bound"},
		{name: "less than nothing", in: "-1", fault: "not a size"},
		{name: "two units", in: "10kk", fault: "not a size"},
		{name: "a unit alone", in: "m", fault: "not a size"},
		{name: "a fraction", in: "1.5m", fault: "not a size"},
		{name: "letters that grow when they become small", in: "ȺȺ", fault: "not a size"},
		{name: "nothing", in: "", fault: "not a size"},
	})
}

func TestLogSizes(t *testing.T) {
	checkText(t, logSize, []textCase[string]{
		{name: "megabytes", in: "10m", want: "10m"},
		{name: "a capital", in: "10M", want: "10m"},
		{name: "the most", in: "999999g", want: "999999g"},
		{name: "more than the most", in: "1000000g", fault: "k, m or g"},
		{name: "no unit, which Docker takes for bytes", in: "10", fault: "k, m or g"},
		{name: "two units", in: "10km", fault: "k, m or g"},
		{name: "no bound", in: "-1", fault: "without bounds"},
		{name: "nothing at all", in: "0m", fault: "k, m or g"},
		{name: "nothing", in: "", fault: "k, m or g"},
	})
}

func TestUsersForRemapping(t *testing.T) {
	checkText(t, remap, []textCase[string]{
		{name: "a word", in: "auto", want: "auto"},
		{name: "a user", in: "container-user", want: "container-user"},
		{name: "a system user", in: "_docker", want: "_docker"},
		{name: "a user and a group", in: "dockremap:dockremap", want: "dockremap:dockremap"},
		{name: "32 characters", in: strings.Repeat("a", 32), want: strings.Repeat("a", 32)},
		{name: "33 characters", in: strings.Repeat("a", 33), fault: "neither"},
		{name: "a number", in: "1000", fault: "neither"},
		{name: "two groups", in: "a:b:c", fault: "neither"},
		{name: "no group after all", in: "a:", fault: "neither"},
		{name: "an option", in: "-a", fault: "neither"},
		{name: "nothing", in: "", fault: "neither"},
	})
}

func TestAddressesToPublishOn(t *testing.T) {
	checkText(t, address, []textCase[netip.Addr]{
		{name: "loopback", in: "127.0.0.1", want: netip.MustParseAddr("127.0.0.1")},
		{name: "everywhere", in: "0.0.0.0", want: netip.MustParseAddr("0.0.0.0")},
		{name: "IPv6", in: "2001:db8::1", want: netip.MustParseAddr("2001:db8::1")},
		{name: "a port", in: "127.0.0.1:80", fault: `write "127.0.0.1"`},
		{name: "a network", in: "10.0.0.0/8", fault: "is a network"},
		{name: "a zone", in: "fe80::1%eth0", fault: `write "fe80::1"`},
		{name: "IPv4 mapped into IPv6", in: "::ffff:10.0.0.1", fault: `write "10.0.0.1"`},
		{name: "a name", in: "localhost", fault: "not an IP address"},
		{name: "leading zeros, octal to some", in: "010.0.0.1", fault: "not an IP address"},
		{name: "nothing", in: "", fault: "not an IP address"},
	})
}

func TestPortRanges(t *testing.T) {
	checkText(t, parsePortRange, []textCase[PortRange]{
		{name: "a range", in: "8000-8010", want: PortRange{8000, 8010}},
		{name: "all ports", in: "1-65535", want: PortRange{1, 65535}},
		{name: "a range of one", in: "80-80", want: PortRange{80, 80}},
		{name: "backwards", in: "8010-8000", fault: `write "8000-8010"`},
		{name: "from 0", in: "0-80", fault: "beyond"},
		{name: "beyond", in: "80-65536", fault: "beyond"},
		{name: "one port", in: "80", fault: "without quotes"},
		{name: "the colon of iptables", in: "80:90", fault: "not a range"},
		{name: "spaces", in: "80 - 90", fault: "not a range"},
		{name: "three", in: "80-90-100", fault: "not a range"},
		{name: "half", in: "80-", fault: "not a range"},
		{name: "nothing", in: "", fault: "not a range"},
	})
}

func TestNetworks(t *testing.T) {
	checkText(t, parseNetwork, []textCase[netip.Prefix]{
		{name: "a network", in: "192.0.2.0/24", want: netip.MustParsePrefix("192.0.2.0/24")},
		{name: "everybody", in: "0.0.0.0/0", want: netip.MustParsePrefix("0.0.0.0/0")},
		{name: "an address", in: "192.0.2.7", want: netip.MustParsePrefix("192.0.2.7/32")},
		{name: "an IPv6 address", in: "2001:db8::1", want: netip.MustParsePrefix("2001:db8::1/128")},
		{name: "host bits", in: "192.0.2.7/24", fault: `write "192.0.2.0/24" or "192.0.2.7"`},
		{name: "host bits of everybody", in: "10.0.0.0/0", fault: `write "0.0.0.0/0"`},
		{name: "a zone", in: "fe80::1%eth0", fault: "has a zone"},
		{name: "IPv4 mapped into IPv6", in: "::ffff:192.0.2.1", fault: "mapped"},
		{name: "a mask written out", in: "192.0.2.0/255.255.255.0", fault: "neither"},
		{name: "a name", in: "example.no", fault: "neither"},
		{name: "nothing", in: "", fault: "neither"},
	})
}

func TestContentSecurityPolicies(t *testing.T) {
	checkText(t, csp, []textCase[string]{
		{name: "a policy", in: "default-src 'self'; img-src *", want: "default-src 'self'; img-src *"},
		{name: "a directive without a value", in: "upgrade-insecure-requests", want: "upgrade-insecure-requests"},
		{name: "a semicolon at the end", in: "default-src 'none';", want: "default-src 'none';"},
		{name: "a nonce", in: "script-src 'nonce-YWJj' 'sha256-YWJj='", want: "script-src 'nonce-YWJj' 'sha256-YWJj='"},
		{name: "an unknown directive", in: "scripts-src 'self'", fault: `did you mean "script-src"?`},
		{name: "a directive twice", in: "img-src *; IMG-SRC *", fault: "there twice"},
		{name: "a keyword without quotes", in: "script-src self", fault: "write 'self'"},
		{name: "a quote that is not closed", in: "script-src 'self", fault: "not closed"},
		{name: "a comma", in: "default-src 'self', img-src *", fault: "comma"},
		{name: "semicolons alone", in: " ; ", fault: "no directive"},
	})
}

func TestPermissionsPolicies(t *testing.T) {
	checkText(t, permissions, []textCase[string]{
		{name: "a policy", in: "camera=(), geolocation=(self),usb=*", want: "camera=(), geolocation=(self),usb=*"},
		{name: "the default", in: permissionsPolicy, want: permissionsPolicy},
		{name: "the old syntax of Feature-Policy", in: "camera 'none'", fault: "who may use it"},
		{name: "an origin", in: "camera=(https://example.no)", fault: "who may use it"},
		{name: "a feature twice", in: "camera=(), camera=()", fault: "there twice"},
		{name: "a comma at the end", in: "camera=(),", fault: "who may use it"},
		{name: "no feature", in: "=()", fault: "who may use it"},
	})
}
