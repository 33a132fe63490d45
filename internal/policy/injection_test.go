package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// hostile lists strings that mean something to nginx, iptables-restore, a shell,
// HCL or a terminal. cty brings strings into Unicode's form C, so each is in it.
func hostile() []string {
	return []string{
		"a; return 200 x", "}", "{", "a\nb", "a\r\nSet-Cookie: a=b", "\t", "$host", "${x}", "%{ if true }x%{ endif }",
		"\x00", "a\x1b[2J", "\u202e", "a\u200bb", "\u2028", "\ufeff", strings.Repeat("a", 5000), `"`, `\`, "'", "`id`", " ", "#", "-",
		"--jump ACCEPT", "a b", "../../etc/passwd", "*", "blåbær", "127.0.0.1:80; }", "default-src 'self'\"; }", "camera=(); }",
		"127.0.0.1\n", "auto\n", "app.example.no\n", "\nauto", "10m;", "0.0.0.0/0 -j ACCEPT",
		"/a; return 200", "/a$uri", "/a/../b", "/a b", "/a(.*)$", "/a|b", "https://a.no/$uri", "https://a.no; }", "https://a.no/\nb", "https://a.no/{", "//evil.no",
		"unix:/run/a.sock;", "unix:/run/a sock", "unix:/run/../etc/x", "/etc/shadow;", "/etc/a b", "10/s;", "60s;", "308;", "secure; }", "samesite=lax\n", "2026-11-24;",
		"http", "8081\x00",
	}
}

// TestNoStringOfAnyRowSmugglesAnything puts every hostile string wherever the table
// takes a value, as a string, in a list, as a value and as a key, in both syntaxes.
// Each is refused with its place, or is inert in the policy.
func TestNoStringOfAnyRowSmugglesAnything(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.String(), func(t *testing.T) {
			for _, s := range hostile() {
				for _, value := range shapes(r, s) {
					refusedOrInert(t, "policies.hcl", policyWith(r, value), s)
				}
			}
		})
	}
}

func TestNoStringOfTheJSONSyntaxSmugglesAnything(t *testing.T) {
	for _, s := range hostile() {
		escaped, err := json.Marshal(strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s))
		if err != nil {
			t.Fatal(err)
		}
		for _, layout := range []string{
			`{"site": {%s: {"upstream": "127.0.0.1:8081"}}}`,
			`{"site": {"app.example.no": {"upstream": %s}}}`,
			`{"site": {"app.example.no": {"upstream": "127.0.0.1:8081", "headers": {"content_security_policy": %s}}}}`,
			`{"site": {"app.example.no": {"upstream": "127.0.0.1:8081", "path": {%s: {}}}}}`,
			`{"site": {"app.example.no": {"backend": {%s: {}}}}}`,
			`{"site": {"app.example.no": {"redirect": %s}}}`,
			`{"site": {"app.example.no": {"upstream": "127.0.0.1:8081", "auth": {"users": %s}}}}`,
			`{"site": {"app.example.no": {"upstream": "127.0.0.1:8081", "auth": {"users": "/a", "realm": %s}}}}`,
			`{"firewall": {"publish": {%s: {"ports": [1]}}}}`,
			`{"docker": {"settings": {%s: 1}}}`,
			`{"docker": {"settings": {"quantum-tunnel": {%s: 1}}}}`,
		} {
			refusedOrInert(t, "policies.hcl.json", fmt.Appendf(nil, layout, escaped), s)
		}
	}
}

// shapes returns HCL expressions that hold the string.
func shapes(r row, s string) []string {
	quoted := string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
	if r.label {
		if strings.Contains(s, "${") || strings.Contains(s, "%{") {
			return nil // a label is no template
		}
		return []string{quoted}
	}
	return []string{
		quoted,
		"[" + quoted + "]",
		"{ (" + quoted + ") = 1 }",
		`{ "quantum-tunnel" = ` + quoted + " }",
		`{ "quantum-tunnel" = [{ (` + quoted + ") = " + quoted + " }] }",
		`{ "vm.swappiness" = ` + quoted + " }",
		`{ "vm.${` + quoted + "}\" = 1 }",
	}
}

func refusedOrInert(t *testing.T, name string, src []byte, s string) {
	t.Helper()
	p, diags := Parse([]Source{{name, src}})
	if p != nil {
		inert(t, p, s)
		return
	}
	for _, d := range diags.Entries() {
		if d.Range == nil || d.Range.Filename != name || d.Range.Start.Line == 0 {
			t.Errorf("%q: a diagnostic without a place: %+v", s, d)
		}
	}
}

// inert fails the test when a string of the policy could be more than a value to
// who renders it: header values and realms stand between double quotes in
// nginx.conf, paths and URLs are one word of it, what picks containers for an
// exemption is compared, its reason is shown, all other strings may stand anywhere,
// and settings are JSON.
func inert(t testing.TB, p *Policy, s string) {
	t.Helper()
	word := regexp.MustCompile(`^[A-Za-z0-9._:=-]*$`)
	quotable := regexp.MustCompile(`^[ !#%-\[\]-~]*$`)
	path := regexp.MustCompile(`^(/[A-Za-z0-9._@+-]+)*$`)
	url := regexp.MustCompile(`^[A-Za-z0-9._~:/?=&-]*$`)
	compared := regexp.MustCompile(`^[A-Za-z0-9._:/@=+-]*$`)
	special := map[string]*regexp.Regexp{
		"Header.Value":          quotable,
		"Auth.Realm":            quotable,
		"Auth.Users":            path,
		"UpstreamTLS.CA":        path,
		"Address.Socket":        path,
		"TLS.Certificate":       path,
		"TLS.Key":               path,
		"TLS.ClientCA":          path,
		"ACME.DirectoryCA":      path,
		"ACME.KeyFile":          path,
		"ACME.Email":            regexp.MustCompile(`^[!#-\[\]-~]*$`), // in requests alone
		"ACME.Directory":        regexp.MustCompile(`^[!#-\[\]-~]*$`), // in requests alone
		"Route.Path":            url,
		"Redirect.To":           url,
		"Limit.Path":            url,
		"Containers.OwnerLabel": compared,
		"Exemption.Label":       compared,
		"Exemption.Image":       compared,
		"Exemption.Reason":      regexp.MustCompile(`^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$`),
		// A line of sysctl.d(5) is a name, an equals sign and all that follows.
		"KernelSetting.Name":  regexp.MustCompile(`^[a-z][A-Za-z0-9._:@*-]*(/[A-Za-z0-9_.:@*][A-Za-z0-9._:@*-]*)+$`),
		"KernelSetting.Value": regexp.MustCompile(`^[^\s\pC]+( [^\s\pC]+)*$`),
		"KernelSetting.Why":   regexp.MustCompile(`^[^\n]*$`),
	}
	eachString(reflect.ValueOf(p), func(where, text string) {
		safe := word
		if s := special[where]; s != nil {
			safe = s
		}
		if !safe.MatchString(text) {
			t.Errorf("%q became the %s %q", s, where, text)
		}
	})
	if p.Docker == nil {
		return
	}
	for _, setting := range p.Docker.Settings.V {
		if bytes.ContainsFunc(setting.Value, unprintable) || !json.Valid(setting.Value) {
			t.Errorf("%q became the setting %s = %s", s, setting.Key, setting.Value)
		}
	}
}

// eachString visits all strings of a policy but file names, each with the type of
// the struct and the field that hold it.
func eachString(v reflect.Value, visit func(where, text string)) {
	walkStrings(v, "", visit)
}

func walkStrings(v reflect.Value, where string, visit func(where, text string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walkStrings(v.Elem(), where, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkStrings(v.Index(i), where, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			switch {
			case field.Type.String() == "hcl.Range" || !field.IsExported():
			case strings.HasPrefix(v.Type().Name(), "Value["):
				walkStrings(v.Field(i), where, visit)
			default:
				walkStrings(v.Field(i), v.Type().Name()+"."+field.Name, visit)
			}
		}
	case reflect.String:
		visit(where, v.String())
	}
}

func TestTheProofOfInertnessCanFail(t *testing.T) {
	for _, bad := range []string{"a b", "a;", "$a", `a"`, "a\n"} {
		found := false
		p := &Policy{Sites: []*Site{{Name: Value[string]{V: bad}}}}
		eachString(reflect.ValueOf(p), func(where, text string) { found = found || where == "Site.Name" && text == bad })
		if !found {
			t.Errorf("the string %q of a policy was not visited", bad)
		}
	}
}
