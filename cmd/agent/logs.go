package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"molo/nginx"
)

// logsVersion is that of the format of logsJSON.
const logsVersion = 1

// logsJSON is what logs verify --json writes.
type logsJSON struct {
	Version  int                `json:"version"`
	Full     bool               `json:"full_addresses"` // the policy lets whole addresses be there
	Files    []string           `json:"files"`
	Lines    int                `json:"lines"`
	Findings []nginx.LogFinding `json:"findings"`
}

func (a *app) logsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "logs", Short: "Prove what the logs of the sites hold; changes nothing"}
	cmd.AddCommand(a.logsVerifyCommand())
	return cmd
}

const logsVerifyLong = `Read every line that is in the logs of requests, those that were rotated and
compressed as well, and say which hold what they must not: a client's whole
address, a query, a field that molo's logs do not have, or no JSON at all.
Findings name file and line, and do not repeat what is there.

With client_address = "full" in the policy, whole addresses may be there.
Without FILE, the logs in ` + nginx.LogDir + ` are read, as root.`

func (a *app) logsVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify [FILE...]", Short: "Find whole addresses and queries in the logs of the sites", Long: logsVerifyLong,
		RunE: func(_ *cobra.Command, args []string) error { return a.verifyLogs(args) },
	}
}

func (a *app) verifyLogs(files []string) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	if len(files) == 0 {
		if files, err = a.logFiles(); err != nil {
			return err
		}
	}
	out := logsJSON{Version: logsVersion, Full: p.Nginx.Log.Full(), Files: files, Findings: []nginx.LogFinding{}}
	for _, name := range files {
		lines, findings, err := verifyLog(name, out.Full)
		if err != nil {
			return fmt.Errorf("reading the logs: %w", err)
		}
		out.Lines += lines
		out.Findings = append(out.Findings, findings...)
	}
	if err := a.writeLogs(out); err != nil {
		return err
	}
	if len(out.Findings) > 0 {
		return errFindings
	}
	return nil
}

// logFiles lists the logs of requests on this host.
func (a *app) logFiles() ([]string, error) {
	if os.Geteuid() != 0 && a.root == "/" {
		return nil, errNotRoot
	}
	dir := filepath.Join(a.root, nginx.LogDir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the logs: %w", err)
	}
	files := []string{}
	for _, entry := range entries {
		if nginx.IsAccessLog(nginx.LogDir + "/" + entry.Name()) {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	return files, nil
}

// verifyLog verifies one file, which may be compressed.
func verifyLog(name string, full bool) (int, []nginx.LogFinding, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil // rotated away just now
	}
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	var log io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if log, err = gzip.NewReader(file); err != nil {
			return 0, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return nginx.VerifyLog(name, log, full)
}

func (a *app) writeLogs(out logsJSON) error {
	if a.json {
		return a.writeJSON(out)
	}
	for _, f := range out.Findings {
		if _, err := fmt.Fprintf(a.stdout, "%s:%d: %s: %s\n", f.File, f.Line, f.Rule, f.Text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%d files, %d lines, %d findings.\n", len(out.Files), out.Lines, len(out.Findings))
	return err
}
