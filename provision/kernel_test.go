package provision_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/kernel"
	"molo/provision"
)

var onlyKernel = provision.Options{Only: []string{provision.PartKernel}}

// kernelHost is a host whose kernel has these settings; its facts are what was written.
func kernelHost(live map[string]string) *hosttest.Host {
	h := &hosttest.Host{State: map[resource.ID]resource.Resource{}, Is: facts.Facts{Sysctl: facts.Sysctl{Live: live}}}
	for name, value := range live {
		s := resource.Sysctl{Name: name, Value: value}
		h.State[s.ID()] = s
	}
	h.React = func(h *hosttest.Host, _ string) {
		h.Is.Sysctl.Files = nil
		for _, r := range h.State {
			switch r := r.(type) {
			case resource.Sysctl:
				h.Is.Sysctl.Live[r.Name] = r.Value
			case resource.File:
				h.Is.Sysctl.Files = []facts.Text{{Path: r.Path, Text: string(r.Content)}}
			}
		}
	}
	return h
}

func sysctlPolicy(t *testing.T, settings string) *policy.Policy {
	t.Helper()
	p, diags := policy.Parse([]policy.Source{{Name: "policies.hcl", Data: []byte("sysctl {\n  settings = {" + settings + "}\n}\n")}})
	if p == nil {
		t.Fatalf("the policy is not valid: %+v", diags.Entries())
	}
	return p
}

// shown is what a report says to a person.
func shown(t *testing.T, report *provision.Report) string {
	t.Helper()
	var out strings.Builder
	if err := provision.WriteText(&out, report.Parts); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestKernelSettingsComeAndGo(t *testing.T) {
	h := kernelHost(map[string]string{"kernel/kptr_restrict": "0", "kernel/dmesg_restrict": "1", "kernel/yama/ptrace_scope": "2"})
	before := h.String()
	report := apply(t, h, sysctlPolicy(t, `"vm.swappiness" = 10`), onlyKernel)
	want := `file:/etc/sysctl.d/60-molo.conf
sysctl:kernel/dmesg_restrict = 1
sysctl:kernel/kptr_restrict = 1
sysctl:kernel/yama/ptrace_scope = 2
`
	if diff := cmp.Diff(want, h.String()); diff != "" {
		t.Errorf("after an apply (-want +got):\n%s", diff)
	}
	if said := shown(t, report); !strings.Contains(said, "  ~ kernel.kptr_restrict = 0 -> 1  # policies.hcl:1, first run\n") ||
		!strings.Contains(said, "  * this kernel has no setting vm.swappiness # policies.hcl:2\n") {
		t.Errorf("the report does not say what changed and what is not there:\n%s", said)
	}
	if report := apply(t, h, sysctlPolicy(t, `"vm.swappiness" = 10`), onlyKernel); report.Changed() {
		t.Errorf("a second apply changed something:\n%s", shown(t, report))
	}
	apply(t, h, &policy.Policy{}, onlyKernel)
	if diff := cmp.Diff(before, h.String()); diff != "" {
		t.Errorf("after the block is gone (-before +after):\n%s", diff)
	}
}

func TestTheFileGoesEvenIfNobodyRemembersIt(t *testing.T) {
	h := kernelHost(map[string]string{"kernel/kptr_restrict": "0"})
	apply(t, h, sysctlPolicy(t, ""), onlyKernel)
	h.Kept = provision.Memory{}
	apply(t, h, &policy.Policy{}, onlyKernel)
	if _, there := h.State[resource.File{Path: kernel.File}.ID()]; there {
		t.Errorf("the file is still there:\n%s", h)
	}
}

func TestASettingTurnedByHandIsNamedAndTurnedBack(t *testing.T) {
	h := kernelHost(map[string]string{"kernel/kptr_restrict": "0"})
	apply(t, h, sysctlPolicy(t, ""), onlyKernel)
	s := resource.Sysctl{Name: "kernel/kptr_restrict", Value: "0"}
	h.State[s.ID()] = s
	h.React(h, "")
	if said := shown(t, apply(t, h, sysctlPolicy(t, ""), onlyKernel)); !strings.Contains(said, "~ kernel.kptr_restrict = 0 -> 1  # policies.hcl:1, drift\n") {
		t.Errorf("the report does not name the drift:\n%s", said)
	}
}

func TestASettingThatTheKernelRefusesPutsTheOthersBack(t *testing.T) {
	h := kernelHost(map[string]string{"kernel/dmesg_restrict": "0", "kernel/kptr_restrict": "0"})
	before := h.String()
	h.Fail = map[string]error{"write sysctl:kernel/kptr_restrict": errors.New("read-only file system")}
	if report := apply(t, h, sysctlPolicy(t, ""), onlyKernel); report.Failed() == nil {
		t.Error("the run counts as good")
	}
	if diff := cmp.Diff(before, h.String()); diff != "" {
		t.Errorf("what was written was not put back (-before +after):\n%s", diff)
	}
}

func TestARunIsTakenBackThoughAnInterfaceIsGone(t *testing.T) {
	const gone = "net/ipv4/conf/br-1/send_redirects"
	h := kernelHost(map[string]string{"kernel/kptr_restrict": "0", gone: "1"})
	h.Is.Sysctl.Interfaces = []string{"br-1"}
	options := onlyKernel
	options.Run = "run-1"
	if report, err := provision.Apply(t.Context(), h, h, sysctlPolicy(t, ""), options); err != nil || report.Failed() != nil {
		t.Fatal(err, report.Failed())
	}
	delete(h.State, resource.Sysctl{Name: gone}.ID())
	report, err := provision.Rollback(t.Context(), h, h, *h.Kept.Trail)
	if err := errors.Join(err, report.Failed()); err != nil {
		t.Error(err)
	}
	if got := h.String(); got != "sysctl:kernel/kptr_restrict = 0\n" {
		t.Errorf("after the run was taken back:\n%s", got)
	}
}
