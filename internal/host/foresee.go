package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"molo/internal/daemonjson"
	"molo/internal/facts"
	"molo/internal/jsontext"
	"molo/internal/subid"
	"molo/provision"
)

// Foresee says what dockerd would make of daemon.json with these changes, without
// starting it.
func (h *Host) Foresee(ctx context.Context, d facts.Docker, changes []provision.Change) ([]provision.Trouble, error) {
	var text []byte
	if d.Config != "" || h.exists(provision.DaemonJSON) {
		text = []byte(d.Config)
	}
	changes = slices.DeleteFunc(slices.Clone(changes), func(c provision.Change) bool { return c.ID.Kind() != "key" })
	if len(changes) > 0 {
		var err error
		if text, err = merge(text, changes); err != nil {
			return nil, err
		}
	}
	ids := subid.ParseFiles(d.SubIDs.UIDs, d.SubIDs.GIDs, d.SubIDs.Users, d.SubIDs.Groups)
	version, _ := daemonjson.ParseVersion(d.Version) // not known before Docker is installed
	in := daemonjson.Input{
		Config: text, Version: version, Flags: d.Flags, Swarm: d.Effective.Swarm,
		CgroupV1: !h.offline() && !h.exists("/sys/fs/cgroup/cgroup.controllers"),
		Host:     h.lookups(ctx, ids),
	}
	problems := daemonjson.Check(in)
	var inText []daemonjson.Problem // those that nobody has to look for on the host
	if len(problems) > 0 {
		in.Host = daemonjson.Host{}
		inText = daemonjson.Check(in)
	}
	var all []provision.Trouble
	mapped := true // as far as dockerd looks
	for _, p := range problems {
		mapped = mapped && !slices.Equal(p.Path, []string{"userns-remap"})
		if p.Outcome == daemonjson.Warning && d.Version == "" {
			continue // some engine or other does so; which one comes is not known
		}
		all = append(all, provision.Trouble{
			Key: p.Path, Text: filepath.Dir(provision.DaemonJSON) + "/" + p.String(),
			Stops: p.Outcome == daemonjson.NoStart || p.Outcome == daemonjson.NoContainers,
			Later: p.Outcome == daemonjson.NoStartLater,
			Looked: !slices.ContainsFunc(inText, func(o daemonjson.Problem) bool {
				return o.Outcome == p.Outcome && o.Why == p.Why && slices.Equal(o.Path, p.Path)
			}),
		})
	}
	if mapped {
		all = append(all, sharedIDs(text, ids)...)
	}
	return all, nil
}

// sharedIDs says what is wrong with the ids that containers would get.
func sharedIDs(config []byte, ids subid.Files) []provision.Trouble {
	doc, err := jsontext.Parse(config)
	if err != nil {
		return nil // merge reads it first
	}
	raw, ok := doc.Get("userns-remap")
	var remap string
	if !ok || json.Unmarshal(raw, &remap) != nil || remap == "" {
		return nil
	}
	var all []provision.Trouble
	for _, p := range subid.Check(ids, remap, "") {
		all = append(all, provision.Trouble{Key: []string{"userns-remap"}, Text: p.Error(), Stops: true})
	}
	return all
}

// lookups answers what daemon.json leaves to the host.
func (h *Host) lookups(ctx context.Context, ids subid.Files) daemonjson.Host {
	is := daemonjson.Host{
		File: func(path string) bool {
			found, err := os.Stat(h.path(path))
			return !errors.Is(err, fs.ErrNotExist) && (err != nil || !found.IsDir())
		},
		Read:   func(path string) ([]byte, error) { return os.ReadFile(h.path(path)) },
		User:   func(name string) bool { return isIn(ids.Users, name) || h.named(ctx, "passwd", name) },
		Group:  func(name string) bool { return isIn(ids.Groups, name) || h.named(ctx, "group", name) },
		SubIDs: func(user string) bool { _, err := ids.Mapping(user); return err == nil },
	}
	if plugins, err := h.plugins(); err == nil {
		is.Plugin = func(name string) bool { return slices.Contains(plugins, name) }
	}
	if links, err := net.Interfaces(); err == nil && !h.offline() {
		is.Interface = func(name string) bool {
			return slices.ContainsFunc(links, func(l net.Interface) bool { return l.Name == name })
		}
		is.Address = hasAddress
	}
	return is
}

func isIn(accounts []subid.Account, name string) bool {
	return slices.ContainsFunc(accounts, func(a subid.Account) bool {
		return a.Name == name || strconv.FormatUint(uint64(a.ID), 10) == name
	})
}

// named asks the host's name service, which may know more accounts than the files.
func (h *Host) named(ctx context.Context, database, name string) bool {
	if h.offline() || strings.HasPrefix(name, "-") {
		return false
	}
	_, err := h.exec(ctx, nil, "getent", database, name)
	return err == nil
}

func hasAddress(addr netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(all, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr() == addr
	})
}

// plugins lists the plugins that dockerd would find: sockets and specifications of those
// that others run, and those that "docker plugin install" left in the data root.
func (h *Host) plugins() ([]string, error) {
	var names []string
	for _, pattern := range []string{"/run/docker/plugins/*.sock", "/etc/docker/plugins/*.*", "/usr/lib/docker/plugins/*.*"} {
		found, err := h.glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			name := filepath.Base(path)
			names = append(names, strings.TrimSuffix(name, filepath.Ext(name)))
		}
	}
	const installed = "/var/lib/docker/plugins"
	if _, err := os.ReadDir(h.path(installed)); errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	found, err := h.glob(installed + "/*/config.json")
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		name, err := h.pluginName(path)
		if err != nil {
			return nil, err
		}
		names = append(names, name, strings.TrimSuffix(name, ":latest"))
	}
	return names, nil
}

func (h *Host) pluginName(path string) (string, error) {
	text, err := os.ReadFile(h.path(path))
	if err != nil {
		return "", err
	}
	var config struct {
		Plugin struct{ Name string } `json:"plugin"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return config.Plugin.Name, nil
}
