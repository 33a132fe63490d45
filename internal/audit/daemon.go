package audit

import (
	"net/netip"
	"strconv"

	"molo/internal/facts"
	"molo/internal/policy"
)

// fromEngine are the sources of what dockerd runs with.
func fromEngine() []facts.Source { return []facts.Source{facts.FromEngine, facts.FromDaemonJSON} }

// wanted is what an attribute of the block docker wants, in the words of dockerd.
func wanted[T any](v *view, attribute func(*policy.Docker) T, word func(T) string) string {
	if v.policy.Docker == nil {
		return ""
	}
	return word(attribute(v.policy.Docker))
}

// onDocker is the stance of an attribute of the block docker.
func onDocker(what func(*policy.Docker) stance) func(*policy.Policy) stance {
	return func(p *policy.Policy) stance {
		if p.Docker == nil {
			return stance{}
		}
		return what(p.Docker)
	}
}

// daemonChecks are about what dockerd runs with and molo can set.
func daemonChecks() []check {
	return []check{
		{
			slug: "daemon-icc", title: "Containers on the default bridge don't reach each other", area: AreaDaemon, level: Recommended, cis: []string{"2.2"},
			needs: fromEngine(), want: "icc = false", apply: true,
			fix:  "docker { icc = false }; containers that belong together share a network of their own",
			asks: onDocker(func(d *policy.Docker) stance { return says(d.ICC, false) }),
			judge: func(v *view) []verdict {
				policy := wanted(v, func(d *policy.Docker) bool { return d.ICC.V }, strconv.FormatBool)
				return v.bridge(setting{key: "icc", fallback: "true", policy: policy, effective: boolText(v.docker().Effective.ICC)}, is("false"))
			},
		},
		{
			slug: "daemon-no-new-privileges", title: "New containers gain no rights by setuid programs", area: AreaDaemon, level: Recommended, cis: []string{"2.14"},
			needs: fromEngine(), want: "no-new-privileges = true", fix: "docker { no_new_privileges = true }", apply: true,
			asks: onDocker(func(d *policy.Docker) stance { return says(d.NoNewPrivileges, true) }),
			judge: func(v *view) []verdict {
				policy := wanted(v, func(d *policy.Docker) bool { return d.NoNewPrivileges.V }, strconv.FormatBool)
				return v.daemon(setting{key: "no-new-privileges", fallback: "false", policy: policy, effective: boolText(v.docker().Effective.NoNewPrivileges)}, is("true"))
			},
		},
		{
			slug: "daemon-live-restore", title: "Containers keep running while dockerd restarts", area: AreaDaemon, level: Recommended, cis: []string{"2.15"},
			needs: fromEngine(), want: "live-restore = true", fix: "docker { live_restore = true }", apply: true,
			asks:  onDocker(func(d *policy.Docker) stance { return says(d.LiveRestore, true) }),
			judge: liveRestore,
		},
		{
			slug: "daemon-publish-address", title: "Ports without an address are published on loopback", area: AreaDaemon, level: Recommended,
			needs: fromEngine(), want: "ip = 127.0.0.1 on the default bridge", fix: "docker { publish_address = \"127.0.0.1\" }", apply: true,
			asks: onDocker(func(d *policy.Docker) stance {
				return stance{asked: d.PublishAddress.V.IsLoopback(), waived: !d.PublishAddress.V.IsLoopback(), where: place(d.PublishAddress.Range)}
			}),
			judge: func(v *view) []verdict {
				policy := wanted(v, func(d *policy.Docker) netip.Addr { return d.PublishAddress.V }, netip.Addr.String)
				return v.bridge(setting{key: "ip", policy: policy, effective: publishAddress(v.docker().Effective)}, loopback)
			},
		},
		{
			slug: "daemon-userns", title: "Root in a container is not root on the host", area: AreaDaemon, level: Recommended, cis: []string{"2.1", "2.9"},
			needs: fromEngine(), want: "userns-remap set, or rootless Docker", apply: true,
			fix:   "docker { userns_remap = \"default\" }: images, containers and volumes of before go out of sight, so best before there are any",
			asks:  onDocker(usernsStance),
			judge: userns,
		},
		{
			slug: "daemon-log-driver", title: "Containers' logs are bounded, or sent elsewhere", area: AreaDaemon, level: Recommended, cis: []string{"2.13"},
			needs: fromEngine(), want: "log-driver local, journald or one that sends logs away", fix: "docker { log { driver = \"local\" } }", apply: true,
			asks: onDocker(func(d *policy.Docker) stance {
				loose := d.Log.Driver.V == "json-file"
				return stance{asked: !loose, waived: loose, where: place(d.Log.Driver.Range)}
			}),
			judge: func(v *view) []verdict {
				policy := wanted(v, func(d *policy.Docker) string { return d.Log.Driver.V }, func(s string) string { return s })
				return v.daemon(setting{key: "log-driver", fallback: "json-file", policy: policy, effective: v.docker().Effective.LogDriver},
					func(driver string) bool { return driver != "json-file" && driver != "none" })
			},
		},
	}
}

// bridge judges a setting of the default bridge, if there is one ("bridge": "none").
func (v *view) bridge(s setting, ok func(string) bool) []verdict {
	if v.docker().Effective.ICC == nil {
		return []verdict{notApplicable("there is no default bridge")}
	}
	return v.daemon(s, ok)
}

// publishAddress is where ports of the default bridge are published; empty: there is none.
func publishAddress(e facts.Effective) string {
	if e.ICC == nil {
		return ""
	}
	return or(e.PublishAddress, "0.0.0.0")
}

func loopback(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.IsLoopback()
}

func liveRestore(v *view) []verdict {
	if v.docker().Effective.Swarm {
		return []verdict{notApplicable("dockerd refuses live-restore together with swarm")}
	}
	policy := wanted(v, func(d *policy.Docker) bool { return d.LiveRestore.V }, strconv.FormatBool)
	return v.daemon(setting{key: "live-restore", fallback: "false", policy: policy, effective: boolText(v.docker().Effective.LiveRestore)}, is("true"))
}

// usernsStance leaves "auto" open: molo turns it on only where nothing gets lost.
func usernsStance(d *policy.Docker) stance {
	value := d.UsernsRemap.V
	return stance{asked: value != "auto" && value != "off", waived: value == "off", where: place(d.UsernsRemap.Range)}
}

// userns goes by whether IDs are remapped: the Engine API does not tell whose they are.
func userns(v *view) []verdict {
	e := v.docker().Effective
	if e.Rootless {
		return []verdict{passes("dockerd itself runs without root")}
	}
	value := remapText(e.UsernsRemap)
	written, where := v.written(setting{key: "userns-remap"})
	want := wanted(v, func(d *policy.Docker) string { return d.UsernsRemap.V }, func(s string) string { return s })
	one := either(value == "on", or(where, "dockerd"), "userns-remap is "+value)
	if where != "" && onOff(written != "") != value || want != "" && want != "auto" && onOff(want != "off") != value {
		one.sides = &Sides{Policy: want, File: written, Effective: value}
	}
	return []verdict{one}
}

func remapText(on *bool) string {
	if on == nil {
		return ""
	}
	return onOff(*on)
}
