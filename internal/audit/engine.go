package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"molo/internal/facts"
)

// engineChecks are about dockerd itself, as far as molo does not set it up.
func engineChecks() []check {
	return []check{
		{
			slug: "daemon-log-level", title: "dockerd logs what matters, and no secrets", area: AreaDaemon, level: Recommended, cis: []string{"2.3"},
			needs: fromEngine(), want: "log-level = info, debug off", fix: "take log-level and debug out of daemon.json or the flags",
			judge: logLevel,
		},
		{
			slug: "daemon-iptables", title: "Docker keeps its own firewall rules", area: AreaDaemon, level: Required, cis: []string{"2.4"},
			needs: fromEngine(), want: "iptables = true", fix: "take iptables out: without its rules, published ports pass every firewall by way of docker-proxy",
			judge: func(v *view) []verdict { return v.daemon(setting{key: "iptables", fallback: "true"}, is("true")) },
		},
		{
			slug: "daemon-insecure-registries", title: "Images come over TLS only", area: AreaDaemon, level: Recommended, cis: []string{"2.5"},
			needs: fromEngine(), want: "no insecure registries but loopback", fix: "give the registry a certificate and take it out of insecure-registries",
			judge: func(v *view) []verdict {
				var all []verdict
				for _, r := range v.Facts.Engine.InsecureRegistries {
					all = append(all, fails(v.whereWritten(setting{key: "insecure-registries", flag: "insecure-registry"}), r+" is believed without TLS"))
				}
				return append(all, passes("none"))
			},
		},
		{
			slug: "daemon-storage-driver", title: "The storage driver is maintained", area: AreaDaemon, level: Recommended, cis: []string{"2.6", "2.11"},
			needs: fromEngine(), want: "none of aufs, devicemapper and overlay, which Docker has dropped", fix: "save the images, move to overlay2, and load them again",
			judge: func(v *view) []verdict {
				driver := v.Facts.Engine.StorageDriver
				return []verdict{either(!slices.Contains([]string{"aufs", "devicemapper", "overlay"}, driver), v.whereWritten(setting{key: "storage-driver"}), driver)}
			},
		},
		{
			slug: "daemon-tcp", title: "The Engine API is not open to the network", area: AreaDaemon, level: Required, cis: []string{"2.7"},
			needs: append(fromEngine(), facts.FromUnits, facts.FromDaemon), want: "Unix sockets only, or TLS with client certificates (tlsverify)",
			fix:   "take the address out of hosts, -H or docker.socket, and use docker -H ssh://USER@HOST instead",
			judge: tcp,
		},
		{
			slug: "daemon-metrics", title: "dockerd's metrics are not open to the network", area: AreaDaemon, level: Recommended,
			needs: fromEngine(), want: "metrics-addr unset or on loopback", fix: "bind metrics-addr to 127.0.0.1",
			judge: func(v *view) []verdict {
				return v.daemon(setting{key: "metrics-addr"}, func(address string) bool {
					at, err := netip.ParseAddrPort(address)
					return address == "" || err == nil && at.Addr().IsLoopback() || strings.HasPrefix(address, "localhost:")
				})
			},
		},
	}
}

// defaultChecks are about what dockerd gives to containers that don't say otherwise,
// and how it follows its own file.
func defaultChecks() []check {
	return []check{
		{
			slug: "daemon-ulimits", title: "Containers have bounds on open files and processes by default", area: AreaDaemon, level: Info, cis: []string{"2.8"},
			needs: fromEngine(), want: "default-ulimits set", fix: `docker { settings = { "default-ulimits" = { nofile = { Name = "nofile", Soft = 65536, Hard = 65536 } } } }`, apply: true,
			judge: func(v *view) []verdict {
				return v.daemon(setting{key: "default-ulimits", flag: "default-ulimit"}, func(text string) bool { return text != "" && text != "{}" })
			},
		},
		{
			slug: "daemon-cgroup-parent", title: "dockerd puts containers into its own control group", area: AreaDaemon, level: Info, cis: []string{"2.10"},
			needs: fromEngine(), want: "cgroup-parent unset", fix: "take cgroup-parent out, unless the group has bounds of its own",
			judge: func(v *view) []verdict { return v.daemon(setting{key: "cgroup-parent"}, is("")) },
		},
		{
			slug: "daemon-authorization", title: "An authorization plugin decides on requests to dockerd", area: AreaDaemon, level: Info, cis: []string{"2.12"},
			needs: fromEngine(), want: "an authorization plugin in force", fix: "weigh it: dockerd dies without its plugin, and on a Unix socket it does not know who asks",
			judge: func(v *view) []verdict {
				plugins := v.Facts.Engine.AuthorizationPlugins
				one := either(len(plugins) > 0, "dockerd", or(strings.Join(plugins, ", "), "none"))
				if written := v.list("authorization-plugin", "", "authorization-plugins"); len(written) > 0 && len(plugins) == 0 {
					one.sides = &Sides{File: written[0].text, Effective: "none"}
				}
				return []verdict{one}
			},
		},
		{
			slug: "daemon-userland-proxy", title: "The kernel alone forwards published ports", area: AreaDaemon, level: Info, cis: []string{"2.16"},
			needs: fromEngine(), want: "userland-proxy = false", fix: `docker { settings = { "userland-proxy" = false } }, where nothing reaches a container by way of [::1]`, apply: true,
			judge: func(v *view) []verdict {
				return v.daemon(setting{key: "userland-proxy", fallback: "true"}, is("false"))
			},
		},
		{
			slug: "daemon-seccomp", title: "Containers get a seccomp profile unless they opt out", area: AreaDaemon, level: Required, cis: []string{"2.17"},
			needs: fromEngine(), want: "Docker's seccomp profile, or one of the owner's", fix: "take seccomp-profile out of daemon.json",
			judge: func(v *view) []verdict {
				profile := securityOption(v.Facts.Engine.SecurityOptions, "seccomp", "profile")
				return []verdict{either(profile != "" && profile != "unconfined", v.whereWritten(setting{key: "seccomp-profile"}), "profile "+or(profile, "none"))}
			},
		},
		{
			slug: "daemon-drift", title: "dockerd runs with what its files say", area: AreaDaemon, level: Recommended,
			needs: fromEngine(), want: "what the Engine API tells agrees with daemon.json and the flags",
			fix: "molo apply, or systemctl restart docker; settings of docker0 wait until no container runs (moby#43562)", apply: true,
			judge: drift,
		},
		{
			slug: "daemon-start", title: "dockerd would start with daemon.json as it is, and its containers too", area: AreaDaemon, level: Required,
			want: "nothing that dockerd refuses, or that no container starts with", judge: foreseen(false),
		},
		{
			slug: "daemon-next-engine", title: "A later release of Docker would start with this daemon.json", area: AreaDaemon, level: Recommended,
			want: "nothing that a later release refuses", judge: foreseen(true),
		},
	}
}

