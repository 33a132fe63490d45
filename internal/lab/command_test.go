package lab_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

func TestRun(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	t.Run("a command's output and exit code are kept apart", func(t *testing.T) {
		got, err := h.Run(t.Context(), "sh", "-c", "echo out; echo err >&2; exit 3")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lab.Result{Stdout: "out\n", Stderr: "err\n", Code: 3}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("a failing command is an error that holds its output", func(t *testing.T) {
		_, err := h.Output(t.Context(), "sh", "-c", "echo no luck >&2; exit 1")
		if err == nil || !strings.Contains(err.Error(), "no luck") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the environment is a login's", func(t *testing.T) {
		t.Setenv("MOLO_LEAK", "1")
		out := labtest.Output(t, h, "env")
		if strings.Contains(out, "MOLO_LEAK") || !strings.Contains(out, "HOME=/root") {
			t.Errorf("environment:\n%s", out)
		}
	})
	t.Run("it is in the host's own cgroup", func(t *testing.T) {
		if out := labtest.Output(t, h, "cat", "/proc/self/cgroup"); !strings.HasSuffix(out, "0::/lab\n") {
			t.Errorf("cgroup %q", out)
		}
	})
	t.Run("a command that takes too long is killed with its children", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := h.Run(ctx, "sh", "-c", "sleep 4242 & wait"); err == nil {
			t.Fatal("no error")
		}
		if res, err := h.Run(t.Context(), "pgrep", "-f", "sleep 4242"); err != nil || res.Code != 1 {
			t.Errorf("the child lives on: %+v, %v", res, err)
		}
	})
	t.Run("a background process does not hold it up", func(t *testing.T) {
		res, err := h.Run(t.Context(), "sh", "-c", "sleep 60 & echo started")
		if err != nil || res.Stdout != "started\n" {
			t.Errorf("%+v, %v", res, err)
		}
	})
	t.Run("a missing program is exit code 127", func(t *testing.T) {
		if res, err := h.Run(t.Context(), "no-such-program"); err != nil || res.Code != 127 {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

func TestFiles(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	write := func(name, data string, mode os.FileMode) {
		t.Helper()
		if err := h.WriteFile(name, []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	labtest.Output(t, h, "sh", "-c", "ln -s /etc/absolute /etc/link; ln -s ../../../../../../etc/up /etc/dots; ln -s /run/x /var/dir")
	write("/etc/link", "through an absolute link", 0o640)
	write("/etc/dots", "through a link that climbs", 0o644)
	write("/var/run/lab/new/file", "in new directories", 0o600)
	write("/var/run/lab/new/file", "again", 0o755)
	for name, want := range map[string]string{
		"/etc/absolute": "640 through an absolute link", "/etc/up": "644 through a link that climbs", "/run/lab/new/file": "755 again",
	} {
		if got := labtest.Output(t, h, "sh", "-c", "stat -c %a "+name+"; cat "+name); got != strings.Replace(want, " ", "\n", 1) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if exists("/etc/absolute") || exists("/etc/up") {
		t.Error("a link led out of the host")
	}
	if data, err := h.ReadFile("/etc/link"); err != nil || string(data) != "through an absolute link" {
		t.Errorf("read %q, %v", data, err)
	}
	if data, err := os.ReadFile(h.Path("/etc/absolute")); err != nil || len(data) == 0 {
		t.Errorf("from outside: %q, %v", data, err)
	}
	t.Run("a program that runs is replaced", func(t *testing.T) {
		labtest.Output(t, h, "sh", "-c", "cp /bin/sleep /opt/busy; setsid /opt/busy 600 >/dev/null 2>&1 & sleep 0.1")
		if err := h.Push("/bin/true", "/opt/busy"); err != nil {
			t.Fatal(err)
		}
		labtest.Output(t, h, "/opt/busy")
	})
}

func TestCommandTakesInput(t *testing.T) {
	h := labtest.Boot(t, "bookworm")
	cmd := h.Command(t.Context(), "tee", "/tmp/tee")
	cmd.Stdin = strings.NewReader("input")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "input" {
		t.Errorf("%q, %v", out, err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
