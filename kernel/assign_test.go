package kernel

import (
	"strings"
	"testing"

	"molo/internal/facts"
)

// winner is a file, and what it sets net/ipv4/conf/eth0/rp_filter to; "": nothing.
type winner struct {
	name  string
	lines string
	want  string
}

// winners hold for systemd-sysctl as well: TestSystemdAgrees asks it.
func winners() []winner {
	return []winner{
		{"the last line", "net.ipv4.conf.eth0.rp_filter=1\nnet/ipv4/conf/eth0/rp_filter = 2\n", "2"},
		{"a name before a later pattern", "net.ipv4.conf.eth0.rp_filter=1\nnet.ipv4.conf.*.rp_filter=2\n", "1"},
		{"the last pattern", "net.ipv4.conf.*.rp_filter=1\nnet.ipv4.conf.eth?.rp_filter=2\n", "2"},
		{"a pattern said twice stays where it stood", "net.ipv4.conf.*.rp_filter=1\nnet.ipv4.conf.eth?.rp_filter=2\nnet.ipv4.conf.*.rp_filter=1\n", "2"},
		{"a pattern changed goes last", "net.ipv4.conf.*.rp_filter=0\nnet.ipv4.conf.eth?.rp_filter=2\nnet.ipv4.conf.*.rp_filter=1\n", "1"},
		{"a name that no pattern holds for", "net.ipv4.conf.*.rp_filter=1\n-net.ipv4.conf.eth0.rp_filter\n", ""},
		{"a line whose failure does not matter", "-net.ipv4.conf.eth0.rp_filter = 1\n", "1"},
		{"comments and nonsense", "# net.ipv4.conf.eth0.rp_filter=1\n; net.ipv4.conf.eth0.rp_filter=1\nnet.ipv4.conf.eth0.rp_filter\n=\n[\n", ""},
		{"spaces", "  net.ipv4.conf.eth0.rp_filter\t=  1\t \r\n", "1"},
		{"a class in a pattern", "net.ipv4.conf.[!a-d]*.rp_filter=1\n", "1"},
		{"a broken pattern", "net.ipv4.conf.[.rp_filter=1\n", ""},
	}
}

func TestLinesWinAsWithSystemd(t *testing.T) {
	for _, test := range winners() {
		t.Run(test.name, func(t *testing.T) {
			all := assignments{}.read(facts.Text{Path: "a.conf", Text: test.lines})
			if a, ok := all.of("net/ipv4/conf/eth0/rp_filter"); a.value != test.want && ok || ok != (test.want != "") {
				t.Errorf("it is set to %q (%t), want %q", a.value, ok, test.want)
			}
		})
	}
}

// FuzzLines looks for lines that break the reader, or that come out with a line break.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"a.b = 1\n", "-a/b\n", "net.ipv4.conf.[!a]*.x=\n", "=\n", "-\n", "..=..\r\n", "#\n;\n", "a.b=1\na/b=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := assignments{}.read(facts.Text{Path: "a.conf", Text: text})
		for _, a := range all {
			if strings.ContainsAny(a.name+a.value, "\n") || a.line < 1 || a.line > strings.Count(text, "\n")+1 {
				t.Fatalf("%q became %+v", text, a)
			}
			if b, ok := all.of(a.name); !strings.ContainsAny(a.name, "*?[") && (ok == a.none || b.line != a.line) {
				t.Fatalf("%q: %s is set by line %d, not by %d", text, a.name, b.line, a.line)
			}
		}
	})
}