// whereWritten names the line that sets something, or who does it unasked.
func (v *view) whereWritten(s setting) string {
	_, where := v.written(s)
	return or(where, "dockerd")
}

func logLevel(v *view) []verdict {
	if v.Facts.Engine.Debug {
		return []verdict{fails(v.whereWritten(setting{key: "debug", short: "-D"}), "debug = true")}
	}
	return v.daemon(setting{key: "log-level", short: "-l", fallback: "info"}, is("info"))
}

// tcp looks at everything that makes dockerd listen: flags, file, and the sockets that
// systemd holds for it. They may say what holds from its next start on; so the sockets
// that it has now count besides.
func tcp(v *view) []verdict {
	listens := v.list("host", "-H", "hosts")
	for _, address := range v.Facts.DaemonListens {
		listens = append(listens, argument{address, "docker.socket"})
	}
	verify, _ := v.written(setting{key: "tlsverify"})
	said := map[string]bool{}
	var all []verdict
	for _, l := range listens {
		switch local := strings.HasPrefix(l.text, "/") || strings.HasPrefix(l.text, "unix://") || strings.HasPrefix(l.text, "fd://"); {
		case local:
		case verify != "true":
			said[portText(l.text)] = true
			all = append(all, fails(l.where, l.text+" without client certificates: whoever reaches it is root"))
		}
	}
	for _, s := range v.Facts.DaemonSockets {
		switch {
		case s.Unread != "":
			all = append(all, unknown("dockerd", s.Address.String()+": "+s.Unread))
		case s.Open && !said[strconv.Itoa(int(s.Address.Port()))]:
			all = append(all, fails("dockerd", s.Address.String()+" answers without client certificates, whatever its files say by now: whoever reaches it is root"))
		}
	}
	return append(all, passes(fmt.Sprintf("tlsverify %s, %d addresses, %d TCP sockets", onOff(verify == "true"), len(listens), len(v.Facts.DaemonSockets))))
}

// portText returns the port of an address as dockerd and systemd take it:
// "tcp://0.0.0.0:2375", "[::]:2375", "2375"; without one it is dockerd's own.
func portText(address string) string {
	address, _, _ = strings.Cut(strings.TrimPrefix(address, "tcp://"), "/")
	port := address[strings.LastIndex(address, ":")+1:]
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "2375"
	}
	return port
}

// securityOption returns a value of an entry such as "name=seccomp,profile=builtin".
func securityOption(options []string, name, key string) string {
	for _, option := range options {
		rest, ok := strings.CutPrefix(option, "name="+name)
		if !ok || rest != "" && rest[0] != ',' {
			continue
		}
		for pair := range strings.SplitSeq(rest, ",") {
			if value, ok := strings.CutPrefix(pair, key+"="); ok {
				return value
			}
		}
		return "default"
	}
	return ""
}

// drift compares what files say with what the Engine API tells.
func drift(v *view) []verdict {
	e := v.docker().Effective
	var all []verdict
	for _, s := range []setting{
		{key: "icc", effective: boolText(e.ICC)}, {key: "ip", effective: publishAddress(e)},
		{key: "live-restore", effective: boolText(e.LiveRestore)}, {key: "no-new-privileges", effective: boolText(e.NoNewPrivileges)},
		{key: "log-driver", effective: e.LogDriver}, {key: "userns-remap", effective: remapText(e.UsernsRemap)},
	} {
		written, where := v.written(s)
		if s.key == "userns-remap" && where != "" {
			written = onOff(written != "") // the Engine API tells only whether, not whose
		}
		if written != "" && s.effective != "" && written != s.effective {
			one := fails(where, s.key+" = "+s.effective)
			one.sides = &Sides{File: written, Effective: s.effective}
			all = append(all, one)
		}
	}
	return append(all, passes("no difference"))
}

// foreseen reports what another package has found, of this release or of later ones. It
// takes no dockerd that runs: where it does not, this may be why.
func foreseen(later bool) func(*view) []verdict {
	return func(v *view) []verdict {
		if !v.docker().Installed {
			return []verdict{notApplicable("Docker is not installed")}
		}
		var all []verdict
		for _, p := range v.Foreseen {
			if p.Later == later {
				one := fails(daemonJSON, p.What)
				if p.Key != "" {
					one.where = v.whereWritten(setting{key: p.Key})
				}
				one.fix = p.Fix
				all = append(all, one)
			}
		}
		return append(all, passes("nothing found"))
	}
}
