package lab_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

func TestRebootAndCrash(t *testing.T) {
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			h := labtest.Boot(t, release)
			p := labtest.Peer(t, h, "internet")
			for name, again := range map[string]func(context.Context) error{"reboot": h.Reboot, "crash": h.Crash} {
				id := bootID(t, h)
				labtest.Output(t, h, "sh", "-c", "echo kept >/root/file; echo lost >/run/file; iptables -N LOST")
				if err := again(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := labtest.Output(t, h, "cat", "/root/file"); got != "kept\n" {
					t.Errorf("after a %s the file holds %q", name, got)
				}
				for _, gone := range [][]string{{"cat", "/run/file"}, {"iptables", "-S", "LOST"}} {
					if res, err := h.Run(t.Context(), gone...); err != nil || res.Code == 0 {
						t.Errorf("after a %s %v still answers: %+v, %v", name, gone, res, err)
					}
				}
				if bootID(t, h) == id {
					t.Errorf("after a %s the boot id is the same", name)
				}
				if body := fetch(t, p, fmt.Sprintf("http://%v/", p.HostAddr4)); !strings.Contains(body, "nginx") {
					t.Errorf("after a %s the peer sees %q", name, body)
				}
			}
		})
	}
}

func bootID(t *testing.T, h *lab.Host) string {
	t.Helper()
	return labtest.Output(t, h, "journalctl", "--list-boots", "--no-pager", "-q", "-n", "1", "-r") +
		labtest.Output(t, h, "cat", "/proc/sys/kernel/random/boot_id")
}
