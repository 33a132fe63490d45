package nginx

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/policy"
)

func TestIncludesAreAbsolutePatterns(t *testing.T) {
	text := "include modules-enabled/*.conf;\nhttp {\n include /etc/nginx/mime.types;\n server { include snippets/a.conf; location / { include \"/srv/odd name.conf\"; } }\n}\n# include not/this.conf;\n"
	got, err := Includes("nginx.conf", text)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/etc/nginx/modules-enabled/*.conf", "/etc/nginx/mime.types", "/etc/nginx/snippets/a.conf", "/srv/odd name.conf"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := Includes("/etc/nginx/x.conf", "\nserver {"); err == nil || !strings.Contains(err.Error(), "/etc/nginx/x.conf:2") {
		t.Errorf("error %v, want one that names the line", err)
	}
}

// What nginx.conf includes counts, wherever it lies, and what it does not include
// does not; so does the block that it is included in.
func TestForeignFilesCountWhereNginxIncludesThem(t *testing.T) {
	const server = "server {\n listen 80;\n server_name app.example.no;\n}\n"
	for _, tc := range []struct {
		name    string
		foreign map[string]string
		want    string
	}{
		{"a file that nginx.conf includes from elsewhere", map[string]string{
			Root: "http { include conf.d/*.conf; include /srv/app/*.nginx; }", "/srv/app/web.nginx": server,
		}, "/srv/app/web.nginx:3 serves the same name on port 80"},
		{"a file that an included file includes", map[string]string{
			Root: "http { include conf.d/*.conf; }", "/etc/nginx/conf.d/a.conf": "include snippets/b;", "/etc/nginx/snippets/b": server,
		}, "/etc/nginx/snippets/b:3 serves the same name on port 80"},
		{"a name that an included file adds to a server", map[string]string{
			Root:                        "http { include conf.d/*.conf; server { listen 80; include snippets/names; } }",
			"/etc/nginx/snippets/names": "server_name x;\nserver_name app.example.no;",
		}, "/etc/nginx/snippets/names:2 serves the same name on port 80"},
		{"a file that nothing includes", map[string]string{
			Root: "http { include conf.d/*.conf; }", "/etc/nginx/sites-available/a": server,
		}, ""},
		{"a server of plain TCP", map[string]string{
			Root: "http { include conf.d/*.conf; }\nstream { include streams/*; }", "/etc/nginx/streams/a": "server { listen 192.0.2.1:80; }",
		}, ""},
		{"files that nobody knows the place of", map[string]string{"/etc/nginx/conf.d/a.conf": server},
			"/etc/nginx/conf.d/a.conf:3 serves the same name on port 80"},
		{"an http block that leaves molo's file out", map[string]string{Root: "http { include sites-enabled/*; }"},
			"/etc/nginx/nginx.conf does not include /etc/nginx/conf.d/molo.conf, so that no site would be served\nhint: "},
		{"molo's file in another block", map[string]string{Root: "http { }\nstream { include conf.d/*.conf; }"},
			"/etc/nginx/nginx.conf does not include /etc/nginx/conf.d/molo.conf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Compile(newSites(t, "site app.example.no 127.0.0.1:8081 80 1"), policy.NginxLog{}, facts.Nginx{Foreign: tc.foreign})
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("error %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}
