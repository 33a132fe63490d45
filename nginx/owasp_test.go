package nginx

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
)

// These lists are those of the OWASP Secure Headers Project. What molo does otherwise, it
// does for the reason beside it.

// removed are the headers that tell of what is behind a server.
const removed = `$wsep Host-Header K-Proxy-Request Liferay-Portal OracleCommerceCloud-Version Pega-Host Powered-By Product Server SourceMap
X-AspNet-Version X-AspNetMvc-Version X-Atmosphere-error X-Atmosphere-first-request X-Atmosphere-tracking-id X-B3-ParentSpanId X-B3-Sampled
X-B3-SpanId X-B3-TraceId X-BEServer X-CF-Powered-By X-CMS X-CalculatedBETarget X-Cocoon-Version X-Content-Encoded-By X-DiagInfo
X-Envoy-Attempt-Count X-Envoy-External-Address X-Envoy-Internal X-Envoy-Original-Dst-Host X-Envoy-Upstream-Service-Time X-FEServer X-Framework
X-Generated-By X-Generator X-Jitsi-Release X-Kubernetes-PF-FlowSchema-UI X-Kubernetes-PF-PriorityLevel-UID X-LiteSpeed-Cache X-LiteSpeed-Purge
X-LiteSpeed-Tag X-LiteSpeed-Vary X-Litespeed-Cache-Control X-Mod-Pagespeed X-Nextjs-Cache X-Nextjs-Matched-Path X-Nextjs-Page X-Nextjs-Redirect
X-OWA-Version X-Old-Content-Length X-OneAgent-JS-Injection X-Page-Speed X-Php-Version X-Powered-By X-Powered-By-Plesk X-Powered-CMS X-Redirect-By
X-Server-Powered-By X-SourceFiles X-SourceMap X-Turbo-Charged-By X-Umbraco-Version X-Varnish-Backend X-Varnish-Server X-dtAgentId X-dtHealthCheck
X-dtInjectedServlet X-ruxit-JS-Agent`

// passedOn are those of them that molo does not take away.
var passedOn = map[string]string{
	"$wsep":                      "no name that nginx could be given",
	"Server":                     "nginx writes its own, without a version",
	"SourceMap":                  "where the map is, is no secret once it is served",
	"X-SourceMap":                "where the map is, is no secret once it is served",
	"X-Atmosphere-error":         "its clients read it",
	"X-Atmosphere-first-request": "its clients read it",
	"X-Atmosphere-tracking-id":   "its clients read it",
	"X-Nextjs-Cache":             "its clients read it",
	"X-Nextjs-Matched-Path":      "its clients read it",
	"X-Nextjs-Page":              "its clients read it",
	"X-Nextjs-Redirect":          "its clients read it",
}

func TestWhatTellsOfAnApplicationIsTakenAway(t *testing.T) {
	tree := treeOf(t, compile(t, newSites(t, twoSites), facts.Nginx{}))
	hidden := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^proxy_hide_header (\S+);$`).FindAllStringSubmatch(string(tree.Files["proxy.conf"]), -1) {
		hidden[strings.ToLower(m[1])] = true
	}
	for _, name := range strings.Fields(removed) {
		if why, passes := passedOn[name]; hidden[strings.ToLower(name)] == passes {
			t.Errorf("%s is taken away: %t; the reason not to: %q", name, hidden[strings.ToLower(name)], why)
		}
	}
	for name := range passedOn {
		if !slices.Contains(strings.Fields(removed), name) {
			t.Errorf("%s is no exception: it is not on the list", name)
		}
	}
}

// added are the headers that every answer should have.
var added = map[string]string{
	"Cache-Control": "no-store, max-age=0", "Clear-Site-Data": `"cache","cookies","storage"`,
	"Content-Security-Policy":      "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'; upgrade-insecure-requests",
	"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy": "no-referrer", "Strict-Transport-Security": "max-age=63072000; includeSubDomains", "X-Content-Type-Options": "nosniff",
	"X-DNS-Prefetch-Control": "off", "X-Frame-Options": "DENY", "X-Permitted-Cross-Domain-Policies": "none",
}

// otherwise are those that molo does not send, or not so, until it is told.
var otherwise = map[string]string{
	"Cache-Control":                "what may be kept is the application's to say: most sites would become slow",
	"Clear-Site-Data":              "it is for the answer to a logout, and would end every session",
	"Content-Security-Policy":      "nobody but its author knows what a page loads: reported until it is written",
	"Cross-Origin-Embedder-Policy": "pages lose foreign images and frames that do not agree to it",
	"Strict-Transport-Security":    "names below this one may be served in plain HTTP by others",
}

// features are what OWASP's Permissions-Policy takes from pages.
const features = `accelerometer autoplay camera cross-origin-isolated display-capture encrypted-media fullscreen geolocation gyroscope keyboard-map
magnetometer microphone midi payment picture-in-picture publickey-credentials-get screen-wake-lock sync-xhr usb web-share xr-spatial-tracking
clipboard-read clipboard-write gamepad hid idle-detection interest-cohort serial unload`

// allowedFeatures are those of them that molo leaves to pages.
var allowedFeatures = map[string]string{
	"clipboard-write":           "buttons that copy, on a visitor's click alone",
	"cross-origin-isolated":     "it is off as long as Cross-Origin-Embedder-Policy is, and wanted where that is not",
	"fullscreen":                "films, on a visitor's click alone",
	"interest-cohort":           "no browser has it any more, and each complains of it",
	"keyboard-map":              "remote desktops in a page need it",
	"publickey-credentials-get": "logins with passkeys need it",
	"unload":                    "older applications save in it what was typed",
}

func TestAnswersHaveTheHeadersThatAreAdvised(t *testing.T) {
	site := parseSites(t, "site \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n")[0]
	sent := map[string]string{}
	for _, h := range site.Root.Headers {
		if h.Value.V != "" {
			sent[h.Name] = h.Value.V
		}
	}
	if h, ok := HSTS(site.HSTS, site.HSTS.RampFrom.V); ok {
		sent[h.Name] = h.Value.V
	}
	for name, want := range added {
		if why, differs := otherwise[name]; (sent[name] == want) == differs {
			t.Errorf("%s is %q, advised %q; the reason not to: %q", name, sent[name], want, why)
		}
	}
	taken := map[string]bool{}
	for feature := range strings.SplitSeq(sent["Permissions-Policy"], ", ") {
		name, _, _ := strings.Cut(feature, "=")
		taken[name] = true
	}
	for name := range allowedFeatures {
		if taken[name] {
			t.Errorf("%s is no exception", name)
		}
		taken[name] = true
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(strings.Fields(features))), slices.Sorted(maps.Keys(taken))); diff != "" {
		t.Errorf("features of Permissions-Policy and exceptions (-advised +got)\n%s", diff)
	}
}
