package provision

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"molo/internal/facts"
	"molo/internal/jsontext"
)

// checkDaemon refuses settings that dockerd would not start with, although its own
// --validate passes them: flags that collide, log options that the driver lacks,
// and a daemon.json that can't be merged into.
func checkDaemon(settings []setting, d facts.Docker) error {
	doc, err := jsontext.Parse([]byte(d.Config))
	if err != nil {
		return fmt.Errorf("%s: %w", DaemonJSON, err)
	}
	for _, s := range settings {
		if flag := flagFor(s, d.Flags); flag != "" {
			from := d.FlagsFrom[flag]
			if from == "" {
				from = "its unit (systemctl cat " + DockerUnit + ")"
			}
			return fmt.Errorf("%s: dockerd already gets %s from %s, and refuses to start when daemon.json sets %q too\nhint: take the flag out there",
				s.from, flag, from, s.path[0])
		}
	}
	return checkLogOpts(settings, doc)
}

// flagFor returns the flag of dockerd that sets the same thing, or "".
func flagFor(s setting, flags []string) string {
	name := s.flag
	if name == "" {
		name = s.path[0]
	}
	i := slices.IndexFunc(flags, func(f string) bool { return f == "--"+name || strings.HasPrefix(f, "--"+name+"=") })
	if i < 0 {
		return ""
	}
	return flags[i]
}

// logOpts lists the options of the two drivers that write files (Docker 20.10 to
// 29.7). dockerd dies of an option that its default driver does not know.
func logOpts(driver string) []string {
	switch driver {
	case "local":
		return []string{"max-size", "max-file", "compress", "mode", "max-buffer-size"}
	case "json-file":
		return []string{"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode", "max-buffer-size"}
	}
	return nil
}

// checkLogOpts looks at the log options that stay in daemon.json because they are
// the owner's.
func checkLogOpts(settings []setting, doc *jsontext.Document) error {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.path[0] == "log-driver" })
	raw, ok := doc.Get("log-opts")
	if i < 0 || !ok {
		return nil
	}
	driver, _ := settings[i].value.(string)
	known := logOpts(driver)
	var opts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &opts); err != nil {
		return fmt.Errorf("%s: log-opts is not an object: %w", DaemonJSON, err)
	}
	for opt := range opts {
		if known != nil && !slices.Contains(known, opt) {
			return fmt.Errorf("%s: the log driver %q does not know the option %q that %s holds; dockerd would not start\nhint: take the option out, or write log { driver = ... } with the driver that it is for",
				settings[i].from, driver, opt, DaemonJSON)
		}
	}
	return nil
}
