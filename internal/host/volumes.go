package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"molo/internal/subid"
	"molo/internal/volumes"
	"molo/provision"
)

var _ volumes.Host = (*Host)(nil)

// VolumeState reads what there is of volumes, in sight of dockerd and out of it, who
// uses them, and where some paths are.
func (h *Host) VolumeState(ctx context.Context, paths []string) (volumes.State, error) {
	if h.offline() {
		return volumes.State{}, errors.New("these are the files of an image: dockerd is needed to say which volumes it uses")
	}
	// A stopped dockerd is not asked: its socket belongs to systemd, which would start it.
	unit, err := h.settled(ctx, provision.DockerUnit)
	if err == nil && unit.Active != "active" && unit.Active != "reloading" {
		err = fmt.Errorf("%s is %s, and has to say which volumes it uses\nhint: systemctl start docker", provision.DockerUnit, unit.Active)
	}
	if err != nil {
		return volumes.State{}, err
	}
	s, err := h.engineState(ctx)
	if err != nil {
		return volumes.State{}, err
	}
	for i, r := range s.Roots {
		copies, err := copiesIn(r.Path)
		if err != nil {
			return volumes.State{}, err
		}
		if i > 0 { // out of dockerd's sight
			if err := label(copies, r.Path); err != nil {
				return volumes.State{}, err
			}
		}
		containers, err := containersIn(r.Path)
		if err != nil {
			return volumes.State{}, err
		}
		s.Copies, s.Containers = append(s.Copies, copies...), append(s.Containers, containers...)
	}
	return s, h.locateTrees(&s, paths)
}

// label adds the labels of the volumes of a data root that dockerd does not use.
func label(copies []volumes.Copy, root string) error {
	labels, err := labelsIn(root)
	for i, c := range copies {
		copies[i].Labels = labels[c.Name]
	}
	return err
}

// engineState asks dockerd for its data root and for what running containers mount,
// and finds the other data roots.
func (h *Host) engineState(ctx context.Context) (volumes.State, error) {
	var s volumes.State
	engine, err := openEngine()
	if err != nil {
		return s, err
	}
	defer engine.Close()
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	info, err := engine.Info(ctx, client.InfoOptions{})
	if err != nil {
		return s, fmt.Errorf("asking dockerd for its data root: %w", err)
	}
	if *has(info.Info.SecurityOptions, "name=rootless") {
		return s, errors.New("dockerd runs rootless: its volumes belong to its user's own ids")
	}
	files, err := h.Subids()
	if err != nil {
		return s, err
	}
	if s.Roots, err = rootsOf(info.Info.DockerRootDir, *has(info.Info.SecurityOptions, "name=userns"), files); err != nil {
		return s, err
	}
	s.Guarded = volumes.Guard(s.Base(), homes(files.Users))
	list, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return s, fmt.Errorf("asking dockerd for its containers: %w", err)
	}
	s.Users = usersOf(list)
	return s, nil
}

func openEngine() (*client.Client, error) {
	engine, err := client.New(client.WithHost(dockerSocket))
	if err != nil {
		return nil, fmt.Errorf("connecting to dockerd: %w", err)
	}
	return engine, nil
}

// usersOf lists what containers mount that run, or are about to.
func usersOf(list client.ContainerListResult) []volumes.User {
	var all []volumes.User
	for _, c := range list.Items {
		switch c.State {
		case container.StateCreated, container.StateExited, container.StateDead:
			continue
		}
		who := "container " + c.ID
		if len(c.Names) > 0 {
			who = "container " + strings.TrimPrefix(c.Names[0], "/")
		}
		for _, m := range c.Mounts {
			all = append(all, volumes.User{Who: who, Volume: m.Name, Source: m.Source})
		}
	}
	return all
}

// homes lists where people log in.
func homes(users []subid.Account) []string {
	var all []string
	for _, u := range users {
		if (u.ID == 0 || u.ID >= 1000 && u.ID < 65534) && filepath.IsAbs(u.Home) {
			all = append(all, filepath.Clean(u.Home))
		}
	}
	return all
}

// Subids reads what the host says about subordinate ids.
func (h *Host) Subids() (subid.Files, error) {
	var problem error
	s := h.subIDs(func(_ string, err error) { problem = cmp.Or(problem, err) })
	return subid.ParseFiles(s.UIDs, s.GIDs, s.Users, s.Groups), problem
}

// volumeAPI is dockerd.
type volumeAPI struct{ engine *client.Client }

func (v volumeAPI) create(ctx context.Context, name string, labels map[string]string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	made, err := v.engine.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name, Driver: "local", Labels: labels})
	return made.Volume.Mountpoint, err
}

// remove does nothing to a volume that has data.
func (v volumeAPI) remove(ctx context.Context, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	is, err := v.engine.VolumeInspect(ctx, name, client.VolumeInspectOptions{})
	if errdefs.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if err := unix.Lstat(is.Volume.Mountpoint, &unix.Stat_t{}); !errors.Is(err, unix.ENOENT) {
		return false, fmt.Errorf("%s is there again: %w", is.Volume.Mountpoint, os.ErrExist)
	}
	_, err = v.engine.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
	if errdefs.IsConflict(err) {
		return false, nil
	}
	return err == nil, err
}
