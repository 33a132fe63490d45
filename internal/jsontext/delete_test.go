package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/jsontext"
)

func TestDeleteCutsOutOneMember(t *testing.T) {
	tests := []struct{ name, src, path, want string }{
		{"the first of a line", `{ "a": 1, "b": 2 }`, "a", `{ "b": 2 }`},
		{"the last of a line", `{"a":1 , "b":2 }`, "b", `{"a":1 }`},
		{"one in the middle", "{\n  \"a\": 1,\n  \"b\": 2,\n\n  \"c\": 3\n}", "b", "{\n  \"a\": 1,\n\n  \"c\": 3\n}"},
		{"the first of several lines", "{\n  \"a\": 1,\n\n  \"b\": 2}", "a", "{\n  \"b\": 2}"},
		{"with commas first", "{\n  \"a\": 1\n, \"b\": 2\n}", "a", "{\n  \"b\": 2\n}"},
		{"the only one of a line", `{ "a": 1 }`, "a", `{ }`},
		{"the only one of several lines", "{\r\n  \"a\": 1\r\n}\r\n", "a", "{}\r\n"},
		{"the only one of an inner object", `{"a": {"b": 1}, "c": 2}`, "a.b", `{"a": {}, "c": 2}`},
		{"a whole object", `{"a": {"b": 1}, "c": 2}`, "a", `{"c": 2}`},
		{"a key with an escape", `{"\u0061": 1, "c": 2}`, "a", `{"c": 2}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := parse(t, tt.src)
			path := strings.Split(tt.path, ".")
			if !doc.Delete(path...) {
				t.Error("says it was not there")
			}
			if diff := cmp.Diff(tt.want, string(doc.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, ok := doc.Get(path...); ok || doc.Delete(path...) {
				t.Error("says it is still there")
			}
		})
	}
}

func TestDeleteOfWhatIsNotThereChangesNothing(t *testing.T) {
	for _, src := range []string{"", "\n", `{"a": 1, "b": {"c": []}}`} {
		doc := parse(t, src)
		for _, path := range [][]string{nil, {"A"}, {"a", "x"}, {"b", "x"}, {"b", "c", "0"}} {
			if doc.Delete(path...) || doc.Prune(0, path...) {
				t.Errorf("%q: says that %q was there", src, path)
			}
		}
		if diff := cmp.Diff(src, string(doc.Bytes())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestPruneTakesEmptyParentsAlong(t *testing.T) {
	tests := []struct {
		name string
		src  string
		keep int
		path string
		want string
	}{
		{"all of them", `{"a": {"b": {"c": 1}}, "d": 2}`, 0, "a.b.c", `{"d": 2}`},
		{"but not the outermost object", `{"a": {"b": {"c": 1}}}`, 0, "a.b.c", `{}`},
		{"and not those to keep", `{"a": {"b": {"c": 1}}}`, 1, "a.b.c", `{"a": {}}`},
		{"nor those with other members", `{"a": {"b": {"c": 1}, "d": {}}}`, 0, "a.b.c", `{"a": {"d": {}}}`},
		{"the member goes whatever is kept", `{"a": {"b": 1}}`, 9, "a.b", `{"a": {}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := parse(t, tt.src)
			if !doc.Prune(tt.keep, strings.Split(tt.path, ".")...) {
				t.Error("says it was not there")
			}
			if diff := cmp.Diff(tt.want, string(doc.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestABlankFileIsAnEmptyObjectAfterwards(t *testing.T) {
	for src, want := range map[string]string{"": "{}\n", "\r\n": "{}\r\n", " ": "{} "} {
		doc := parse(t, src)
		set(t, doc, "1", "a", "b")
		doc.Prune(0, "a", "b")
		if diff := cmp.Diff(want, string(doc.Bytes())); diff != "" {
			t.Errorf("%q (-want +got):\n%s", src, diff)
		}
	}
}

func TestEqualComparesWhatDockerdReads(t *testing.T) {
	tests := []struct {
		name, a, b string
		want       bool
	}{
		{"blanks and the order of keys do not count", `{"a": 1, "b": [ ]}`, `{"b":[],"a":1}`, true},
		{"escapes do not count", `"\u0041\/"`, `"A/"`, true},
		{"the order of a list counts", `[1,2]`, `[2,1]`, false},
		{"the type counts", `"1"`, `1`, false},
		{"null is not nothing", `{"a":null}`, `{}`, false},
		{"the spelling of a number counts", `1000`, `1e3`, false},
		{"every digit counts", `12345678901234567890`, `12345678901234567891`, false},
		{"what is no JSON equals nothing", `x`, `x`, false},
		{"nor do two values equal one", `1 2`, `1`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := jsontext.Equal(json.RawMessage(tt.a), json.RawMessage(tt.b)); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
