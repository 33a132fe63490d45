package provision_test

import (
	"encoding/json"
	"flag"
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
	"molo/provision"
)

var update = flag.Bool("update", false, "rewrite the plans in testdata/plan")

// TestPlans makes a plan of what each archive holds: a policy (*.hcl), facts.json,
// and, where they matter, have.json (a list of resources) and memory.json.
func TestPlans(t *testing.T) {
	names, err := filepath.Glob("testdata/plan/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := planOf(t, archive)
			i := len(archive.Files) - 1
			if last := archive.Files[i].Name; last != "plan" {
				t.Fatalf("the archive ends with %s, not with the plan", last)
			}
			if *update {
				archive.Files[i].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// planOf prints the plan for an archive, or why there is none.
func planOf(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	var sources []policy.Source
	var f facts.Facts
	var boxes []resource.Box
	var memory provision.Memory
	for _, file := range archive.Files {
		var err error
		switch {
		case strings.HasSuffix(file.Name, ".hcl"):
			sources = append(sources, policy.Source{Name: file.Name, Data: file.Data})
		case file.Name == "facts.json":
			err = json.Unmarshal(file.Data, &f)
		case file.Name == "have.json":
			err = json.Unmarshal(file.Data, &boxes)
		case file.Name == "memory.json":
			err = json.Unmarshal(file.Data, &memory)
		}
		if err != nil {
			t.Fatalf("%s: %v", file.Name, err)
		}
	}
	p, diagnostics := policy.Parse(sources)
	if diagnostics.HasErrors() {
		t.Fatalf("the policy is not valid: %+v", diagnostics.Entries())
	}
	parts, err := provision.Desired(p, f)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	have := provision.Have{State: map[resource.ID]resource.Resource{}, Unread: f.Unknown, Blind: blind(parts, f)}
	for _, box := range boxes {
		have.State[box.Resource.ID()] = box.Resource
	}
	outcomes := provision.Diff(parts, have, memory).Outcomes()
	var out strings.Builder
	if err := provision.WriteText(&out, outcomes); err != nil {
		t.Fatal(err)
	}
	out.WriteString(provision.Summary(outcomes) + "\n")
	return out.String()
}

// blind lists the firewall's rules for those who may not read UFW's files either.
func blind(parts []provision.Part, f facts.Facts) map[resource.ID]bool {
	all := map[resource.ID]bool{}
	denied := facts.Unread{What: "/etc/ufw/user.rules", Part: provision.PartFirewall, Why: "permission denied"}
	for _, p := range parts {
		for _, w := range p.Want {
			if p.Name == provision.PartFirewall && slices.Contains(f.Unknown, denied) {
				all[w.ID()] = true
			}
		}
	}
	return all
}
