package policy

import (
	"slices"
	"time"
)

// siteRow is the block site.
func siteRow() block {
	return block{
		name: "site",
		label: &attribute{
			name: "name", kind: "host name", example: `"app.example.no"`, read: text(hostName),
			doc: "The host name that is served, without wildcards; names outside ASCII in their `xn--` form.",
		},
		doc: "A name that nginx serves by passing requests on to an application, with security headers on every answer. One attribute, `upstream`, will do. What nginx is told, and why: [nginx.md](nginx.md).",
		attrs: slices.Concat(targetAttrs(true), []attribute{
			{
				name: "redirect_from", kind: "list of host names", example: `["www.example.no"]`, read: list("host names", otherName),
				doc: "Other names, whose visitors are led to this one for good.",
			},
			{
				name: "port", kind: "number", fallback: `80`, example: `8080`, read: integer[uint16](1, 65535),
				doc: "The port that is served, in plain HTTP.",
			},
			{
				name: "default", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
				doc: "Whether this site answers requests to its port for names that no site has. Otherwise those get no answer, so that nobody finds a site by the host's address.",
			},
			{
				name: "hidden_files", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
				doc: "Whether paths with a name that begins with a dot, such as `/.git/config`, are passed on. Otherwise they get 404, but for `/.well-known/`.",
			},
		}, routeAttrs(true)),
		blocks: slices.Concat([]block{trustedProxiesRow(), tlsRow(), hstsRow(), headersRow()}, routeBlocks(), []block{pathRow()}),
	}
}

// pathRow is the block path of site.
func pathRow() block {
	return block{
		name: "path",
		label: &attribute{
			name: "path", kind: "path", example: `"/api/"`, read: text(requestPath),
			doc: "The path, and all below it, in any case; whether it ends with a slash makes no difference. Of two that match, the longer one counts.",
		},
		doc: "What is different for a part of the site. What is not written is as the site says; a block that is written replaces the site's.",
		attrs: slices.Concat(targetAttrs(false), []attribute{{
			name: "public", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
			doc: "Whether everybody may ask here although the site has `auth` or `allow_from`.",
		}}, routeAttrs(false)),
		blocks: append([]block{pathHeadersRow()}, routeBlocks()...),
	}
}

// targetAttrs say where requests go.
func targetAttrs(site bool) []attribute {
	example := `"127.0.0.1:8081"`
	if !site {
		example = `"127.0.0.1:8082"`
	}
	return inherited(site, []attribute{
		{
			name: "upstream", kind: "address and port", required: site, unless: []string{"backend", "redirect"}, example: example, read: text(upstream),
			doc: "Where the application listens: an address and a port, or `unix:` and the path of a socket. A container is published on loopback, or named by its own address; one that is published to the world could be asked past nginx.",
		},
		{
			name: "protocol", kind: "string", fallback: `"http"`, allowed: []string{"http", "https", "grpc", "grpcs"}, example: `"https"`,
			doc: "What the application speaks: `https` and `grpcs` are over TLS, see `upstream_tls`. Clients of gRPC need HTTP/2, which nginx speaks over TLS.",
		},
		{
			name: "remote", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
			doc: "Whether the application may be on another machine. Otherwise an address that is neither loopback nor a container's is a violation.",
		},
		{
			name: "redirect", kind: "URL or path", example: `"https://example.no"`, read: text(redirect),
			doc: "Leads clients elsewhere. To a site named alone, the path and the query of the request go along; a page or a path is meant as it is written.",
		},
		{
			name: "redirect_status", kind: "number", needs: "redirect", fallback: `308`, example: `307`, read: redirectStatus,
			doc: "The status of `redirect`: 308 is for good, and browsers remember it; 307 is for now. With both a POST stays a POST. 301 and 302 are possible.",
		},
	})
}

