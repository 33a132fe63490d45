package policy

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// decoder reads blocks over the table and collects what is wrong with them.
type decoder struct {
	files    map[string]*hcl.File
	checks   []string           // those that an exemption may name; nil for any
	defaults map[*attribute]any // each parsed once
	diags    hcl.Diagnostics
}

// section is a block of the policy: the typed values of its attributes and label,
// and the blocks inside it.
type section struct {
	row    *block
	header hcl.Range
	label  field
	fields map[string]field
	inner  map[string][]*section
}

// field is the value of an attribute: nil where there is no default, and where an
// error was reported nil or a part.
type field struct {
	value any
	at    hcl.Range // the attribute, or the block's header where the default holds
	set   bool
}

// get returns an attribute of a section. The zero value stands for a value that
// is not there or was reported as wrong.
func get[T any](s *section, name string) Value[T] { return valueOf[T](s.fields[name]) }

// valueOf returns a field as what the policy holds.
func valueOf[T any](f field) Value[T] {
	v := Value[T]{Range: f.at, Set: f.set}
	if f.value != nil {
		v.V = f.value.(T)
	}
	return v
}

// one returns the only block of that name, or nil.
func (s *section) one(name string) *section {
	if len(s.inner[name]) == 0 {
		return nil
	}
	return s.inner[name][0]
}

// oneOrDefaults returns the only block of that name. Where it is not written, its
// defaults hold, and they are placed at the header of the block around it.
func (d *decoder) oneOrDefaults(s *section, name string) *section {
	if inner := s.one(name); inner != nil {
		return inner
	}
	return d.section(s.row.inner(name), name, hcl.EmptyBody(), s.header)
}

// section reads the content of a block that stands at path.
func (d *decoder) section(b *block, path string, body hcl.Body, header hcl.Range) *section {
	content, diags := body.Content(b.hclSchema())
	for _, diag := range diags {
		d.diags = append(d.diags, unexpected(diag, b, path, d.source(diag)))
	}
	s := &section{row: b, header: header, fields: map[string]field{}, inner: map[string][]*section{}}
	for i := range b.attrs {
		a := &b.attrs[i]
		s.fields[a.name] = d.field(a, content.Attributes[a.name], header)
	}
	d.blocks(b, path, content.Blocks, s)
	for i := range b.attrs {
		if a := &b.attrs[i]; a.required && !s.has(a.name) && !slices.ContainsFunc(a.unless, s.has) {
			d.missing(a, path, header)
		}
	}
	d.alone(b, s)
	return s
}

// has reports whether an attribute or a block of that name is written in the section.
func (s *section) has(name string) bool { return s.fields[name].set || len(s.inner[name]) > 0 }

// alone reports attributes that mean nothing without another one.
func (d *decoder) alone(b *block, s *section) {
	for _, a := range b.attrs {
		if a.needs == "" || !s.fields[a.name].set || s.fields[a.needs].set {
			continue
		}
		d.diags = append(d.diags, invalid(fault{
			summary: "Attribute without another",
			why:     fmt.Sprintf("The attribute %s means nothing without %s.", a.name, a.needs),
			hint:    fmt.Sprintf("write %s as well, or take %s out", a.needs, a.name),
		}, s.fields[a.name].at))
	}
}

// blocks reads the blocks inside the section s. Of two with one label, or of two
// without any, the second is reported.
func (d *decoder) blocks(b *block, path string, blocks hcl.Blocks, s *section) {
	first := map[string]hcl.Range{}
	for _, found := range blocks {
		row := b.inner(found.Type)
		header := headerOf(found)
		below := d.section(row, join(path, found.Type), found.Body, header)
		below.label = d.label(row, found)
		what := row.name
		if row.label != nil {
			what = fmt.Sprintf("%s %q", row.name, fmt.Sprint(below.label.value))
		}
		if other, duplicate := first[what]; duplicate {
			d.duplicate(what, other, header)
			continue
		}
		if row.label == nil || below.label.value != nil {
			first[what] = header
		}
		s.inner[row.name] = append(s.inner[row.name], below)
	}
}

