package policy

import (
	"strings"

	"molo/internal/roff"
)

const manualIntro = "A policy is the file /etc/molo/policies.hcl, or a directory of `*.hcl` and `*.hcl.json` files that are read " +
	"in the order of their names as if they were one. It is written in HCL and says what the host should be.\n\n" +
	"A block that is not written is left alone; an empty one asks for all its defaults, which are the safe values. " +
	"A block without a label appears at most once, and a label at most once for its kind of block. " +
	"`null` is the same as not writing the attribute. " +
	"A name, a type or a value that is not described here is an error, and a policy with an error does nothing at all.\n\n" +
	"molo validate checks a policy, and molo plan says what it would change."

// Manual returns the page policies.hcl(5): what the table says.
func Manual() []byte {
	page := roff.New("policies.hcl", 5, "molo", "what a host must be")
	page.Section("DESCRIPTION")
	page.Text(manualIntro)
	table().walk("", func(path string, b *block) {
		if path != "" {
			describe(page, path, b)
		}
	})
	page.Section("SETTINGS THAT ARE REFUSED")
	page.Text("Besides the keys of daemon.json that an attribute of docker sets:")
	for _, r := range reservedSettings() {
		name := r.key
		if r.off {
			name += " = false"
		}
		page.Item(name, r.why)
	}
	page.Section("SEE ALSO")
	page.Text("molo(8), ufw(8), dockerd(8), nginx(8)")
	return page.Bytes()
}

// describe writes the section of a block.
func describe(page *roff.Page, path string, b *block) {
	page.Section(path)
	page.Text(b.doc)
	page.Code(string(sample(b)))
	if b.label != nil {
		page.Item(`"label"`, b.label.describe(true))
	}
	for i := range b.attrs {
		page.Item(b.attrs[i].name, b.attrs[i].describe(false))
	}
}

// describe says what the attribute is for, its type, its default and its words.
func (a *attribute) describe(required bool) string {
	facts := []string{a.kind}
	switch {
	case a.refused != "":
		return a.doc + " " + a.refused
	case a.required || required:
		facts = append(facts, "required")
	case a.fallback != "" && len(a.fallback) <= 40:
		facts = append(facts, "default `"+a.fallback+"`")
	}
	if len(a.allowed) > 0 {
		facts = append(facts, "one of "+strings.Join(a.allowed, ", "))
	} else if a.example != "" && a.kind != "boolean" {
		facts = append(facts, "for example `"+a.example+"`")
	}
	if a.sets != "" {
		facts = append(facts, "sets `"+a.sets+"`")
	}
	return a.doc + " (" + strings.Join(facts, "; ") + ")"
}
