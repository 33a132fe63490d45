package host

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestUFWIsWaitedForWhileItWrites(t *testing.T) {
	h := image(t, map[string]string{ufwLock: ""})
	f, err := os.OpenFile(h.path(ufwLock), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	writing := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &writing); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := h.lockUFW(ctx); err == nil {
		t.Error("the files were read while ufw held its lock")
	}
	f.Close()
	unlock, err := h.lockUFW(context.Background())
	if err != nil {
		t.Fatalf("after ufw is done: %v", err)
	}
	unlock()
}

func TestWithoutUFWsLockThereIsNothingToWaitFor(t *testing.T) {
	unlock, err := image(t, nil).lockUFW(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
