package nginx

import (
	"strings"
	"testing"

	"molo/internal/facts"
	"molo/internal/policy"
)

func TestForeignServersThatCollide(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"another name on the same port", "server { listen 80; server_name x.example.no; }", ""},
		{"the same name on another port", "server { listen 8080; server_name app.example.no; }", ""},
		{"the same name on a Unix socket", "server { listen unix:/run/x.sock; server_name app.example.no; }", ""},
		{"a wildcard, which nginx asks last", "server { listen 80; server_name *.example.no; }", ""},
		{"no server at all", "map $host $x { default 1; }", ""},
		{"servers of an upstream", "upstream x { server 127.0.0.1:80; }", ""},
		{"the same name", "server {\n listen 80;\n server_name x app.example.no;\n}", "x.conf:3 serves the same name on port 80"},
		{"the same name in other case", "server { listen 80; server_name APP.example.NO; }", "x.conf:1 serves the same name"},
		{"a name with a dot before it, which is two", "server { listen 80; server_name .app.example.no; }", "x.conf:1 serves the same name"},
		{"the same name on the port that is implied", "server { server_name app.example.no; }", "x.conf:1 serves the same name"},
		{"the same name on IPv6 only", "server { listen [::]:80; server_name app.example.no; }", "x.conf:1 serves the same name"},
		{"the same name in a range of ports", "server { listen 79-90; server_name app.example.no; }", "x.conf:1 serves the same name on port 80"},
		{"the same name inside an http block", "http { server { listen 80; server_name app.example.no; } }", "x.conf:1 serves the same name"},
		{"a default server", "server {\n listen 80 default_server;\n}", "x.conf:2 is the default server of port 80"},
		{"a default server of all addresses", "server { listen 0.0.0.0:80 default_server; }", "x.conf:1 is the default server of port 80"},
		{"a default server on IPv6", "server { listen [::]:80 ipv6only=on default_server; }", "x.conf:1 is the default server of port 80"},
		{"a default server by its old name", "server { listen 80 default; }", "x.conf:1 is the default server of port 80"},
		{"a default server of another port", "server { listen 81 default_server; }", ""},
		{"an address of its own", "server { listen 192.0.2.1:80; }", "x.conf:1 takes every request to 192.0.2.1 on port 80"},
		{"an address of its own, port implied", "server { listen 192.0.2.1; }", "x.conf:1 takes every request to 192.0.2.1 on port 80"},
		{"an IPv6 address of its own, port implied", "server { listen [::1]; }", "x.conf:1 takes every request to [::1] on port 80"},
		{"a host name of its own", "server { listen localhost; }", "x.conf:1 takes every request to localhost on port 80"},
		{"an address of its own on another port", "server { listen 192.0.2.1:8080; }", ""},
		{"TLS on a plain port", "server { listen 80 ssl; }", "x.conf:1 makes port 80 speak another protocol"},
		{"the proxy protocol on a plain port", "server { listen 80 proxy_protocol; }", "x.conf:1 says otherwise whether connections to port 80 begin with the PROXY protocol"},
		{"a file nginx cannot read", "server {", "reading x.conf:1: unexpected end of file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Compile(newSites(t, "site app.example.no 127.0.0.1:8081 80 1"), policy.NginxLog{}, facts.Nginx{Foreign: map[string]string{"x.conf": tc.file}})
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("error %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}

// molo's own files are written anew, whatever has become of them.
func TestOwnFilesAreNotForeign(t *testing.T) {
	host := facts.Nginx{Foreign: map[string]string{Entry: "server {", Current + "/http.conf": "}"}}
	if _, err := Compile(newSites(t, twoSites), policy.NginxLog{}, host); err != nil {
		t.Error(err)
	}
}

// One foreign default server is one problem, however many sites there are.
func TestCollisionsOfAPortAreToldOnce(t *testing.T) {
	host := facts.Nginx{Foreign: map[string]string{"x.conf": "server { listen 80 default_server; }"}}
	_, err := Compile(manySites(t, 50), policy.NginxLog{}, host)
	if err == nil || strings.Count(err.Error(), "\n") != 0 {
		t.Errorf("error %v, want one line", err)
	}
}

// A site that the owner keeps in the place of Debian's is never put aside.
func TestDefaultSiteOfTheOwnerIsNotDebians(t *testing.T) {
	edited := strings.Replace(shippedSite, "/var/www/html", "/srv/www", 1)
	for _, tc := range []struct {
		name string
		host facts.Nginx
		ok   bool
	}{
		{"as shipped", facts.Nginx{DefaultSite: "/etc/nginx/sites-available/default", Foreign: map[string]string{DefaultSite: shippedSite}}, true},
		{"edited", facts.Nginx{DefaultSite: "/etc/nginx/sites-available/default", Foreign: map[string]string{DefaultSite: edited}}, false},
		{"a file instead of the link", facts.Nginx{Foreign: map[string]string{DefaultSite: shippedSite}}, false},
		{"the same under another name", facts.Nginx{DefaultSite: "/etc/nginx/sites-available/default", Foreign: map[string]string{"/etc/nginx/sites-enabled/x": shippedSite}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Compile(newSites(t, twoSites), policy.NginxLog{}, tc.host); (err == nil) != tc.ok {
				t.Errorf("error %v, want none: %t", err, tc.ok)
			}
		})
	}
}
