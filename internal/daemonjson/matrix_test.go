package daemonjson

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"molo/internal/golden"
)

var update = flag.Bool("update", false, "rewrite docs/daemon-json.md; with the lab's tests, what real daemons say")

// file is one daemon.json of the matrix, and what is special about the host it is
// tried on.
type matrixFile struct {
	name   string
	config []byte
	circumstance
}

// circumstance is what a host has besides the file.
type circumstance struct {
	flags []string
	swarm bool
}

// circumstances lists them by the name of the file.
func circumstances() map[string]circumstance {
	return map[string]circumstance{
		"swarm-live-restore":     {swarm: true},
		"flag-same-value":        {flags: []string{"--ip-masq=true"}},
		"flag-null":              {flags: []string{"--debug"}},
		"flag-shorthands":        {flags: []string{"-Dl", "info"}},
		"flag-label":             {flags: []string{"--label", "c=d"}},
		"flag-in-wrapper":        {flags: []string{"-D"}},
		"flag-ulimit":            {flags: []string{"--default-ulimit", "nproc=1024"}},
		"flag-pool":              {flags: []string{"--default-address-pool", "base=10.201.0.0/16,size=24"}},
		"flag-runtime-adds-up":   {flags: []string{"--add-runtime", "other=/usr/sbin/runc"}},
		"flag-value-like-a-flag": {flags: []string{"--label", "--debug=x"}},
		"flag-iptables-off":      {flags: []string{"--iptables=false"}},
		"flag-bip-and-bridge":    {flags: []string{"--bip=172.30.0.1/16"}},
	}
}

// matrix reads all files.
func matrix(t testing.TB) []matrixFile {
	t.Helper()
	paths, err := filepath.Glob("testdata/matrix/*.json")
	if err != nil || len(paths) < 60 {
		t.Fatalf("found %d files, want at least 60 (%v)", len(paths), err)
	}
	var all []matrixFile
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		config, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, matrixFile{name, config, circumstances()[name]})
	}
	return all
}

// observed is what a real dockerd made of a file.
type observed struct {
	verdict  string // works, no-containers or no-start
	validate string // ok or bad; - where dockerd has no --validate
	message  string // what it said, for people
}

// results reads what was observed on a release of the lab: the version of dockerd, and
// the verdicts by the name of the file.
func results(t testing.TB, release string) (string, map[string]observed) {
	t.Helper()
	data, err := os.ReadFile(resultsPath(release))
	if err != nil {
		t.Fatalf("reading results: %v; TestMatrixOnRealDaemons -update makes them", err)
	}
	all := map[string]observed{}
	var version string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) > 2 && words[0] == "#":
			version = words[2]
		case len(words) >= 3:
			all[words[0]] = observed{verdict: words[1], validate: words[2]}
		}
	}
	return version, all
}

func resultsPath(release string) string { return filepath.Join("testdata", "matrix", release+".txt") }

// measured lists the releases there are results of, the oldest dockerd first.
func measured(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(resultsPath("*"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("found results of %d releases, want 3 (%v)", len(paths), err)
	}
	for i, path := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(path), ".txt")
	}
	version := func(release string) Version {
		s, _ := results(t, release)
		v, err := ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	slices.SortFunc(paths, func(a, b string) int { return version(a).compare(version(b)) })
	return paths
}

// labHost is what the lab's hosts answer.
func labHost() Host {
	one := func(names ...string) func(string) bool {
		return func(name string) bool { return slices.Contains(names, name) }
	}
	return Host{
		File:      one("/etc/hostname", "/usr/sbin/runc"),
		Read:      func(string) ([]byte, error) { return []byte("bookworm\n"), nil },
		Plugin:    one(),
		User:      one("root", "daemon"),
		Group:     one("root", "daemon"),
		SubIDs:    one(),
		Interface: one("lo", "docker0"),
		Address:   func(addr netip.Addr) bool { return addr.IsLoopback() },
	}
}

func (m matrixFile) input(v Version) Input {
	return Input{
		Config: m.config, Version: v, Swarm: m.swarm, Host: labHost(),
		Flags: append([]string{"-H", "fd://", "--containerd=/run/containerd/containerd.sock"}, m.flags...),
	}
}

// verdict is the worst that problems say about the engine that is there.
func verdict(problems []Problem) string {
	worst := "works"
	for _, p := range problems {
		switch p.Outcome {
		case NoStart:
			return "no-start"
		case NoContainers:
			worst = "no-containers"
		}
	}
	return worst
}

func TestCheckSaysWhatRealDaemonsDo(t *testing.T) {
	for _, release := range measured(t) {
		version, all := results(t, release)
		v, err := ParseVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range matrix(t) {
			want, tried := all[file.name]
			if !tried {
				t.Errorf("%s was not tried on %s", file.name, release)
			}
			problems := Check(file.input(v))
			if got := verdict(problems); got != want.verdict {
				t.Errorf("%s on %s: Check says %s, dockerd %s:\n%s\n%v", file.name, version, got, want.verdict, file.config, problems)
			}
		}
		if len(all) != len(matrix(t)) {
			t.Errorf("%s has %d results for %d files", release, len(all), len(matrix(t)))
		}
	}
}

// TestCheckForeseesLaterDaemons holds the forecast to the releases that were measured:
// what a later one did not start with was foretold by an earlier one's Check, and what
// was foretold by a release that was measured came true.
func TestCheckForeseesLaterDaemons(t *testing.T) {
	releases := measured(t)
	for i, release := range releases {
		version, now := results(t, release)
		v, _ := ParseVersion(version)
		for _, next := range releases[i+1:] {
			nextVersion, then := results(t, next)
			later, _ := ParseVersion(nextVersion)
			for _, file := range matrix(t) {
				if now[file.name].verdict == "no-start" {
					continue
				}
				dies := then[file.name].verdict == "no-start"
				foretold := slices.ContainsFunc(Check(file.input(v)), func(p Problem) bool {
					return p.Outcome == NoStartLater && !later.Before(p.Version)
				})
				if dies != foretold {
					t.Errorf("%s on %s: foretold that %s does not start: %t; it was so: %t", file.name, version, nextVersion, foretold, dies)
				}
			}
		}
	}
}

// TestEveryProblemIsOneThatPeopleCanActOn reads all that Check says about the matrix.
func TestEveryProblemIsOneThatPeopleCanActOn(t *testing.T) {
	var out strings.Builder
	for _, file := range matrix(t) {
		fmt.Fprintf(&out, "%s\n", file.name)
		for _, v := range append([]Version{{}}, Version{20, 10}, Version{26, 1}, Version{28, 5}, Version{29, 7}) {
			for _, p := range Check(file.input(v)) {
				if p.Why == "" || p.Hint == "" || strings.HasSuffix(p.Why, ".") || strings.HasSuffix(p.Hint, ".") || strings.Contains(p.Why+p.Hint, "%!") {
					t.Errorf("%s: badly said: %q", file.name, p)
				}
				if (p.Outcome == NoStartLater) != (p.Version != Version{}) {
					t.Errorf("%s: a version without need, or none: %+v", file.name, p)
				}
			}
		}
		for _, p := range Check(file.input(Version{26, 1})) {
			fmt.Fprintf(&out, "  %s\n", strings.ReplaceAll(p.String(), "\n", "\n    "))
		}
	}
	golden.Check(t, "testdata/said.txt", out.String(), *update)
}