// routeAttrs say how requests are passed on, and whose.
func routeAttrs(site bool) []attribute {
	return inherited(site, []attribute{
		{
			name: "max_body", kind: "size", fallback: `"10m"`, example: `"512k"`, read: text(bodySize),
			doc: "The largest request body that is let through: bytes, or a number and k, m or g, at most 1024g. Nobody can fill the disk or the memory with one request.",
		},
		{
			name: "timeout", kind: "time", fallback: `"60s"`, example: `"5m"`, read: text(duration(time.Second, 24*time.Hour)),
			doc: "How long the application may be silent before the client gets 504, or an idle WebSocket is closed: a number and s, m or h.",
		},
		{
			name: "websocket", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
			doc: "Whether a request may become a WebSocket, and nothing else.",
		},
		{
			name: "buffering", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
			doc: "Whether nginx takes in an answer, or an upload, before it passes it on, so that a slow client does not hold the application. Server-sent events need `false`.",
		},
		{
			name: "allow_from", kind: "list of networks", example: `["192.0.2.0/24", "2001:db8::1"]`, read: list("networks", network),
			doc: "Networks in CIDR notation and addresses that may ask; others get 403. Everybody may when it is left out.",
		},
		{
			name: "deny_from", kind: "list of networks", example: `["198.51.100.0/24"]`, read: list("networks", network),
			doc: "Networks and addresses that may not ask, even if `allow_from` holds them.",
		},
		{
			name: "cookie_flags", kind: "list of flags", example: `["secure", "httponly", "samesite=lax"]`, read: list("flags", cookieFlag),
			doc: "Flags that every cookie of the application gets, in place of its own: `secure`, `httponly`, and `samesite=` with `lax`, `strict` or `none`. Some applications read cookies in scripts, or need them across sites. A cookie that is `secure` comes back over TLS only.",
		},
	})
}

// inherited takes the defaults away from attributes of a path: those are the site's.
func inherited(site bool, attrs []attribute) []attribute {
	if site {
		return attrs
	}
	for i := range attrs {
		if attrs[i].name != "redirect_status" { // it goes with the path's own redirect
			attrs[i].fallback = ""
		}
	}
	return attrs
}

// routeBlocks lists the blocks that a site and a path have in common.
func routeBlocks() []block {
	return []block{backendRow(), upstreamTLSRow(), authRow(), limitRow()}
}

// backendRow is the block backend.
func backendRow() block {
	return block{
		name: "backend",
		label: &attribute{
			name: "address", kind: "address and port", example: `"127.0.0.1:8082"`, read: text(upstream),
			doc: "Where the server listens, as in `upstream`.",
		},
		doc: "One of several servers of an application, which take turns. One that fails is left alone for a while, and requests that it has not begun to answer go to another, once.",
		attrs: []attribute{
			{
				name: "weight", kind: "number", fallback: `1`, example: `3`, read: integer[int](1, 1000),
				doc: "How many turns it takes while the others take theirs.",
			},
			{
				name: "max_fails", kind: "number", fallback: `3`, example: `1`, read: integer[int](0, 1000),
				doc: "How often it may fail within `fail_timeout` before it is left alone for that long; 0 never leaves it alone.",
			},
			{
				name: "fail_timeout", kind: "time", fallback: `"10s"`, example: `"30s"`, read: text(duration(time.Second, time.Hour)),
				doc: "The time that `max_fails` is about.",
			},
			{
				name: "max_connections", kind: "number", example: `100`, read: integer[int](1, 1_000_000),
				doc: "How many connections to it nginx has at a time.",
			},
			{
				name: "backup", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
				doc: "Whether it is only asked when all others fail.",
			},
		},
	}
}

