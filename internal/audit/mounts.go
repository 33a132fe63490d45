package audit

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
	"molo/internal/policy"
)

// mountChecks are about what of the host containers see.
func mountChecks() []check {
	mounts := onContainers(func(c *policy.Containers) stance { return says(c.SensitiveMounts, false) })
	all := []check{
		{
			slug: "container-mounts", title: "Containers don't see the host's own directories", level: Required, cis: []string{"5.6"},
			want: "no mount of the system's directories, nor of one around them", fix: "mount the one file or directory that it needs, read-only, or use a volume",
			asks: mounts, judge: eachContainer(sensitiveMounts),
		},
		{
			slug: "container-runtime-socket", title: "No container controls the container engine", level: Required, cis: []string{"5.32"},
			want: "no mount of a socket of Docker, containerd, Podman, CRI-O, BuildKit, LXD or Incus, of systemd or D-Bus, nor of a directory around one", fix: "put a proxy in between that lets only the requests through that it needs",
			asks: mounts, judge: eachContainer(runtimeSockets),
		},
		{
			slug: "container-propagation", title: "What containers mount does not show on the host", level: Recommended, cis: []string{"5.20"},
			want: "no mount with shared propagation", fix: "take shared or rshared out of the mount's options",
			judge: eachContainer(func(_ *view, c facts.ContainerDetail) verdict {
				for _, m := range c.Mounts {
					if m.Propagation == "shared" || m.Propagation == "rshared" {
						return fails("", m.Propagation+" at "+m.Destination)
					}
				}
				return passes("private")
			}),
		},
	}
	return inArea(all, AreaContainers, facts.FromEngine)
}

// trees lists directories of the host that no container should see any of.
func trees() []string {
	return []string{
		"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/root", "/sbin", "/sys", "/usr",
		"/var/lib/docker", "/var/lib/containerd", "/var/lib/molo", "/var/spool/cron",
	}
}

// harmless lists what is inside them and often mounted, and tells nothing when it
// can't be written.
func harmless() []string {
	return []string{
		"/etc/ca-certificates", "/etc/hosts", "/etc/localtime", "/etc/resolv.conf", "/etc/ssl/certs", "/etc/timezone",
		"/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/zoneinfo",
	}
}

func sensitiveMounts(v *view, c facts.ContainerDetail) verdict {
	var seen []string
	for _, m := range c.Mounts {
		for _, source := range v.sources(m) {
			if v.sensitive(source, m.Writable) {
				seen = append(seen, source+map[bool]string{true: "", false: " (read-only)"}[m.Writable])
				break
			}
		}
	}
	return either(len(seen) == 0, "", "sees "+strings.Join(seen, ", "))
}

// sources returns what of the host a mount shows: as it was asked for, with its
// symbolic links followed, and for a volume that stands for a directory, that one.
func (v *view) sources(m facts.Mount) []string {
	var all []string
	if m.Type == "bind" {
		all = append(all, m.Source, m.Real)
	}
	for _, volume := range v.Facts.Engine.Volumes {
		if m.Type == "volume" && volume.Name == m.Volume {
			all = append(all, volume.Device)
		}
	}
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	for i := range all {
		all[i] = path.Clean(all[i])
	}
	return all
}

// sensitive reports whether a path is one of the trees, in one, or around one. So is what
// Docker keeps, wherever that is.
func (v *view) sensitive(source string, writable bool) bool {
	if !writable && slices.ContainsFunc(harmless(), func(h string) bool { return within(source, h) }) {
		return false
	}
	all := trees()
	if root := v.Facts.Engine.DataRoot.Path; root != "" {
		all = append(all, path.Clean(root))
	}
	return slices.ContainsFunc(all, func(tree string) bool { return within(source, tree) || within(tree, source) })
}

// within reports whether a clean path is a directory or below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// engineSockets lists the sockets through which container engines take orders. They have
// names of their own, by which they are known wherever they are.
func engineSockets() []string {
	return []string{
		"/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock", "/run/buildkit/buildkitd.sock",
	}
}

// hostSockets lists the other sockets through which root in a container gets root on the
// host, or starts containers there. They are known by their place alone.
func hostSockets() []string {
	return []string{
		"/var/lib/lxd/unix.socket", "/var/snap/lxd/common/lxd/unix.socket", "/var/lib/incus/unix.socket", "/run/incus/unix.socket",
		"/run/systemd/private", "/run/dbus/system_bus_socket",
	}
}

// socketPlaces lists the sockets that something at a place of the host may be or hold:
// those above, those that this dockerd has besides, and those of the engines of a user.
func (v *view) socketPlaces(place string) []string {
	all := slices.Concat(engineSockets(), hostSockets())
	for _, l := range v.list("host", "-H", "hosts") {
		if path, ok := strings.CutPrefix(l.text, "unix://"); ok && path != "" {
			all = append(all, inRun(path))
		}
	}
	for _, address := range v.Facts.DaemonListens {
		if strings.HasPrefix(address, "/") {
			all = append(all, inRun(address))
		}
	}
	user, _, _ := strings.Cut(strings.TrimPrefix(place, "/run/user/"), "/")
	if _, err := strconv.Atoi(user); err == nil || within("/run/user", place) {
		dir := path.Join("/run/user", user)
		if err != nil {
			dir = "/run/user/UID"
		}
		all = append(all, dir+"/docker.sock", dir+"/podman/podman.sock")
	}
	return all
}

// inRun spells a path below /var/run, which is a link, as what it leads to.
func inRun(source string) string {
	if within(source, "/var/run") {
		return path.Clean("/run" + strings.TrimPrefix(source, "/var/run"))
	}
	return path.Clean(source)
}

// runtimeSockets finds sockets by their place, and those of engines by their name anywhere
// else. A read-only mount of a socket takes orders as well.
func runtimeSockets(v *view, c facts.ContainerDetail) verdict {
	for _, m := range c.Mounts {
		for _, source := range v.sources(m) {
			place := inRun(source)
			named := func(socket string) bool { return path.Base(place) == path.Base(socket) }
			for _, socket := range v.socketPlaces(place) {
				// Who mounts /var does not have LXD for that; see container-mounts.
				own := !strings.HasPrefix(socket, "/var/") || within(place, path.Dir(socket))
				if within(socket, place) && own {
					return fails("", "reaches "+path.Base(socket)+" by way of "+source)
				}
			}
			if slices.ContainsFunc(engineSockets(), named) {
				return fails("", "reaches "+path.Base(place)+" by way of "+source)
			}
		}
	}
	return passes("none")
}
