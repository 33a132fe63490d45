package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// docker makes a Docker of its section.
func (d *decoder) docker(s *section) *Docker {
	if s == nil {
		return nil
	}
	d.windowed(s)
	return &Docker{
		Range:           s.header,
		ICC:             get[bool](s, "icc"),
		NoNewPrivileges: get[bool](s, "no_new_privileges"),
		LiveRestore:     get[bool](s, "live_restore"),
		PublishAddress:  get[netip.Addr](s, "publish_address"),
		UsernsRemap:     get[string](s, "userns_remap"),
		UsernsMigration: get[bool](s, "userns_migration"),
		Restart:         get[string](s, "restart"),
		Window:          get[Window](s, "window"),
		AuditRules:      get[string](s, "audit_rules"),
		Settings:        get[[]Setting](s, "settings"),
		Log:             d.log(s),
	}
}

// windowed warns of a window that nothing waits for.
func (d *decoder) windowed(docker *section) {
	restart, window := docker.fields["restart"], docker.fields["window"]
	if window.set && restart.value != "window" && restart.value != nil {
		d.diags = append(d.diags, invalid(fault{
			warning: true, summary: "Window without use",
			why:  fmt.Sprintf("A window says when the daemon may be restarted, but restart is %q.", restart.value),
			hint: `add restart = "window", or take the window out`,
		}, window.at))
	}
}

// log makes a Log of the block log of the section docker, or of its defaults.
func (d *decoder) log(docker *section) Log {
	s := d.oneOrDefaults(docker, "log")
	l := Log{
		Driver:  get[string](s, "driver"),
		MaxSize: get[string](s, "max_size"),
		MaxFile: get[int](s, "max_file"),
	}
	if driver := l.Driver.V; driver != "" && driver != "local" && driver != "json-file" {
		d.unbounded(s, driver)
	}
	return l
}

// unbounded reports bounds of log files for a driver that writes none: dockerd
// does not start with a log option that its driver does not know.
func (d *decoder) unbounded(s *section, driver string) {
	for _, name := range []string{"max_size", "max_file"} {
		f := s.fields[name]
		if !f.set {
			continue
		}
		d.diags = append(d.diags, invalid(fault{
			summary: "Bound without a log file",
			why:     fmt.Sprintf("The logging driver %q writes no log files, so %s has nothing to bound, and dockerd would not start with it.", driver, name),
			hint:    fmt.Sprintf("take %s out, or use the driver \"local\"", name),
		}, f.at))
	}
}

// address reads an IP address.
func address(s string) (netip.Addr, *fault) {
	bad := func(why, hint string) (netip.Addr, *fault) {
		return netip.Addr{}, &fault{summary: "Invalid address", why: fmt.Sprintf("%q %s.", s, why), hint: hint}
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return bad("is an address with a port, but it holds for every port", fmt.Sprintf("write %q", p.Addr()))
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return bad("is a network, not one address", fmt.Sprintf("write %q", p.Addr()))
	}
	addr, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return bad("is not an IP address", `write one such as "127.0.0.1"; names are not looked up`)
	case addr.Zone() != "":
		return bad("has a zone, which Docker can't bind", fmt.Sprintf("write %q", addr.WithZone("")))
	case addr.Is4In6():
		return bad("is an IPv4 address mapped into IPv6", fmt.Sprintf("write %q", addr.Unmap()))
	}
	return addr, nil
}

// remap reads whose subordinate IDs containers get: a word, a user or user:group.
func remap(s string) (string, *fault) {
	user, group, both := strings.Cut(s, ":")
	if account(user) && (!both || account(group)) {
		return s, nil
	}
	words := []string{"auto", "off", "default"}
	return "", &fault{
		summary: "Invalid user",
		why:     fmt.Sprintf("%q is neither %s nor a user or user:group, which have at most 32 lower-case letters, digits, _ and - each.", s, quoted(words)),
		hint:    didYouMean(s, words, `"auto" is right on a new host`),
	}
}

// account reports whether s is a name as useradd(8) and groupadd(8) of Debian take it.
func account(s string) bool {
	return s != "" && s[0] != '-' && !digit(rune(s[0])) && word("x"+s, 1+32, "_-")
}

// logDrivers lists the drivers built into Docker on Linux (20.10 to 29.7), but for none.
func logDrivers() []string {
	return []string{"local", "json-file", "journald", "syslog", "gelf", "fluentd", "awslogs", "splunk", "gcplogs"}
}

// logDriver reads the name of a logging driver.
func logDriver(s string) (string, *fault) {
	if s == "none" {
		return "", &fault{
			summary: "No logs",
			why:     `With the driver "none" nothing that containers say is kept, and nobody can tell after an attack what happened (CIS Docker 2.13).`,
			hint:    `keep little instead: driver = "local" with a small max_size and max_file; or log elsewhere, with "journald" or "syslog"`,
		}
	}
	return choose(logDrivers())(s)
}

// logSize reads the size of a log file, as Docker spells it, in lower case. Docker
// would take a number alone for bytes, and -1 for no bound at all.
func logSize(s string) (string, *fault) {
	size := strings.ToLower(s)
	number := strings.TrimRight(size, "kmg")
	if digits(number, 6) && number[0] != '0' && len(size) == len(number)+1 {
		return size, nil
	}
	hint := `write a number and a unit, such as "10m"`
	if slices.Contains([]string{"-1", "0", "unlimited"}, size) {
		hint = "there is no log without bounds: a container could fill the disk with it; " + hint
	}
	return "", &fault{summary: "Invalid size", why: fmt.Sprintf("%q is not a whole number and k, m or g.", s), hint: hint}
}
