package host

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
)

func TestForeignFilesAreThoseThatNginxIncludes(t *testing.T) {
	h := image(t, map[string]string{
		"/usr/sbin/nginx":                   "",
		"/etc/nginx/nginx.conf":             "http {\n\tinclude conf.d/*.conf;\n\tinclude /srv/app/nginx.conf;\n\tinclude nothing/*;\n}\n",
		"/etc/nginx/conf.d/a.conf":          "include snippets/b;\ninclude /etc/nginx/conf.d/*.conf;",
		"/etc/nginx/conf.d/.hidden.conf":    "server {",
		"/etc/nginx/conf.d/molo.conf":       "include /etc/nginx/molo/current/http.conf;",
		"/etc/nginx/conf.d/dir.conf/x":      "",
		"/etc/nginx/conf.d/c.conf.bak":      "",
		"/etc/nginx/snippets/b":             "broken {",
		"/etc/nginx/snippets/unused":        "",
		"/etc/nginx/molo/current/http.conf": "",
		"/srv/app/nginx.conf":               "include /etc/nginx/molo/current/http.conf; include /etc/nginx/conf.d/.hidden.*;",
	})
	var f facts.Facts
	h.nginxFacts(context.Background(), &f)
	want := []string{"/etc/nginx/conf.d/.hidden.conf", "/etc/nginx/conf.d/a.conf", "/etc/nginx/nginx.conf", "/etc/nginx/snippets/b", "/srv/app/nginx.conf"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(f.Nginx.Foreign))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(f.Unknown) > 0 {
		t.Errorf("unknown: %v", f.Unknown)
	}
}

func TestFilesWithoutEndAreNotRead(t *testing.T) {
	h := image(t, map[string]string{"/usr/sbin/nginx": "", "/etc/nginx/nginx.conf": "include huge;", "/etc/nginx/huge": ""})
	if err := os.Truncate(h.path("/etc/nginx/huge"), maxNginxBytes+1); err != nil {
		t.Fatal(err)
	}
	var f facts.Facts
	h.nginxFacts(context.Background(), &f)
	if len(f.Unknown) != 1 || !strings.Contains(f.Unknown[0].Why, "more than") {
		t.Errorf("unknown: %v, want that it is too much", f.Unknown)
	}
}
