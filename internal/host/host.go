// Package host holds every side effect of molo: files, firewall tables, systemd,
// the Docker Engine API, processes and the clock. Nothing else in molo touches the
// machine, and nothing here decides what should be on it.
package host

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"molo/provision"
)

// Where molo keeps what it remembers. All of it may be deleted: what it costs is
// explanations, backups, one needless commit of the firewall rules, and certificates
// that have to be ordered again before nginx is next started.
const (
	stateDir = "/var/lib/molo"
	runDir   = "/run/molo"
)

// Host is the machine that molo runs on, or the files of one.
type Host struct {
	root   string // "/" or the directory that holds an image's files
	log    *slog.Logger
	locked bool // this run holds the lock, so it may write
	unread bool // there is a memory of earlier runs of which Load could make nothing
	now    func() time.Time
	// challengePort is where nginx answers authorities.
	challengePort uint16
}

var (
	_ provision.Host  = (*Host)(nil)
	_ provision.Store = (*Host)(nil)
)

// New returns the host whose files are under root. With a root other than "/"
// there is no kernel and no service: only files are read and written.
func New(root string, log *slog.Logger) (*Host, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("finding the root directory: %w", err)
	}
	if info, err := os.Stat(abs); err != nil {
		return nil, fmt.Errorf("finding the root directory: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("finding the root directory: %s is not a directory", abs)
	}
	return &Host{root: abs, log: log, now: time.Now, challengePort: challengePort}, nil
}

// offline says that there are only files.
func (h *Host) offline() bool { return h.root != "/" }

// path returns where a path of the host lies on this machine.
func (h *Host) path(p string) string { return filepath.Join(h.root, p) }

// Check tests staged changes.
func (h *Host) Check(ctx context.Context, check provision.Check, changes []provision.Change) error {
	if h.offline() {
		return nil
	}
	switch c := check.(type) {
	case provision.NginxConfig:
		return h.checkNginx(ctx, changes)
	case provision.DockerConfig:
		return h.checkDocker(ctx, c, changes)
	}
	return fmt.Errorf("unknown check %T", check)
}

// Probe asks the running host until the answer is right, or says what was wrong
// with the last one.
func (h *Host) Probe(ctx context.Context, probe provision.Probe) error {
	if h.offline() {
		return nil
	}
	switch p := probe.(type) {
	case provision.DockerRuns:
		return h.probeDocker(ctx, p)
	case provision.NginxServes:
		return h.probeNginx(ctx, p)
	case provision.AuditLoaded:
		return h.probeAudit(ctx, p)
	}
	return fmt.Errorf("unknown probe %T", probe)
}
