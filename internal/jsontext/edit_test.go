package jsontext_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/jsontext"
)

func TestSetRefusesAndChangesNothing(t *testing.T) {
	const src = "{\n  \"log-opts\": \"none\",\n  \"x\": {\"y\": [1]}\n}"
	deep := make([]string, 1001)
	tests := []struct {
		name     string
		path     []string
		value    string
		want     string
		position bool // the error points into the file
	}{
		{"a parent that is a text", []string{"log-opts", "max-size"}, "1", `line 2, column 3: "log-opts" is not an object, so nothing can be set in it: make it one, { }, or remove it`, true},
		{"a parent that is a list", []string{"x", "y", "0"}, "1", `line 3, column 9: "x.y" is not an object, so nothing can be set in it: make it one, { }, or remove it`, true},
		{"no path", nil, "1", `setting "": the path is empty`, false},
		{"a path too long", deep, "1", `setting "` + strings.Repeat(".", 1000) + `": the path is longer than 1000 keys`, false},
		{"a path that is not UTF-8", []string{"a\xff"}, "1", `setting "a\xff": the path is not UTF-8`, false},
		{"no value", []string{"a"}, " ", `setting "a": reading the value: unexpected end of JSON input`, false},
		{"two values", []string{"a"}, "1 2", `setting "a": reading the value: invalid character '2' after top-level value`, false},
		{"a value with a key twice", []string{"a"}, `{"b":1,"b":1}`, `setting "a": reading the value: line 1, column 8: the key "b" was there before, at line 1, column 2, and dockerd would silently take the last: remove one`, false},
		{"a value that is not UTF-8", []string{"a"}, "\"\xff\"", `setting "a": reading the value: line 1, column 2: the byte 0xff is not UTF-8: save the file as UTF-8`, false},
		{"a value too deep for its place", deep[:2], nested(999), `setting ".": reading the value: line 1, column 4991: objects and arrays are nested more than 1000 deep: make the file flatter`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := parse(t, src)
			err := doc.Set(json.RawMessage(tt.value), tt.path...)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if where := new(jsontext.Error); errors.As(err, &where) != tt.position {
				t.Errorf("is an *Error: %v, want %v", !tt.position, tt.position)
			}
			if diff := cmp.Diff(src, string(doc.Bytes())); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetPointsIntoTheTextThatWasParsed(t *testing.T) {
	doc := parse(t, "{\n  \"a\": [],\n  \"b\": 1\n}")
	set(t, doc, "[[1],[2]]", "a")
	set(t, doc, "1", "c")
	err := doc.Set(json.RawMessage("1"), "b", "x")
	if where := new(jsontext.Error); !errors.As(err, &where) || where.Line != 3 {
		t.Errorf("got %v, want an *Error in line 3", err)
	}
	err = doc.Set(json.RawMessage("1"), "c", "x")
	if where := new(jsontext.Error); err == nil || errors.As(err, &where) {
		t.Errorf("got %v, want an error without a place: c is not in the file", err)
	}
}

func TestRestoreWritesWhatItGets(t *testing.T) {
	const src = "{\n  \"a\": {\"x\" :\n1e3},\n  \"b\": \"\\u0041\"\n}"
	doc := parse(t, src)
	for _, key := range []string{"a", "b"} {
		raw, _ := doc.Get(key)
		set(t, doc, `["x",{}]`, key)
		set(t, doc, string(raw), key) // not the same: lays out
		if err := doc.Restore(raw, key); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(src, string(doc.Bytes())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for raw, want := range map[string]string{
		"":      `setting "a": the value is empty`,
		"tru":   `setting "a": reading the value: line 1, column 1: "tru" is not a JSON value: write true, false, null or a number, and text in straight double quotes`,
		"{} {}": `setting "a": reading the value: line 1, column 4: nothing may follow the value`,
	} {
		if err := doc.Restore(json.RawMessage(raw), "a"); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", raw, err, want)
		}
	}
}

func parse(t testing.TB, src string) *jsontext.Document {
	t.Helper()
	doc, err := jsontext.Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func set(t testing.TB, doc *jsontext.Document, value string, path ...string) {
	t.Helper()
	if err := doc.Set(json.RawMessage(value), path...); err != nil {
		t.Fatal(err)
	}
}
