package policy

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns a source in the canonical layout of HCL, as "terraform fmt" does:
// only spaces change. JSON is left as it is, because programs write it and have
// layouts of their own. A source with a syntax error gives nil and diagnostics.
func Format(source Source) ([]byte, Diagnostics) {
	file, diags := parse(source)
	result := Diagnostics{list: tidy(diags, []Source{source}), files: map[string]*hcl.File{source.Name: file}}
	switch {
	case diags.HasErrors():
		return nil, result
	case strings.HasSuffix(source.Name, ".json"):
		return source.Data, result
	}
	return hclwrite.Format(source.Data), result
}
