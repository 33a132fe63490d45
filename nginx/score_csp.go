package nginx

import (
	"slices"
	"strings"
)

// csp is a content security policy as the Observatory reads it.
type csp struct {
	directives map[string][]string // nil: there is none
	invalid    bool
}

// readCSP reads policies; a browser obeys all of them, so only a source that is in
// each counts.
func readCSP(values []string) csp {
	var c csp
	for i, text := range strings.Split(strings.Join(values, ","), ",") {
		text = strings.TrimSpace(text)
		if text == "" && i == 0 && len(values) == 0 {
			return csp{}
		}
		one, valid := readPolicy(text)
		if !valid {
			return csp{invalid: true}
		}
		if i == 0 {
			c.directives = one
			continue
		}
		for name, sources := range one {
			c.directives[name] = slices.DeleteFunc(sources, func(s string) bool { return !slices.Contains(c.directives[name], s) })
			if len(c.directives[name]) == 0 {
				c.directives[name] = []string{"'none'"}
			}
		}
	}
	return c
}

// readPolicy reads one policy. A directive that is there twice makes it invalid,
// but for those that say where to report.
func readPolicy(text string) (map[string][]string, bool) {
	directives := map[string][]string{}
	for directive := range strings.SplitSeq(text, ";") {
		words := strings.Fields(strings.ToLower(directive))
		if len(words) == 0 {
			continue
		}
		name, sources := words[0], words[1:]
		if _, twice := directives[name]; twice {
			if name != "report-uri" && name != "report-to" {
				return nil, false
			}
			continue
		}
		if len(sources) == 0 && strings.HasSuffix(name, "-src") {
			sources = []string{"'none'"}
		}
		directives[name] = append([]string{}, sources...)
	}
	return directives, len(directives) > 0 && len(text) >= len("img-src")-1
}

// sources returns what a directive allows, or those in its place, or everything.
func (c csp) sources(names ...string) []string {
	for _, name := range names {
		if sources, ok := c.directives[name]; ok {
			return slices.Clone(sources)
		}
	}
	return []string{"*"}
}

// mark returns the mark of the policy.
func (c csp) mark(a Answer) Mark {
	m := Mark{Rule: "content-security-policy", Points: -25}
	switch {
	case c.invalid:
		m.Why = "not valid"
		return m
	case c.directives == nil && len(a.values("Content-Security-Policy-Report-Only")) > 0:
		m.Why = "only reported against"
		return m
	case c.directives == nil:
		m.Why = "not sent"
		return m
	}
	m.Points, m.Why = c.points(a.TLS)
	return m
}

// broad are sources that are everybody's.
func broad(source string) bool {
	return slices.Contains([]string{"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}, source)
}

// loose are sources that are everybody's, or that let injected code in.
func loose(source string) bool {
	return broad(source) || source == "'unsafe-inline'" || source == "data:"
}

// insecure are sources that are read in plain HTTP.
func insecure(source string) bool {
	return strings.HasPrefix(source, "http:") || strings.HasPrefix(source, "ftp:")
}

// points returns what the policy is worth on a site with or without TLS.
func (c csp) points(tls bool) (int, string) {
	object, style := c.sources("object-src", "default-src"), known(c.sources("style-src", "default-src"))
	script := c.sources("script-src", "default-src")
	if strict := slices.Contains(script, "'strict-dynamic'"); strict && !pinned(script) {
		return -25, "'strict-dynamic' without a nonce or a digest"
	} else if strict {
		script = slices.DeleteFunc(script, func(s string) bool { return broad(s) || s == "'self'" || s == "'unsafe-inline'" || insecure(s) })
	}
	script = known(script)
	switch {
	case slices.ContainsFunc(script, loose) || slices.ContainsFunc(object, broad):
		return -20, "scripts or objects from anywhere, or injected ones"
	case tls && slices.ContainsFunc(c.active(script), insecure):
		return -20, "scripts or the like in plain HTTP"
	case slices.Contains(append(script, style...), "'unsafe-eval'"):
		return -10, "'unsafe-eval'"
	case tls && slices.ContainsFunc(append(c.sources("img-src", "default-src"), c.sources("media-src", "default-src")...), insecure):
		return -10, "images or media in plain HTTP"
	case slices.ContainsFunc(style, loose):
		return 0, "styles from anywhere, or injected ones"
	case slices.Equal(c.directives["default-src"], []string{"'none'"}):
		return 10, "nothing but what is named"
	}
	return 5, "without unsafe sources"
}

// active returns the sources of everything but images, media and scripts, and scripts'.
func (c csp) active(script []string) []string {
	out := slices.Clone(script)
	for name, sources := range c.directives {
		if name != "img-src" && name != "media-src" && name != "script-src" {
			out = append(out, sources...)
		}
	}
	return out
}

// pinned reports whether single scripts are named by a nonce or a digest.
func pinned(sources []string) bool {
	return slices.ContainsFunc(sources, func(s string) bool {
		return strings.HasPrefix(s, "'nonce-") || strings.HasPrefix(s, "'sha256-") || strings.HasPrefix(s, "'sha384-") || strings.HasPrefix(s, "'sha512-")
	})
}

// known takes out 'unsafe-inline' where browsers ignore it, because single scripts are named.
func known(sources []string) []string {
	if !pinned(sources) {
		return sources
	}
	return slices.DeleteFunc(sources, func(s string) bool { return s == "'unsafe-inline'" })
}
