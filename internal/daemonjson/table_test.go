package daemonjson

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"molo/internal/golden"

	"github.com/google/go-cmp/cmp"
)

func TestTheTableHolds(t *testing.T) {
	keys := Keys()
	if len(keys) < 95 {
		t.Errorf("only %d keys", len(keys))
	}
	owners := map[string]string{}
	for i, k := range keys {
		if i > 0 && keys[i-1].Name >= k.Name {
			t.Errorf("%q stands behind %q", k.Name, keys[i-1].Name)
		}
		if found, ok := Find(k.Name); !ok || found.Name != k.Name {
			t.Errorf("%q is not found", k.Name)
		}
		if k.First == (Version{}) || Newest().Before(k.First) || k.Last != (Version{}) && k.Last.Before(k.First) {
			t.Errorf("%s: there from %v to %v", k.Name, k.First, k.Last)
		}
		if k.Effect == 0 || k.Effect == ByReload && !k.Reload || k.Reload && (k.Effect == ByRestart || k.Effect == ByEmptyRestart || k.Effect == NewRoot) {
			t.Errorf("%s: takes effect %v, reload %t", k.Name, k.Effect, k.Reload)
		}
		if k.Resets && !k.Reload {
			t.Errorf("%s resets without a reload", k.Name)
		}
		if k.Last != (Version{}) && k.Instead == "" {
			t.Errorf("%s is gone, and nothing says what to do instead", k.Name)
		}
		if k.Shared && k.Type.Kind != List {
			t.Errorf("%s is no list, and shared", k.Name)
		}
		if k.Default != "" && (!json.Valid([]byte(k.Default)) || k.Type.Mismatch(json.RawMessage(k.Default)) != nil) {
			t.Errorf("%s: the default %s is no %s", k.Name, k.Default, k.Type)
		}
		for _, name := range k.Flags {
			if other, taken := owners[name]; taken && name != "host-gateway-ip" {
				t.Errorf("--%s sets %s and %s", name, other, k.Name)
			}
			owners[name] = k.Name
		}
	}
	if _, ok := Find("ICC"); ok {
		t.Error("a key is found in another case")
	}
}

func TestTypesInWords(t *testing.T) {
	for name, want := range map[string]string{
		"icc":                   "boolean",
		"mtu":                   "whole number",
		"dns":                   "list of strings",
		"log-opts":              "map of strings",
		"default-network-opts":  "map of maps of strings",
		"default-address-pools": "list of objects with base, size",
		"features":              "map of booleans",
		"proxies":               "object with http-proxy, https-proxy, no-proxy",
	} {
		if k, _ := Find(name); k.Type.String() != want {
			t.Errorf("%s is a %q, want %q", name, k.Type, want)
		}
	}
}

func TestMismatchSaysWhere(t *testing.T) {
	for _, tt := range []struct {
		name, key, value string
		want             string // "" for none
	}{
		{"a string in quotes", "bip", `"192.0.2.1/24"`, ""},
		{"null is nothing", "bip", `null`, ""},
		{"a number for a string", "bip", `7`, ": dockerd takes a string, not the number 7"},
		{"a list's element", "dns", `["a", 7]`, "1: dockerd takes a string, not the number 7"},
		{"null in a list", "dns", `[null]`, ""},
		{"a map's value", "log-opts", `{"max-size": 10}`, "max-size: dockerd takes a string, not the number 10"},
		{"a field, in any case", "default-ulimits", `{"nofile": {"hard": "1"}}`, "nofile.hard: dockerd takes a whole number, not a string"},
		{"a field that dockerd ignores", "default-ulimits", `{"nofile": {"limit": "1"}}`, ""},
		{"a field that dockerd refuses", "nri-opts", `{"enabled": true}`, `: dockerd takes an object with enable, plugin-path, plugin-config-path, socket-path, not an object with "enabled"`},
		{"a whole number", "mtu", `-9223372036854775808`, ""},
		{"one that does not fit", "mtu", `9223372036854775808`, ": dockerd takes a whole number, not the number 9223372036854775808"},
		{"a fraction", "mtu", `1.0`, ": dockerd takes a whole number, not the number 1.0"},
		{"an exponent", "mtu", `1e3`, ": dockerd takes a whole number, not the number 1e3"},
		{"a member that is written twice", "features", `{"a": "x", "a": true}`, "a: dockerd takes a boolean, not a string"},
		{"what dockerd does not look into", "runtimes", `{"own": {"options": {"a": [1]}}}`, ""},
		{"no JSON", "mtu", `{`, ": dockerd takes a whole number, not no JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, _ := Find(tt.key)
			got := ""
			if m := k.Type.Mismatch(json.RawMessage(tt.value)); m != nil {
				got = strings.Join(m.Path, ".") + ": " + m.Error()
				if m.Hint() == "" {
					t.Error("no hint")
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for in, want := range map[string]Version{
		"20.10.24+dfsg1": {20, 10}, "26.1.5+dfsg1": {26, 1}, "v28.5.2": {28, 5}, "29.7": {29, 7}, "17.06.0-ce": {17, 6}, "28.5.2~rc1": {28, 5},
	} {
		if got, err := ParseVersion(in); err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "28", "x28.5", "28.", "28.5 ", "28.x", "99999.1", "28.5x"} {
		if got, err := ParseVersion(in); err == nil {
			t.Errorf("%q became %v", in, got)
		}
	}
	if got := (Version{17, 6}).String() + " " + (Version{20, 10}).String() + " " + (Version{1, 10}).String(); got != "17.06 20.10 1.10" {
		t.Error(got)
	}
	if !(Version{20, 10}).Before(Version{23, 0}) || (Version{28, 5}).Before(Version{28, 5}) || (Version{28, 10}).Before(Version{28, 2}) {
		t.Error("versions compare by number")
	}
	if !slices.IsSortedFunc(releases(), Version.compare) {
		t.Error("releases are not in order")
	}
}

func TestFlagsAreReadAsDockerdDoes(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want []given
	}{
		{"Debian's unit", []string{"-H", "fd://", "--containerd=/run/c.sock"}, []given{{"host", "fd://"}, {"containerd", "/run/c.sock"}}},
		{"a switch takes no value", []string{"--debug", "--icc=false"}, []given{{"debug", "true"}, {"icc", "false"}}},
		{"a value may look like a flag", []string{"--label", "--debug"}, []given{{"label", "--debug"}}},
		{"shorthands stand together", []string{"-Dl", "warn", "-Hfd://", "-g=/srv"}, []given{{"debug", "true"}, {"log-level", "warn"}, {"host", "fd://"}, {"graph", "/srv"}}},
		{"a flag without its value", []string{"--label"}, []given{{"label", ""}}},
		{"what dockerd does not take", []string{"x", "-", "-hvr"}, []given{{"help", "true"}, {"version", "true"}, {"restart", "true"}}},
		{"the end of flags", []string{"--debug", "--", "--icc"}, []given{{"debug", "true"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, newIndex().parseFlags(tt.args), cmp.AllowUnexported(given{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReferenceIsMadeFromTheTable(t *testing.T) {
	golden.Check(t, "../../docs/daemon-json.md", string(Reference()), *update)
}
