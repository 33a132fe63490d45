package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"molo/internal/facts"
)

const (
	// maxChanges is how many changes of one container are looked at.
	maxChanges = 2000
	// maxStats is how many of them are asked whether they are directories.
	maxStats = 100
)

// Behaviours looks at what containers do, by their ID. It starts nothing in them.
func (h *Host) Behaviours(ctx context.Context, containers []facts.ContainerDetail) (map[string]facts.Behaviour, error) {
	engine, err := client.New(client.WithHost(dockerSocket))
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	uses := make([]facts.Behaviour, len(containers))
	var jobs []func()
	for i, c := range containers {
		jobs = append(jobs, func() { uses[i] = behaviourOf(ctx, engine, c) })
	}
	parallel(engineWorkers, jobs)
	all := map[string]facts.Behaviour{}
	for i, c := range containers {
		all[c.ID] = uses[i]
	}
	return all, nil
}

func behaviourOf(ctx context.Context, engine *client.Client, c facts.ContainerDetail) facts.Behaviour {
	var u facts.Behaviour
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	if !c.ReadOnly {
		u.Changes, u.ChangesUnread = changesOf(ctx, engine, c.ID)
	}
	if image, err := engine.ImageInspect(ctx, c.ImageID); err == nil {
		u.Digests = image.RepoDigests
	}
	if pid := c.Process.PID; pid > 0 {
		if status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status")); err == nil {
			u.Capabilities = capabilitiesOf(string(status))
		}
		u.PortStart = portStart(pid)
	}
	return u
}

// changesOf asks for what a container wrote, and of what has nothing below it, whether
// it is a directory.
func changesOf(ctx context.Context, engine *client.Client, id string) (all []facts.Change, unread string) {
	diff, err := engine.ContainerDiff(ctx, id, client.ContainerDiffOptions{})
	if err != nil {
		return nil, unreadable("", "", err).Why
	}
	if len(diff.Changes) > maxChanges {
		diff.Changes, unread = diff.Changes[:maxChanges], fmt.Sprintf("the first %d of its changes were looked at", maxChanges)
	}
	for _, c := range diff.Changes {
		all = append(all, facts.Change{Path: c.Path, Kind: changeKind(c.Kind)})
	}
	asked := 0
	for i, c := range all {
		if c.Kind == facts.Removed || hasBelow(all, c.Path) {
			continue
		}
		if asked++; asked > maxStats {
			return all, fmt.Sprintf("of the first %d of its changes it was asked whether they are directories", maxStats)
		}
		if r, err := engine.ContainerStatPath(ctx, id, client.ContainerStatPathOptions{Path: c.Path}); err == nil {
			all[i].Dir = r.Stat.Mode.IsDir()
		}
	}
	return all, unread
}

func changeKind(k container.ChangeType) facts.ChangeKind {
	switch k {
	case container.ChangeAdd:
		return facts.Added
	case container.ChangeDelete:
		return facts.Removed
	}
	return facts.Modified
}

func hasBelow(all []facts.Change, dir string) bool {
	return slices.ContainsFunc(all, func(c facts.Change) bool { return strings.HasPrefix(c.Path, dir+"/") })
}

// capabilitiesOf reads the effective capabilities in /proc/PID/status, by number where
// this kernel is newer than capability.h of Linux 6.12.
func capabilitiesOf(status string) []string {
	for line := range strings.Lines(status) {
		hex, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		if err != nil {
			return nil
		}
		all := []string{}
		for n := range 64 {
			switch names := capabilityNames(); {
			case set>>n&1 == 0:
			case n < len(names):
				all = append(all, names[n])
			default:
				all = append(all, strconv.Itoa(n))
			}
		}
		return all
	}
	return nil
}

// capabilityNames lists capabilities in the order of the kernel's numbers.
func capabilityNames() []string {
	return []string{
		"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
		"NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
		"SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
		"AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
		"PERFMON", "BPF", "CHECKPOINT_RESTORE",
	}
}

// portStart reads net.ipv4.ip_unprivileged_port_start as a process has it; nil: it
// could not be read. The file shows the namespace of who reads it.
func portStart(pid int) *int {
	var start *int
	err := inNamespace(filepath.Join("/proc", strconv.Itoa(pid), "ns/net"), func() error {
		data, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err == nil {
			start = &n
		}
		return err
	})
	if err != nil {
		return nil
	}
	return start
}
