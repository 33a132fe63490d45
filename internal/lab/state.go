package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// state is what other processes must know about a host, in its directory.
type state struct {
	Release string     `json:"release"`
	Rootfs  string     `json:"rootfs"`
	Keep    bool       `json:"keep"`
	Pid     int        `json:"pid,omitzero"`     // of its PID 1, as seen from the machine
	Started string     `json:"started,omitzero"` // when that began, in the kernel's clock ticks: tells it from a later process
	Peers   []peerLink `json:"peers,omitzero"`
}

// peerLink is a peer and the number of its cable, of which everything else follows.
type peerLink struct {
	Name string `json:"name"`
	Link int    `json:"link"`
}

func readState(dir string) (state, error) {
	var s state
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("reading %s: %w", filepath.Join(dir, "state.json"), err)
	}
	return s, nil
}

func (s state) write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, "state.json.new")
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, "state.json"))
}

// startTime returns when a process began, in clock ticks since the machine did (proc(5), field 22 of stat).
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	return parseStartTime(stat)
}

// parseStartTime counts from the last parenthesis: a command's name may hold spaces and parentheses too.
func parseStartTime(stat []byte) (string, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("reading a process's start time from %q: too short", stat)
	}
	return fields[19], nil
}
