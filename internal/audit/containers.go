package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// eachContainer makes a judge of one that looks at a running container.
func eachContainer(judge func(*view, facts.ContainerDetail) verdict) func(*view) []verdict {
	return func(v *view) []verdict {
		var all []verdict
		for _, c := range v.Facts.Engine.Containers {
			var one verdict
			if c.Unread != "" {
				one = unknown(c.Name, "the Docker Engine API: "+c.Unread)
			} else {
				one = judge(v, c)
			}
			one.subject = subjectOf(c)
			if one.where = or(one.where, c.Name); one.status == Pass {
				one.where, one.got = "", count(len(v.Facts.Engine.Containers), "container")
			}
			all = append(all, one)
		}
		if all == nil {
			return []verdict{notApplicable("no container runs")}
		}
		return all
	}
}

// subjectOf is what exemptions can name a container by.
func subjectOf(c facts.ContainerDetail) subject {
	return subject{container: c.Name, images: []string{c.Image}, labels: c.Labels}
}

// count says "1 container", "3 containers".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// onContainers is the stance of an attribute of the block containers.
func onContainers(what func(*policy.Containers) stance) func(*policy.Policy) stance {
	return func(p *policy.Policy) stance {
		if p.Containers == nil {
			return stance{}
		}
		return what(p.Containers)
	}
}

// lets makes an exempt verdict of what the policy lets pass and a default would not.
func lets[T any](value policy.Value[T], got string) verdict {
	return verdict{status: Exempt, got: got, why: place(value.Range) + " asks for less"}
}

// containerChecks are about what containers may use up, and what happens when they fail.
func containerChecks() []check {
	all := []check{
		{
			slug: "container-memory", title: "Containers have a bound on their memory", level: Recommended, cis: []string{"5.11"},
			want: "--memory", fix: "docker update --memory 512m CONTAINER, or mem_limit in the compose file",
			asks: onContainers(func(c *policy.Containers) stance { return says(c.MemoryLimit, true) }),
			judge: eachContainer(func(v *view, c facts.ContainerDetail) verdict {
				one := either(c.Memory > 0, "", "no bound")
				if c.Memory <= 0 && !v.Facts.Engine.MemoryLimit {
					one.got = "no bound, and this kernel has none to give"
				}
				return one
			}),
		},
		{
			slug: "container-cpu", title: "Containers have a share of the processors", level: Info, cis: []string{"5.12"},
			want: "--cpus or --cpu-shares", fix: "docker update --cpus 1 CONTAINER, or cpus in the compose file",
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict { return either(c.CPU, "", "no share set") }),
		},
		{
			slug: "container-pids", title: "Containers have a bound on their processes", level: Recommended, cis: []string{"5.29"},
			want: "--pids-limit", fix: "docker update --pids-limit 200 CONTAINER, or pids_limit in the compose file",
			asks:  onContainers(func(c *policy.Containers) stance { return says(c.PidsLimit, true) }),
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict { return either(c.Pids > 0, "", "no bound") }),
		},
		{
			slug: "container-restart", title: "A container that fails is not restarted for ever", level: Info, cis: []string{"5.15"},
			want: "--restart no, or on-failure with 5 tries at most", fix: "docker update --restart on-failure:5 CONTAINER",
			judge: eachContainer(restart),
		},
		{
			slug: "container-health-check", title: "Containers have a health check", level: Recommended, cis: []string{"5.27"},
			want: "a health check of its own or its image's", fix: "--health-cmd, healthcheck in the compose file, or HEALTHCHECK in the Dockerfile",
			asks:  onContainers(func(c *policy.Containers) stance { return says(c.HealthCheck, true) }),
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict { return either(c.HealthCheck, "", "none") }),
		},
	}
	return inArea(all, AreaContainers, facts.FromEngine)
}

