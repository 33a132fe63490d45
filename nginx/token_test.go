package nginx

import (
	"net/netip"
	"strings"
	"testing"

	"molo/internal/policy"
)

// made is a value, and the token's text or part of the error.
type made[T any] struct {
	name  string
	value T
	want  string
}

// tryAll makes a token of every value. (Generic, because every constructor takes another kind.)
func tryAll[T any](t *testing.T, constructor func(T) (token, error), cases []made[T]) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, err := constructor(tc.value)
			if err != nil && (got != token{} || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("token %+v, error %v, want one with %q", got, err, tc.want)
			}
			if err == nil && got.text != tc.want {
				t.Errorf("text %q, want %q", got.text, tc.want)
			}
		})
	}
}

func TestHostNameTakesNamesOnly(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 63)+".", 3)
	tryAll(t, hostName, []made[string]{
		{"a host name is written as it is", "app.example.no", "app.example.no"},
		{"an A-label is a host name", "xn--blbr-roah.no", "xn--blbr-roah.no"},
		{"one label is a host name", "localhost", "localhost"},
		{"253 bytes are a host name", long + strings.Repeat("b", 61), long + strings.Repeat("b", 61)},
		{"254 bytes are not", long + strings.Repeat("b", 62), "longer than the 253"},
		{"a label of 64 bytes is not", strings.Repeat("a", 64) + ".no", "not a host name"},
		{"an empty name is not", "", "not a host name"},
		{"an empty label is not", "a..no", "not a host name"},
		{"upper case is not", "App.no", "not a host name"},
		{"an underscore is not", "a_b.no", "not a host name"},
		{"a final dot is not", "a.no.", "not a host name"},
		{"a hyphen at the edge is not", "-a.no", "not a host name"},
		{"a wildcard is not", "*.example.no", "not a host name"},
		{"a regular expression is not", "~^a$", "not a host name"},
		{"an IPv4 address is not", "192.0.2.1", "is an address"},
		{"an IPv6 address is not", "2001:db8::1", "is an address"},
		{"a line end after the name is seen", "a.no\n", "not a host name"},
	})
}

func TestAddressTakesOneServer(t *testing.T) {
	at := func(s string) policy.Address { return policy.Address{TCP: netip.MustParseAddrPort(s)} }
	tryAll(t, address, []made[policy.Address]{
		{"IPv4 loopback is an upstream", at("127.1.2.3:80"), "127.1.2.3:80"},
		{"IPv6 loopback is an upstream", at("[::1]:80"), "[::1]:80"},
		{"a container's own address is", at("172.17.0.2:80"), "172.17.0.2:80"},
		{"a socket is", policy.Address{Socket: "/run/app.sock"}, "unix:/run/app.sock"},
		{"IPv4 mapped to IPv6 is not", at("[::ffff:127.0.0.1]:80"), "not an address and port of one server"},
		{"every address is not", at("0.0.0.0:80"), "not an address and port of one server"},
		{"a zone is not", at("[::1%a; return 200 x]:80"), "not an address and port of one server"},
		{"port 0 is not", at("127.0.0.1:0"), "not an address and port of one server"},
		{"no address is not", policy.Address{}, "not an address and port"},
	})
}

func TestFieldNameTakesNamesOfHeadersOnly(t *testing.T) {
	tryAll(t, fieldName, []made[string]{
		{"a header's name is written as it is", "X-Frame-Options", "X-Frame-Options"},
		{"an underscore in it is refused", "X_Frame", "not the name of a header"},
		{"a space in it is refused", "X Frame", "not the name of a header"},
		{"an empty name is refused", "", "not the name of a header"},
		{"a long name is refused", strings.Repeat("x", 65), "not the name of a header"},
		{"the length of the body is refused", "content-length", "cannot be the same for every response"},
		{"what speaks to nginx is refused", "X-Accel-Redirect", "cannot be the same for every response"},
	})
}

func TestFieldValueTakesWhatNginxCanWrite(t *testing.T) {
	tryAll(t, fieldValue, []made[string]{
		{"a value is written between quotes", `max-age=1; a='b'`, `"max-age=1; a='b'"`},
		{"quotes and backslashes are escaped", `a"b\c`, `"a\"b\\c"`},
		{"a dollar cannot be written", "5$ ok", "nginx cannot write"},
		{"a line end is refused", "a\nb", "not visible ASCII"},
		{"a tab is refused", "a\tb", "not visible ASCII"},
		{"DEL is refused", "a\x7fb", "not visible ASCII"},
		{"NUL is refused", "a\x00b", "not visible ASCII"},
		{"anything but ASCII is refused", "blåbær", "not visible ASCII"},
		{"what is not UTF-8 is refused", "a\xff", "not visible ASCII"},
		{"an empty value is refused", "", "is empty"},
		{"spaces around it are refused", " a", "spaces around"},
		{"the longest value fits", strings.Repeat("a", maxWord-2), `"` + strings.Repeat("a", maxWord-2) + `"`},
		{"one byte more does not", strings.Repeat("a", maxWord-1), "longer than"},
		{"escapes count", strings.Repeat(`"`, maxWord/2), "longer than"},
	})
}

func TestNumbersAreWrittenAsNginxReadsThem(t *testing.T) {
	tryAll(t, size, []made[int64]{
		{"mebibytes are written so", 10 << 20, "10m"},
		{"gibibytes are written so", 2 << 30, "2g"},
		{"kibibytes are written so", 3 << 9, "1536"},
		{"odd sizes are written in bytes", 1025, "1025"},
		{"zero would mean no limit", 0, "not above zero"},
		{"a negative size is refused", -1, "not above zero"},
	})
	tryAll(t, portNumber, []made[uint16]{
		{"a port is a number", 8080, "8080"},
		{"port 0 is no port", 0, "no port"},
	})
}

// Each of these says something about one response that is not true of the next.
func TestHeadersThatFrameAResponseAreRefused(t *testing.T) {
	for _, name := range []string{
		"Connection", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Date", "ETag", "Keep-Alive",
		"Last-Modified", "Location", "Proxy-Authenticate", "Server", "Set-Cookie", "Status", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade", "X-Accel-Expires", "TRANSFER-ENCODING",
	} {
		if _, err := fieldName(name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
