package nginx

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// maxWord is the longest word nginx reads, in bytes and with its quotes: its
// configuration buffer holds 4096 and the word's end must fit in too. Measured
// with 1.22 and 1.30.
const maxWord = 4095

// token is one word of an nginx configuration. Only the constructors below make
// one, each from a value of one kind, and none of them can be made to end the
// word, the directive or the block it stands in, nor to name a variable.
type token struct {
	text string // as it is written into the file
	word string // as nginx reads it back
	hole int    // its number in the sheet it is written on
}

// String returns the token's place in a sheet, not its text: a template is read
// before any value is put into it. See sheet.
func (t token) String() string { return holeOpen + strconv.Itoa(t.hole) + holeClose }

// bare returns a token that needs no quotes. The caller vouches for the text.
func bare(text string) token { return token{text: text, word: text} }

// label is one part of a host name: letters, digits and inner hyphens (RFC 1123, section 2.1).
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// hostName returns a server name in lower-case ASCII. No wildcard, no regular
// expression and no address is a host name: nginx matches all three by other rules.
func hostName(name string) (token, error) {
	if len(name) > 253 {
		return token{}, fmt.Errorf("host name of %d bytes is longer than the 253 of RFC 1035", len(name))
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return token{}, fmt.Errorf("%q is an address, not a host name", name)
	}
	for part := range strings.SplitSeq(name, ".") {
		if len(part) > 63 || !label.MatchString(part) {
			return token{}, fmt.Errorf("%q is not a host name in lower-case ASCII", name)
		}
	}
	return bare(name), nil
}

// portNumber returns a TCP port.
func portNumber(port uint16) (token, error) {
	if port == 0 {
		return token{}, errors.New("port 0 is no port to serve on")
	}
	return number(int(port)), nil
}

// number returns a count.
func number(n int) token { return bare(strconv.Itoa(n)) }

// size returns a number of bytes in the largest of nginx's units that holds it
// exactly. Zero means "no limit" to nginx, which no policy can ask for.
func size(bytes int64) (token, error) {
	if bytes <= 0 {
		return token{}, fmt.Errorf("size of %d bytes is not above zero", bytes)
	}
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "g"}, {1 << 20, "m"}, {1 << 10, "k"}} {
		if bytes%unit.bytes == 0 {
			return bare(strconv.FormatInt(bytes/unit.bytes, 10) + unit.name), nil
		}
	}
	return bare(strconv.FormatInt(bytes, 10)), nil
}

// field is a response header's name: a subset of RFC 9110's token that leaves
// out what means something to nginx, and "_", which nginx drops in requests.
var field = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9])*$`)

// maxField bounds a header's name. The table in proxy.conf has room for it.
const maxField = 64

// framing lists the headers that say where a response ends, which it is and
// what becomes of the connection. One value for all would break HTTP for the client.
var framing = regexp.MustCompile(`(?i)^(Connection|Content-Encoding|Content-Length|Content-Range|Content-Type|` +
	`Date|ETag|Keep-Alive|Last-Modified|Location|Proxy-.*|Server|Set-Cookie|Status|TE|Trailer|Transfer-Encoding|Upgrade|X-Accel-.*)$`)

// fieldName returns the name of a response header that may be set for every response.
func fieldName(name string) (token, error) {
	switch {
	case len(name) > maxField || !field.MatchString(name):
		return token{}, fmt.Errorf("%q is not the name of a header: letters, digits and single hyphens, at most %d", name, maxField)
	case framing.MatchString(name):
		return token{}, fmt.Errorf("header %s cannot be the same for every response", name)
	}
	return bare(name), nil
}

// fieldValue returns a header's value between quotes: visible ASCII and inner
// spaces (RFC 9110, section 5.5). A "$" is refused, because nginx has no way to
// write one: even "\$" starts the name of a variable.
func fieldValue(value string) (token, error) {
	for i := range len(value) {
		switch c := value[i]; {
		case c == '$':
			return token{}, fmt.Errorf("value %.40q has a \"$\", which nginx cannot write", value)
		case c < ' ' || c > '~':
			return token{}, fmt.Errorf("value %.40q has a byte that is not visible ASCII", value)
		}
	}
	if value == "" || value != strings.TrimSpace(value) {
		return token{}, fmt.Errorf("value %.40q is empty or has spaces around it", value)
	}
	return quoted(value)
}

// quoted returns text between double quotes; it must not hold a "$".
func quoted(text string) (token, error) {
	out := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	if len(out) > maxWord {
		return token{}, fmt.Errorf("value of %d bytes is longer than the %d that nginx reads", len(text), maxWord)
	}
	return token{text: out, word: text}, nil
}
