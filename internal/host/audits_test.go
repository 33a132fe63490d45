package host

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"molo/internal/audit"
)

// kept makes a host that keeps audits of these ids.
func kept(t *testing.T, ids ...string) *Host {
	t.Helper()
	h, err := New(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := h.RecordAudit(audit.Report{Version: audit.ReportVersion, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestTheLastAuditIsTheNewestThatCanBeRead(t *testing.T) {
	h := kept(t, "20261123T070000.000Z-9", "20261124T070000.000Z-1")
	last := func(want string) {
		t.Helper()
		if r, err := h.LastAudit(); err != nil || r.ID != want {
			t.Errorf("the last audit is %q (%v), want %q", r.ID, err, want)
		}
	}
	last("20261124T070000.000Z-1")
	for name, text := range map[string]string{
		"20261125T070000.000Z-1.json":    `{"version":1,"id":"trunc`,
		"20261126T070000.000Z-1.json":    `{"version":99,"id":"from the future"}`,
		"20261127T070000.000Z-1.json123": `{"version":1,"id":"half written"}`,
	} {
		if err := os.WriteFile(filepath.Join(h.auditsDir(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	last("20261124T070000.000Z-1")
}

func TestWhereNothingIsKeptThereIsNoLastAudit(t *testing.T) {
	if _, err := kept(t).LastAudit(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestAnAuditIsFoundByItsIDAndByNoPath(t *testing.T) {
	ids := []string{"1", "2", "3", "4", "5", "6"}
	h := kept(t, ids...)
	if r, err := h.Audited("3"); err != nil || r.ID != "3" {
		t.Errorf("found %q: %v", r.ID, err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(h.auditsDir()), "state.json"), []byte(`{"version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"7", "../state", "", "3.json"} {
		_, err := h.Audited(id)
		if err == nil || !strings.Contains(err.Error(), "hint: of 6, the newest are 2, 3, 4, 5, 6") {
			t.Errorf("%q: error %v", id, err)
		}
	}
	if _, err := kept(t).Audited("1"); err == nil || !strings.Contains(err.Error(), "hint: none is") {
		t.Errorf("error %v", err)
	}
}

func TestTheNewestAuditsAreKeptAlsoWhenManyEndAtOnce(t *testing.T) {
	h := kept(t)
	var group sync.WaitGroup
	for writer := range 4 {
		group.Go(func() {
			for i := range keptAudits {
				id := RecordID(time.Unix(int64(i), 0)) + fmt.Sprint(writer)
				if err := h.RecordAudit(audit.Report{Version: audit.ReportVersion, ID: id}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	names, err := records(h.auditsDir())
	if err != nil || len(names) != keptAudits {
		t.Errorf("%d audits are kept (%v), want %d", len(names), err, keptAudits)
	}
}

func TestAReportReplacesFilesAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, prepare := range map[string]func(string) error{
		"a directory":       func(p string) error { return os.Mkdir(p, 0o755) },
		"a link to a file":  func(p string) error { return os.Symlink(path("target"), p) },
		"a link to nowhere": func(p string) error { return os.Symlink(path("nowhere"), p) },
		"a pipe":            func(p string) error { return syscall.Mkfifo(p, 0o600) },
	} {
		if err := os.WriteFile(path("target"), []byte("theirs"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := prepare(path(name)); err != nil {
			t.Fatal(err)
		}
		if err := WriteReport(path(name), []byte("ours"), 0o600); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: error %v", name, err)
		}
		if text, err := os.ReadFile(path("target")); err != nil || string(text) != "theirs" {
			t.Errorf("%s: the target of the link is %q: %v", name, text, err)
		}
	}
	if err := WriteReport(path("no/such/directory"), nil, 0o600); err == nil {
		t.Error("a directory that is not there was written to")
	}
}

func TestAReportIsForNobodyElseUnlessItsFileIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.html")
	for _, c := range []struct{ before, want fs.FileMode }{{0, 0o600}, {0o640, 0o640}} {
		if c.before != 0 {
			if err := os.Chmod(path, c.before); err != nil {
				t.Fatal(err)
			}
		}
		if err := WriteReport(path, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != c.want {
			t.Errorf("mode %v (%v), want %v", info.Mode(), err, c.want)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left (%v), want 1", len(entries), err)
	}
}
