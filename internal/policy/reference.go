package policy

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

const referenceIntro = `# Policy reference

<!-- Made from the table in internal/policy by "go test ./internal/policy -update". -->

A policy is a file ` + "`policies.hcl`" + `, or a directory of ` + "`*.hcl` and `*.hcl.json`" + ` files that are read
in the order of their names as if they were one. It is written in
[HCL](https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md) and says what the host should be.

- A block that is not written is left alone; an empty one asks for all its defaults. Defaults are the safe values.
- ` + "`null`" + ` is the same as not writing the attribute.
- A name, a type or a value that is not in this reference is an error, and a policy with an error does nothing at all.
- There are no variables and no functions yet. In strings, ` + "`$${`" + ` stands for a literal ` + "`${`" + `.
- Strings have no line breaks or other invisible characters, and at most 2000 bytes.
- The samples show defaults, and examples where an attribute has none.
- A block without a label appears at most once in all files, and a label at most once for its kind of block.
`

// Reference returns docs/policy.md: what the table says, in Markdown.
func Reference() []byte {
	var out bytes.Buffer
	out.WriteString(referenceIntro)
	table().walk("", func(path string, b *block) {
		if path != "" {
			referBlock(&out, path, b)
		}
	})
	referSettings(&out)
	return out.Bytes()
}

func referBlock(out *bytes.Buffer, path string, b *block) {
	fmt.Fprintf(out, "\n%s %s\n\n%s\n\n", strings.Repeat("#", 2+strings.Count(path, ".")), path, b.doc)
	fmt.Fprintf(out, "```hcl\n%s```\n\n", sample(b))
	if b.label != nil {
		referAttribute(out, b.label, "label")
	}
	for i := range b.attrs {
		referAttribute(out, &b.attrs[i], b.attrs[i].name)
	}
}

// sample writes a block with its defaults, and examples where there are none.
func sample(b *block) []byte {
	var out bytes.Buffer
	out.WriteString(b.name)
	if b.label != nil {
		fmt.Fprintf(&out, " %s", b.label.example)
	}
	out.WriteString(" {\n")
	for _, a := range b.attrs {
		value := a.fallback
		if value == "" {
			value = a.example
		}
		if a.refused == "" {
			fmt.Fprintf(&out, "%s = %s\n", a.name, value)
		}
	}
	out.WriteString("}\n")
	return hclwrite.Format(out.Bytes())
}

func referAttribute(out *bytes.Buffer, a *attribute, name string) {
	facts := []string{a.kind}
	switch {
	case a.refused != "":
		facts = append(facts, "refused")
	case a.required || name == "label":
		facts = append(facts, "required")
	case len(a.fallback) > 40:
		facts = append(facts, "default above")
	case a.fallback != "":
		facts = append(facts, "default `"+a.fallback+"`")
	}
	if a.needs != "" {
		facts = append(facts, "only with `"+a.needs+"`")
	}
	if len(a.allowed) > 0 {
		facts = append(facts, "one of `"+strings.Join(a.allowed, "` `")+"`")
	} else if a.example != "" && a.kind != "boolean" {
		facts = append(facts, "for example `"+a.example+"`")
	}
	if a.sets != "" {
		facts = append(facts, "sets `"+a.sets+"`")
	}
	fmt.Fprintf(out, "- **`%s`** (%s): %s", name, strings.Join(facts, "; "), a.doc)
	if a.refused != "" {
		fmt.Fprintf(out, " %s", a.refused)
	}
	out.WriteString("\n")
}

func referSettings(out *bytes.Buffer) {
	out.WriteString("\n## Settings that are refused\n\nBesides the keys of `daemon.json` that an attribute of `docker` sets:\n\n")
	for _, r := range reservedSettings() {
		value := ""
		if r.off {
			value = " = false"
		}
		fmt.Fprintf(out, "- **`%s%s`**: %s\n", r.key, value, r.why)
	}
}
