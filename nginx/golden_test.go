package nginx

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// unvaried lists the files that are the same whatever the sites are; they have a
// golden file of their own.
var unvaried = []string{"tree/server.conf", "tree/proxy.conf", Entry}

// Every file of testdata holds sites, in the notation of newSites or as a policy,
// perhaps facts.json and the names that there are certificates for, and everything that
// Compile makes of them: the ids of the resources and the files, or the error.
func TestCompileRendersTheGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 5 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want := split(archive)
			got := compileArchive(t, input)
			if filepath.Base(file) != "unvaried.txtar" {
				got = slices.DeleteFunc(got, func(f txtar.File) bool { return slices.Contains(unvaried, f.Name) })
			}
			if *update {
				archive.Files = slices.Concat(input, got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(text(want), text(got)); diff != "" {
				t.Errorf("%s(-want +got)\n%s", archive.Comment, diff)
			}
		})
	}
}

// The files that have a golden file of their own must not depend on the sites.
func TestCommonFilesDoNotDependOnSites(t *testing.T) {
	one := treeOf(t, compile(t, newSites(t, "site a.example.no 127.0.0.1:8080 80 1024"), facts.Nginx{}))
	two := treeOf(t, compile(t, newSites(t, "site b.example.no [::1]:9090 8081 4096\n\tX-Frame-Options: DENY"), facts.Nginx{}))
	for _, name := range []string{"server.conf", "proxy.conf"} {
		if diff := cmp.Diff(string(one.Files[name]), string(two.Files[name])); diff != "" {
			t.Errorf("%s (-one +two)\n%s", name, diff)
		}
	}
}

func compile(t testing.TB, sites []*policy.Site, host facts.Nginx) []resource.Resource {
	t.Helper()
	resources, err := Compile(sites, policy.NginxLog{}, host)
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

// split parts an archive into what goes in and what comes out.
func split(archive *txtar.Archive) (input, output []txtar.File) {
	for _, f := range archive.Files {
		if f.Name == "sites" || f.Name == "policies.hcl" || f.Name == "facts.json" || f.Name == "certificates" {
			input = append(input, f)
		} else {
			output = append(output, f)
		}
	}
	return input, output
}

// compileArchive returns what Compile makes of the input files.
func compileArchive(t *testing.T, input []txtar.File) []txtar.File {
	t.Helper()
	var sites []*policy.Site
	var host facts.Nginx
	names := ""
	for _, f := range input {
		switch f.Name {
		case "sites":
			sites = newSites(t, string(f.Data))
		case "policies.hcl":
			sites = parseSites(t, string(f.Data))
		case "certificates":
			names = string(f.Data)
		default:
			if err := json.Unmarshal(f.Data, &host); err != nil {
				t.Fatal(err)
			}
		}
	}
	host.TLS.Ordered = certificates(t, strings.Fields(names)...)
	host.TLS.Files = host.TLS.Ordered
	resources, err := Compile(sites, policy.NginxLog{}, host)
	if err != nil {
		return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
	}
	var ids strings.Builder
	var files []txtar.File
	for _, r := range resources {
		switch r := r.(type) {
		case resource.Tree:
			for name, content := range r.Files {
				files = append(files, txtar.File{Name: "tree/" + name, Data: content})
			}
		case resource.File:
			files = append(files, txtar.File{Name: r.Path, Data: r.Content})
			fmt.Fprintf(&ids, "%s ", r.Mode)
		case resource.Link:
			fmt.Fprintf(&ids, "%q ", r.Target)
		}
		fmt.Fprintln(&ids, r.ID())
	}
	slices.SortFunc(files, func(a, b txtar.File) int { return strings.Compare(a.Name, b.Name) })
	return append([]txtar.File{{Name: "resources", Data: []byte(ids.String())}}, files...)
}

func text(files []txtar.File) string { return string(txtar.Format(&txtar.Archive{Files: files})) }
