package policy

import (
	"fmt"
	"slices"
	"strings"
)

// headers makes the complete header set of a site or path, in the order of the
// table. What the section does not say is as in base.
func (d *decoder) headers(route *section, base []Header) []Header {
	s := d.oneOrDefaults(route, "headers")
	wins, said := s.fields["upstream_wins"], get[[]string](s, "upstream_wins")
	var headers []Header
	for _, a := range s.row.attrs {
		if a.refused != "" || a.sets == "" {
			continue
		}
		h := Header{Name: a.sets}
		if base != nil {
			h = base[len(headers)]
		}
		h.Value = inherit(s, a.name, h.Value)
		if wins.set {
			h.UpstreamWins = slices.Contains(said.V, a.name)
		}
		headers = append(headers, h)
	}
	return enforced(headers)
}

// enforced turns the policy that is only reported off where another one is
// enforced, unless somebody has asked for both.
func enforced(headers []Header) []Header {
	i := slices.IndexFunc(headers, func(h Header) bool { return h.Name == cspEnforced })
	j := slices.IndexFunc(headers, func(h Header) bool { return h.Name == cspReported })
	if headers[i].Value.V != "" && !headers[j].Value.Set {
		headers[j].Value.V = ""
	}
	return headers
}

// headerName reads one item of upstream_wins: the name of an attribute that sets a header.
func headerName(before []string, n node) (string, []fault) {
	var names []string
	for _, a := range headerRows() {
		if a.refused == "" {
			names = append(names, a.name)
		}
	}
	v, faults := text(choose(names))(n)
	if faults != nil {
		return "", faults
	}
	name := v.(string)
	if slices.Contains(before, name) {
		return name, []fault{{summary: "Header listed twice", why: fmt.Sprintf("%s is in the list already.", name), hint: "list each header once", at: n.at}}
	}
	return name, nil
}

// header reads the value of a response header; "" turns the header off.
func header(parse func(string) (string, *fault)) reader {
	return text(func(s string) (string, *fault) {
		if s == "" {
			return s, nil
		}
		if i := strings.IndexFunc(s, unsafeInHeader); i >= 0 {
			return "", &fault{
				summary: "Character not possible in a header",
				why:     fmt.Sprintf("The value holds %q. nginx would read $, \" and \\ as its own, and has no way to escape a $; other characters outside ASCII don't belong into a header (RFC 9110, 5.5).", []rune(s[i:])[0]),
				hint:    "take it out",
			}
		}
		return parse(s)
	})
}

// unsafeInHeader reports a character that is not visible ASCII or space, or that
// nginx gives a meaning inside quotes.
func unsafeInHeader(r rune) bool {
	return r < ' ' || r > '~' || strings.ContainsRune(`$"\`, r)
}

// csp reads a content security policy (W3C CSP Level 3, 2.2).
func csp(s string) (string, *fault) {
	bad := func(why, hint string) (string, *fault) {
		return "", &fault{summary: "Invalid content security policy", why: why, hint: hint}
	}
	var seen []string
	for directive := range strings.SplitSeq(s, ";") {
		words := strings.Fields(directive)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		switch {
		case !slices.Contains(cspDirectives(), name):
			return bad(fmt.Sprintf("There is no directive %q; browsers would ignore it.", words[0]),
				didYouMean(name, cspDirectives(), "directives are separated by ; and start with a name such as default-src"))
		case slices.Contains(seen, name):
			return bad(fmt.Sprintf("The directive %q is there twice; browsers would ignore the second.", name), "make one directive of the two")
		}
		seen = append(seen, name)
		for _, word := range words[1:] {
			if why, hint := cspSource(word); why != "" {
				return bad(why, hint)
			}
		}
	}
	if seen == nil {
		return bad("It has no directive.", `"" turns the header off`)
	}
	return s, nil
}

// cspSource says what is wrong with one word of a directive's value, and what to
// write; why is empty when nothing is.
func cspSource(word string) (why, hint string) {
	keywords := []string{"self", "none", "unsafe-inline", "unsafe-eval", "strict-dynamic", "unsafe-hashes", "report-sample", "wasm-unsafe-eval"}
	switch {
	case strings.Contains(word, ","):
		return fmt.Sprintf("%q has a comma, which starts a second policy.", word), "separate sources by spaces"
	case slices.Contains(keywords, word):
		return fmt.Sprintf("%s without quotes is a host of that name.", word), fmt.Sprintf("write '%s', in single quotes", word)
	case strings.Count(word, "'")%2 != 0:
		return fmt.Sprintf("%s has a quote that is not closed.", word), "write keywords in single quotes: 'self'"
	}
	return "", ""
}

// cspDirectives lists the directives of W3C CSP Level 3 and of the specifications
// that add to it (Trusted Types, Upgrade Insecure Requests, Fenced Frame).
func cspDirectives() []string {
	return []string{
		"base-uri", "child-src", "connect-src", "default-src", "fenced-frame-src", "font-src", "form-action",
		"frame-ancestors", "frame-src", "img-src", "manifest-src", "media-src", "object-src", "report-to",
		"report-uri", "require-trusted-types-for", "sandbox", "script-src", "script-src-attr", "script-src-elem",
		"style-src", "style-src-attr", "style-src-elem", "trusted-types", "upgrade-insecure-requests", "webrtc",
		"worker-src",
	}
}

// permissions reads a permissions policy (W3C Permissions Policy, 5.2), of which
// single origins are left out: their quotes can't be written in nginx's.
func permissions(s string) (string, *fault) {
	bad := func(why, hint string) (string, *fault) {
		return "", &fault{summary: "Invalid permissions policy", why: why, hint: hint}
	}
	allowlists := []string{"()", "(self)", "(src)", "(self src)", "(*)", "*", "self"}
	var seen []string
	for part := range strings.SplitSeq(s, ",") {
		feature, allowlist, _ := strings.Cut(strings.Trim(part, " "), "=")
		switch {
		case !word(feature, 64, "-") || !slices.Contains(allowlists, allowlist):
			return bad(fmt.Sprintf("%q is not a feature and who may use it.", part), `write a list such as "camera=(), geolocation=(self), fullscreen=*"`)
		case slices.Contains(seen, feature):
			return bad(fmt.Sprintf("The feature %s is there twice.", feature), "name it once")
		}
		seen = append(seen, feature)
	}
	return s, nil
}
