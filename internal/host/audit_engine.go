package host

import (
	"cmp"
	"context"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

const (
	// engineWorkers is how many requests are under way at once.
	engineWorkers = 8
	// inspectTimeout bounds one request: a container whose lock dockerd never gives
	// back must not take the others with it.
	inspectTimeout = 5 * time.Second
)

// engineDetails asks the Engine API what only an audit wants to know: one request for
// each container that runs and for each image.
func (h *Host) engineDetails(ctx context.Context, a engineAnswers) (facts.Engine, error) {
	engine, err := client.New(client.WithHost(dockerSocket))
	if err != nil {
		return facts.Engine{}, err
	}
	defer engine.Close()
	e, err := detailsOf(ctx, engine, a)
	if err != nil {
		return e, err
	}
	e.DataRoot = dataRoot(a.info.DockerRootDir)
	daemons := sshDaemons()
	for i := range e.Containers {
		c := &e.Containers[i]
		if pid := c.Process.PID; pid > 0 {
			c.Process = process(pid)
		}
		c.Process.SSHD = daemons[c.ID]
		followMounts(c.Mounts)
	}
	return e, nil
}

// detailsOf makes an engine's details of what it has answered and of what it still has
// to be asked.
func detailsOf(ctx context.Context, engine *client.Client, a engineAnswers) (facts.Engine, error) {
	e := facts.Engine{
		StorageDriver: a.info.Driver, SecurityOptions: a.info.SecurityOptions, InsecureRegistries: insecure(a),
		Debug: a.info.Debug, AuthorizationPlugins: a.info.Plugins.Authorization, MemoryLimit: a.info.MemoryLimit, PidsLimit: a.info.PidsLimit,
		Swarm: swarmOf(a.info.Swarm), Networks: networkDetails(a), Volumes: volumesOf(a.volumes),
	}
	images, err := engine.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return e, err
	}
	for _, c := range a.containers.Items {
		if c.State == "running" || c.State == "paused" || c.State == "restarting" {
			e.Containers = append(e.Containers, listed(c))
		}
	}
	for _, i := range images.Items {
		used := slices.ContainsFunc(a.containers.Items, func(c containerSummary) bool { return c.ImageID == i.ID })
		e.Images = append(e.Images, facts.Image{ID: i.ID, Tags: namesOf(i.RepoTags), Labels: i.Labels, Used: used})
	}
	var jobs []func()
	run := make([]bool, len(e.Containers))
	for i := range e.Containers {
		jobs = append(jobs, func() { run[i] = inspectContainer(ctx, engine, &e.Containers[i]) })
	}
	for i := range e.Images {
		jobs = append(jobs, func() { inspectImage(ctx, engine, &e.Images[i]) })
	}
	parallel(engineWorkers, jobs)
	var running []facts.ContainerDetail
	for i, c := range e.Containers {
		if run[i] { // it has not ended since the list was made
			running = append(running, c)
		}
	}
	e.Containers = running
	return e, nil
}

// parallel does jobs, a number of them at once.
func parallel(workers int, jobs []func()) {
	queue := make(chan func())
	var wait sync.WaitGroup
	for range min(workers, len(jobs)) {
		wait.Go(func() {
			for job := range queue {
				job()
			}
		})
	}
	for _, job := range jobs {
		queue <- job
	}
	close(queue)
	wait.Wait()
}

// namesOf leaves out the tags that stand for none.
func namesOf(tags []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return t == "<none>:<none>" })
}

// insecure lists the registries that are believed without TLS. Docker always adds
// loopback.
func insecure(a engineAnswers) []string {
	var all []string
	if a.info.RegistryConfig == nil {
		return nil
	}
	for _, n := range a.info.RegistryConfig.InsecureRegistryCIDRs {
		if prefix, err := netip.ParsePrefix(n.String()); err != nil || !prefix.Addr().IsLoopback() {
			all = append(all, n.String())
		}
	}
	for name, index := range a.info.RegistryConfig.IndexConfigs {
		if index != nil && !index.Secure {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func networkDetails(a engineAnswers) []facts.NetworkDetail {
	running := map[string]int{}
	for _, c := range a.containers.Items {
		if c.NetworkSettings == nil || c.State != "running" {
			continue
		}
		for name := range c.NetworkSettings.Networks {
			running[name]++
		}
	}
	var all []facts.NetworkDetail
	for _, n := range a.networks {
		all = append(all, facts.NetworkDetail{Name: n.Name, Driver: n.Driver, Options: n.Options, Containers: running[n.Name]})
	}
	slices.SortFunc(all, func(a, b facts.NetworkDetail) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// volumesOf notes what of the host a volume stands for: a directory
// ("type=none,o=bind,device=/etc") or a disk ("type=ext4,device=/dev/sda1"). A device that
// is elsewhere is not of the host ("type=cifs,device=//nas/share").
func volumesOf(list []volume.Volume) []facts.Volume {
	var all []facts.Volume
	for _, v := range list {
		one := facts.Volume{Name: v.Name}
		binds := slices.ContainsFunc(strings.Split(v.Options["o"], ","), func(o string) bool { return o == "bind" || o == "rbind" })
		device := v.Options["device"]
		disk := strings.HasPrefix(device, "/") && !strings.HasPrefix(device, "//")
		if v.Driver == "local" && (binds || disk) {
			one.Device = device
		}
		all = append(all, one)
	}
	return all
}

// rootOf returns the data root without the directory in it that remapped user namespaces
// have for their own.
func rootOf(dir string) string {
	if regexp.MustCompile(`^\d+\.\d+$`).MatchString(path.Base(dir)) {
		return path.Dir(dir)
	}
	return dir
}

// dataRoot says whether Docker's data is on a file system of its own.
func dataRoot(dir string) facts.DataRoot {
	dir = rootOf(dir)
	var own, around unix.Stat_t
	if err := cmp.Or(unix.Stat(dir, &own), unix.Stat(path.Dir(dir), &around)); err != nil {
		return facts.DataRoot{Path: dir, Unread: unreadable("", "", err).Why}
	}
	return facts.DataRoot{Path: dir, Separate: own.Dev != around.Dev}
}
