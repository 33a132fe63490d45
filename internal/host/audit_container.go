package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

// containerSummary is what a list of containers has of each.
type containerSummary = container.Summary

// listed is what the list says of a container. The rest is filled in by inspecting it.
func listed(c containerSummary) facts.ContainerDetail {
	one := containersOf(client.ContainerListResult{Items: []containerSummary{c}})[0]
	return facts.ContainerDetail{ID: one.ID, Name: one.Name, Image: one.Image, ImageID: c.ImageID, Labels: c.Labels, Published: one.Published}
}

// inspectContainer asks for one container, and reports whether it still runs.
func inspectContainer(ctx context.Context, engine *client.Client, d *facts.ContainerDetail) (runs bool) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	r, err := engine.ContainerInspect(ctx, d.ID, client.ContainerInspectOptions{})
	c := r.Container
	if errdefs.IsNotFound(err) || c.State != nil && (c.State.Status == container.StateExited || c.State.Status == container.StateDead) {
		return false
	}
	if err == nil && (c.Config == nil || c.HostConfig == nil || c.State == nil) {
		err = errors.New("the answer leaves out how it was created")
	}
	if err != nil {
		d.Unread = unreadable("", "", err).Why
		return true
	}
	d.Image, d.User = c.Config.Image, c.Config.User
	d.AppArmorProfile, d.ProcessLabel = c.AppArmorProfile, c.ProcessLabel
	health := c.Config.Healthcheck
	d.HealthCheck = c.State.Health != nil || health != nil && len(health.Test) > 0 && health.Test[0] != "NONE"
	d.Process = facts.Process{PID: c.State.Pid}
	fillConfig(d, c.HostConfig)
	for _, m := range c.Mounts {
		d.Mounts = append(d.Mounts, facts.Mount{
			Type: string(m.Type), Volume: m.Name, Source: m.Source, Destination: m.Destination, Writable: m.RW, Propagation: string(m.Propagation),
		})
	}
	return true
}

// fillConfig takes over how a container was told to run.
func fillConfig(d *facts.ContainerDetail, c *container.HostConfig) {
	d.Privileged, d.CapAdd, d.CapDrop, d.SecurityOpt = c.Privileged, c.CapAdd, c.CapDrop, c.SecurityOpt
	// Docker's default is a list; systempaths=unconfined makes it an empty one. With
	// --privileged it is not there.
	d.Unmasked = c.MaskedPaths != nil && len(c.MaskedPaths) == 0 && !c.Privileged
	d.ReadOnly = c.ReadonlyRootfs
	d.Memory = c.Memory
	d.CPU = c.NanoCPUs > 0 || c.CPUQuota > 0 || c.CPUShares > 0
	if c.PidsLimit != nil {
		d.Pids = *c.PidsLimit
	}
	d.Network, d.PidMode, d.IpcMode, d.UTSMode = string(c.NetworkMode), string(c.PidMode), string(c.IpcMode), string(c.UTSMode)
	d.UsernsMode, d.CgroupnsMode, d.CgroupParent = string(c.UsernsMode), string(c.CgroupnsMode), c.CgroupParent
	for _, device := range c.Devices {
		d.Devices = append(d.Devices, device.PathOnHost)
	}
	for _, rule := range c.DeviceCgroupRules {
		d.Devices = append(d.Devices, "rule "+rule)
	}
	for _, request := range c.DeviceRequests {
		d.Devices = append(d.Devices, "request "+request.Driver+fmt.Sprint(request.DeviceIDs, request.Capabilities))
	}
	d.Restart, d.Retries = string(c.RestartPolicy.Name), c.RestartPolicy.MaximumRetryCount
	d.LogDriver, d.LogOpts = c.LogConfig.Type, c.LogConfig.Config
}

// inspectImage asks for one image.
func inspectImage(ctx context.Context, engine *client.Client, i *facts.Image) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	r, err := engine.ImageInspect(ctx, i.ID)
	if err != nil {
		i.Unread = unreadable("", "", err).Why
		return
	}
	if r.Config == nil {
		return // made from nothing, without a word about how to run it
	}
	i.HealthCheck = r.Config.Healthcheck != nil && len(r.Config.Healthcheck.Test) > 0 && r.Config.Healthcheck.Test[0] != "NONE"
	for _, variable := range r.Config.Env {
		if name, value, _ := strings.Cut(variable, "="); value != "" {
			i.Environment = append(i.Environment, name)
		}
	}
}

// process reads how the kernel runs a process. One that has ended meanwhile is none.
func process(pid int) facts.Process {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	switch {
	case err != nil && ended(pid):
		return facts.Process{}
	case err != nil:
		return facts.Process{PID: pid, Unread: unreadable("", "", err).Why}
	}
	return processOf(pid, string(data))
}

// ended reports whether there is no such process. Whether one is in /proc does not tell:
// it can be hidden there (hidepid).
func ended(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// processOf reads /proc/PID/status (proc(5)).
func processOf(pid int, status string) facts.Process {
	p := facts.Process{PID: pid, UID: -1}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		switch key {
		case "Uid": // real, effective, saved, of the file system
			if len(words) == 4 {
				p.UID = natural(words[1])
			}
		case "NoNewPrivs":
			p.NoNewPrivileges = words[0] == "1"
		case "Seccomp":
			p.Seccomp = natural(words[0])
		}
	}
	if p.UID < 0 {
		return facts.Process{PID: pid, Unread: "/proc does not tell whose its main process is"}
	}
	return p
}

// natural reads a number that is not negative; -1 stands for anything else.
func natural(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// sshDaemons lists the containers in which an SSH daemon runs, by their ID.
func sshDaemons() map[string]bool {
	found := map[string]bool{}
	entries, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return found // the pattern is fixed
	}
	for _, path := range entries {
		name, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(name), "sshd") {
			continue // it has ended, or is another
		}
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err != nil {
			continue
		}
		if _, id, err := describe(pid); err == nil && id != "" {
			found[id] = true
		}
	}
	return found
}

// followMounts notes where sources lead that are symbolic links.
func followMounts(mounts []facts.Mount) {
	for i, m := range mounts {
		if m.Type != "bind" {
			continue
		}
		if real, err := filepath.EvalSymlinks(m.Source); err == nil && real != m.Source {
			mounts[i].Real = real
		}
	}
}

// swarmOf reads what a node knows of its swarm.
func swarmOf(s swarm.Info) facts.Swarm {
	out := facts.Swarm{Active: inSwarm(s), Manager: s.ControlAvailable, Managers: s.Managers}
	if out.Active && s.LocalNodeState != swarm.LocalNodeStateActive {
		out.State = string(s.LocalNodeState)
	}
	if s.Cluster != nil {
		out.AutoLock = s.Cluster.Spec.EncryptionConfig.AutoLockManagers
		out.CertificateExpiry = s.Cluster.Spec.CAConfig.NodeCertExpiry
	}
	return out
}
