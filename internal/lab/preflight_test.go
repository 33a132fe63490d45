package lab

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPreflightNamesEveryReason(t *testing.T) {
	if os.Geteuid() != 0 {
		if err := Preflight(); err == nil || !strings.Contains(err.Error(), "root") {
			t.Errorf("without root: %v", err)
		}
		return
	}
	t.Setenv("PATH", t.TempDir())
	err := Preflight()
	if err == nil {
		t.Fatal("no tools, and no reason")
	}
	for _, want := range []string{"apt-get install mmdebstrap", "nsenter is missing; hint: apt-get install util-linux"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestMissingModuleSaysWhatToLoad(t *testing.T) {
	err := checkSetting("net/no-such-setting", "br_netfilter")
	if err == nil || !strings.Contains(err.Error(), "modprobe br_netfilter") {
		t.Errorf("%v", err)
	}
	if !errors.Is(missingModule("veth", unix.EOPNOTSUPP), unix.EOPNOTSUPP) {
		t.Error("the kernel's own reason is lost")
	}
}

func TestDiskOfAHomeThatIsNotThereYet(t *testing.T) {
	if err := checkDisk(home(t.TempDir() + "/not/there")); err != nil && !strings.Contains(err.Error(), "overlay") {
		t.Errorf("%v", err)
	}
}
