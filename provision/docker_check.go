package provision

import (
	"fmt"
	"slices"
	"strings"

	"molo/internal/daemonjson"
	"molo/internal/facts"
	"molo/internal/jsontext"
)

// checkDaemon refuses what can be said without looking further: flags that collide, each
// with its line, and a daemon.json that can't be merged into.
func checkDaemon(settings []setting, d facts.Docker) error {
	if _, err := jsontext.Parse([]byte(d.Config)); err != nil {
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
	return nil
}

// flagFor returns the flag of dockerd that sets the same thing, or "".
func flagFor(s setting, flags []string) string {
	key, _ := daemonjson.Find(s.path[0])
	if key.Merged() {
		return "" // dockerd adds them up
	}
	for _, f := range flags {
		name, _, _ := strings.Cut(strings.TrimLeft(f, "-"), "=")
		long := strings.HasPrefix(f, "--")
		same := func(flag string) bool { return flag == name && long == (len(flag) > 1) }
		if strings.HasPrefix(f, "-") && slices.ContainsFunc(key.Flags, same) {
			return f
		}
	}
	return ""
}
