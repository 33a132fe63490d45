package nginx

import (
	"slices"
	"strings"
)

// LintDump reads a whole configuration as "nginx -T" prints it, whoever wrote it,
// and returns where it breaks an invariant, with the files and lines it was read
// from. A text without nginx's headings is taken for one file of this name.
func LintDump(name, text string) []Finding {
	files := map[string][]directive{}
	sections := dumped(name, text)
	for _, s := range sections {
		tree, err := parse(s.file, s.text)
		if err != nil {
			return settle([]Finding{unreadable(s.file, err)}, !own)
		}
		files[s.file] = tree
	}
	in := newIncluder(files, "")
	main := in.expand(files[sections[0].file])
	findings := slices.Concat(in.findings, workerFiles(main), oldWorkers(main))
	http := httpOf(main)
	for _, check := range slices.Concat(commonChecks(), foreignChecks()) {
		findings = append(findings, check(http)...)
	}
	return settle(findings, !own)
}

// foreignChecks are for a configuration that is not all molo's.
func foreignChecks() []func([]directive) []Finding {
	targets := func(tree []directive) []Finding { return proxyTargets(tree, nil) }
	return []func([]directive) []Finding{lostOnErrors, targets, serverTokens, unsafeIf, aliases, resolvers, clientAddresses}
}

// section is one file of a dump.
type section struct{ file, text string }

// heading begins the line with which nginx prints the name of a file.
const heading = "# configuration file "

// dumped cuts a dump into its files, of which the first is the one that includes
// the others. What nginx says before the first heading is left out.
func dumped(name, text string) []section {
	var sections []section
	var lines []string
	end := func() {
		if len(sections) > 0 {
			sections[len(sections)-1].text = strings.Join(lines, "")
		}
		lines = nil
	}
	for line := range strings.Lines(text) {
		if file, ok := headed(line); ok {
			end()
			sections = append(sections, section{file: file})
			continue
		}
		lines = append(lines, line)
	}
	end()
	if sections == nil {
		return []section{{name, text}}
	}
	return sections
}

// headed returns the file that a line of a dump is the heading of.
func headed(line string) (string, bool) {
	file, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), heading)
	if !ok || !strings.HasPrefix(file, "/") {
		return "", false
	}
	return strings.CutSuffix(file, ":")
}

// httpOf returns what stands in the http block; all of it where there is no such
// block, as in a file of conf.d.
func httpOf(main []directive) []directive {
	var http []directive
	for _, d := range main {
		if d.name == "http" {
			http = append(http, d.block...)
		}
	}
	if http == nil {
		return main
	}
	return http
}
