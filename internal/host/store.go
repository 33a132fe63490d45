package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"molo/internal/resource"
	"molo/provision"
)

// memoryVersion is that of the format of state.json. Memory in another format
// counts as none.
const memoryVersion = 1

func (h *Host) memoryPath() string { return h.path(filepath.Join(stateDir, "state.json")) }

// Load reads the memory of earlier runs. Memory that is missing, not allowed to be
// read, or damaged counts as none: it explains, it does not decide.
func (h *Host) Load(context.Context) (provision.Memory, error) {
	empty := provision.Memory{Version: memoryVersion}
	var memory provision.Memory
	err := readJSON(h.memoryPath(), &memory)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return empty, nil
	case err == nil && memory.Version != memoryVersion:
		err = errors.New("another version of molo wrote it")
	}
	if h.unread = err != nil; h.unread {
		h.log.Warn("starting without memory of earlier runs", "why", err)
		return empty, nil
	}
	return memory, nil
}

// Save writes the memory so that it survives a power cut. What Load could make nothing of
// is kept beside it: it knows what was there before molo.
func (h *Host) Save(_ context.Context, m provision.Memory) error {
	m.Version = memoryVersion
	if h.unread {
		if err := os.Rename(h.memoryPath(), h.memoryPath()+".unread"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("setting aside what earlier runs did: %w", err)
		}
		h.unread = false
	}
	return h.writeJSON(h.memoryPath(), m)
}

// committed is what was loaded into one table, and how the kernel printed it then.
type committed struct {
	Rules   resource.Rules `json:"rules"`
	Printed string         `json:"printed"`
	// Made names the shared chains that were not there before molo.
	Made []string `json:"made,omitempty"`
	Boot string   `json:"boot"` // the boot that they were loaded in
}

func (h *Host) rulesPath(family resource.Family, table string) string {
	return h.path(filepath.Join(stateDir, "rules", string(family)+"-"+table+".json"))
}

// loadRules returns the zero value where nothing (readable) was kept: that costs
// one commit of the rules.
func (h *Host) loadRules(family resource.Family, table string) (committed, error) {
	var c committed
	err := readJSON(h.rulesPath(family, table), &c)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return committed{}, nil
	case errors.Is(err, fs.ErrPermission):
		return committed{}, err
	case err != nil:
		h.log.Warn("firewall rules will be loaded again", "why", err)
		return committed{}, nil
	}
	return c, nil
}

func (h *Host) saveRules(family resource.Family, table string, c committed) error {
	return h.writeJSON(h.rulesPath(family, table), c)
}

func (h *Host) forgetRules(family resource.Family, table string) error {
	if err := discard(h.rulesPath(family, table)); err != nil {
		return fmt.Errorf("forgetting the rules of %s %s: %w", family, table, err)
	}
	return nil
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// writeJSON writes a file that only root can read.
func (h *Host) writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return replace(path, append(data, '\n'), 0o600, false)
}
