package nginx

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
)

func TestWhatNginxMakesWhenItIsTested(t *testing.T) {
	host := facts.Nginx{Foreign: map[string]string{
		Root: "pid /run/web/nginx.pid; error_log logs/error.log; http { access_log /run/web/$host.log; client_body_temp_path /run/web/body; include x; }",
		"/etc/nginx/x": `server { listen 80; listen unix:/run/web/a.sock default_server; access_log off; error_log syslog:server=unix:/dev/log;
			location / { proxy_cache_path /var/cache/a keys_zone=a:1m; access_log /run/b.log; error_log stderr; } }`,
		"/etc/nginx/broken": "listen unix:/run/c.sock",
	}}
	want := []string{
		"/run/nginx.pid", "/var/log/nginx/error.log", "/run/web/nginx.pid", "/usr/share/nginx/logs/error.log", "/run/web/body",
		"/run/web/a.sock", "/var/cache/a", "/run/b.log",
	}
	if diff := cmp.Diff(want, Makes(host)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhereNginxSaysWhyItDoesNotReload(t *testing.T) {
	for _, tc := range []struct{ name, main, want string }{
		{"Debian's own", "error_log /var/log/nginx/error.log; http {}", "/var/log/nginx/error.log"},
		{"nowhere is said", "http { error_log /srv/http.log; }", "/var/log/nginx/error.log"},
		{"another file", "error_log /srv/nginx.log warn;", "/srv/nginx.log"},
		{"a file relative to the prefix", "error_log nginx.log;", "/usr/share/nginx/nginx.log"},
		{"a file beside syslog", "error_log syslog:server=192.0.2.1; error_log /srv/nginx.log;", "/srv/nginx.log"},
		{"an included file", "include main/*;", "/srv/included.log"},
		{"syslog alone", "error_log syslog:server=192.0.2.1;", ""},
		{"the journal", "error_log stderr;", ""},
		{"a file that does not parse", "error_log", "/var/log/nginx/error.log"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			host := facts.Nginx{Foreign: map[string]string{Root: tc.main, "/etc/nginx/main/log": "error_log /srv/included.log;"}}
			if got := ErrorLogOf(host); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
