package nginx

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dump is what "nginx -T 2>&1" prints of a configuration without findings.
const dump = `nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
nginx: configuration file /etc/nginx/nginx.conf test is successful
# configuration file /etc/nginx/nginx.conf:
worker_rlimit_nofile 4096;
events { worker_connections 1024; }
http {
	server_tokens off;
	proxy_ignore_headers X-Accel-Redirect;
	ssl_certificate /etc/ssl/a.pem;
	include /etc/nginx/sites-enabled/*;
}

# configuration file /etc/nginx/sites-enabled/app:
server {
	listen 80 default_server;
	server_name app.example.no;
	# configuration file nothing
	add_header X-Frame-Options DENY always;
	add_header X-Other 1 always;
	location / {
		proxy_set_header X-Forwarded-For $remote_addr;
		proxy_pass http://127.0.0.1:8080;
	}
	location /files/ {
		alias /srv/files/;
	}
}
server {
	listen 443 ssl default_server;
	ssl_reject_handshake on;
	return 421;
}

`

func TestAWholeConfigurationIsLinted(t *testing.T) {
	const app = "/etc/nginx/sites-enabled/app"
	for _, tc := range []struct{ name, old, new, want string }{
		{"nothing is wrong", "", "", ""},
		{"a version that is told", "server_tokens off;", "", app + ":1 required server-tokens\n" + app + ":15 required server-tokens"},
		{"a security header that is missing on errors", "DENY always", "DENY", app + ":5 required header-always"},
		{"another header that is", "1 always", "1", app + ":6 advised header-always"},
		{"a location that drops headers", "location / {", "location / { add_header X-Other 2 always;", app + ":7 required header-set"},
		{"no default server", "80 default_server", "80", app + ":2 required default-server"},
		{"a name twice on one port", "ssl_reject", "listen 80; server_name app.example.no; ssl_reject", app + ":17 required server-name"},
		{"TLS without a certificate", "ssl_reject_handshake on;\n\treturn 421;", "", app + ":15 required tls-certificate"},
		{"a certificate that the http block has", "ssl_reject_handshake on;\n\treturn 421;", "", ""},
		{"a server that refuses handshakes only", "\treturn 421;\n", "", app + ":15 advised reject"},
		{"an upgrade to anything", "location / {", "location / { proxy_set_header Upgrade $http_upgrade;", "/etc/nginx/nginx.conf:3 advised old-workers\n" + app + ":7 required upgrade"},
		{"applications that choose what is served", "proxy_ignore_headers X-Accel-Redirect;", "", app + ":9 advised accel-headers"},
		{"applications that reach internal files", "proxy_pass", "proxy_ignore_headers Vary; internal; proxy_pass", app + ":9 required accel-headers"},
		{"a client that names its address", "X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for", app + ":8 advised client-address"},
		{"a proxy that everybody is", "listen 80 ", "set_real_ip_from ::/0; listen 80 ", app + ":2 required trusted-peers"},
		{"an alias that leads beside its directory", "/files/ {", "/files {", app + ":12 required alias"},
		{"a path behind an address", "127.0.0.1:8080;", "127.0.0.1:8080/;", app + ":9 advised proxy-path"},
		{"another machine", "127.0.0.1:8080;", "192.0.2.1:8080;", app + ":9 advised proxy-target"},
		{"a redirect to the decoded path", "return 421;", "return 421; return 301 https://$host$uri;", app + ":18 required tainted-value"},
		{"an if that does more than answer", "location / {", "location / { if ($host) { proxy_set_header A b; }", app + ":7 advised forbidden\n" + app + ":7 required header-set"},
		{"a name server on another machine", "listen 80 ", "resolver 192.0.2.53 valid=5s; listen 80 ", app + ":2 advised forbidden"},
		{"a name server of its own", "listen 80 ", "resolver 127.0.0.53; listen 80 ", ""},
		{"workers without files", "worker_rlimit_nofile 4096;", "", "/etc/nginx/nginx.conf:2 advised worker-files"},
		{"WebSockets that keep old workers", "proxy_pass", "proxy_set_header upgrade $molo_upgrade; proxy_pass", "/etc/nginx/nginx.conf:3 advised old-workers"},
		{"no WebSockets", "proxy_pass", `proxy_set_header Upgrade ""; proxy_pass`, ""},
		{"a brace that is missing", "return 421;\n}", "return 421;", app + ":20 required syntax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := dump
			if tc.name == "TLS without a certificate" {
				text = strings.Replace(text, "\tssl_certificate /etc/ssl/a.pem;\n", "", 1)
			}
			if !strings.Contains(text, tc.old) {
				t.Fatalf("%q is not in the dump", tc.old)
			}
			var got []string
			for _, f := range LintDump("-", strings.Replace(text, tc.old, tc.new, 1)) {
				line, _, _ := strings.Cut(f.String(), ": ")
				got = append(got, line+" "+string(f.Level)+" "+f.Rule)
				if f.Fix == "" {
					t.Errorf("%s: nothing says how to mend it", f)
				}
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWorkersThatAreCutAreNotFound(t *testing.T) {
	websocket := strings.Replace(dump, "proxy_pass", "proxy_set_header Upgrade $molo_upgrade; proxy_pass", 1)
	if got := LintDump("-", strings.Replace(websocket, "events {", "worker_shutdown_timeout 1h; events {", 1)); len(got) > 0 {
		t.Errorf("findings: %v", got)
	}
}

func TestOneFileIsLintedAlone(t *testing.T) {
	var got []string
	for _, f := range LintDump("site.conf", "include snippets/a.conf;\ninclude conf.d/*.conf;\nserver {\n\tlisten 80 default_server;\n}\n") {
		got = append(got, f.String())
	}
	want := []string{
		"site.conf:1: include: there is no /etc/nginx/snippets/a.conf",
		"site.conf:3: server-tokens: the server tells its version",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := LintDump("-", ""); len(got) > 0 {
		t.Errorf("an empty text has findings: %v", got)
	}
}

// Thirty files that each include the next one twice are a thousand million.
func TestIncludesThatMultiplyAreCutOff(t *testing.T) {
	var text strings.Builder
	for i := range 30 {
		fmt.Fprintf(&text, "# configuration file /f%d:\ninclude /f%d;\ninclude /f%d;\n", i, i+1, i+1)
	}
	text.WriteString("# configuration file /f30:\nserver_tokens off;\n")
	got := LintDump("-", text.String())
	if len(got) == 0 || !strings.Contains(got[0].Text, "more than") {
		t.Errorf("findings %v, want that includes bring in too much", got)
	}
}

// Every rule that has a name has a level and a fix, and no finding has another name.
func TestEveryRuleSaysHowToMendIt(t *testing.T) {
	for name, r := range rules() {
		if r.fix == "" || r.level != Required && r.level != Advised {
			t.Errorf("%s is incomplete: %+v", name, r)
		}
	}
}

// FuzzLintDump checks that nothing that anybody pipes in makes the lint panic, and
// that every finding has a place, a level and a fix.
func FuzzLintDump(f *testing.F) {
	f.Add(dump)
	f.Add("# configuration file /a:\ninclude /a;")
	f.Add("server { if { } listen; location ~ x { alias a; } proxy_pass; }")
	f.Fuzz(func(t *testing.T, text string) {
		for _, found := range LintDump("-", text) {
			if found.Line < 1 || found.Level == "" || found.Fix == "" {
				t.Errorf("%+v", found)
			}
		}
	})
}
