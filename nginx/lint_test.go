package nginx

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
)

// clean is a tree without findings that the tests break in one place each.
const clean = `upstream molo_app {
	server 127.0.0.1:8080;
	server unix:/run/app.sock;
}
log_format molo_log "$remote_addr";
limit_req_zone $binary_remote_addr zone=molo_rate:1m rate=9r/s;
server {
	listen 80 default_server;
	listen [::]:80 default_server;
	server_tokens off;
	return 444;
}
server {
	listen *:80;
	listen [::]:80;
	server_name a.example.no;
	include /etc/nginx/molo/current/common.conf;
	add_header X-A "a" always;
	add_header X-B "b" always;
	proxy_set_header Host $host;
	proxy_set_header Forwarded "";
	location /own/ {
		add_header X-B "other" always;
		add_header x-a "$request_uri" always;
		proxy_pass http://molo_app;
	}
	location / {
		proxy_set_header Host $host;
		proxy_set_header Forwarded "";
		proxy_set_header X-More "";
		proxy_pass http://127.0.0.1:8080;
	}
	location /unix {
		proxy_pass http://unix:/run/app.sock;
	}
	location /files {
		try_files $uri =404;
	}
}
`

// lostAccel is found where common.conf is not included.
const lostAccel = "\nhttp.conf:25: accel-headers: the application may have nginx serve any internal location\nhttp.conf:31: accel-headers: the application may have nginx serve any internal location\nhttp.conf:34: accel-headers: the application may have nginx serve any internal location"

// broken is the clean tree with one thing changed, and the findings that has.
type broken struct{ name, old, new, want string }

func TestLintFindsHeadersThatAreLostOrChosenByTheClient(t *testing.T) {
	lintAll(t, []broken{
		{"nothing is wrong", "", "", ""},
		{"a location with one header of its own drops the others",
			`add_header x-a "$request_uri" always;`, ``,
			"http.conf:23: header-set: add_header here drops X-A, which is set around this block"},
		{"a location with one request header of its own drops the blanked ones",
			"\t\tproxy_set_header Forwarded \"\";\n\t\tproxy", "\t\tproxy",
			"http.conf:28: header-set: proxy_set_header here drops Forwarded, which is set around this block"},
		{"a location that hides one header shows the others",
			"location /files {", "location /files { proxy_hide_header X-C;",
			"http.conf:36: header-set: proxy_hide_header here drops X-Powered-By, which is set around this block"},
		{"a header is missing on errors", `"b" always`, `"b"`, "http.conf:19: header-always: X-B b would be missing on errors"},
		{"the decoded path goes to the client", `"$request_uri"`, `"a$uri"`,
			"http.conf:24: tainted-value: add_header uses $uri, which the client chooses"},
		{"so it does by its other name", "return 444;", "return 301 https://a${document_uri};",
			"http.conf:11: tainted-value: return uses $document_uri, which the client chooses"},
		{"any Host goes to the application", "proxy_set_header Host $host;\n\tproxy", "proxy_set_header Host $http_host;\n\tproxy",
			"http.conf:20: tainted-value: proxy_set_header uses $http_host, which the client chooses"},
		{"an argument chooses where a request goes", "http://unix:/run/app.sock", "http://$arg_to",
			"http.conf:34: proxy-target: http://$arg_to is not on this host\n" +
				"http.conf:34: tainted-value: proxy_pass uses $arg_to, which the client chooses"},
		{"a numbered capture", "try_files $uri", "try_files /x/$1",
			"http.conf:37: tainted-value: try_files uses $1, which the client chooses"},
	})
}

