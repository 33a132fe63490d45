package lint

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"molo/internal/audit"
)

// Redacted takes the values out of an error that could be secrets: those of the
// variables, labels, arguments and contents in these files. Loaders quote what they
// can't read.
func Redacted(message string, sources []Source) string {
	var values []string
	for _, s := range sources {
		var root yaml.Node
		if yaml.Unmarshal(s.Data, &root) == nil {
			values = append(values, confidential(&root, false)...)
		}
	}
	// The longest first: one can be part of another.
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		if len(v) > 2 {
			message = strings.ReplaceAll(message, v, "…")
		}
	}
	return audit.Printable(strings.Join(strings.Fields(message), " "))
}

// confidential lists the values below attributes that hold what should not be shown.
// Links to other nodes are not followed: their own place counts.
func confidential(n *yaml.Node, hidden bool) []string {
	var all []string
	if hidden && n.Kind == yaml.ScalarNode {
		all = append(all, n.Value)
		if _, value, ok := strings.Cut(n.Value, "="); ok {
			all = append(all, value)
		}
	}
	for i, child := range n.Content {
		below := hidden
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			below = hidden || slices.Contains([]string{"environment", "args", "labels", "content", "driver_opts", "options", "command", "entrypoint"}, n.Content[i-1].Value) || audit.SecretName(n.Content[i-1].Value)
		}
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			below = false // a name
		}
		all = append(all, confidential(child, below)...)
	}
	return all
}
