package nginx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/hashicorp/hcl/v2"

	"molo/internal/policy"
)

// holeOpen and holeClose enclose the number of a token where its text will be.
// They are valid in a word of nginx's, and in no template and no token.
const (
	holeOpen  = "⟨"
	holeClose = "⟩"
)

// sheet is one file in the making. Values are bound to it the way a database
// binds them to a prepared statement: the template is executed with holes in the
// place of values and parsed, which settles every directive and every block.
// Only then are the tokens put into the holes, in the text and in what was
// parsed, and the text has to parse to just that. So no value can change what a
// file says, even if a token's constructor let something through.
type sheet struct {
	about  string // what the values belong to: `site "app.example.no"`
	tokens []token
	errs   []error
}

// page is a finished file: its text, and what nginx reads in it.
type page struct {
	text []byte
	tree []directive
}

// put makes a token of a value of the policy with one of the constructors.
// (Generic, because every kind of value comes with its place in the source.)
func put[T any](s *sheet, v policy.Value[T], constructor func(T) (token, error)) token {
	t, err := constructor(v.V)
	if err != nil {
		s.fail(fmt.Errorf("%s%s: %w", at(v.Range), s.about, err))
		return token{}
	}
	return s.take(t)
}

// fail notes an error, once however often the value is used.
func (s *sheet) fail(err error) {
	if !slices.ContainsFunc(s.errs, func(other error) bool { return other.Error() == err.Error() }) {
		s.errs = append(s.errs, err)
	}
}

// take gives the token its place on the sheet.
func (s *sheet) take(t token) token {
	s.tokens = append(s.tokens, t)
	t.hole = len(s.tokens)
	return t
}

// at returns "policies.hcl:12: ", or nothing for a value that no file asked for.
func at(r hcl.Range) string {
	if r.Filename == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", r.Filename, r.Start.Line)
}

// render executes the template of one file and binds the sheet's tokens to it.
func (s *sheet) render(set *template.Template, tmpl string, data any) (page, error) {
	if len(s.errs) > 0 {
		return page{}, errors.Join(s.errs...)
	}
	var form strings.Builder
	if err := set.ExecuteTemplate(&form, tmpl+".tmpl", data); err != nil {
		return page{}, fmt.Errorf("rendering %s: %w", tmpl, err)
	}
	want, err := parse(tmpl, form.String())
	if err != nil {
		return page{}, fmt.Errorf("reading the template: %w", err)
	}
	text := s.fill(func(t token) string { return t.text }).Replace(form.String())
	got, err := parse(tmpl, text)
	if err != nil {
		return page{}, fmt.Errorf("reading back what was rendered: %w", err)
	}
	if !equal(bind(want, s.fill(func(t token) string { return t.word })), got) || strings.Contains(text, holeOpen) {
		return page{}, fmt.Errorf("rendering %s: the file does not say what its template says", strings.TrimSpace(tmpl+" "+s.about))
	}
	return page{text: []byte(text), tree: got}, nil
}

// fill returns what puts one form of each token into its hole.
func (s *sheet) fill(form func(token) string) *strings.Replacer {
	pairs := make([]string, 0, 2*len(s.tokens))
	for i, t := range s.tokens {
		t.hole = i + 1
		pairs = append(pairs, t.String(), form(t))
	}
	return strings.NewReplacer(pairs...)
}

// bind returns the directives with the holes in their words filled.
func bind(tree []directive, fill *strings.Replacer) []directive {
	out := make([]directive, len(tree))
	for i, d := range tree {
		out[i] = d
		out[i].name = fill.Replace(d.name)
		out[i].args = make([]string, len(d.args))
		for j, arg := range d.args {
			out[i].args[j] = fill.Replace(arg)
		}
		if d.block != nil {
			out[i].block = bind(d.block, fill)
		}
	}
	return out
}
