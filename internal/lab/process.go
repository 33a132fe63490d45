package lab

import (
	"bytes"
	"io"
	"os/exec"
	"runtime"
	"syscall"
)

// startWithParent starts cmd so that the kernel kills it when this process ends. That signal is bound to the thread
// that forked (prctl(2), PR_SET_PDEATHSIG), so a thread stands by until cmd is over. The channel then has its result.
func startWithParent(cmd *exec.Cmd) (<-chan error, error) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return ended, <-started
}

func runWithParent(cmd *exec.Cmd) error {
	ended, err := startWithParent(cmd)
	if err != nil {
		return err
	}
	return <-ended
}

// tailBuffer keeps the end of what was written to it.
type tailBuffer struct{ buf []byte }

const tailSize = 4 << 10

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	if extra := len(b.buf) - tailSize; extra > 0 {
		b.buf = append(b.buf[:0], b.buf[extra:]...)
	}
	return len(p), nil
}

func (b *tailBuffer) String() string { return string(bytes.TrimSpace(b.buf)) }

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
