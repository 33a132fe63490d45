package report

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"molo/internal/audit"
)

// readPage parses a page as browsers do, and checks that it holds nothing that runs or
// is loaded from elsewhere.
func readPage(t *testing.T, text string) *html.Node {
	t.Helper()
	page, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	forbidden := []string{"script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "image", "use", "foreignobject", "animate", "set"}
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && slices.Contains(forbidden, strings.ToLower(n.Data)) {
			t.Errorf("the page has an element %s", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || slices.Contains([]string{"href", "src", "style", "srcdoc", "action"}, a.Key) {
				t.Errorf("the page has an attribute %s=%q", a.Key, a.Val)
			}
		}
	}
	return page
}

// shape lists the elements of a page in their order, with the names of their attributes.
func shape(page *html.Node) []string {
	var all []string
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		line := n.Data
		for _, a := range n.Attr {
			line += " " + a.Key
		}
		all = append(all, line)
	}
	return all
}

// textIn returns the text of all elements with a name.
func textIn(page *html.Node, element string) []string {
	var all []string
	for n := range page.Descendants() {
		if n.Type != html.ElementNode || n.Data != element {
			continue
		}
		text := ""
		for inner := range n.Descendants() {
			if inner.Type == html.TextNode {
				text += inner.Data
			}
		}
		all = append(all, strings.TrimSpace(text))
	}
	return all
}

func TestThePageShowsWhatOthersChoseAsText(t *testing.T) {
	const name = `<b>"web"</b> & {{.}} <!-- x`
	page := readPage(t, written(t, HTML, sampleReport(name)))
	if got := textIn(page, "h1"); len(got) != 1 || got[0] != "Audit of "+name {
		t.Errorf("the heading says %q", got)
	}
	if !slices.Contains(textIn(page, "code"), name) {
		t.Error("no place is called by its name")
	}
}

func TestThePageHasAllEvidence(t *testing.T) {
	r := sampleReport("web")
	text := written(t, HTML, r)
	for _, f := range r.Findings {
		for _, part := range []string{f.Slug, f.Where, f.Got, f.Why, f.Fix} {
			if !strings.Contains(html.UnescapeString(text), part) {
				t.Errorf("%s: the page does not say %q", f.Slug, part)
			}
		}
		for _, ref := range f.References {
			if !strings.Contains(text, ref.ID) {
				t.Errorf("%s: the page does not refer to %s", f.Slug, ref.ID)
			}
		}
	}
}

func TestThePageOfAFirstAuditComparesNothing(t *testing.T) {
	r := sampleReport("web")
	r.Since = nil
	if text := written(t, HTML, r); strings.Contains(text, "before") && strings.Contains(text, "Compared") {
		t.Error("the page compares with an audit that there was not")
	}
}

func TestBarsAreWhole(t *testing.T) {
	for _, s := range []audit.Score{{Pass: 1}, {Pass: 1, Failing: 1, Required: 1}, {Exempt: 7, Unknown: 3, Pass: 11}, {Required: 13}} {
		at := 0
		for _, part := range bar(s) {
			if part.From != at || part.Width() <= 0 {
				t.Errorf("%+v: a segment from %d to %d, want it to begin at %d", s, part.From, part.To, at)
			}
			at = part.To
		}
		if at != 1000 {
			t.Errorf("%+v: the bar ends at %d", s, at)
		}
	}
	if got := bar(audit.Score{}); got != nil {
		t.Errorf("nothing has a bar: %+v", got)
	}
}
