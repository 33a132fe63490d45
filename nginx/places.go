package nginx

import (
	"maps"
	"path"
	"slices"
	"strings"

	"molo/internal/facts"
)

// What Debian's nginx is built with.
const (
	builtPrefix   = "/usr/share/nginx"
	builtPID      = "/run/nginx.pid"
	builtErrorLog = "/var/log/nginx/error.log"
)

// Makes lists the paths that even "nginx -t" makes where they are not there, by the host's own
// configuration: the pid file, Unix sockets, logs, temporary and cached files.
func Makes(host facts.Nginx) []string {
	made := []string{builtPID, builtErrorLog}
	for _, name := range slices.Sorted(maps.Keys(host.Foreign)) {
		tree, err := parse(name, host.Foreign[name])
		if err != nil {
			continue // nginx does not read it either
		}
		walk(tree, func(d directive) {
			if p := makes(d); p != "" && !slices.Contains(made, p) {
				made = append(made, p)
			}
		})
	}
	return made
}

// makes returns the path that a directive has made, or "".
func makes(d directive) string {
	if len(d.args) == 0 || strings.Contains(d.args[0], "$") {
		return ""
	}
	switch d.name {
	case "listen":
		if socket, ok := strings.CutPrefix(d.args[0], "unix:"); ok {
			return absolute(socket)
		}
	case "access_log", "error_log":
		return logPath(d)
	case "pid", "lock_file":
		return absolute(d.args[0])
	}
	if strings.HasSuffix(d.name, "_temp_path") || strings.HasSuffix(d.name, "_cache_path") {
		return absolute(d.args[0])
	}
	return ""
}

// logPath returns the file that a log is written to, or "" where it is none.
func logPath(d directive) string {
	target := d.args[0]
	if target == "off" || target == "stderr" || strings.HasPrefix(target, "syslog:") || strings.HasPrefix(target, "memory:") {
		return ""
	}
	return absolute(target)
}

// absolute returns the path that nginx makes of one outside of its configuration files.
func absolute(name string) string {
	if !path.IsAbs(name) {
		name = path.Join(builtPrefix, name)
	}
	return path.Clean(name)
}

// ErrorLogOf returns the file that nginx writes to what it has to say of itself, such as
// why it does not run with a new configuration. It is "" where that goes elsewhere.
func ErrorLogOf(host facts.Nginx) string {
	files := map[string][]directive{}
	for name, text := range host.Foreign {
		tree, err := parse(name, text)
		if err != nil {
			return builtErrorLog
		}
		files[name] = tree
	}
	said := false
	for _, d := range newIncluder(files, "").expand(files[Root]) {
		if d.name == "error_log" && len(d.args) > 0 {
			if p := logPath(d); p != "" {
				return p
			}
			said = true
		}
	}
	if said {
		return ""
	}
	return builtErrorLog
}
