package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// Source is one file of a policy. Its name ends in ".hcl" for HCL's native syntax
// or in ".hcl.json" for its JSON syntax, and is what diagnostics and ranges call it.
type Source struct {
	Name string
	Data []byte
}

// Parse reads sources as one policy. The policy is nil when there is an error
// among the diagnostics: a policy that is only understood in part must not be
// applied in part. No sources make a policy that asks for nothing.
func Parse(sources []Source) (*Policy, Diagnostics) { return ParseChecked(sources, nil) }

// ParseChecked is Parse for a policy whose exemptions may only name these checks of
// the audit.
func ParseChecked(sources []Source, checks []string) (*Policy, Diagnostics) {
	files, diags := parseAll(sources)
	result := Diagnostics{files: byName(sources, files)}
	if diags.HasErrors() {
		// What was decoded after a syntax error would be a guess: HCL takes a line
		// half-typed for an attribute without a value, and false is a setting.
		result.list = tidy(diags, sources)
		return nil, result
	}
	d := &decoder{files: result.files, checks: checks, defaults: map[*attribute]any{}, diags: diags}
	policy := d.policy(hcl.MergeFiles(files))
	result.list = tidy(d.diags, sources)
	if d.diags.HasErrors() {
		return nil, result
	}
	return policy, result
}

// policy decodes the top level of all files.
func (d *decoder) policy(body hcl.Body) *Policy {
	root := d.section(table(), "", body, hcl.Range{})
	return &Policy{
		Docker:     d.docker(root.one("docker")),
		Firewall:   d.firewall(root.one("firewall")),
		Sysctl:     d.sysctl(root.one("sysctl")),
		Nginx:      d.nginx(root),
		Sites:      d.sites(root.inner["site"]),
		Containers: containers(root.one("containers")),
		Host:       hostRules(root.one("host")),
		Exemptions: d.exemptions(root.inner["exempt"]),
	}
}

// parseAll checks the syntax of all sources.
func parseAll(sources []Source) ([]*hcl.File, hcl.Diagnostics) {
	var files []*hcl.File
	var diags hcl.Diagnostics
	for _, source := range sources {
		file, fileDiags := parse(source)
		files = append(files, file)
		diags = append(diags, fileDiags...)
	}
	return files, diags
}

// parse checks the syntax of one source. It always returns a file, for snippets.
func parse(source Source) (*hcl.File, hcl.Diagnostics) {
	empty := &hcl.File{Body: hcl.EmptyBody(), Bytes: source.Data}
	if f := oversized(source); f != nil {
		return empty, hcl.Diagnostics{f}
	}
	var file *hcl.File
	var diags hcl.Diagnostics
	switch {
	case strings.HasSuffix(source.Name, ".hcl.json"):
		file, diags = json.Parse(source.Data, source.Name)
	case strings.HasSuffix(source.Name, ".hcl"):
		file, diags = hclsyntax.ParseConfig(source.Data, source.Name, hcl.InitialPos)
	default:
		diags = hcl.Diagnostics{invalid(fault{
			summary: "Unknown kind of file",
			why:     fmt.Sprintf("%s is neither *.hcl nor *.hcl.json.", source.Name),
			hint:    "rename it",
		}, start(source.Name))}
	}
	if file == nil {
		file = empty
	}
	return file, diags
}

// start is the first place of a source.
func start(name string) hcl.Range {
	return hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
}

func byName(sources []Source, files []*hcl.File) map[string]*hcl.File {
	named := map[string]*hcl.File{}
	for i, source := range sources {
		named[source.Name] = files[i]
	}
	return named
}

// Names returns those of a directory's file names that belong to its policy, in
// the order in which they are read: *.hcl and *.hcl.json without what editors and
// package managers leave beside them.
func Names(entries []string) []string {
	names := slices.DeleteFunc(slices.Clone(entries), func(name string) bool {
		policy := strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json")
		return !policy || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasPrefix(name, "~")
	})
	slices.Sort(names)
	return names
}
