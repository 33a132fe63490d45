package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/provision"
)

const (
	dockerSocket = "unix:///run/docker.sock"
	// engineTimeout bounds one reading of the Engine API.
	engineTimeout = 10 * time.Second
	// dockerUp is how long dockerd gets to answer after a restart: with a missing
	// authorization plugin it takes 15 s to die.
	dockerUp = 40 * time.Second
	// bindingOption and iccOption are options of the network "bridge".
	bindingOption = "com.docker.network.bridge.host_binding_ipv4"
	iccOption     = "com.docker.network.bridge.enable_icc"
)

// engineReader reads what the Engine API tells.
type engineReader func(context.Context, *facts.Docker) error

// dockerFacts reads the engine. A stopped engine is not asked: its socket belongs
// to systemd, which would start it.
func (h *Host) dockerFacts(ctx context.Context, f *facts.Facts, engine engineReader) {
	d := &f.Docker
	unread := func(what string, err error) {
		f.Unknown = append(f.Unknown, unreadable(what, provision.PartDocker, err))
	}
	config, err := h.readOptional(provision.DaemonJSON)
	if err != nil {
		unread(provision.DaemonJSON, err)
	}
	d.Config = config
	d.SubIDs = h.subIDs(unread)
	d.Installed = h.dockerd() != ""
	var pid uint32
	if d.Installed && !h.offline() {
		pid = h.runningDocker(ctx, f, engine)
	}
	if !d.Running || d.Blind { // else Docker itself tells
		d.DataOnDisk = h.dataOnDisk()
	}
	if err := h.dockerFlags(d, pid); err != nil {
		unread("the files of "+provision.DockerUnit, err)
	}
}

// runningDocker reads the engine that runs, and returns its process.
func (h *Host) runningDocker(ctx context.Context, f *facts.Facts, engine engineReader) (pid uint32) {
	d := &f.Docker
	unread := func(what string, err error) {
		f.Unknown = append(f.Unknown, unreadable(what, provision.PartDocker, err))
	}
	unit, err := h.settled(ctx, provision.DockerUnit)
	if err != nil {
		unread(provision.DockerUnit, err)
		return 0
	}
	d.Failed = unit.Loaded && (unit.Active == "failed" || unit.Active == "activating")
	if d.Running = unit.Active == "active" || unit.Active == "reloading"; d.Running {
		pid, d.Started = unit.MainPID, unit.Started
		d.ConfigNewer = h.newer(provision.DaemonJSON, unit.Started)
		err := engine(ctx, d)
		if err == nil {
			return pid
		}
		d.Blind = true
		unread("the Docker Engine API", err)
	}
	if out, err := h.exec(ctx, nil, h.dockerd(), "--version"); err == nil {
		d.Version, d.Major = versionOf(string(out))
	} else {
		unread("the version of dockerd", err)
	}
	return pid
}

// dockerd returns the path of the daemon's binary, or "".
func (h *Host) dockerd() string {
	for _, p := range []string{"/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"} {
		if _, err := os.Stat(h.path(p)); err == nil {
			return p
		}
	}
	return ""
}

// dataOnDisk reports whether the default data root holds images, containers or
// volumes, or one of those that userns-remap makes in it. What can't be read counts as holding some.
func (h *Host) dataOnDisk() bool {
	for _, root := range []string{"", "*.*"} { // with userns-remap: 100000.100000
		for _, pattern := range []string{"image/*/imagedb/content/sha256/*", "containers/*", "volumes/*/_data"} {
			found, err := filepath.Glob(h.path(filepath.Join("/var/lib/docker", root, pattern)))
			if err != nil || len(found) > 0 {
				return true
			}
		}
	}
	_, err := os.ReadDir(h.path("/var/lib/docker"))
	return err != nil && !errors.Is(err, os.ErrNotExist)
}

// processFlags returns the arguments of a process without its name.
func processFlags(pid uint32) []string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(pid)), "cmdline"))
	if err != nil {
		return nil // gone: the caller is about to find out
	}
	args := strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
	return args[1:]
}

