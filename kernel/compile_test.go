package kernel_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/policy"
	"molo/kernel"
)

// stock is the kernel of a fresh Debian host with one network card.
func stock() facts.Facts {
	f := facts.Facts{Sysctl: facts.Sysctl{Interfaces: []string{"docker0", "eth0"}, Live: map[string]string{}}}
	for _, name := range kernel.Watched() {
		for _, name := range kernel.Expand(name, f.Sysctl.Interfaces) {
			f.Sysctl.Live[name] = "0"
		}
	}
	return f
}

// compiled compiles a block with these settings.
func compiled(t *testing.T, settings string, f facts.Facts) kernel.Compiled {
	t.Helper()
	p, diags := policy.Parse([]policy.Source{{Name: "policies.hcl", Data: []byte("sysctl {\n  settings = {" + settings + "}\n}\n")}})
	if p == nil {
		t.Fatalf("the policy is not valid: %+v", diags.Entries())
	}
	c, err := kernel.Compile(p.Sysctl, f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func value(c kernel.Compiled, name string) string {
	for _, s := range c.Now {
		if s.Name == name {
			return s.Value
		}
	}
	return "left alone"
}

// said lists the findings, one a line.
func said(c kernel.Compiled) string {
	var out strings.Builder
	for _, f := range c.Findings {
		out.WriteString(f.What + " (" + f.Where + ")\n")
	}
	return out.String()
}

func TestEachInterfaceGetsItsValueAndNewOnesInheritIt(t *testing.T) {
	c := compiled(t, `"net.ipv4.conf.eth0.send_redirects" = 1`, stock())
	want := map[string]string{
		"net/ipv4/conf/all/send_redirects":     "0",
		"net/ipv4/conf/default/send_redirects": "0",
		"net/ipv4/conf/docker0/send_redirects": "0",
		"net/ipv4/conf/eth0/send_redirects":    "1",
		"net/ipv6/conf/eth0/accept_redirects":  "0",
	}
	for name, v := range want {
		if got := value(c, name); got != v {
			t.Errorf("%s is to be %s, want %s", name, got, v)
		}
	}
	const file = `
# A Docker host forwards packets but is nobody's router: it tells no neighbour of other ways.
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
net.ipv4.conf.*.send_redirects = 0

# Asked for by the policy.
net.ipv4.conf.eth0.send_redirects = 1
`
	if !strings.Contains(string(c.Boot.Content), file) {
		t.Errorf("the file does not hold\n%s\nbut\n%s", file, c.Boot.Content)
	}
	if said(c) != "" {
		t.Errorf("findings on a stock host:\n%s", said(c))
	}
}

func TestWhatIsStricterAlreadyStays(t *testing.T) {
	const name = "kernel/yama/ptrace_scope"
	own := func(path, text string) func(*facts.Sysctl) {
		return func(s *facts.Sysctl) { s.Files = append(s.Files, facts.Text{Path: path, Text: text}) }
	}
	live := func(v string) func(*facts.Sysctl) { return func(s *facts.Sysctl) { s.Live[name] = v } }
	tests := []struct {
		name     string
		settings string
		facts    []func(*facts.Sysctl)
		want     string
	}{
		{"as it is on a stock host", "", nil, "1"},
		{"stricter by hand", "", []func(*facts.Sysctl){live("2")}, "2"},
		{"stricter in a file, not loaded yet", "", []func(*facts.Sysctl){own("/etc/sysctl.d/50-own.conf", "kernel.yama.ptrace_scope=2")}, "2"},
		{"stricter in a file that comes later", "", []func(*facts.Sysctl){own("/etc/sysctl.d/90-own.conf", "kernel.yama.ptrace_scope=3")}, "3"},
		{"turned off by hand after molo had found it stricter", "", []func(*facts.Sysctl){live("0"), own(kernel.File, "kernel.yama.ptrace_scope = 2")}, "2"},
		{"looser in a file", "", []func(*facts.Sysctl){own("/etc/sysctl.d/50-own.conf", "kernel.yama.ptrace_scope=0")}, "1"},
		{"a value that is none", "", []func(*facts.Sysctl){live("x")}, "1"},
		{"the owner's own value holds exactly", `"kernel.yama.ptrace_scope" = 0`, []func(*facts.Sysctl){live("2")}, "0"},
		{"null leaves it alone", `"kernel.yama.ptrace_scope" = null`, nil, "left alone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := stock()
			for _, change := range test.facts {
				change(&f.Sysctl)
			}
			c := compiled(t, test.settings, f)
			if got := value(c, name); got != test.want {
				t.Errorf("it is to be %s, want %s", got, test.want)
			}
			boot := "kernel.yama.ptrace_scope = " + test.want
			if has := strings.Contains(string(c.Boot.Content), boot); has != (test.want != "left alone") {
				t.Errorf("the file holds %q: %t\n%s", boot, has, c.Boot.Content)
			}
		})
	}
}

func TestLinesThatWinAtBootAreFound(t *testing.T) {
	tests := []struct {
		name  string
		files []facts.Text
		want  string
	}{
		{"an earlier file is replaced", []facts.Text{{Path: "/etc/sysctl.d/10-a.conf", Text: "kernel.kptr_restrict = 0"}}, ""},
		{
			"a later file", []facts.Text{{Path: "/usr/lib/sysctl.d/99-b.conf", Text: "\n# x\nkernel/kptr_restrict=0\n"}},
			"kernel.kptr_restrict will be 0 again after the next boot, not 1: this line wins over molo's (/usr/lib/sysctl.d/99-b.conf:3)\n",
		},
		{"a later file that says the same", []facts.Text{{Path: "/etc/sysctl.d/99-b.conf", Text: "kernel.kptr_restrict=1"}}, ""},
		{
			"an earlier line for one interface wins over molo's pattern", []facts.Text{{Path: "/etc/sysctl.d/10-a.conf", Text: "net.ipv4.conf.eth0.send_redirects=1"}},
			"net.ipv4.conf.eth0.send_redirects will be 1 again after the next boot, not 0: this line wins over molo's (/etc/sysctl.d/10-a.conf:1)\n",
		},
		{"an earlier pattern does not", []facts.Text{{Path: "/etc/sysctl.d/10-a.conf", Text: "net.ipv4.conf.*.send_redirects=1"}}, ""},
		{
			"a later pattern does, but for the names that molo spells out", []facts.Text{{Path: "/etc/sysctl.d/99-a.conf", Text: "net.ipv4.conf.*.accept_source_route = 1"}},
			"net.ipv4.conf.docker0.accept_source_route will be 1 again after the next boot, not 0: this line wins over molo's (/etc/sysctl.d/99-a.conf:1)\n" +
				"net.ipv4.conf.eth0.accept_source_route will be 1 again after the next boot, not 0: this line wins over molo's (/etc/sysctl.d/99-a.conf:1)\n",
		},
		{"another setting", []facts.Text{{Path: "/etc/sysctl.d/99-a.conf", Text: "vm.swappiness = 1\nnonsense\n-kernel.sysrq\n"}}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := stock()
			f.Sysctl.Files = test.files
			if diff := cmp.Diff(test.want, said(compiled(t, "", f))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatUFWSetsIsLeftToUFW(t *testing.T) {
	f := stock()
	f.Sysctl.UFW = facts.Text{Path: "/etc/ufw/sysctl.conf", Text: "# x\nnet/ipv4/conf/all/accept_redirects=1\nnet/ipv4/conf/default/accept_redirects=0\n"}
	for _, enabled := range []bool{true, false} {
		f.UFW.Enabled = enabled
		c := compiled(t, "", f)
		finding := "ufw sets net.ipv4.conf.all.accept_redirects = 1 whenever it starts, and 0 is not set: take the line out there (/etc/ufw/sysctl.conf:2)\n"
		all, want := value(c, "net/ipv4/conf/all/accept_redirects"), "left alone"
		if !enabled {
			finding, want = "", "0"
		}
		if diff := cmp.Diff(finding, said(c)); diff != "" || all != want {
			t.Errorf("with ufw enabled %t, all is to be %s, want %s; findings (-want +got):\n%s", enabled, all, want, diff)
		}
		if strings.Contains(string(c.Boot.Content), "net.ipv4.conf.all.accept_redirects = 0") == enabled {
			t.Errorf("with ufw enabled %t, the file says\n%s", enabled, c.Boot.Content)
		}
		if got := value(c, "net/ipv4/conf/default/accept_redirects"); got != "0" {
			t.Errorf("what ufw sets to the same value is to be %s", got)
		}
	}
}

func TestSettingsThatTheKernelLacksAreSaid(t *testing.T) {
	f := stock()
	delete(f.Sysctl.Live, "kernel/yama/ptrace_scope")
	for name := range f.Sysctl.Live {
		if strings.HasPrefix(name, "net/ipv6/") {
			delete(f.Sysctl.Live, name)
		}
	}
	c := compiled(t, `"kernel.nosuch" = 1`, f)
	want := "this kernel has no setting kernel.yama.ptrace_scope ()\n" +
		"this kernel has no setting net.ipv6.conf.*.accept_redirects ()\n" +
		"this kernel has no setting net.ipv6.conf.*.accept_source_route ()\n"
	if diff := cmp.Diff(want, said(c)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if text := string(c.Boot.Content); strings.Contains(text, "yama") || strings.Contains(text, "ipv6") || !strings.Contains(text, "kernel.nosuch = 1\n") {
		t.Errorf("the file is\n%s", text)
	}
}

func TestOfAnImageOnlyTheFileIsWanted(t *testing.T) {
	c := compiled(t, "", facts.Facts{Offline: true})
	if !strings.Contains(string(c.Boot.Content), "\nkernel.yama.ptrace_scope = 1\n") || said(c) != "" {
		t.Errorf("findings %q, and the file is\n%s", said(c), c.Boot.Content)
	}
}
