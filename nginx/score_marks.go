package nginx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// sixMonths is how long HSTS has to hold for the Observatory, in seconds.
const sixMonths = 15_552_000

func hstsMark(a Answer) Mark {
	m := Mark{Rule: "strict-transport-security", Points: -20}
	values := a.values("Strict-Transport-Security")
	age, valid := maxAgeOf(values)
	switch {
	case !a.TLS:
		m.Why = "there is no TLS with a certificate that browsers trust"
	case len(values) == 0:
		m.Why = "not sent"
	case !valid:
		m.Why = "not valid"
	case age < sixMonths:
		m.Points, m.Why = -10, "for less than six months"
	default:
		m.Points, m.Why = 0, "for six months or more"
	}
	return m
}

// maxAgeOf reads for how long a header promises TLS.
func maxAgeOf(values []string) (seconds int64, valid bool) {
	if len(values) != 1 || strings.Contains(values[0], ",") {
		return 0, false
	}
	for part := range strings.SplitSeq(values[0], ";") {
		if number, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(part)), "max-age="); ok {
			n, err := strconv.ParseInt(strings.Trim(number, `"`), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

func sniffMark(a Answer) Mark {
	if a.first("X-Content-Type-Options") == "nosniff" {
		return Mark{"x-content-type-options", 0, "nosniff"}
	}
	return Mark{"x-content-type-options", -5, "not sent, or something else than nosniff"}
}

func frameMark(a Answer, csp csp) Mark {
	value := a.first("X-Frame-Options")
	switch {
	case csp.directives["frame-ancestors"] != nil:
		return Mark{"x-frame-options", 5, "said by frame-ancestors of the content security policy"}
	case value == "deny" || value == "sameorigin" || strings.HasPrefix(value, "allow-from"):
		return Mark{"x-frame-options", 0, value}
	}
	return Mark{"x-frame-options", -20, "not sent, or not valid"}
}

func referrerMark(a Answer) Mark {
	private := []string{"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
	unsafe := []string{"origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"}
	values := strings.Split(strings.ToLower(strings.Join(a.values("Referrer-Policy"), ",")), ",")
	for _, v := range slices.Backward(values) { // the last one that a browser knows counts
		switch v = strings.TrimSpace(v); {
		case slices.Contains(private, v):
			return Mark{"referrer-policy", 5, v}
		case slices.Contains(unsafe, v):
			return Mark{"referrer-policy", -5, v}
		}
	}
	if len(a.values("Referrer-Policy")) == 0 {
		return Mark{"referrer-policy", 0, "not sent: browsers use strict-origin-when-cross-origin"}
	}
	return Mark{"referrer-policy", -5, "not valid"}
}

func corpMark(a Answer) Mark {
	const rule = "cross-origin-resource-policy"
	switch value := a.first("Cross-Origin-Resource-Policy"); value {
	case "":
		return Mark{rule, 0, "not sent"}
	case "same-origin", "same-site":
		return Mark{rule, 10, value}
	case "cross-origin":
		return Mark{rule, 0, value}
	}
	return Mark{rule, -5, "not valid"}
}

func coopMark(a Answer) Mark {
	return isolation(a, "Cross-Origin-Opener-Policy", []string{"same-origin"}, []string{"same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"})
}

func coepMark(a Answer) Mark {
	return isolation(a, "Cross-Origin-Embedder-Policy", []string{"require-corp", "credentialless"}, []string{"unsafe-none"})
}

// isolation marks a header whose value is a word, perhaps with a place to report to.
func isolation(a Answer, name string, good, weak []string) Mark {
	rule := strings.ToLower(name)
	values := a.values(name)
	if len(values) == 0 {
		return Mark{rule, 0, "not sent"}
	}
	value, _, _ := strings.Cut(values[0], ";")
	switch value = strings.TrimSpace(value); {
	case len(values) == 1 && slices.Contains(good, value):
		return Mark{rule, 10, value}
	case len(values) == 1 && slices.Contains(weak, value):
		return Mark{rule, 0, value}
	}
	return Mark{rule, -5, "not valid"}
}

func corsMark(a Answer) Mark {
	const rule = "cross-origin-resource-sharing"
	allowed := a.first("Access-Control-Allow-Origin")
	switch {
	case allowed == "":
		return Mark{rule, 0, "not sent"}
	case allowed == "*":
		return Mark{rule, 0, "public content for everybody"}
	case a.Origin != "" && allowed == strings.ToLower(a.Origin) && a.first("Access-Control-Allow-Credentials") == "true":
		return Mark{rule, -50, "every site may read what the visitor may"}
	}
	return Mark{rule, 0, "for " + allowed}
}

func redirectMark(a Answer) Mark {
	const rule = "redirection"
	switch route := a.Route; {
	case !a.Plain:
		return Mark{rule, 0, "there is no plain HTTP"}
	case len(route) < 2:
		return Mark{rule, -20, "plain HTTP does not lead to TLS"}
	case !strings.HasPrefix(route[len(route)-1], "https:"):
		return Mark{rule, -20, "plain HTTP leads to plain HTTP"}
	case !strings.HasPrefix(route[1], "https:"):
		return Mark{rule, -10, "plain HTTP leads to TLS by way of plain HTTP"}
	case hostOf(route[1]) != hostOf(route[0]):
		return Mark{rule, -5, "plain HTTP leads to another name first"}
	}
	return Mark{rule, 0, "plain HTTP leads to TLS on the same name"}
}

// hostOf returns the host of a URL, without its port.
func hostOf(url string) string {
	host, _ := splitURL(url)
	host, _, _ = strings.Cut(host, ":")
	return host
}

// cookieMark marks the worst cookie.
func cookieMark(a Answer) Mark {
	cookies := a.values("Set-Cookie")
	if len(cookies) == 0 {
		return Mark{"cookies", 0, "none"}
	}
	hsts := hstsMark(a).Points == 0
	worst := Mark{"cookies", 5, "all have Secure, SameSite and, for sessions, HttpOnly"}
	for _, cookie := range cookies {
		if m := oneCookie(cookie, hsts); m.Points < worst.Points {
			worst = m
		}
	}
	return worst
}

// oneCookie marks one cookie; hsts says that browsers will not send it in plain HTTP.
func oneCookie(cookie string, hsts bool) Mark {
	name, attributes := readCookie(cookie)
	_, secure := attributes["secure"]
	_, httpOnly := attributes["httponly"]
	site, sameSite := attributes["samesite"]
	lower := strings.ToLower(name)
	session := strings.Contains(lower, "sess") || strings.Contains(lower, "login")
	worst := Mark{"cookies", 5, ""}
	worse := func(bad bool, points int, why string) {
		if bad && points < worst.Points {
			worst = Mark{"cookies", points, fmt.Sprintf("%s: %s", name, why)}
		}
	}
	worse(!sameSite, 0, "without SameSite")
	worse(!secure && hsts, -5, "without Secure, but HSTS holds")
	worse(!secure && session && hsts, -10, "a session's, without Secure, but HSTS holds")
	worse(!secure && !hsts, -20, "without Secure")
	worse(sameSite && !slices.Contains([]string{"lax", "strict", "none"}, site) || site == "none" && !secure, -20, "with a SameSite that is not valid")
	worse(strings.Contains(lower, "csrf") && !sameSite, -20, "against forged requests, without SameSite")
	worse(session && !httpOnly, -30, "a session's, without HttpOnly")
	worse(!secure && session && !hsts, -40, "a session's, without Secure")
	return worst
}

// readCookie returns a cookie's name and its attributes, in lower case.
func readCookie(cookie string) (name string, attributes map[string]string) {
	attributes = map[string]string{}
	for i, part := range strings.Split(cookie, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if i == 0 {
			name = key
			continue
		}
		attributes[strings.ToLower(strings.TrimSpace(key))] = strings.ToLower(strings.TrimSpace(value))
	}
	return name, attributes
}