// newer reports whether a file was written after a moment, or put there: a copy that keeps
// the time of its original, or one that rsync brings, is a file that was born later. The
// time of its last change (ctime) would tell of copies into the same file, too, but also of
// each chmod and chown, after which nobody could say what dockerd has read.
func (h *Host) newer(path string, than time.Time) bool {
	var stat unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, h.path(path), 0, unix.STATX_MTIME|unix.STATX_BTIME, &stat) != nil {
		return false
	}
	after := func(t unix.StatxTimestamp) bool { return time.Unix(t.Sec, int64(t.Nsec)).After(than) }
	return after(stat.Mtime) || stat.Mask&unix.STATX_BTIME != 0 && after(stat.Btime)
}

// versionOf reads "Docker version 20.10.24+dfsg1, build 297e128".
func versionOf(text string) (string, int) {
	version := strings.TrimPrefix(strings.TrimSpace(text), "Docker version ")
	version, _, _ = strings.Cut(version, ",")
	return version, majorOf(version)
}

func majorOf(version string) int {
	number, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return major
}

// engineAnswers are those of the Engine API to four requests, however many containers
// there are.
type engineAnswers struct {
	info       system.Info
	containers client.ContainerListResult
	networks   []network.Summary
	volumes    []volume.Volume
}

// askEngine asks the Engine API.
func askEngine(ctx context.Context) (engineAnswers, error) {
	engine, err := client.New(client.WithHost(dockerSocket))
	if err != nil {
		return engineAnswers{}, err
	}
	defer engine.Close()
	return askedOf(ctx, engine)
}

func askedOf(ctx context.Context, engine *client.Client) (a engineAnswers, err error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	info, err := engine.Info(ctx, client.InfoOptions{})
	if err != nil {
		return a, err
	}
	if a.containers, err = engine.ContainerList(ctx, client.ContainerListOptions{All: true}); err != nil {
		return a, err
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return a, err
	}
	volumes, err := engine.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return a, err
	}
	a.info, a.networks, a.volumes = info.Info, networks.Items, volumes.Items
	return a, nil
}

// engineFacts reads the Engine API, short of what only inspecting a container tells.
func engineFacts(ctx context.Context, d *facts.Docker) error {
	a, err := askEngine(ctx)
	if err == nil {
		a.fill(d)
	}
	return err
}

// readEngine reads the Engine API, each container included.
func readEngine(ctx context.Context, d *facts.Docker) error {
	if err := engineFacts(ctx, d); err != nil {
		return err
	}
	return inspectAll(ctx, d.Containers)
}

// fill takes the answers over.
func (a engineAnswers) fill(d *facts.Docker) {
	d.Version, d.Major = a.info.ServerVersion, majorOf(a.info.ServerVersion)
	d.Root = a.info.DockerRootDir
	d.Images, d.Volumes = a.info.Images, len(a.volumes)
	for _, v := range a.volumes {
		d.VolumeNames = append(d.VolumeNames, v.Name)
	}
	slices.Sort(d.VolumeNames)
	d.Containers = containersOf(a.containers)
	d.Networks = networksOf(a.networks)
	d.Effective = effectiveOf(a.info, a.networks, d.Major)
}

func containersOf(list client.ContainerListResult) []facts.Container {
	var all []facts.Container
	for _, c := range list.Items {
		one := facts.Container{ID: c.ID, Image: c.Image, Running: c.State == "running", Network: c.HostConfig.NetworkMode}
		if len(c.Names) > 0 {
			one.Name = strings.TrimPrefix(c.Names[0], "/")
		}
		if c.NetworkSettings != nil {
			one.Endpoints = endpointsOf(c.NetworkSettings.Networks)
		}
		for _, p := range c.Ports {
			if p.PublicPort != 0 {
				one.Published = append(one.Published, facts.Publish{Address: p.IP, Port: p.PublicPort, Container: p.PrivatePort, Protocol: p.Type})
			}
		}
		all = append(all, one)
	}
	return all
}

