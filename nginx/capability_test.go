package nginx

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
)

func TestVersionsAreReadOffWhatNginxSays(t *testing.T) {
	for _, tc := range []struct{ name, said, want string }{
		{"Debian's", "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.20", "1.22.1"},
		{"Ubuntu's", "nginx version: nginx/1.18.0 (Ubuntu)\n", "1.18.0"},
		{"a build by another name", "nginx version: openresty/1.27.1.2\n", "1.27.1"},
		{"something else", "bash: nginx: not found", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseVersion(tc.said)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("%q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

// A question has to be one that nginx reads to its end.
func TestEveryQuestionIsAWholeConfiguration(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Capabilities() {
		tree, err := parse(c.Name, c.Config())
		if err != nil {
			t.Error(err)
		}
		if http := httpOf(tree); len(serversOf(http)) != 1 {
			t.Errorf("%s: no server is asked about", c.Name)
		}
		if seen[c.Name] {
			t.Errorf("%s is asked twice", c.Name)
		}
		seen[c.Name] = true
	}
	if !can(facts.Nginx{Can: []string{CanGRPC}}, CanGRPC) || can(facts.Nginx{}, CanGRPC) {
		t.Error("what was answered is not what counts")
	}
}

func TestSeriousWarningsAreRefusals(t *testing.T) {
	said := `2026/11/24 07:30:08 [warn] 224#224: conflicting server name "a.no" on 0.0.0.0:81, ignored
2026/11/24 07:30:08 [warn] 224#224: conflicting server name "a.no" on 0.0.0.0:81, ignored
nginx: [warn] protocol options redefined for 0.0.0.0:443 in /etc/nginx/x:3
2026/11/24 07:30:08 [warn] 1#1: the "listen ... http2" directive is deprecated, use the "http2" directive instead in /etc/nginx/x:1
2026/11/24 07:30:08 [notice] 1#1: conflicting server name
`
	want := []string{`conflicting server name "a.no" on 0.0.0.0:81, ignored`, "protocol options redefined for 0.0.0.0:443 in /etc/nginx/x:3"}
	if diff := cmp.Diff(want, Refusals(said)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := Refusals(strings.Repeat("fine\n", 3)); got != nil {
		t.Errorf("refusals %q of nothing", got)
	}
}
