package kernel

import (
	"strings"
	"testing"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// TestSystemdAgrees has the systemd of each release carry the files out.
func TestSystemdAgrees(t *testing.T) {
	labtest.Need(t)
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			h := labtest.Boot(t, release)
			labtest.Output(t, h, "sh", "-c", "ip link show eth0 >/dev/null 2>&1 || ip link add eth0 type bridge")
			for _, test := range winners() {
				if err := h.WriteFile("/root/a.conf", []byte(test.lines), 0o644); err != nil {
					t.Fatal(err)
				}
				// The value that nothing sets differs from all that a file could set.
				got := labtest.Output(t, h, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter; /usr/lib/systemd/systemd-sysctl /root/a.conf 2>/dev/null; cat /proc/sys/net/ipv4/conf/eth0/rp_filter")
				want := test.want
				if want == "" {
					want = "0"
				}
				if strings.TrimSpace(got) != want {
					t.Errorf("%s: systemd-sysctl made it %s, want %s", test.name, strings.TrimSpace(got), want)
				}
			}
		})
	}
}
