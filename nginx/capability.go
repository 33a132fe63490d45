package nginx

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"molo/internal/facts"
)

// The names of what not every nginx understands. Whether one does is asked of its
// binary, not read off its version: Debian 12 calls itself 1.22.1 and knows
// max_headers of 1.29.8, and what a build leaves out no version tells.
const (
	CanHTTP2Directive  = "http2-directive"  // "http2 on;" instead of "listen … http2" (1.25.1)
	CanRejectHandshake = "reject-handshake" // ssl_reject_handshake (1.19.4)
	CanHTTP3           = "http3"            // QUIC (1.25.0, where it is built in)
	CanMLKEM           = "mlkem"            // the hybrid key exchange X25519MLKEM768 (OpenSSL 3.5)
	CanMaxHeaders      = "max-headers"      // max_headers (1.29.8)
	CanKeepMinimum     = "keepalive-min"    // keepalive_min_timeout (1.27.4)
	CanCookieFlags     = "cookie-flags"     // proxy_cookie_flags (1.19.3)
	CanRealIP          = "real-ip"          // set_real_ip_from (a module that may be left out)
	CanGRPC            = "grpc"             // grpc_pass (a module that may be left out)
	CanGeo             = "geo"              // geo (left out of nginx-light of Debian 11)
	CanLimits          = "limits"           // limit_req, limit_conn (left out of nginx-light of Debian 11)
)

// Capability is one question to an nginx binary.
type Capability struct {
	Name   string
	server string // what stands in a server block that only such an nginx takes
	http   string // what stands beside it in the http block
}

// Capabilities lists what is asked.
func Capabilities() []Capability {
	return []Capability{
		{Name: CanHTTP2Directive, server: "http2 on;"},
		{Name: CanRejectHandshake, server: "ssl_reject_handshake on;"},
		{Name: CanHTTP3, server: "http3 on;"},
		{Name: CanMLKEM, server: "ssl_reject_handshake on; ssl_ecdh_curve X25519MLKEM768:X25519;"},
		{Name: CanMaxHeaders, server: "max_headers 100;"},
		{Name: CanKeepMinimum, server: "keepalive_min_timeout 1s;"},
		{Name: CanCookieFlags, server: "proxy_cookie_flags ~ secure;"},
		{Name: CanRealIP, server: "set_real_ip_from 192.0.2.1; real_ip_recursive on;"},
		{Name: CanGeo, http: "geo $molo_asked { default 0; }"},
		{
			Name: CanLimits, server: "limit_req zone=molo_asked_r; limit_conn molo_asked_c 1;",
			http: "limit_req_zone $host zone=molo_asked_r:1m rate=1r/s; limit_conn_zone $host zone=molo_asked_c:1m;",
		},
		{Name: CanGRPC, server: "location / { grpc_pass grpc://127.0.0.1:1; }"},
	}
}

// Config returns a whole nginx.conf that "nginx -t" accepts if the answer is yes.
// It opens no port: its sockets and its pid file are in /run, which whoever asks
// had better make a place of its own.
func (c Capability) Config() string {
	return fmt.Sprintf(`pid /run/nginx-asked.pid;
error_log stderr emerg;
events {}
http {
    access_log off;
    %s
    server {
        listen unix:/run/nginx-asked.sock;
        %s
    }
}
`, c.http, c.server)
}

// version finds the version in what "nginx -V" says, also of builds by another name.
var version = regexp.MustCompile(`(?m)^nginx version: \S+/(\d+\.\d+\.\d+)`)

// ParseVersion returns the version in what "nginx -V" says: "1.22.1".
func ParseVersion(said string) (string, error) {
	m := version.FindStringSubmatch(said)
	if m == nil {
		return "", fmt.Errorf("nginx -V does not say its version: %.100q", said)
	}
	return m[1], nil
}

// can reports whether the host's nginx understands something. One that nobody
// could ask, as that of an image, counts as understanding nothing that is optional.
func can(host facts.Nginx, name string) bool { return slices.Contains(host.Can, name) }

// understands is like can for what nearly every nginx understands: one that nobody could ask
// gets the benefit of the doubt.
func understands(host facts.Nginx, name string) bool { return host.Version == "" || can(host, name) }

// process matches the numbers of the process in a line of nginx's log.
var process = regexp.MustCompile(`^\d+#\d+: `)

// Refusals returns the warnings of "nginx -t" that must not pass: nginx starts
// all the same, and something that a file asks for is not so.
func Refusals(said string) []string {
	serious := []string{
		"conflicting server name", "protocol options redefined", "has suspicious symbols", `"ssl_stapling" ignored`,
		"could not build optimal", "duplicate network",
	}
	var out []string
	for line := range strings.Lines(said) {
		_, message, isWarning := strings.Cut(line, "[warn] ")
		message = strings.TrimSpace(process.ReplaceAllString(message, ""))
		if isWarning && slices.ContainsFunc(serious, func(s string) bool { return strings.Contains(message, s) }) && !slices.Contains(out, message) {
			out = append(out, message)
		}
	}
	return out
}
