package nginx

import (
	"testing"
	"time"

	"molo/internal/policy"

	"github.com/google/go-cmp/cmp"
)

// markOf returns the points of one rule for headers, over TLS.
func markOf(rule string, headers map[string][]string) int {
	for _, m := range Observe(Answer{Host: "a.no", TLS: true, Headers: headers}).Marks {
		if m.Rule == rule {
			return m.Points
		}
	}
	return -1000
}

// The numbers are those of mdn-http-observatory's score table.
func TestEveryRuleOfTheObservatory(t *testing.T) {
	const hsts = "Strict-Transport-Security"
	for _, tc := range []struct {
		rule, header string
		values       map[string]int // value to points; "" is not sent
	}{
		{"strict-transport-security", hsts, map[string]int{
			"": -20, "max-age=63072000": 0, "max-age=15552000; includeSubDomains": 0, "max-age=15551999": -10, "max-age=0": -10,
			"includeSubDomains": -20, "max-age=x": -20, "max-age=63072000, max-age=1": -20, "MAX-AGE=63072000": 0,
		}},
		{"x-content-type-options", "X-Content-Type-Options", map[string]int{"": -5, "nosniff": 0, "NoSniff": 0, "none": -5}},
		{"x-frame-options", "x-frame-options", map[string]int{"": -20, "DENY": 0, "sameorigin": 0, "ALLOW-FROM https://b.no": 0, "ALLOWALL": -20}},
		{"referrer-policy", "Referrer-Policy", map[string]int{"": 0, "no-referrer": 5, "strict-origin-when-cross-origin": 5, "origin": -5, "no-referrer, unsafe-url": -5, "no-referrer, new-word": 5, "x": -5}},
		{"cross-origin-resource-policy", "Cross-Origin-Resource-Policy", map[string]int{"": 0, "same-origin": 10, "same-site": 10, "cross-origin": 0, "x": -5}},
		{"cross-origin-opener-policy", "Cross-Origin-Opener-Policy", map[string]int{"": 0, "same-origin": 10, `same-origin; report-to="x"`: 10, "unsafe-none": 0, "Same-Origin": -5}},
		{"cross-origin-embedder-policy", "Cross-Origin-Embedder-Policy", map[string]int{"": 0, "require-corp": 10, "unsafe-none": 0, "x": -5}},
		{"cross-origin-resource-sharing", "Access-Control-Allow-Origin", map[string]int{"": 0, "*": 0, "https://b.no": 0}},
		{"content-security-policy", "Content-Security-Policy", map[string]int{
			"":                                   -25,
			"default-src 'none'":                 10,
			"default-src 'self'":                 5,
			"default-src 'none'; img-src 'self'": 10,
			"default-src 'self'; style-src 'self' 'unsafe-inline'":                               0,
			"default-src 'self'; script-src 'self' 'unsafe-inline'":                              -20,
			"default-src 'self'; script-src 'nonce-abc' 'unsafe-inline'":                         5,
			"default-src 'self'; script-src 'nonce-abc' 'strict-dynamic' https: 'unsafe-inline'": 5,
			"default-src 'self'; script-src 'strict-dynamic'":                                    -25,
			"default-src 'self'; script-src 'self' 'unsafe-eval'":                                -10,
			"default-src 'self'; script-src data:":                                               -20,
			"default-src https:":                                                                 -20,
			"img-src 'self'":                                                                     -20, // scripts from anywhere
			"default-src 'self'; img-src http://b.no":                                            -10,
			"default-src 'self'; connect-src http://b.no":                                        -20,
			"default-src 'self'; default-src 'none'":                                             -25,
			"default-src 'self'; report-uri /a; report-uri /b":                                   5,
			"a":                                      -25,
			"default-src 'none', default-src 'self'": 10,
			"default-src 'self' https:, default-src 'self'": 5,
		}},
		{"cookies", "Set-Cookie", map[string]int{
			"": 0, "a=1; Secure; HttpOnly; SameSite=Lax": 5, "a=1; Secure": 0, "a=1": -20, "session=1; Secure; SameSite=Lax": -30, "session=1; HttpOnly": -40,
			"csrf=1; Secure": -20, "a=1; Secure; SameSite=Some": -20, "a=1; SameSite=None": -20, "a=1; Secure; SameSite=None": 5,
		}},
	} {
		for value, want := range tc.values {
			headers := map[string][]string{}
			if value != "" {
				headers[tc.header] = []string{value}
			}
			if got := markOf(tc.rule, headers); got != want {
				t.Errorf("%s: %q is worth %d, want %d", tc.header, value, got, want)
			}
		}
	}
	if got := markOf("cookies", map[string][]string{hsts: {"max-age=63072000"}, "Set-Cookie": {"a=1; SameSite=Lax", "session=1; HttpOnly; SameSite=Lax"}}); got != -10 {
		t.Errorf("cookies without Secure where HSTS holds are worth %d, want -10", got)
	}
	if got := markOf("x-frame-options", map[string][]string{"Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'"}}); got != 5 {
		t.Errorf("frame-ancestors is worth %d, want 5", got)
	}
	if got := markOf("cross-origin-opener-policy", map[string][]string{"Cross-Origin-Opener-Policy": {"same-origin", "same-origin"}}); got != -5 {
		t.Errorf("a header that is there twice is worth %d, want -5", got)
	}
	origin := Answer{Origin: "https://evil.no", Headers: map[string][]string{"Access-Control-Allow-Origin": {"https://evil.no"}, "Access-Control-Allow-Credentials": {"true"}}}
	if got := corsMark(origin).Points; got != -50 {
		t.Errorf("content for every site and its visitors is worth %d, want -50", got)
	}
}

