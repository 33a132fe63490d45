package daemonjson

import (
	"net/netip"
	"slices"
	"strings"
)

// Input is what dockerd would find when it starts.
type Input struct {
	Config   []byte   // daemon.json as it would be; nil: there is none
	Version  Version  // the engine's; zero: not known, as before Docker is installed
	Flags    []string // dockerd's arguments, without its own name
	Swarm    bool     // the engine is part of a swarm
	CgroupV1 bool     // the host lacks unified cgroups, which all releases of Debian have since 11
	Host     Host
}

// Host answers what only the host knows. A function that is nil says that it is not
// known, and Check does not guess.
type Host struct {
	File      func(path string) bool            // a file, or a link to one, is there
	Read      func(path string) ([]byte, error) // what a file holds
	Plugin    func(name string) bool            // a plugin of Docker has that name
	User      func(name string) bool            // a user has that name or number
	Group     func(name string) bool            // a group has that name or number
	SubIDs    func(user string) bool            // /etc/subuid and /etc/subgid have ranges for the user
	Interface func(name string) bool            // a network interface has that name
	Address   func(addr netip.Addr) bool        // an interface has that address
}

// Check says what in a daemon.json keeps an engine from starting, its containers from
// starting, or a later engine from starting with the same file, and what dockerd takes
// otherwise than it looks. It is silent where all is well.
func Check(in Input) []Problem {
	ix := newIndex()
	if in.Version == (Version{}) {
		return anyRelease(in, ix)
	}
	now := look(in, ix, in.Version)
	return append(now, later(in, ix, now)...)
}

// later lists what the first later release that refuses it does not start with. The
// same place is named once, and not at all when dockerd refuses it today.
func later(in Input, ix *index, now []Problem) []Problem {
	named := map[string]bool{}
	for _, p := range now {
		named[p.place()] = named[p.place()] || p.Outcome == NoStart
	}
	var all []Problem
	for _, release := range releases() {
		if !in.Version.Before(release) || named[""] {
			continue
		}
		for _, p := range look(in, ix, release) {
			if p.Outcome == NoStart && !named[p.place()] {
				named[p.place()] = true
				p.Outcome, p.Version = NoStartLater, release
				all = append(all, p)
			}
		}
	}
	return all
}

// anyRelease looks with the eyes of all releases. What all of them find is found;
// what only some don't start with is named with the first of those, and what else only
// some find is a warning.
func anyRelease(in Input, ix *index) []Problem {
	var all []Problem
	count := map[string]int{}
	for _, release := range releases() {
		for _, p := range look(in, ix, release) {
			if count[p.identity()]++; count[p.identity()] == 1 {
				p.Version = release
				all = append(all, p)
			}
		}
	}
	for i := range all {
		p := &all[i]
		switch {
		case count[p.identity()] >= len(releases()):
			p.Version = Version{}
		case p.Outcome == NoStart:
			p.Outcome = NoStartLater
		default:
			p.Outcome, p.Version = Warning, Version{}
		}
	}
	return worst(all)
}

// worst keeps the worst problem of each place.
func worst(all []Problem) []Problem {
	slices.SortStableFunc(all, func(a, b Problem) int { return int(a.Outcome - b.Outcome) })
	named := map[string]bool{}
	return slices.DeleteFunc(all, func(p Problem) bool {
		again := named[p.place()]
		named[p.place()] = true
		return again
	})
}

func (p Problem) place() string { return strings.Join(p.Path, "\x00") }

func (p Problem) identity() string { return p.Outcome.String() + "\x00" + p.place() }
