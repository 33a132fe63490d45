package policy

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
)

// suggestion returns the name that given is most likely a slip of, or "". Short
// names must be closer: "ip" is two letters away from "icc" and has nothing to do
// with it.
func suggestion(given string, names []string) string {
	slip, best := 3, ""
	if len(given) < 5 {
		slip = 2
	}
	for _, name := range names {
		if d := levenshtein.Distance(folded(given), folded(name), nil); d < slip {
			slip, best = d, name
		}
	}
	return best
}

// folded makes spellings comparable that differ in case and in - for _ only, as
// Docker's and HTTP's names do from molo's.
func folded(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

// didYouMean returns a hint: the name that was likely meant, else otherwise.
func didYouMean(given string, names []string, otherwise string) string {
	if name := suggestion(given, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return otherwise
}

// unmarked takes the Markdown out of a text of the table.
func unmarked(doc string) string { return strings.ReplaceAll(doc, "`", "") }

// quoted lists words as "a", "b" or "c".
func quoted(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = fmt.Sprintf("%q", w)
	}
	return enumerate(all, "or")
}

// enumerate joins words as people do: a, b and c.
func enumerate(words []string, conjunction string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + conjunction + " " + words[last]
}

// unexpected puts molo's words in place of HCL's for a name that the block does
// not have, because only the table knows where that name belongs.
func unexpected(diag *hcl.Diagnostic, b *block, path string, src []byte) *hcl.Diagnostic {
	what := ""
	summary, of, _ := strings.Cut(diag.Summary, " for ")
	switch summary {
	case "Unsupported argument":
		what = "attribute"
	case "Unsupported block type":
		what = "block"
	case "Extraneous JSON object property":
		what = "property"
	case "Missing name", "Extraneous label":
		return unlabelled(b.inner(of), diag)
	default:
		return diag
	}
	name := strings.Trim(string(diag.Subject.SliceBytes(src)), `"`)
	where := "at the top level"
	if path != "" {
		where = "in the block " + path
	}
	return invalid(fault{
		summary: "Unknown " + what,
		why:     fmt.Sprintf("There is no %s %q %s.", what, name, where),
		hint:    b.whereIs(name, what),
	}, *diag.Subject)
}

// unlabelled says whether a block has a label, where it was written the other way.
func unlabelled(row *block, diag *hcl.Diagnostic) *hcl.Diagnostic {
	f := fault{
		summary: "Label not expected",
		why:     fmt.Sprintf("A block %s has no label.", row.name),
		hint:    fmt.Sprintf("write %s { … }", row.name),
	}
	if row.label != nil {
		f = fault{
			summary: "Wrong number of labels",
			why:     fmt.Sprintf("A block %s has one label. %s", row.name, unmarked(row.label.doc)),
			hint:    fmt.Sprintf("write %s %s { … }", row.name, row.label.example),
		}
	}
	out := invalid(f, *diag.Subject)
	out.Context = diag.Context
	return out
}

// whereIs returns a hint for a name that the block does not have: another
// spelling, another form, another block, or the names that it does have.
func (b *block) whereIs(name, what string) string {
	switch {
	case what == "attribute" && b.inner(name) != nil:
		return fmt.Sprintf("%s is a block: write %s { … } without the equals sign", name, name)
	case what == "block" && b.attr(name) != nil:
		return fmt.Sprintf("%s is an attribute: write %s = …", name, name)
	}
	for _, a := range b.attrs {
		if a.sets == name {
			return fmt.Sprintf("did you mean %q, which sets %s?", a.name, name)
		}
	}
	names := b.names(what)
	otherwise := "there is nothing to write here"
	if len(names) > 0 {
		otherwise = fmt.Sprintf("here can stand %s", enumerate(names, "and"))
	}
	if home := homeOf(name); home != "" {
		otherwise = fmt.Sprintf("%s belongs in the block %s", name, home)
	}
	return didYouMean(name, names, otherwise)
}

// names lists what may be written in the block, by what is meant to be written.
func (b *block) names(what string) []string {
	switch what {
	case "attribute":
		return b.attrNames()
	case "block":
		return b.blockNames()
	}
	return append(b.attrNames(), b.blockNames()...)
}

// homeOf returns the path of the block that has an attribute or a block of that
// name, or "".
func homeOf(name string) string {
	home := ""
	table().walk("", func(path string, b *block) {
		if home == "" && path != "" && (b.attr(name) != nil || b.inner(name) != nil) {
			home = path
		}
	})
	return home
}