// Where client input comes by, as an owner's own site has it, and what is found at the end.
func TestClientInputIsFollowed(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a rewrite that redirects for ever", "rewrite ^ http://$host$uri permanent;", "rewrite uses $uri"},
		{"a rewrite that redirects by where it leads", "rewrite ^ https://$host$uri;", "rewrite uses $uri"},
		{"a rewrite that redirects for now", "rewrite ^ /x$document_uri redirect;", "rewrite uses $document_uri"},
		{"a rewrite to another location", "rewrite ^ /x$uri last;", ""},
		{"a variable that was set", "set $x $uri; return 302 http://a$x;", "return uses $x"},
		{"a variable that was set to another", "return 302 http://a$y; set $y a$x; set $x $uri;", "return uses $y"},
		{"a variable that was set to something else", "set $x $request_uri; return 302 http://a$x;", ""},
		{"a map to it", "map $host $x { default a; b $arg_to; } server { return 302 http://$x; }", "return uses $x"},
		{"a map from it to words", "map $uri $x { default a; /b b; } server { return 302 http://$x; }", ""},
		{"a map that takes a part of it", `map $uri $x { "~^/(?<p>.*)" $p; } server { return 302 http://$x; }`, "return uses $x"},
		{"a map that takes a part of what came encoded", `map $request_uri $x { "~^/(?<p>.*)" $p; } server { return 302 http://$x; }`, ""},
		{"a part of the path", "location ~ ^/(?<p>.*)$ { return 302 http://a/$p; }", "return uses $p"},
		{"a part of the path, spelt otherwise", "location ~* ^/(?P<p>[^/]+)$ { return 302 http://a/$p; }", "return uses $p"},
		{"a part of the path in a group", `location ~ "^/(?'p'(a|\S+))$" { proxy_pass http://127.0.0.1:8080/$p; }`, "proxy_pass uses $p"},
		{"a part of the path that only letters get into", `location ~ "^/(?<p>[a-z0-9.]{1,9}|(?:b\.)+)/.*" { return 302 http://a/$p; }`, ""},
		{"a part of the path that a rewrite takes", "rewrite ^/(?<p>.*) /x; return 302 http://a/$p;", "return uses $p"},
		{"a part of the path that a condition takes", `if ($uri ~ "^/(?<p>.*)") { return 302 http://a/$p; }`, "return uses $p"},
		{"a part of the name", `if ($host ~ "^(?<p>.*)$") { return 302 http://$p; }`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree, err := parse("x.conf", tc.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range taintedValues(tree) {
				got = append(got, strings.TrimSuffix(f.Text, ", which the client chooses"))
			}
			if strings.Join(got, "; ") != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLintFindsRequestsThatGoWrong(t *testing.T) {
	lintAll(t, []broken{
		{"a path behind an address", "http://127.0.0.1:8080;\n\t}", "http://127.0.0.1:8080/;\n\t}",
			"http.conf:31: proxy-path: the path in http://127.0.0.1:8080/ makes nginx decode the request's"},
		{"a path behind a socket", "http://unix:/run/app.sock", "http://unix:/run/app.sock:/",
			"http.conf:34: proxy-path: the path in http://unix:/run/app.sock:/ makes nginx decode the request's"},
		{"an address elsewhere", "http://127.0.0.1:8080", "http://10.0.0.1:8080", "http.conf:31: proxy-target: http://10.0.0.1:8080 is not on this host"},
		{"an address elsewhere for gRPC", "proxy_pass http://127.0.0.1:8080", "grpc_pass 10.0.0.1:8080",
			"http.conf:31: accel-headers: the application may have nginx serve any internal location\n" +
				"http.conf:31: proxy-target: 10.0.0.1:8080 is not on this host"},
		{"any protocol the client likes", `X-More ""`, "upgrade $http_upgrade", "http.conf:30: upgrade: any protocol that the client names is passed on, h2c too"},
		{"an application that may serve what it wants", "location /unix {", "location /unix { proxy_ignore_headers Vary;",
			"http.conf:34: accel-headers: the application may have nginx serve any internal location"},
		{"a proxy that anybody is", "return 444;", "set_real_ip_from 0.0.0.0/0;", "http.conf:11: trusted-peers: 0.0.0.0/0: every client can claim any address"},
		{"TLS without a certificate", "listen *:80;", "listen *:80 ssl;", "http.conf:13: tls-certificate: the server has no certificate"},
		{"TLS with one", "listen *:80;", "listen *:80 ssl; ssl_certificate x;", ""},
		{"a server that refuses handshakes and requests", "listen *:80;", "listen *:80 ssl; ssl_reject_handshake on; return 421;", ""},
		{"a server that refuses handshakes alone", "listen *:80;", "listen *:80 ssl; ssl_reject_handshake on;",
			"http.conf:13: reject: the server refuses handshakes, but not requests that come over another name's connection"},
		{"a host name", "http://127.0.0.1:8080", "http://localhost:8080", "http.conf:31: proxy-target: http://localhost:8080 is not on this host"},
		{"an upstream server elsewhere", "server 127.0.0.1:8080", "server 192.0.2.1", "http.conf:2: proxy-target: 192.0.2.1 is not on this host"},
		{"a socket without a default server", "[::]:80 default_server", "[::]:80",
			"http.conf:9: default-server: [::]:80 has no default server"},
		{"a socket with two, spelt differently", "*:80;", "*:80 default_server;",
			"http.conf:14: default-server: *:80 has two default servers"},
		{"a name twice", "a.example.no;", "b.example.no a.example.no; server_name b.example.no;",
			"http.conf:16: server-name: b.example.no is served twice on *:80\nhttp.conf:16: server-name: b.example.no is served twice on [::]:80"},
		{"a server that tells its version", "\tserver_tokens off;\n\treturn", "\treturn", "http.conf:7: server-tokens: the server tells its version"},
		{"a location that does", "location /files {", "location /files { server_tokens build;", "http.conf:36: server-tokens: server_tokens build"},
		{"an if", "location /files {", "location /files { if ($request_method = POST) { return 405; }",
			"http.conf:36: forbidden: if: inside a location it does not do what it says"},
		{"an if of a server that does more than answer", "return 444;", "if ($host = a) { set $molo_x 1; }",
			"http.conf:11: forbidden: if: inside a location it does not do what it says"},
		{"an if of a server that answers", "return 444;", "if ($host = a) { return 404; }", ""},
		{"an if of a location that answers", "location /files {", "location /files { if ($host = a) { return 404; }",
			"http.conf:36: forbidden: if: inside a location it does not do what it says"},
		{"a rewrite", "location /files {", "location /files { rewrite ^ /x;",
			"http.conf:36: forbidden: rewrite: it decodes the request's path, and has been the way into nginx more than once"},
		{"an alias", "location /files {", "location /files { alias /srv/;",
			"http.conf:36: forbidden: alias: without a slash at the end it serves the directory above"},
		{"a name server", "return 444;", "resolver 192.0.2.53;",
			"http.conf:11: forbidden: resolver: it makes what is served depend on the answers of a name server"},
	})
}

func TestLintFindsNamesWordsAndFilesThatGoWrong(t *testing.T) {
	lintAll(t, []broken{
		{"an upstream with anybody's name", "molo_app {", "app {",
			"http.conf:1: name-prefix: upstream app does not begin with molo_\nhttp.conf:25: proxy-target: http://molo_app is not on this host"},
		{"a log format with anybody's name", "molo_log", "main", "http.conf:5: name-prefix: log_format main does not begin with molo_"},
		{"a zone with anybody's name", "zone=molo_rate", "zone=rate", "http.conf:6: name-prefix: limit_req_zone rate does not begin with molo_"},
		{"a variable with anybody's name", "return 444;", "set $x 1;", "http.conf:11: name-prefix: set x does not begin with molo_"},
		{"a map with anybody's name", "log_format", "map $host $x {}\nlog_format", "http.conf:5: name-prefix: map x does not begin with molo_"},
		{"a geo with anybody's name", "log_format", "geo $x {}\nlog_format", "http.conf:5: name-prefix: geo x does not begin with molo_"},
		{"a session cache with anybody's name", "return 444;", "ssl_session_cache shared:x:1m;", "http.conf:11: name-prefix: ssl_session_cache x does not begin with molo_"},
		{"a cache with anybody's name", "log_format", "proxy_cache_path /x keys_zone=x:1m;\nlog_format", "http.conf:5: name-prefix: proxy_cache_path x does not begin with molo_"},
		{"a word nginx cannot read", `"b" always`, `"` + strings.Repeat("b", maxWord-1) + `" always`, "http.conf:19: word-length: a word of 4096 bytes in add_header"},
		{"a file outside the tree", "current/common.conf", "current/../x", "http.conf:17: include: there is no /etc/nginx/molo/current/../x\nhttp.conf:13: server-tokens: the server tells its version" + lostAccel},
		{"a file elsewhere", "/etc/nginx/molo/current/common.conf", "/etc/nginx/*.conf", "http.conf:13: server-tokens: the server tells its version\nhttp.conf:17: include: /etc/nginx/*.conf is outside /etc/nginx/molo/current" + lostAccel},
		{"files that include each other", "log_format", "include /etc/nginx/molo/current/loop.conf; log_format", "loop.conf:1: include: /etc/nginx/molo/current/loop.conf ends up including itself"},
		{"something nginx cannot read", "return 444;\n}", "return 444;", "http.conf:39: syntax: unexpected end of file"},
		{"a finding in an included file", "common.conf", "tells.conf", "tells.conf:1: server-tokens: server_tokens on\nhttp.conf:13: server-tokens: the server tells its version" + lostAccel},
	})
}

func lintAll(t *testing.T, cases []broken) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if strings.Count(clean, tc.old) == 0 {
				t.Fatalf("%q is not in the clean file", tc.old)
			}
			files := map[string][]byte{
				"http.conf":   []byte(strings.Replace(clean, tc.old, tc.new, 1)),
				"common.conf": []byte("server_tokens off;\nproxy_hide_header X-Powered-By;\nproxy_ignore_headers X-Accel-Redirect;\n"),
				"tells.conf":  []byte("server_tokens on;\n"),
				"loop.conf":   []byte("include /etc/nginx/molo/current/l*.conf; include /etc/nginx/molo/current/loop.conf;"),
			}
			want := map[string]bool{}
			for line := range strings.Lines(tc.want) {
				want[strings.TrimSpace(line)] = true
			}
			got := map[string]bool{}
			for _, f := range Lint(files) {
				got[f.String()] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLintIsContentWithWhatCompileMakes(t *testing.T) {
	tree := treeOf(t, compile(t, newSites(t, twoSites), facts.Nginx{}))
	if findings := Lint(tree.Files); len(findings) > 0 {
		t.Errorf("findings: %v", findings)
	}
}

// A tree that somebody edited on the host is found out, file and line.
func TestLintFindsAnEditInATree(t *testing.T) {
	tree := treeOf(t, compile(t, newSites(t, twoSites), facts.Nginx{}))
	files := maps.Clone(tree.Files)
	const name = "sites/two.example.no.conf"
	files[name] = []byte(strings.Replace(string(files[name]), "http://127.0.0.1:8081", "http://127.0.0.1:8081/app/", 1))
	want := []Finding{{
		File: name, Line: 28, Rule: "proxy-path", Level: Required,
		Text: "the path in http://127.0.0.1:8081/app/ makes nginx decode the request's",
		Fix:  "leave out everything behind the address: the path is passed on as it came",
	}}
	if diff := cmp.Diff(want, Lint(files)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
