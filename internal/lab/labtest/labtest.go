// Package labtest boots the lab's hosts for tests, and cleans up after them.
package labtest

import (
	"context"
	"os"
	"testing"
	"time"

	"molo/internal/lab"
)

// Boot boots a host of a release that is closed when the test ends. See BootOptions.
func Boot(t testing.TB, release string) *lab.Host {
	t.Helper()
	return BootOptions(t, lab.Options{Release: release})
}

// BootOptions boots a host that is closed when the test ends. Where the lab cannot run, the test is skipped or
// fails, see Need. What the host has to say is logged if the test failed.
func BootOptions(t testing.TB, o lab.Options) *lab.Host {
	t.Helper()
	Need(t)
	if o.Log == nil {
		o.Log = t.Output()
	}
	h, err := lab.Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			report(t, h)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Need skips the test where the lab cannot run, and fails it there if the environment has CI=true or MOLO_LAB=require.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the lab")
	}
	err := lab.Preflight()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" || os.Getenv("MOLO_LAB") == "require" {
		t.Fatalf("the lab cannot run, and CI=true or MOLO_LAB=require says that it has to:\n%v", err)
	}
	t.Skipf("SKIPPED: the lab cannot run here:\n%v", err)
}

// Image puts the lab's server into the host's Docker, as an image of this name with these arguments.
func Image(t testing.TB, h *lab.Host, name string, args ...string) {
	t.Helper()
	binary, err := lab.BuildStatic(t.Context(), lab.ServerPackage)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.ImportImage(t.Context(), name, binary, args...); err != nil {
		t.Fatal(err)
	}
}

// Peer connects another machine to the host.
func Peer(t testing.TB, h *lab.Host, name string) *lab.Peer {
	t.Helper()
	p, err := h.Peer(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Output runs a command on the host and returns what it printed. The test ends if the command fails.
func Output(t testing.TB, h interface {
	Output(context.Context, ...string) (string, error)
}, argv ...string) string {
	t.Helper()
	out, err := h.Output(t.Context(), argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func report(t testing.TB, h interface {
	Name() string
	Report(context.Context) string
}) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // the test's own has ended
	defer cancel()
	t.Logf("what %s has to say:\n%s", h.Name(), h.Report(ctx))
}