func TestRedirectsAreScoredByTheirRoute(t *testing.T) {
	for _, tc := range []struct {
		name  string
		plain bool
		route []string
		want  int
	}{
		{"no plain HTTP", false, nil, 0},
		{"to TLS", true, []string{"http://a.no/", "https://a.no/"}, 0},
		{"to TLS and on", true, []string{"http://a.no/", "https://a.no/", "https://www.a.no/"}, 0},
		{"nowhere", true, []string{"http://a.no/"}, -20},
		{"to plain HTTP", true, []string{"http://a.no/", "http://b.no/"}, -20},
		{"back to plain HTTP", true, []string{"http://a.no/", "https://a.no/", "http://a.no/x"}, -20},
		{"to TLS by way of plain HTTP", true, []string{"http://a.no/", "http://www.a.no/", "https://www.a.no/"}, -10},
		{"to another name", true, []string{"http://a.no/", "https://www.a.no:8443/"}, -5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := redirectMark(Answer{Plain: tc.plain, Route: tc.route}).Points; got != tc.want {
				t.Errorf("%d points, want %d", got, tc.want)
			}
		})
	}
}

func TestGrades(t *testing.T) {
	got := map[int]string{}
	for _, points := range []int{0, 24, 25, 44, 69, 70, 84, 89, 90, 99, 100, 135} {
		got[points] = grade(points)
	}
	want := map[int]string{0: "F", 24: "F", 25: "D-", 44: "D+", 69: "B-", 70: "B", 84: "B+", 89: "A-", 90: "A", 99: "A", 100: "A+", 135: "A+"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What an empty block site is worth, over TLS and before it, and once its owner has
// said where pages may load things from.
func TestScoreOfSites(t *testing.T) {
	for _, tc := range []struct {
		name, headers string
		tls           bool
		points        int
		grade         string
	}{
		{"as it is, in plain HTTP", "", false, 35, "D"},
		{"as it is, over TLS", "", true, 75, "B"},
		{"with a content security policy", "headers {\n content_security_policy = \"default-src 'self'; frame-ancestors 'none'\"\n}", true, 135, "A+"},
		{"with everything off", "headers {\n x_frame_options = \"\"\n x_content_type_options = \"\"\n}", true, 50, "C"},
	} {
		t.Run("63 "+tc.name, func(t *testing.T) {
			s := parseSites(t, "site \"a.no\" {\n upstream = \"127.0.0.1:1\"\n"+tc.headers+"\n}\n")[0]
			got := Observe(served(s, tc.tls, time.Time{}))
			if got.Points != tc.points || got.Grade != tc.grade {
				t.Errorf("%d points, %s, want %d, %s: %+v", got.Points, got.Grade, tc.points, tc.grade, got.Marks)
			}
		})
	}
}

// served is the answer of a site as the policy has it: over TLS, to which plain HTTP
// leads, or in plain HTTP. It holds where the application adds no headers.
func served(s *policy.Site, tls bool, now time.Time) Answer {
	a := Answer{Host: s.Name.V, TLS: tls, Plain: true, Headers: map[string][]string{}, Route: []string{"http://" + s.Name.V + "/"}}
	for _, h := range s.Root.Headers {
		if h.Value.V != "" {
			a.Headers[h.Name] = []string{h.Value.V}
		}
	}
	if tls {
		a.Route = append(a.Route, "https://"+s.Name.V+"/")
		if h, sent := HSTS(s.HSTS, now); sent {
			a.Headers[h.Name] = []string{h.Value.V}
		}
	}
	return a
}
