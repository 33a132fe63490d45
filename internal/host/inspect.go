package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"molo/internal/facts"
)

// inspectors bounds how many containers are asked about at once: dockerd locks each
// while it answers, and has other things to do.
const inspectors = 8

// inspectAll fills in what a list of containers does not tell. A container that is gone
// meanwhile stays as it was.
func inspectAll(ctx context.Context, containers []facts.Container) error {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	engine, err := client.New(client.WithHost(dockerSocket))
	if err != nil {
		return err
	}
	defer engine.Close()
	problems := make([]error, len(containers))
	slots := make(chan struct{}, inspectors)
	var all sync.WaitGroup
	for i := range containers {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			problems[i] = inspect(ctx, engine, &containers[i])
		})
	}
	all.Wait()
	return errors.Join(problems...)
}

func inspect(ctx context.Context, engine *client.Client, c *facts.Container) error {
	answer, err := engine.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("inspecting container %s: %w", c.Name, err)
	}
	if host := answer.Container.HostConfig; host != nil {
		c.LogDriver, c.LogOptions = host.LogConfig.Type, host.LogConfig.Config
		c.Privileged, c.PIDMode, c.UsernsMode = host.Privileged, string(host.PidMode), string(host.UsernsMode)
		c.PrivilegesKept = slices.Contains(host.SecurityOpt, "no-new-privileges=false") || slices.Contains(host.SecurityOpt, "no-new-privileges:false")
	}
	if state := answer.Container.State; state != nil && state.Pid > 0 {
		c.PID = state.Pid
		c.NoNewPrivileges = noNewPrivileges(state.Pid)
	}
	return nil
}

// noNewPrivileges asks the kernel what holds for a process; nil if it is gone, or hidden.
func noNewPrivileges(pid int) *bool {
	if p := process(pid); p.PID > 0 && p.Unread == "" {
		return &p.NoNewPrivileges
	}
	return nil
}