// careChecks are about how containers are looked after.
func careChecks() []check {
	all := []check{
		{
			slug: "container-log-driver", title: "Containers' logs are bounded, and go where the daemon sends them", level: Recommended,
			want: "the daemon's logging driver, and no files without bounds", fix: "make the container anew: the driver is fixed when it is created",
			judge: eachContainer(logDriver),
		},
		{
			slug: "container-image-pinned", title: "Containers run an image named by digest", level: Info, cis: []string{"5.28"},
			want: "NAME@sha256:…", fix: "name the image by digest: docker image inspect --format '{{.RepoDigests}}' IMAGE",
			asks:  onContainers(func(c *policy.Containers) stance { return says(c.PinnedImage, true) }),
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict { return either(pinned(c), "", "runs "+c.Image) }),
		},
		{
			slug: "container-default-bridge", title: "Containers have networks of their own", level: Info, cis: []string{"5.30"},
			want: "not on the default bridge", fix: "docker network create NAME, and --network NAME",
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict {
				return either(c.Network != "bridge" && c.Network != "default", "", "on the default bridge")
			}),
		},
		{
			slug: "container-sshd", title: "No SSH daemon runs in a container", level: Recommended, cis: []string{"5.7"},
			want: "no process sshd", fix: "use docker exec on the host instead",
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict {
				if why := unseen(c); why != "" && !c.Process.SSHD {
					return unknown("", why)
				}
				return either(!c.Process.SSHD, "", "runs sshd")
			}),
		},
		{
			slug: "container-owner", title: "Somebody can be asked about each container", level: Info,
			fix:   "--label KEY=NAME",
			asks:  onContainers(func(c *policy.Containers) stance { return stance{asked: c.OwnerLabel.V != ""} }),
			judge: owner,
		},
		{
			slug: "container-stopped", title: "No stopped containers lie around", level: Info, cis: []string{"6.2"},
			want: "none", fix: "docker container prune, once nobody needs them",
			judge: stopped,
		},
	}
	return inArea(all, AreaContainers, facts.FromEngine)
}

// inArea places checks, and says which sources they all need.
func inArea(all []check, area Area, needs ...facts.Source) []check {
	for i := range all {
		all[i].area = area
		all[i].needs = append(all[i].needs, needs...)
	}
	return all
}

func restart(_ *view, c facts.ContainerDetail) verdict {
	switch c.Restart {
	case "", "no":
		return passes("no")
	case "on-failure":
		return either(c.Retries > 0 && c.Retries <= 5, "", fmt.Sprintf("on-failure, %d tries (0: without end)", c.Retries))
	}
	return fails("", c.Restart)
}

// logDriver looks at what was frozen when the container was created.
func logDriver(v *view, c facts.ContainerDetail) verdict {
	usual := v.docker().Effective.LogDriver
	switch {
	case c.LogDriver == "none":
		return fails("", "keeps no logs")
	case c.LogDriver != usual && usual != "":
		return fails("", fmt.Sprintf("logs to %s, the daemon's default is %s: chosen, or created before that was set", c.LogDriver, usual))
	case c.LogDriver == "json-file" && c.LogOpts["max-size"] == "":
		return fails("", "json-file without max-size: can fill the disk")
	}
	return passes(c.LogDriver)
}

// pinned reports whether a container was created from an image named by its digest,
// or by its ID.
func pinned(c facts.ContainerDetail) bool {
	id := strings.TrimPrefix(c.Image, "sha256:")
	return strings.Contains(c.Image, "@sha256:") || len(id) >= 12 && strings.HasPrefix(strings.TrimPrefix(c.ImageID, "sha256:"), id)
}

func owner(v *view) []verdict {
	key := v.containers().OwnerLabel.V
	if key == "" {
		return []verdict{notApplicable("the policy names no label")}
	}
	return eachContainer(func(_ *view, c facts.ContainerDetail) verdict {
		one := either(c.Labels[key] != "", "", "no label "+key)
		one.want = "label " + key
		return one
	})(v)
}

func stopped(v *view) []verdict {
	var names []string
	for _, c := range v.docker().Containers {
		running := slices.ContainsFunc(v.Facts.Engine.Containers, func(d facts.ContainerDetail) bool { return d.ID == c.ID })
		if !running && !c.Running { // one that ran when it was listed may have gone for good
			names = append(names, c.Name)
		}
	}
	return []verdict{either(len(names) == 0, "", fmt.Sprintf("%s of %d: %s", count(len(names), "stopped container"), len(v.docker().Containers), strings.Join(names, ", ")))}
}
