package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Sweep removes what hosts left behind whose owner died, and kept hosts that are down. Boot does it too.
func Sweep(ctx context.Context) error { return labHome().sweep(ctx) }

func (hm home) sweep(ctx context.Context) error {
	if err := hm.make(); err != nil {
		return err
	}
	dead, err := hm.leftovers(ctx)
	for _, l := range dead {
		err = errors.Join(err, l.remove(ctx))
	}
	return err
}

// leftover is a host without an owner. Its lock is ours.
type leftover struct {
	dir  string
	held *os.File
}

func (l leftover) remove(ctx context.Context) error {
	defer l.held.Close()
	ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
	defer cancel()
	cg, err := hostCgroup(filepath.Base(l.dir))
	if err != nil {
		return err
	}
	if err := errors.Join(cg.remove(ctx), demolish(l.dir)); err != nil {
		return fmt.Errorf("sweeping up %s: %w", filepath.Base(l.dir), err)
	}
	return nil
}

// leftovers takes what is dead. No host may appear meanwhile, hence the lab's lock.
func (hm home) leftovers(ctx context.Context) ([]leftover, error) {
	all, err := lock(ctx, hm.path("lock"), os.O_CREATE)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	entries, err := os.ReadDir(hm.path("host"))
	if err != nil {
		return nil, err
	}
	var dead []leftover
	for _, e := range entries {
		dir := hm.path("host", e.Name())
		held, err := takeDead(dir)
		if err != nil {
			return dead, fmt.Errorf("sweeping up %s: %w", e.Name(), err)
		}
		if held != nil {
			dead = append(dead, leftover{dir, held})
		}
	}
	return dead, nil
}

// takeDead takes the lock of a host that is dead. It returns none if the host has an owner, or lives on its own.
func takeDead(dir string) (*os.File, error) {
	held, err := tryLock(filepath.Join(dir, "lock"), 0)
	if errors.Is(err, errLocked) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrNotExist) { // the owner is just closing it, or died before it had more than a directory
		err := os.Remove(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) {
			return nil, nil
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	s, err := readState(dir)
	if errors.Is(err, fs.ErrNotExist) { // it died early, or this is the lock of one that has just been closed
		err = nil
	}
	if err != nil || s.Keep && s.alive() || !exists(held.Name()) {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}