// join returns the path of a block inside another.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// source returns the text that a diagnostic points into.
func (d *decoder) source(diag *hcl.Diagnostic) []byte {
	if file := d.files[diag.Subject.Filename]; file != nil {
		return file.Bytes
	}
	return nil
}

// headerOf returns the line that starts a block, up to its brace. The JSON syntax
// has only property names to point at.
func headerOf(b *hcl.Block) hcl.Range {
	switch {
	case b.DefRange.Start == b.TypeRange.Start:
		return b.DefRange
	case len(b.LabelRanges) > 0:
		return b.LabelRanges[len(b.LabelRanges)-1]
	}
	return b.TypeRange
}

// field reads one attribute; attr is nil where it is not written.
func (d *decoder) field(a *attribute, attr *hcl.Attribute, header hcl.Range) field {
	if attr == nil {
		return field{value: d.fallback(a), at: header}
	}
	if a.refused != "" {
		d.diags = append(d.diags, invalid(fault{
			summary: "Attribute not possible",
			why:     a.refused,
			hint:    "take it out",
		}, attr.NameRange))
		return field{at: attr.Range}
	}
	n, diags := evaluate(attr.Expr)
	d.report(diags, attr)
	if !diags.HasErrors() && n.kind == isNull {
		return field{value: d.fallback(a), at: header}
	}
	set := field{at: attr.Range, set: true}
	if !diags.HasErrors() {
		var faults []fault
		set.value, faults = a.value(n)
		d.faults(faults, attr)
	}
	return set
}

// label reads the label of a block, if it has one.
func (d *decoder) label(row *block, b *hcl.Block) field {
	if row.label == nil {
		return field{}
	}
	at := b.LabelRanges[0]
	value, faults := row.label.value(node{kind: isString, text: b.Labels[0], at: at})
	for _, f := range faults {
		d.diags = append(d.diags, invalid(f, at))
	}
	return field{value: value, at: at, set: true}
}

// fallback returns the default of an attribute, nil when it has none.
func (d *decoder) fallback(a *attribute) any {
	if a.fallback == "" {
		return nil
	}
	if value, known := d.defaults[a]; known {
		return value
	}
	expr, diags := hclsyntax.ParseExpression([]byte(a.fallback), "default", hcl.InitialPos)
	n, evalDiags := evaluate(expr)
	value, faults := a.value(n)
	if diags.HasErrors() || evalDiags.HasErrors() || len(faults) > 0 {
		panic(fmt.Sprintf("policy: the table's default for %s is not a value of it: %s", a.name, a.fallback))
	}
	d.defaults[a] = value
	return value
}

// duplicate reports a block that stands somewhere else already.
func (d *decoder) duplicate(what string, first, second hcl.Range) {
	d.diags = append(d.diags, invalid(fault{
		summary: "Duplicate block",
		why:     fmt.Sprintf("The block %s is already at %s; which of the two holds can't be known.", what, place(first)),
		hint:    "make one block of the two",
	}, second))
}

// missing reports an attribute that has to be there.
func (d *decoder) missing(a *attribute, path string, header hcl.Range) {
	d.diags = append(d.diags, invalid(fault{
		summary: "Missing attribute",
		why:     fmt.Sprintf("The block %s needs the attribute %s. %s", path, a.name, unmarked(a.doc)),
		hint:    fmt.Sprintf("for example %s = %s", a.name, a.example),
	}, header))
}

// faults reports what is wrong with the value of an attribute.
func (d *decoder) faults(faults []fault, attr *hcl.Attribute) {
	for _, f := range faults {
		at := f.at
		if at == (hcl.Range{}) {
			at = attr.Expr.Range()
		}
		d.report(hcl.Diagnostics{invalid(f, at)}, attr)
	}
}

// report keeps diagnostics, and gives them the attribute's name as context where
// that is not far above.
func (d *decoder) report(diags hcl.Diagnostics, attr *hcl.Attribute) {
	const far = 3 // lines
	for _, diag := range diags {
		if diag.Context == nil && diag.Subject.Start.Line-attr.NameRange.Start.Line <= far {
			diag.Context = hcl.RangeOver(attr.NameRange, *diag.Subject).Ptr()
		}
		d.diags = append(d.diags, diag)
	}
}