// upstreamTLSRow is the block upstream_tls.
func upstreamTLSRow() block {
	return block{
		name: "upstream_tls",
		doc:  "How an application that speaks TLS (`protocol` `https` or `grpcs`) is told from somebody in its place.",
		attrs: []attribute{
			{
				name: "name", kind: "host name", example: `"app.internal"`, read: text(hostName),
				doc: "The name that its certificate must have. Left out, it is the site's.",
			},
			{
				name: "ca", kind: "path", fallback: `"/etc/ssl/certs/ca-certificates.crt"`, example: `"/etc/molo/app-ca.pem"`, read: text(filePath),
				doc: "The authorities that may have signed it, in PEM.",
			},
			{
				name: "verify", kind: "boolean", fallback: `true`, example: `false`, read: boolean(),
				doc: "Whether the certificate is looked at. Without that, TLS keeps nobody out who can listen on the way.",
			},
		},
	}
}

// authRow is the block auth.
func authRow() block {
	return block{
		name: "auth",
		doc:  "Asks for a name and a password (RFC 7617). The application does not get to see them. Without TLS, everybody on the way does.",
		attrs: []attribute{
			{
				name: "users", kind: "path", required: true, example: `"/etc/nginx/app.htpasswd"`, read: text(filePath),
				doc: "The file with the names and the hashes of passwords, as `htpasswd` makes it. Nginx's workers must be able to read it and others must not: `chown root:www-data`, `chmod 0640`.",
			},
			{
				name: "realm", kind: "text", fallback: `"Restricted"`, example: `"Internal"`, read: text(realm),
				doc: "What the browser shows when it asks.",
			},
		},
	}
}

// limitRow is the block limit.
func limitRow() block {
	return block{
		name: "limit",
		doc:  "How much one client may ask for: what is more gets 429. A client is an IPv4 address, or an IPv6 network of 64 bits, which is what one household has.",
		attrs: []attribute{
			{
				name: "rate", kind: "rate", fallback: `"10/s"`, example: `"30/m"`, read: text(rate),
				doc: "How many requests in a second or a minute.",
			},
			{
				name: "burst", kind: "number", fallback: `50`, example: `5`, read: integer[int](0, 100_000),
				doc: "How many more may come at once, as the parts of a page do.",
			},
			{
				name: "connections", kind: "number", fallback: `50`, example: `10`, read: integer[int](1, 100_000),
				doc: "How many requests may be under way at a time.",
			},
		},
	}
}

// trustedProxiesRow is the block trusted_proxies.
func trustedProxiesRow() block {
	return block{
		name: "trusted_proxies",
		doc:  "The proxies or load balancers in front of this host. They are believed when they say who the client is and whether it came over TLS; nobody else is.",
		attrs: []attribute{
			{
				name: "from", kind: "list of networks", required: true, example: `["192.0.2.10", "2001:db8:5::/48"]`, read: list("networks", proxyNetwork),
				doc: "Their networks in CIDR notation and addresses.",
			},
			{
				name: "proxy_protocol", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
				doc: "Whether they begin each connection with the PROXY protocol instead of writing `X-Forwarded-For`. All sites of a port are then asked that way.",
			},
		},
	}
}

// hstsRow is the block hsts.
func hstsRow() block {
	return block{
		name: "hsts",
		doc:  "For how long browsers that were here once insist on TLS: the header `Strict-Transport-Security`, which is sent over TLS only.",
		attrs: []attribute{
			{
				name: "max_age", kind: "time", fallback: `"730d"`, example: `"365d"`, read: text(maxAge),
				doc: "A number and s, m, h or d. `\"0s\"` has browsers forget it; `\"\"` sends nothing.",
			},
			{
				name: "scope", kind: "string", fallback: `"host"`, allowed: []string{"host", "subdomains", "preload"}, example: `"subdomains"`,
				doc: "Whether it holds for this name or for all names below it, also those of others; `preload` adds the word that lets browsers' lists take it in, which can hardly be undone.",
			},
			{
				name: "ramp_from", kind: "date", example: `"2026-11-24"`, read: text(day),
				doc: "Approaches `max_age` in steps from that day on: five minutes on the first day, a day in the first week, a week in the first month. A mistake with TLS then locks nobody out for long.",
			},
		},
	}
}
