package host

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"molo/internal/volumes"
)

func TestWhatAProcessElsewhereHasMounted(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	data, inside, point := filepath.Join(dir, "data"), filepath.Join(dir, "data/in side"), filepath.Join(dir, "point")
	for _, d := range []string{inside, point} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	own, err := readMounts("self")
	if err != nil {
		t.Fatal(err)
	}
	want, err := placeOf(own, inside)
	if err != nil {
		t.Fatal(err)
	}
	mounted := func() []string {
		t.Helper()
		users, err := strangersMounts(own)
		if err != nil {
			t.Fatal(err)
		}
		var who []string
		for _, u := range users {
			if u.Place == want {
				who = append(who, u.Who)
			}
		}
		return who
	}
	if who := mounted(); len(who) > 0 {
		t.Fatalf("mounted by %q before anybody did", who)
	}
	stranger := exec.Command("sh", "-c", `mount --bind "$1" "$2" && echo done && exec cat`, "sh", inside, point)
	stranger.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	stranger.Stderr = os.Stderr
	stdin, err1 := stranger.StdinPipe()
	stdout, err2 := stranger.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("%q, error %v", line, err)
	}
	who := mounted()
	if len(who) != 1 || !strings.HasPrefix(who[0], "process ") || !strings.Contains(who[0], `("`) {
		t.Errorf("mounted by %q, want one process", who)
	}
	stdin.Close()
	if err := stranger.Wait(); err != nil {
		t.Error(err)
	}
	if who := mounted(); len(who) > 0 {
		t.Errorf("mounted by %q when it is over", who)
	}
	if place, err := placeOf(own, data); err != nil || place.Device != want.Device || place.Path != strings.TrimSuffix(want.Path, "/in side") {
		t.Errorf("%s is at %v, error %v; %s is at %v", data, place, err, inside, want)
	}
}

func TestLocateKeepsWhatCantBeFound(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := os.Symlink("/etc", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	h := image(t, nil)
	s := volumes.State{Guarded: volumes.Guard("/var/lib/docker", []string{"/nonexistent"})}
	if err := h.locateTrees(&s, []string{dir, filepath.Join(dir, "link"), filepath.Join(dir, "none")}); err != nil {
		t.Fatal(err)
	}
	if s.Trees[0].Wrong != "" || s.Trees[0].Place.Device == "" {
		t.Errorf("a directory: %+v", s.Trees[0])
	}
	if !strings.Contains(s.Trees[1].Wrong, "symbolic link") || !strings.Contains(s.Trees[2].Wrong, "no such file") {
		t.Errorf("a link: %q; nothing: %q", s.Trees[1].Wrong, s.Trees[2].Wrong)
	}
	etc := slices.IndexFunc(s.Guarded, func(g volumes.Guarded) bool { return g.Path == "/etc" })
	if s.Guarded[etc].Place.Path == "" {
		t.Error("/etc is nowhere")
	}
}
