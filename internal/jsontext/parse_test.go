package jsontext_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/jsontext"
)

func TestParseKeepsEveryByte(t *testing.T) {
	files := ownersFiles()
	files["an empty file"] = ""
	files["a file of blanks"] = " \r\n\t\n"
	files["1000 levels"] = nested(1000)
	for name, src := range files {
		t.Run(name, func(t *testing.T) {
			doc, err := jsontext.Parse([]byte(src))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(src, string(doc.Bytes())); diff != "" {
				t.Errorf("Bytes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefusesWhatIsNoJSONText(t *testing.T) {
	runErrorCases(t, []errorCase{
		{"a list is no object", "\n [1]", "line 2, column 2: the file must be one JSON object, { … }, not '['"},
		{"nor is a word", "debug", "line 1, column 1: the file must be one JSON object, { … }, not 'd'"},
		{"a byte order mark", "\ufeff{}", "line 1, column 1: the file begins with a byte order mark, and Docker 20.10 would not start: save it as UTF-8 without one"},
		{"UTF-16 from Windows", "\xff\xfe{\x00}\x00", "line 1, column 1: the file is UTF-16: save it as UTF-8"},
		{"a NUL byte", "{\n\x00}", "line 2, column 1: a NUL byte is no text: the file is damaged or UTF-16; save it as UTF-8"},
		{"Latin-1", "{\"a\": \"\xe6\"}", "line 1, column 8: the byte 0xe6 is not UTF-8: save the file as UTF-8"},
	})
}

func TestParseExplainsSlipsBetweenValues(t *testing.T) {
	runErrorCases(t, []errorCase{
		{"a comment line", "{\n  // no\n}", "line 2, column 3: JSON has no comments, and dockerd would not start: remove it"},
		{"a comment before the object", "# no\n{}", "line 1, column 1: JSON has no comments, and dockerd would not start: remove it"},
		{"a comment inside a line", `{"a": /* no */ 1}`, "line 1, column 7: JSON has no comments, and dockerd would not start: remove it"},
		{"a comment behind a value", "{\"a\": 1 // no\n}", "line 1, column 9: JSON has no comments, and dockerd would not start: remove it"},
		{"a comma behind the last member", "{\n  \"a\": 1,\n}", "line 2, column 9: JSON has no comma before '}', and dockerd would not start: remove it"},
		{"a comma behind the last element", `{"a": [1, ]}`, "line 1, column 9: JSON has no comma before ']', and dockerd would not start: remove it"},
		{"two commas", `{"a": 1,, "b": 2}`, "line 1, column 9: a key in double quotes must stand here, not ','"},
		{"a key twice", "{\n  \"æ\": 1, \"a\": 2,\n  \"b\": 3, \"\\u0061\": 4\n}", `line 3, column 11: the key "\u0061" was there before, at line 2, column 11, and dockerd would silently take the last: remove one`},
		{"a key twice deep inside", `{"a": [{"b": {"c": 1, "c": 1}}]}`, `line 1, column 23: the key "c" was there before, at line 1, column 15, and dockerd would silently take the last: remove one`},
		{"a missing comma", "{\"a\": 1\n \"b\": 2}", `line 2, column 2: a comma or '}' must stand here, not '"'`},
		{"a missing colon", `{"a" 1}`, "line 1, column 6: a colon must stand between a key and its value, not '1'"},
		{"a missing value", `{"a": , "b": 2}`, "line 1, column 7: a value must stand here, not ','"},
	})
}

func TestParseExplainsSlipsInKeysAndValues(t *testing.T) {
	runErrorCases(t, []errorCase{
		{"a bare key", `{a: 1}`, "line 1, column 2: a key in double quotes must stand here, not 'a'"},
		{"single quotes", `{"a": 'b'}`, "line 1, column 7: JSON has no single quotes: use double quotes"},
		{"a blank from a web page", "{\u00a0\"a\": 1}", `line 1, column 2: a key in double quotes must stand here, not '\u00a0'`},
		{"quotes from a word processor", `{"a": “b”}`, `line 1, column 7: "“b”" is not a JSON value: write true, false, null or a number, and text in straight double quotes`},
		{"a size without quotes", `{"a": 10m}`, `line 1, column 7: "10m" is not a JSON value: write true, false, null or a number, and text in straight double quotes`},
		{"a number with a leading zero", `{"a": [010]}`, `line 1, column 8: "010" is not a JSON value: write true, false, null or a number, and text in straight double quotes`},
		{"a long bare word", `{"a": ` + strings.Repeat("é", 50) + `}`, `line 1, column 7: "` + strings.Repeat("é", 40) + `…" is not a JSON value: write true, false, null or a number, and text in straight double quotes`},
		{"a wrong escape", `{"a": "C:\data"}`, `line 1, column 10: this is no JSON escape: a backslash itself is written \\`},
		{"a short escape", `{"a": "\u12"}`, `line 1, column 8: this is no JSON escape: a backslash itself is written \\`},
		{"an escape with a wrong digit", `{"a": "\u12g4"}`, "line 1, column 8: this is no JSON escape: a backslash itself is written \\\\"},
		{"a tab in a text", "{\"a\": \"b\tc\"}", `line 1, column 9: a control character inside a text: write it as \u0009`},
		{"a quote missing on its line", "{\"a\": \"b,\n\"c\": 1}", `line 1, column 7: this text has no closing quote on its line: add it, or write line breaks as \n`},
		{"a quote missing in the file", `{"a": "b}`, "line 1, column 7: this text has no closing quote: add it"},
		{"a backslash at the end", `{"a": "\`, "line 1, column 7: this text has no closing quote: add it"},
	})
}

func TestParsePointsAtUnbalancedBrackets(t *testing.T) {
	runErrorCases(t, []errorCase{
		{"a bracket missing", "{\n \"a\": {\n  \"b\": 1\n}\n", "line 4, column 2: the file ends here, but the '{' at line 1, column 1 is not closed: close it"},
		{"a list left open", "{\n \"a\": [\n 1,\n", "line 3, column 4: the file ends here, but the '[' at line 2, column 7 is not closed: close it"},
		{"a bracket too many", "{}\n}", "line 2, column 1: nothing may follow the object, not '}'"},
		{"the wrong bracket", `{"a": [1}`, "line 1, column 9: a comma or ']' must stand here, not '}'"},
		{"1001 levels", nested(1001), "line 1, column 5001: objects and arrays are nested more than 1000 deep: make the file flatter"},
	})
}

// errorCase is a text and what (*Error).Error says about it.
type errorCase struct{ name, src, want string }

func runErrorCases(t *testing.T, cases []errorCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			_, err := jsontext.Parse([]byte(tt.src))
			var where *jsontext.Error
			if !errors.As(err, &where) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if diff := cmp.Diff(tt.want, where.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if line := 1 + strings.Count(tt.src[:where.Offset], "\n"); line != where.Line {
				t.Errorf("offset %d is in line %d, not %d", where.Offset, line, where.Line)
			}
		})
	}
}

func TestGetAndDepthFollowDecodedKeys(t *testing.T) {
	const src = `{"log\u002dopts" : {"max-size": "10\u006d", "é\"": [ 1,2 ]}, "ICC": 1e3, "o": { }}`
	tests := []struct {
		name  string
		path  []string
		want  string // "" for not there
		depth int
	}{
		{"the whole object", nil, src, 0},
		{"a key with an escape", []string{"log-opts"}, `{"max-size": "10\u006d", "é\"": [ 1,2 ]}`, 1},
		{"a value as it is written", []string{"log-opts", "max-size"}, `"10\u006d"`, 2},
		{"a list as it is written", []string{"log-opts", `é"`}, "[ 1,2 ]", 2},
		{"a number as it is written", []string{"ICC"}, "1e3", 1},
		{"an empty object", []string{"o"}, "{ }", 1},
		{"nothing under another case", []string{"icc"}, "", 0},
		{"nothing under the key's spelling", []string{`log\u002dopts`}, "", 0},
		{"nothing in an object", []string{"log-opts", "tag", "x"}, "", 1},
		{"nothing inside a number", []string{"ICC", "x"}, "", 1},
		{"nothing inside a list", []string{"log-opts", `é"`, "0"}, "", 2},
	}
	doc, err := jsontext.Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := doc.Get(tt.path...)
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("Get (-want +got):\n%s", diff)
			}
			if ok != (tt.want != "") {
				t.Errorf("Get says %v", ok)
			}
			if depth := doc.Depth(tt.path...); depth != tt.depth {
				t.Errorf("Depth is %d, want %d", depth, tt.depth)
			}
		})
	}
}

func TestEmptyCountsMembers(t *testing.T) {
	for src, want := range map[string]bool{"": true, " \n": true, "{ }": true, `{"a": {}}`: false} {
		doc, err := jsontext.Parse([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if got := doc.Empty(); got != want {
			t.Errorf("%q: Empty is %v", src, got)
		}
	}
}

// nested returns an object that nests that many objects.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1)
}
