package policy

// The defaults follow the list of the OWASP Secure Headers Project of 2026-08,
// except where a comment says why not.
const (
	// contentSecurityPolicy is only reported. It lacks OWASP's upgrade-insecure-requests, which browsers
	// ignore in a report and which would break a site in plain HTTP.
	contentSecurityPolicy = "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'"

	// permissionsPolicy leaves out of OWASP's list what sites need every day and only
	// use on a click (passkeys, copying to the clipboard, full screen), and the dead
	// or experimental names (interest-cohort, unload, keyboard-map).
	permissionsPolicy = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), display-capture=(), encrypted-media=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), screen-wake-lock=(), serial=(), sync-xhr=(self), usb=(), web-share=(), xr-spatial-tracking=()"
)

// The two names of the content security policy.
const (
	cspEnforced = "Content-Security-Policy"
	cspReported = "Content-Security-Policy-Report-Only"
)

// headersRow is the block headers of a site: a row for each response header, in
// the order in which they are sent.
func headersRow() block {
	return block{
		name: "headers",
		doc: "The security headers of a site's answers, nginx's own errors included, each exactly once: what the application says about them is dropped. `\"\"` turns a header off, and lets the application's through. " +
			"A value is printable ASCII without `$`, `\"` and `\\`, which nginx would read as its own.",
		attrs: append(headerRows(), attribute{
			name: "upstream_wins", kind: "list of headers", example: `["content_security_policy", "x_frame_options"]`, read: list("headers", headerName),
			doc: "Headers of which the application's own value wins; the value here then holds where it sends none.",
		}),
	}
}

// pathHeadersRow is the block headers of a path, which has no defaults of its own.
func pathHeadersRow() block {
	row := headersRow()
	row.doc = "The headers that are others below this path. What is not written is as the site says."
	for i := range row.attrs {
		row.attrs[i].fallback = ""
	}
	return row
}

// headerRows lists the response headers.
func headerRows() []attribute {
	return []attribute{
		{
			name: "content_security_policy", kind: "header", sets: cspEnforced, read: header(csp),
			fallback: `""`, example: `"default-src 'self'; img-src 'self' https://img.example.no"`,
			doc: "Where a page may load scripts, styles, frames from: what keeps injected scripts from running. Off until you write one, because nobody but its author knows what a page needs.",
		},
		{
			name: "content_security_policy_report_only", kind: "header", sets: cspReported, read: header(csp),
			fallback: `"` + contentSecurityPolicy + `"`, example: `"default-src 'none'"`,
			doc: "A policy that browsers only report against, in their console. Off where `content_security_policy` is written and this is not.",
		},
		headerRow("x_frame_options", "X-Frame-Options", "DENY", "Which pages may show the site in a frame, where clicks can be stolen.", "DENY", "SAMEORIGIN"),
		headerRow("x_content_type_options", "X-Content-Type-Options", "nosniff", "Keeps browsers from taking an upload for a script.", "nosniff"),
		headerRow("referrer_policy", "Referrer-Policy", "no-referrer", "How much of the address of a page other sites learn through links in it.", referrerPolicies()...),
		{
			name: "permissions_policy", kind: "header", sets: "Permissions-Policy", read: header(permissions),
			fallback: `"` + permissionsPolicy + `"`, example: `"camera=(self), geolocation=(), fullscreen=*"`,
			doc: "Which features of the browser the page and its frames may use: `name=()` nobody, `name=(self)` the site itself, `name=*` everybody.",
		},
		headerRow("cross_origin_opener_policy", "Cross-Origin-Opener-Policy", "same-origin", "Keeps other sites' windows from reaching into this one's.",
			"same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"),
		headerRow("cross_origin_resource_policy", "Cross-Origin-Resource-Policy", "same-origin", "Which sites may embed this one's images and scripts.",
			"same-origin", "same-site", "cross-origin"),
		headerRow("cross_origin_embedder_policy", "Cross-Origin-Embedder-Policy", "", "Lets a page embed only what agrees to it. Off, because most pages with foreign images or frames would lose them.",
			"require-corp", "credentialless", "unsafe-none"),
		headerRow("x_permitted_cross_domain_policies", "X-Permitted-Cross-Domain-Policies", "none", "Keeps PDF and Flash readers from fetching data of the site.",
			"none", "master-only", "by-content-type", "all"),
		headerRow("x_dns_prefetch_control", "X-DNS-Prefetch-Control", "off", "Keeps browsers from looking up the names in links before anybody clicks, which tells a name server what is read.", "off", "on"),
		{
			name: "strict_transport_security", kind: "header", sets: "Strict-Transport-Security",
			refused: "The block hsts makes this header, and it is sent over TLS only: browsers must ignore it in plain HTTP (RFC 6797, 8.1), and sent too early it locks visitors out for years.",
			doc:     "Not here.",
		},
		{
			name: "x_xss_protection", kind: "header", sets: "X-XSS-Protection",
			refused: "Browsers have dropped the filter that this header steered, and it opened holes of its own; OWASP advises against it.",
			doc:     "Not here: `content_security_policy` does what it promised.",
		},
	}
}

// headerRow is the row of a header that is one of some words, or off.
func headerRow(name, sets, fallback, doc string, allowed ...string) attribute {
	example := allowed[len(allowed)-1]
	if example == fallback {
		example = ""
	}
	return attribute{
		name: name, kind: "header", sets: sets, allowed: allowed, doc: doc,
		fallback: `"` + fallback + `"`, example: `"` + example + `"`,
		read: header(choose(allowed)),
	}
}

// referrerPolicies lists the values of the specification (W3C Referrer Policy, 3).
func referrerPolicies() []string {
	return []string{
		"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin",
		"same-origin", "strict-origin", "strict-origin-when-cross-origin", "unsafe-url",
	}
}
