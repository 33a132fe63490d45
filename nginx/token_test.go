package nginx

import (
	"net/netip"
	"strings"
	"testing"
)

func TestTokensAreMadeOfGoodValuesOnly(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 63)+".", 3)
	addr := func(s string) func() (token, error) {
		return func() (token, error) { return loopback(netip.MustParseAddrPort(s)) }
	}
	host := func(s string) func() (token, error) { return func() (token, error) { return hostName(s) } }
	name := func(s string) func() (token, error) { return func() (token, error) { return fieldName(s) } }
	value := func(s string) func() (token, error) { return func() (token, error) { return fieldValue(s) } }
	bytes := func(n int64) func() (token, error) { return func() (token, error) { return size(n) } }
	port := func(n uint16) func() (token, error) { return func() (token, error) { return portNumber(n) } }

	for _, tc := range []struct {
		name string
		make func() (token, error)
		want string // the text, or part of the error
	}{
		{"a host name is written as it is", host("app.example.no"), "app.example.no"},
		{"an A-label is a host name", host("xn--blbr-roah.no"), "xn--blbr-roah.no"},
		{"one label is a host name", host("localhost"), "localhost"},
		{"253 bytes are a host name", host(long + strings.Repeat("b", 61)), long + strings.Repeat("b", 61)},
		{"254 bytes are not", host(long + strings.Repeat("b", 62)), "longer than the 253"},
		{"a label of 64 bytes is not", host(strings.Repeat("a", 64) + ".no"), "not a host name"},
		{"an empty name is not", host(""), "not a host name"},
		{"an empty label is not", host("a..no"), "not a host name"},
		{"upper case is not", host("App.no"), "not a host name"},
		{"an underscore is not", host("a_b.no"), "not a host name"},
		{"a final dot is not", host("a.no."), "not a host name"},
		{"a hyphen at the edge is not", host("-a.no"), "not a host name"},
		{"a wildcard is not", host("*.example.no"), "not a host name"},
		{"a regular expression is not", host("~^a$"), "not a host name"},
		{"an IPv4 address is not", host("192.0.2.1"), "is an address"},
		{"an IPv6 address is not", host("2001:db8::1"), "is an address"},
		{"a line end after the name is seen", host("a.no\n"), "not a host name"},

		{"IPv4 loopback is an upstream", addr("127.1.2.3:80"), "127.1.2.3:80"},
		{"IPv6 loopback is an upstream", addr("[::1]:80"), "[::1]:80"},
		{"IPv4 mapped to IPv6 is written as IPv4", addr("[::ffff:127.0.0.1]:80"), "127.0.0.1:80"},
		{"another address is not", addr("10.0.0.1:80"), "not an address and port of loopback"},
		{"every address is not", addr("0.0.0.0:80"), "not an address and port of loopback"},
		{"a zone is not", addr("[::1%a; return 200 x]:80"), "not an address and port of loopback"},
		{"port 0 is not", addr("127.0.0.1:0"), "not an address and port of loopback"},
		{"no address is not", func() (token, error) { return loopback(netip.AddrPort{}) }, "not an address and port"},

		{"a header's name is written as it is", name("X-Frame-Options"), "X-Frame-Options"},
		{"an underscore in it is refused", name("X_Frame"), "not the name of a header"},
		{"a space in it is refused", name("X Frame"), "not the name of a header"},
		{"an empty name is refused", name(""), "not the name of a header"},
		{"a long name is refused", name(strings.Repeat("x", 65)), "not the name of a header"},
		{"the length of the body is refused", name("content-length"), "cannot be the same for every response"},
		{"what speaks to nginx is refused", name("X-Accel-Redirect"), "cannot be the same for every response"},

		{"a value is written between quotes", value(`max-age=1; a='b'`), `"max-age=1; a='b'"`},
		{"quotes and backslashes are escaped", value(`a"b\c`), `"a\"b\\c"`},
		{"a dollar cannot be written", value("5$ ok"), "nginx cannot write"},
		{"a line end is refused", value("a\nb"), "not visible ASCII"},
		{"a tab is refused", value("a\tb"), "not visible ASCII"},
		{"DEL is refused", value("a\x7fb"), "not visible ASCII"},
		{"NUL is refused", value("a\x00b"), "not visible ASCII"},
		{"anything but ASCII is refused", value("blåbær"), "not visible ASCII"},
		{"what is not UTF-8 is refused", value("a\xff"), "not visible ASCII"},
		{"an empty value is refused", value(""), "is empty"},
		{"spaces around it are refused", value(" a"), "spaces around"},
		{"the longest value fits", value(strings.Repeat("a", maxWord-2)), `"` + strings.Repeat("a", maxWord-2) + `"`},
		{"one byte more does not", value(strings.Repeat("a", maxWord-1)), "longer than"},
		{"escapes count", value(strings.Repeat(`"`, maxWord/2)), "longer than"},

		{"mebibytes are written so", bytes(10 << 20), "10m"},
		{"gibibytes are written so", bytes(2 << 30), "2g"},
		{"kibibytes are written so", bytes(3 << 9), "1536"},
		{"odd sizes are written in bytes", bytes(1025), "1025"},
		{"zero would mean no limit", bytes(0), "not above zero"},
		{"a negative size is refused", bytes(-1), "not above zero"},
		{"a port is a number", port(8080), "8080"},
		{"port 0 is no port", port(0), "no port"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.make()
			if err != nil && (got != token{} || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("token %+v, error %v, want one with %q", got, err, tc.want)
			}
			if err == nil && got.text != tc.want {
				t.Errorf("text %q, want %q", got.text, tc.want)
			}
		})
	}
}
