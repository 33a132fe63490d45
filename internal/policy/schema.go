package policy

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// block is one kind of block, as the table describes it.
type block struct {
	name   string
	label  *attribute // nil: the block has no label, and may appear once where it stands
	doc    string
	attrs  []attribute
	blocks []block
}

// attribute is one row of the table: an attribute of a block, or its label.
type attribute struct {
	name     string
	kind     string // its type, in words
	fallback string // its default, as an HCL expression; "" when it has none
	required bool
	needs    string   // the attribute beside it without which it means nothing
	allowed  []string // the words it is chosen from
	sets     string   // the key of daemon.json or the response header it becomes
	refused  string   // where set, the name may not be written, and this is why
	doc      string
	example  string // an HCL expression, another one than the default
	read     reader // nil: a choice of allowed
}

// reader turns a node into the typed value of an attribute, or says what is wrong
// with it. Beside faults the value is nil, or what is good of a list or an object.
type reader func(node) (any, []fault)

// fault is what is wrong with a value: a summary, why it matters, and what to write instead.
type fault struct {
	summary string
	why     string
	hint    string
	at      hcl.Range // the part of the value it is about; zero for the whole
	warning bool      // the value holds all the same
}

// detail is the text under the snippet of a diagnostic.
func (f fault) detail() string {
	if f.hint == "" {
		return f.why
	}
	return f.why + "\nhint: " + f.hint
}

// value reads a node as this attribute.
func (a *attribute) value(n node) (any, []fault) {
	if a.read == nil {
		return text(choose(a.allowed))(n)
	}
	return a.read(n)
}

// hclSchema returns what hcl.Body.Content needs to know about the block. No
// attribute is required there: HCL would name neither the purpose nor a value.
func (b *block) hclSchema() *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, a := range b.attrs {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.name})
	}
	for _, inner := range b.blocks {
		header := hcl.BlockHeaderSchema{Type: inner.name}
		if inner.label != nil {
			header.LabelNames = []string{inner.label.name}
		}
		schema.Blocks = append(schema.Blocks, header)
	}
	return schema
}

// attr returns the attribute of that name, or nil.
func (b *block) attr(name string) *attribute {
	i := slices.IndexFunc(b.attrs, func(a attribute) bool { return a.name == name })
	if i < 0 {
		return nil
	}
	return &b.attrs[i]
}

// inner returns the block of that name inside this one, or nil.
func (b *block) inner(name string) *block {
	i := slices.IndexFunc(b.blocks, func(inner block) bool { return inner.name == name })
	if i < 0 {
		return nil
	}
	return &b.blocks[i]
}

// attrNames lists the attributes that may be written.
func (b *block) attrNames() []string {
	var names []string
	for _, a := range b.attrs {
		if a.refused == "" {
			names = append(names, a.name)
		}
	}
	return names
}

// blockNames lists the blocks that may stand inside.
func (b *block) blockNames() []string {
	var names []string
	for _, inner := range b.blocks {
		names = append(names, inner.name)
	}
	return names
}

// walk visits the block and all blocks inside it, each with its path, such as
// "docker.log"; the path of the file's top level is empty.
func (b *block) walk(path string, visit func(path string, b *block)) {
	visit(path, b)
	for i := range b.blocks {
		below := b.blocks[i].name
		if path != "" {
			below = path + "." + below
		}
		b.blocks[i].walk(below, visit)
	}
}
