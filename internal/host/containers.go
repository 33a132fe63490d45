package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"molo/internal/facts"
)

// stopPatience is how long one container gets to stop; dockerd kills it after 10 s,
// unless it was created with another time.
const stopPatience = 2 * time.Minute

// eachContainer stops or starts containers, one after the other, and goes on after an
// error: it names all that would not.
func eachContainer(ctx context.Context, containers []facts.Container, do func(context.Context, *client.Client, facts.Container) error) error {
	if len(containers) == 0 {
		return nil
	}
	engine, err := client.New(client.WithHost(dockerSocket))
	if err != nil {
		return err
	}
	defer engine.Close()
	var problems []error
	for _, c := range containers {
		problems = append(problems, do(ctx, engine, c))
	}
	return errors.Join(problems...)
}

func stopContainer(ctx context.Context, engine *client.Client, c facts.Container) error {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	if _, err := engine.ContainerStop(ctx, c.ID, client.ContainerStopOptions{}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("stopping container %s: %w", c.Name, err)
	}
	return nil
}

func startContainer(ctx context.Context, engine *client.Client, c facts.Container) error {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	if _, err := engine.ContainerStart(ctx, c.ID, client.ContainerStartOptions{}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("starting container %s again: %w", c.Name, err)
	}
	return nil
}
