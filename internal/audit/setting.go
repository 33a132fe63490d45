package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// daemonJSON is the file that dockerd is configured by.
const daemonJSON = "/etc/docker/daemon.json"

// setting is one setting of dockerd, seen from three sides.
type setting struct {
	key       string // in daemon.json
	flag      string // on the command line, where it is called something else
	short     string // "-l"
	fallback  string // what holds where nobody says anything
	policy    string // what the policy wants; empty: nothing
	effective string // what the Engine API tells; empty: it does not
}

// daemon judges a setting by what is in force. Where the Engine API does not tell, that is
// what dockerd logged when it took its file in again; else what flag and file say, unless
// the file has changed since dockerd started.
func (v *view) daemon(s setting, ok func(value string) bool) []verdict {
	written, where := v.written(s)
	value, told := v.told(s)
	if !told {
		value = written
	}
	value = or(value, s.fallback)
	flagged := where != "" && !strings.HasPrefix(where, daemonJSON)
	one := either(ok(value), or(where, "dockerd"), s.key+" = "+or(value, `""`))
	if !told && v.docker().ConfigNewer && !flagged {
		one = unknown(or(where, daemonJSON), "the file has changed since dockerd started, and the Engine API does not tell "+s.key)
	}
	if written != "" && written != value || s.policy != "" && s.policy != value {
		one.sides = &Sides{Policy: s.policy, File: written, Effective: value}
	}
	return []verdict{one}
}

// told returns what dockerd has told of a setting. What it logs leaves out what is off or
// empty.
func (v *view) told(s setting) (value string, told bool) {
	raw, logged := v.reloaded[s.key]
	switch {
	case s.effective != "":
		return s.effective, true
	case logged:
		return jsonText(raw), true
	case v.reloaded != nil && switches(s.key):
		return "false", true
	}
	return "", v.reloaded != nil
}

// written returns what a flag or daemon.json says, and where; dockerd refuses to
// start when both do.
func (v *view) written(s setting) (value, where string) {
	if values := v.flags(or(s.flag, s.key), s.short); len(values) > 0 {
		last := values[len(values)-1]
		return last.text, last.where
	}
	raw, ok := v.config[s.key]
	if !ok {
		return "", ""
	}
	return jsonText(raw), fmt.Sprintf("%s:%d", daemonJSON, lineOf(v.docker().Config, s.key))
}

// jsonText spells a value: a string without its quotes, everything else as JSON.
func jsonText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return string(raw)
	}
	return out.String()
}

// lineOf returns the line of a top-level key in a JSON object that is valid.
func lineOf(text, key string) int {
	decoder := json.NewDecoder(strings.NewReader(text))
	if _, err := decoder.Token(); err != nil { // the brace
		return 1
	}
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		at := decoder.InputOffset()
		if err != nil || decoder.Decode(&value) != nil {
			return 1
		}
		if name == key {
			return 1 + strings.Count(text[:at], "\n")
		}
	}
	return 1
}

// argument is a value that a flag of dockerd has, and the line that gives it.
type argument struct{ text, where string }

// flags returns the values of a flag, in order: of "--name=value", "--name value",
// "-s value", "-svalue"; a flag without a value is "true".
func (v *view) flags(name, short string) []argument {
	var all []argument
	flags := v.docker().Flags
	for i := 0; i < len(flags); i++ {
		text := flags[i]
		where := or(v.docker().FlagsFrom[text], "dockerd "+text)
		value, long := strings.CutPrefix(text, "--"+name)
		inline, isShort := strings.CutPrefix(text, short)
		switch {
		case long && strings.HasPrefix(value, "="):
			all = append(all, argument{value[1:], where})
		case (!long || value != "") && (short == "" || !isShort || inline != ""):
			if short != "" && isShort && !strings.HasPrefix(text, "--") {
				all = append(all, argument{strings.TrimPrefix(inline, "="), where})
			}
		case switches(name) || i+1 == len(flags):
			all = append(all, argument{"true", where})
		default:
			i++ // the value is an argument of its own, with a line of its own
			all = append(all, argument{flags[i], or(v.docker().FlagsFrom[flags[i]], where)})
		}
	}
	return all
}

// switches reports whether a flag is on or off, and so takes its value after an equals
// sign only.
func switches(name string) bool {
	switch name {
	case "icc", "iptables", "live-restore", "no-new-privileges", "userland-proxy", "tls", "tlsverify", "debug":
		return true
	}
	return false
}

// list returns the values of a setting that is a list: those of the flag, and of
// the key.
func (v *view) list(flag, short, key string) []argument {
	all := v.flags(flag, short)
	var values []string
	if json.Unmarshal(v.config[key], &values) != nil {
		return all
	}
	for _, text := range values {
		all = append(all, argument{text, fmt.Sprintf("%s:%d", daemonJSON, lineOf(v.docker().Config, key))})
	}
	return all
}

// boolText spells what the Engine API may tell or not.
func boolText(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

func is(want string) func(string) bool { return func(got string) bool { return got == want } }
