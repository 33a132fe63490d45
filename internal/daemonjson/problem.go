package daemonjson

import (
	"fmt"
	"strings"
)

// Outcome is what comes of a problem.
type Outcome int

// The outcomes, from the worst on.
const (
	// NoStart: dockerd does not start.
	NoStart Outcome = iota + 1
	// NoContainers: dockerd starts, and then no container can be created or started.
	NoContainers
	// NoStartLater: this dockerd starts, but that of another release would not: of the
	// first later one with which it happens, or, where the engine's version is not
	// known, of the first one at all.
	NoStartLater
	// Warning: dockerd and containers run, but not as the file seems to say, or only
	// where the host has something that Check was not told about.
	Warning
)

// String says the outcome as the end of a sentence about the file.
func (o Outcome) String() string {
	switch o {
	case NoStart:
		return "dockerd does not start"
	case NoContainers:
		return "dockerd starts, but no container can be created or started"
	case NoStartLater:
		return "dockerd of a later release does not start"
	case Warning:
		return "dockerd starts"
	}
	return "unknown"
}

// Problem is something in daemon.json that an engine does not take, or not as it
// seems to be meant.
type Problem struct {
	Path    []string // keys from the outermost inwards; a list's element by its number; empty: the whole file
	Outcome Outcome
	Version Version // of NoStartLater: the release that does not start
	Why     string  // the reason, in lower case and without a full stop
	Hint    string  // what to do about it
}

// String writes a problem as molo's errors are: place, reason, outcome and hint.
func (p Problem) String() string {
	place := "daemon.json"
	if len(p.Path) > 0 {
		place += ": " + strings.Join(p.Path, ".")
	}
	outcome := p.Outcome.String()
	switch p.Outcome {
	case NoStartLater:
		outcome = fmt.Sprintf("Docker %s does not start", p.Version)
	case Warning:
		return fmt.Sprintf("%s: %s\nhint: %s", place, p.Why, p.Hint)
	}
	return fmt.Sprintf("%s: %s: %s\nhint: %s", place, p.Why, outcome, p.Hint)
}
