package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Holder is who holds the run lock.
type Holder struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// LockedError says that another run is under way.
type LockedError struct{ Holder Holder }

// Error names the process that holds the lock.
func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return "another run of molo is under way"
	}
	return fmt.Sprintf("another run of molo is under way: pid %d (%s) since %s",
		e.Holder.PID, e.Holder.Command, e.Holder.Since.Format(time.TimeOnly))
}

// Lock takes the run lock or returns a *LockedError. The kernel drops the lock
// with the process, however it ends.
func (h *Host) Lock(command string) (unlock func() error, err error) {
	dir := h.path(runDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("taking the run lock: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("taking the run lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, &LockedError{Holder: holder(f)}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("taking the run lock: %w", err), f.Close())
	}
	// The lock holds without a name to it: a full /run must not keep a rollback back.
	if err := announce(f, Holder{PID: os.Getpid(), Command: command, Since: time.Now()}); err != nil {
		h.log.Warn("others won't learn who holds the run lock", "why", err)
	}
	h.locked = true
	return f.Close, nil
}

// holder reads who holds the lock; a holder that has not written yet is unknown.
func holder(r io.Reader) Holder {
	var h Holder
	if err := json.NewDecoder(r).Decode(&h); err != nil {
		return Holder{}
	}
	return h
}

func announce(f *os.File, h Holder) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return err
}
