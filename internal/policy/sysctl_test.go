package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestWhatIsRecommendedMayBeWritten(t *testing.T) {
	for _, s := range RecommendedKernelSettings() {
		if swapped(KernelName(s.Name)) != s.Name {
			t.Errorf("%s has another name in dots than in slashes", s.Name)
		}
		p := parseOne(t, "policies.hcl", fmt.Appendf(nil, "sysctl {\n  settings = { %q = %s }\n}\n", KernelName(s.Name), s.Value))
		if len(p.Sysctl.Settings) != len(RecommendedKernelSettings()) {
			t.Errorf("writing %s changes how many settings there are", s.Name)
		}
	}
}

func TestTheOwnersSettingsTakeThePlaceOfRecommendedOnes(t *testing.T) {
	p := parseOne(t, "policies.hcl", []byte(`sysctl {
  settings = {
    "kernel/yama/ptrace_scope" = 2
    "kernel.kptr_restrict"     = null
    "vm.swappiness"            = 10
  }
}
`))
	got := map[string]string{}
	for _, s := range p.Sysctl.Settings {
		got[s.Name] = s.Value
		if s.Name == "kernel/yama/ptrace_scope" && (len(s.Stricter) > 0 || s.Range.Start.Line != 3) {
			t.Errorf("the owner's own value is not exactly the owner's: %+v", s)
		}
	}
	if got["kernel/yama/ptrace_scope"] != "2" || got["vm/swappiness"] != "10" || got["kernel/dmesg_restrict"] != "1" {
		t.Errorf("settings: %v", got)
	}
	if _, there := got["kernel/kptr_restrict"]; there {
		t.Error("a setting that is null is still there")
	}
	if !slices.IsSortedFunc(p.Sysctl.Settings, func(a, b KernelSetting) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the settings are not in the order of their names")
	}
}
