package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/internal/resource"
	"molo/provision"
)

// Facts reads what the host is. What can't be read, for want of privilege or
// because a service hangs, is listed in Facts.Unknown.
func (h *Host) Facts(ctx context.Context) (facts.Facts, error) { return h.facts(ctx, readEngine) }

func (h *Host) facts(ctx context.Context, engine engineReader) (facts.Facts, error) {
	f := facts.Facts{Offline: h.offline(), Time: h.now()}
	var err error
	if f.OS, err = h.osRelease(); err != nil {
		return f, err
	}
	if !f.Offline {
		if err := h.kernelFacts(&f); err != nil {
			return f, err
		}
	}
	h.dockerFacts(ctx, &f, engine)
	h.rememberBridges(&f)
	h.ufwFacts(ctx, &f)
	h.nginxFacts(ctx, &f)
	h.sysctlFacts(&f)
	h.pathFacts(&f)
	h.auditdFacts(ctx, &f)
	return f, nil
}

// osRelease reads os-release(5).
func (h *Host) osRelease() (facts.OS, error) {
	text, err := h.readOptional("/etc/os-release")
	if err != nil {
		return facts.OS{}, err
	}
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[key] = strings.Trim(value, `"'`)
	}
	return facts.OS{ID: values["ID"], Version: values["VERSION_ID"], Codename: values["VERSION_CODENAME"]}, nil
}

func (h *Host) kernelFacts(f *facts.Facts) error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("reading the kernel's name: %w", err)
	}
	f.Hostname, f.Kernel = unix.ByteSliceToString(uts.Nodename[:]), unix.ByteSliceToString(uts.Release[:])
	f.IPv6 = hasIPv6()
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("listing network links: %w", err)
	}
	f.Sysctl.Interfaces = ownInterfaces(links)
	linkFacts(f, links)
	return nil
}

// linkFacts tells bridges from links that are only called like those of Docker. A
// container hangs on its bridge by a veth; whatever else does is somebody else.
func linkFacts(f *facts.Facts, links []netlink.Link) {
	names := map[int]string{}
	for _, l := range links {
		switch name := l.Attrs().Name; {
		case l.Type() == "bridge":
			f.Bridges = append(f.Bridges, name)
			names[l.Attrs().Index] = name
		case strings.HasPrefix(name, "br-"):
			f.Lookalikes = append(f.Lookalikes, name)
		}
	}
	for _, l := range links {
		bridge, ok := names[l.Attrs().MasterIndex]
		if ok && l.Type() != "veth" && !slices.Contains(f.Uplinked, bridge) {
			f.Uplinked = append(f.Uplinked, bridge)
		}
	}
}

// rememberBridges names Docker's bridges by the rules that were loaded last, where Docker
// does not tell: at boot those with a name of their own can't be told from others.
func (h *Host) rememberBridges(f *facts.Facts) {
	if f.Docker.Running && !f.Docker.Blind {
		return
	}
	memory, err := h.loadRules(resource.IPv4, "filter")
	if err != nil {
		return // not root: the rules can't be read either, and the plan says so
	}
	docker, untrusted := provision.Bridges(memory.Rules)
	f.Docker.Remembered = slices.Concat(docker, untrusted)
	f.Uplinked = append(f.Uplinked, untrusted...)
}

// readOptional reads a file of the host; one that is not there is empty.
func (h *Host) readOptional(path string) (string, error) {
	data, err := os.ReadFile(h.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return string(data), nil
}
