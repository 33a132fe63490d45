package host

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/resource"
	"molo/provision"
)

func set(h *Host, name, value string) error {
	s := resource.Sysctl{Name: name, Value: value}
	return h.writeSysctl(provision.Change{ID: s.ID(), Want: s})
}

func TestSettingsAreWrittenAndReadBack(t *testing.T) {
	h := image(t, map[string]string{"/proc/sys/kernel/kptr_restrict": "1000\n", "/proc/sys/kernel/bounded": ""})
	h.link(t, "/dev/null", "/proc/sys/kernel/deaf")
	if err := set(h, "kernel/kptr_restrict", "1"); err != nil {
		t.Fatal(err)
	}
	if got := h.text(t, "/proc/sys/kernel/kptr_restrict"); got != "1\n" {
		t.Errorf("it is %q", got)
	}
	if err := set(h, "net/ipv4/conf/gone/send_redirects", "0"); err != nil {
		t.Errorf("an interface that is gone needs no value, but: %v", err)
	}
	if err := set(h, "kernel/deaf", "1"); err == nil || err.Error() != "setting kernel.deaf to 1: the kernel made it " {
		t.Errorf("a kernel that does not do as told: %v", err)
	}
	if err := os.WriteFile(h.path("/proc/sys/tcp_rmem"), []byte("4096\t131072\t6291456\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := h.setting("tcp_rmem"); err != nil || got != "4096 131072 6291456" {
		t.Errorf("several numbers are read as %q (%v)", got, err)
	}
}

func TestOfAnImageNoSettingIsRead(t *testing.T) {
	h := image(t, map[string]string{"/proc/sys/kernel/kptr_restrict": "0\n"})
	if got, err := h.readSysctl("kernel/kptr_restrict"); got != nil || err != nil {
		t.Errorf("read %v (%v): the kernel is not the image's", got, err)
	}
}

func TestFilesOfSysctlDComeInTheOrderOfTheirNames(t *testing.T) {
	h := image(t, map[string]string{
		"/etc/sysctl.d/60-molo.conf":      "mine",
		"/usr/lib/sysctl.d/10-first.conf": "first",
		"/usr/lib/sysctl.d/50-same.conf":  "replaced",
		"/run/sysctl.d/50-same.conf":      "runtime",
		"/etc/sysctl.d/README.sysctl":     "no",
		"/etc/sysctl.conf":                "last",
	})
	h.link(t, "../sysctl.conf", "/etc/sysctl.d/99-sysctl.conf")
	got, err := h.sysctlFiles()
	want := []facts.Text{
		{Path: "/usr/lib/sysctl.d/10-first.conf", Text: "first"}, {Path: "/run/sysctl.d/50-same.conf", Text: "runtime"},
		{Path: "/etc/sysctl.d/60-molo.conf", Text: "mine"}, {Path: "/etc/sysctl.d/99-sysctl.conf", Text: "last"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("files (-want +got), error %v:\n%s", err, diff)
	}
}

func TestWhatUFWLoadsIsFoundWhereverItIs(t *testing.T) {
	h := image(t, map[string]string{"/etc/own.conf": "net/ipv4/tcp_syncookies=0\n"})
	for _, defaults := range []string{"IPT_SYSCTL=/etc/own.conf\n", "IPT_SYSCTL=/none\n  IPT_SYSCTL=\"/etc/own.conf\"\n"} {
		f := facts.Facts{UFW: facts.UFW{Defaults: "# IPT_SYSCTL=/etc/no.conf\n" + defaults}}
		h.sysctlFacts(&f)
		if f.Sysctl.UFW.Path != "/etc/own.conf" || !strings.Contains(f.Sysctl.UFW.Text, "tcp_syncookies") {
			t.Errorf("%q: %+v", defaults, f.Sysctl.UFW)
		}
	}
}
