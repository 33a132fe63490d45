package provision

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"molo/internal/facts"
	"molo/internal/jsontext"
	"molo/internal/policy"
	"molo/internal/resource"
)

// DaemonSetting is one key of daemon.json, as the policy wants it, as the file has it and
// as dockerd runs with it. An empty text: not at all.
type DaemonSetting struct {
	Key       string `json:"key"` // "log-opts.max-size"
	Wanted    string `json:"wanted,omitempty"`
	From      string `json:"from,omitempty"` // the line of the policy
	File      string `json:"file,omitempty"`
	Effective string `json:"effective,omitempty"`
	// Told says how the effective value is known: "by dockerd", "when it reloaded",
	// "read at its start", a flag's place; empty: it is not.
	Told string `json:"told,omitempty"`
}

// Agrees reports whether what is wanted is in the file and in force, as far as is known.
func (s DaemonSetting) Agrees() bool {
	// dockerd leaves zero values out of what it logs.
	zero := s.Effective == "" && slices.Contains([]string{"false", `""`, "0", "[]", "{}"}, s.Wanted)
	return s.Wanted == "" || s.Wanted == s.File && (s.Told == "" || s.Wanted == s.Effective || zero)
}

// DaemonView lists the keys that the policy wants or the file has. reloaded is what
// dockerd logged when it last read the file again; empty: it has not.
func DaemonView(p *policy.Docker, d facts.Docker, reloaded string, now time.Time) ([]DaemonSetting, error) {
	part, err := dockerPart(p, d, now)
	if err != nil {
		return nil, err
	}
	file, err := jsontext.Parse([]byte(d.Config))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", DaemonJSON, err)
	}
	effective, err := jsontext.Parse([]byte(ReloadedConfig(reloaded)))
	if err != nil {
		effective = nil // a log line that was cut short tells nothing
	}
	var all []DaemonSetting
	add := func(path []string, wanted, from string) {
		s := DaemonSetting{Key: strings.Join(path, "."), Wanted: wanted, From: from, File: valueAt(file, path)}
		if !slices.ContainsFunc(all, func(o DaemonSetting) bool { return o.Key == s.Key }) {
			s.Effective, s.Told = inForce(d, path, file, effective)
			all = append(all, s)
		}
	}
	for _, w := range part.Want {
		if key, ok := w.Resource.(resource.Key); ok {
			add(key.Path, string(compact(key.Value)), w.From.String())
		}
	}
	for _, path := range file.Leaves() {
		add(path, "", "")
	}
	return all, nil
}

// valueAt spells a value on one line.
func valueAt(doc *jsontext.Document, path []string) string {
	if doc == nil {
		return ""
	}
	raw, ok := doc.Get(path...)
	if !ok {
		return ""
	}
	return string(compact(raw))
}

// inForce says what dockerd runs with, and how that is known.
func inForce(d facts.Docker, path []string, file, reloaded *jsontext.Document) (value, told string) {
	if !d.Running {
		return "", ""
	}
	if value := toldOf(d.Effective, path[0]); value != "" && len(path) == 1 {
		return value, "by dockerd"
	}
	if reloaded != nil && !reloaded.Empty() {
		return valueAt(reloaded, path), "when it reloaded"
	}
	if d.ConfigNewer {
		return "", ""
	}
	return valueAt(file, path), "read at its start"
}

// toldOf returns what the engine tells of a key, as JSON; "" if it does not.
func toldOf(e facts.Effective, key string) string {
	flag := func(b *bool) string {
		if b == nil {
			return ""
		}
		return strconv.FormatBool(*b)
	}
	text := func(s string) string {
		if s == "" {
			return ""
		}
		return strconv.Quote(s)
	}
	switch key {
	case "icc":
		return flag(e.ICC)
	case "ip":
		return text(e.PublishAddress)
	case "live-restore":
		return flag(e.LiveRestore)
	case "no-new-privileges":
		return flag(e.NoNewPrivileges)
	case "log-driver":
		return text(e.LogDriver)
	case "firewall-backend":
		return text(e.FirewallBackend)
	}
	return ""
}

// ReloadedConfig finds the configuration in what dockerd logs after SIGHUP: in the
// message, or since version 29 in a field of it. Lines that only quote such a message have
// none: there the quotation mark is escaped.
func ReloadedConfig(line string) string {
	_, message, ok := strings.Cut(line, ` msg="Reloaded configuration`)
	if !ok {
		return ""
	}
	for _, mark := range []string{`: `, `" config="`} {
		rest, ok := strings.CutPrefix(message, mark)
		if !ok {
			continue
		}
		start, end := strings.IndexByte(rest, '{'), strings.LastIndexByte(rest, '}')
		if start < 0 || end < start {
			continue
		}
		config := rest[start : end+1]
		if unquoted, err := strconv.Unquote(`"` + config + `"`); err == nil && !json.Valid([]byte(config)) {
			return unquoted
		}
		return config
	}
	return ""
}

// WriteDaemonView writes a table; what is not as wanted begins with "x".
func WriteDaemonView(w io.Writer, settings []DaemonSetting) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) error {
		_, err := fmt.Fprintln(table, strings.Join(cells, "\t"))
		return err
	}
	if err := row(" ", "KEY", "WANTED", "IN DAEMON.JSON", "IN FORCE", ""); err != nil {
		return err
	}
	for _, s := range settings {
		mark := " "
		if !s.Agrees() {
			mark = "x"
		}
		if err := row(mark, s.Key, or(s.Wanted, "-"), or(s.File, "-"), or(s.Effective, map[bool]string{true: "-", false: "?"}[s.Told != ""]), s.Told); err != nil {
			return err
		}
	}
	return table.Flush()
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