// endpointsOf sorts what the API has in a map.
func endpointsOf(networks map[string]*network.EndpointSettings) []facts.Endpoint {
	var all []facts.Endpoint
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		e := facts.Endpoint{Network: name}
		if settings := networks[name]; settings != nil {
			e.Priority = settings.GwPriority
			for _, a := range []netip.Addr{settings.IPAddress, settings.GlobalIPv6Address} {
				if a.IsValid() {
					e.Addresses = append(e.Addresses, a)
				}
			}
		}
		all = append(all, e)
	}
	return all
}

func networksOf(list []network.Summary) []facts.Network {
	var all []facts.Network
	for _, n := range list {
		one := facts.Network{Name: n.Name, Driver: n.Driver, Internal: n.Internal}
		if n.Driver == "bridge" {
			if one.Bridge = n.Options["com.docker.network.bridge.name"]; one.Bridge == "" {
				one.Bridge = "br-" + n.ID[:12]
			}
		}
		for _, c := range n.IPAM.Config {
			if c.Subnet.IsValid() {
				one.Subnets = append(one.Subnets, c.Subnet)
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b facts.Network) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// effectiveOf gathers what dockerd runs with. Before 23.0 it does not tell whether
// no-new-privileges is its default.
func effectiveOf(info system.Info, networks []network.Summary, major int) facts.Effective {
	e := facts.Effective{
		LiveRestore: &info.LiveRestoreEnabled,
		LogDriver:   info.LoggingDriver, StorageDriver: info.Driver,
		UsernsRemap: has(info.SecurityOptions, "name=userns"),
		Rootless:    *has(info.SecurityOptions, "name=rootless"),
		Swarm:       inSwarm(info.Swarm),
	}
	if major >= 23 {
		e.NoNewPrivileges = has(info.SecurityOptions, "name=no-new-privileges")
	}
	if info.FirewallBackend != nil {
		// "iptables", "nftables+firewalld" (Controller.FirewallBackend of Docker 29).
		var beside string
		e.FirewallBackend, beside, _ = strings.Cut(info.FirewallBackend.Driver, "+")
		e.Firewalld = beside == "firewalld"
	}
	for _, n := range networks {
		if n.Name == "bridge" {
			icc := n.Options[iccOption] != "false"
			e.ICC, e.PublishAddress = &icc, n.Options[bindingOption]
		}
	}
	return e
}

// inSwarm reports whether an engine is part of a swarm. One that is locked or waits for
// the others is: it has state on disk that rules live-restore out.
func inSwarm(s swarm.Info) bool {
	return s.LocalNodeState != "" && s.LocalNodeState != swarm.LocalNodeStateInactive
}

func has(options []string, name string) *bool {
	found := slices.ContainsFunc(options, func(o string) bool { return o == name || strings.HasPrefix(o, name+",") })
	return &found
}

// probeDocker waits until the engine answers, runs with what is expected, and
// still runs the same containers.
func (h *Host) probeDocker(ctx context.Context, p provision.DockerRuns) error {
	return poll(ctx, dockerUp, func(ctx context.Context) error {
		unit, err := h.unit(ctx, provision.DockerUnit)
		if err != nil {
			return err
		}
		if unit.Active != "active" && unit.Active != "reloading" {
			return fmt.Errorf("%s is %s", provision.DockerUnit, unit.Active)
		}
		var d facts.Docker
		if err := engineFacts(ctx, &d); err != nil {
			return err
		}
		if wrong := provision.Mismatch(p.Effective, d.Effective); len(wrong) > 0 {
			return fmt.Errorf("dockerd runs with %s", strings.Join(wrong, ", "))
		}
		return stillRunning(p.Running, d.Containers)
	})
}

func stillRunning(want, have []facts.Container) error {
	for _, w := range want {
		i := slices.IndexFunc(have, func(c facts.Container) bool { return c.ID == w.ID && c.Running })
		if i < 0 {
			return fmt.Errorf("container %s does not run any more", w.Name)
		}
		for _, p := range w.Published {
			if !slices.Contains(have[i].Published, p) {
				return fmt.Errorf("container %s does not publish port %d/%s any more", w.Name, p.Port, p.Protocol)
			}
		}
	}
	return nil
}
