package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"molo/internal/audit"
	"molo/internal/policy"
)

// diagnosticWidth is the width of a terminal that diagnostics are wrapped for.
const diagnosticWidth = 78

// badPolicy says that the policy is not valid.
type badPolicy struct{ why string }

// Error says why in one line.
func (b *badPolicy) Error() string { return b.why }

// sources reads the policy: a file, or the policy files of a directory.
func (a *app) sources() ([]policy.Source, error) {
	path := a.policyPath()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &badPolicy{fmt.Sprintf("there is no policy at %s\nhint: write one, or name it with --policy", path)}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	names := []string{path}
	if info.IsDir() {
		if names, err = policyFiles(path); err != nil {
			return nil, err
		}
	}
	return readSources(names)
}

func readSources(names []string) ([]policy.Source, error) {
	var all []policy.Source
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading the policy: %w", err)
		}
		all = append(all, policy.Source{Name: name, Data: data})
	}
	return all, nil
}

// policyFiles lists the policy files of a directory.
func policyFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	names = policy.Names(names)
	if len(names) == 0 {
		return nil, &badPolicy{fmt.Sprintf("there is no policy in %s\nhint: policies are files named *.hcl or *.hcl.json", dir)}
	}
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return names, nil
}

// load reads and parses the policy. Diagnostics of a policy that is not valid are
// shown here.
func (a *app) load() (*policy.Policy, error) {
	sources, err := a.sources()
	if err != nil {
		return nil, err
	}
	a.digest = digestOf(sources)
	p, diagnostics := policy.ParseChecked(sources, audit.Slugs())
	if !diagnostics.HasErrors() {
		return p, nil
	}
	if err := a.diagnose(diagnostics); err != nil {
		return nil, err
	}
	return nil, reported{&badPolicy{fmt.Sprintf("%s is not valid", a.policyPath())}}
}

// digestOf stands for the text of a policy.
func digestOf(sources []policy.Source) string {
	sum := sha256.New()
	for _, s := range sources {
		fmt.Fprintf(sum, "%q %q\n", s.Name, s.Data)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// policyDigest is that of the policy that is there; "" where it can't be read.
func (a *app) policyDigest() string {
	if a.digest != "" {
		return a.digest
	}
	sources, err := a.sources()
	if err != nil {
		return ""
	}
	return digestOf(sources)
}

// diagnose shows what is wrong with a policy.
func (a *app) diagnose(d policy.Diagnostics) error {
	if a.json {
		return a.writeJSON(validity{Valid: !d.HasErrors(), Diagnostics: d})
	}
	return d.WriteText(a.stderr, diagnosticWidth, false)
}

// validity is what validate --json writes.
type validity struct {
	Valid       bool               `json:"valid"`
	Diagnostics policy.Diagnostics `json:"diagnostics"`
}
