package nginx

import (
	"reflect"
	"strings"
	"testing"
	"text/template"

	"molo/internal/policy"
	"molo/templates"
)

const tmplText = `{{define "x.conf.tmpl"}}# {{.A}}
server {
    a {{.A}};
    b http://{{.A}}/{{.B}};
}
{{end}}`

type twoTokens struct{ A, B token }

// newSet returns templates for tests that have nothing to do with nginx's.
func newSet(t *testing.T, text string) *template.Template {
	t.Helper()
	set, err := template.New("").Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestRenderPutsTokensIntoHoles(t *testing.T) {
	s := &sheet{}
	value, err := quoted(`1 "⟨2⟩`)
	if err != nil {
		t.Fatal(err)
	}
	data := twoTokens{A: s.take(bare("one")), B: s.take(bare("two"))}
	got, err := s.render(newSet(t, tmplText), "x.conf", data)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# one\nserver {\n    a one;\n    b http://one/two;\n}\n"; string(got.text) != want {
		t.Errorf("text %q, want %q", got.text, want)
	}
	if want := "2 [\"server\"] {\n  3 [\"a\" \"one\"]\n  4 [\"b\" \"http://one/two\"]\n}\n"; notation(got.tree, "") != want {
		t.Errorf("tree %s, want %s", notation(got.tree, ""), want)
	}
	s = &sheet{}
	if _, err := s.render(newSet(t, tmplText), "x.conf", twoTokens{A: s.take(value), B: s.take(bare("two"))}); err == nil {
		t.Error("a value that looks like a hole was rendered")
	}
}

// Even a constructor with a hole in it cannot change what a file says.
func TestRenderRefusesTokensThatAreNotOneWord(t *testing.T) {
	for _, tc := range []struct {
		name string
		a    token
	}{
		{"a second directive", bare("x; return 200 y")},
		{"a directive of the same shape", bare("x;\n    b y")},
		{"the end of the block", bare("x;} server {a b")},
		{"a comment", bare("x#y;\n#")},
		{"a second argument", bare("x y")},
		{"an open quote", bare(`"x`)},
		{"nothing at all", bare("")},
		{"a line end", bare("x\n")},
		{"another word than it says", token{text: `"x\"y"`, word: "x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &sheet{}
			page, err := s.render(newSet(t, tmplText), "x.conf", twoTokens{A: s.take(tc.a), B: s.take(bare("b"))})
			if err == nil {
				t.Errorf("rendered %s", page.text)
			}
		})
	}
}

func TestRenderNeedsAPlaceOnTheSheetForEveryToken(t *testing.T) {
	s := &sheet{}
	page, err := s.render(newSet(t, tmplText), "x.conf", twoTokens{A: s.take(bare("a")), B: bare("b")})
	if err == nil {
		t.Errorf("rendered %s", page.text)
	}
}

func TestRenderTellsEveryValueThatIsNoToken(t *testing.T) {
	s := &sheet{about: `site "a"`}
	put(s, policy.Value[uint16]{V: 0}, portNumber)
	put(s, policy.Value[int64]{V: -1}, size)
	_, err := s.render(newSet(t, tmplText), "x.conf", twoTokens{})
	if want := "site \"a\": port 0 is no port to serve on\nsite \"a\": size of -1 bytes is not above zero"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestRenderReportsTemplatesThatAreWrong(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"one that is not there", `{{define "y.conf.tmpl"}}{{end}}`, "rendering x.conf"},
		{"one that nginx could not read", `{{define "x.conf.tmpl"}}a {{"{{"}};{{end}}`, "reading the template"},
		{"one that asks for more", `{{define "x.conf.tmpl"}}{{.C}}{{end}}`, "rendering x.conf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := new(sheet).render(newSet(t, tc.text), "x.conf", twoTokens{}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}

// What a template is given is tokens and nothing else that could be printed:
// a string field would go into a file unchecked.
func TestTemplatesAreGivenTokensOnly(t *testing.T) {
	var check func(t *testing.T, kind reflect.Type, path string)
	check = func(t *testing.T, kind reflect.Type, path string) {
		switch {
		case kind == reflect.TypeFor[token](), kind.Kind() == reflect.Bool:
		case kind.Kind() == reflect.Slice, kind.Kind() == reflect.Pointer:
			check(t, kind.Elem(), path+"[]")
		case kind.Kind() == reflect.Struct:
			for f := range kind.Fields() {
				check(t, f.Type, path+"."+f.Name)
			}
		default:
			t.Errorf("%s is a %s, which is no token", path, kind)
		}
	}
	check(t, reflect.TypeFor[httpData](), "httpData")
	check(t, reflect.TypeFor[siteData](), "siteData")
}

func TestTemplatesHaveNoHolesOfTheirOwn(t *testing.T) {
	set, err := templates.Parse("nginx")
	if err != nil {
		t.Fatal(err)
	}
	for _, tmpl := range set.Templates() {
		if tmpl.Tree != nil && strings.ContainsAny(tmpl.Root.String(), holeOpen+holeClose) {
			t.Errorf("%s has %s or %s in it", tmpl.Name(), holeOpen, holeClose)
		}
	}
}
