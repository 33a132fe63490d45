package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"molo/internal/jsontext"
)

func element(value string) string { return jsontext.Element(json.RawMessage(value)) }

func TestAnElementIsAddedAndTakenAway(t *testing.T) {
	tests := []struct{ name, text, path, value, want string }{
		{"to a list that is not there", "{}\n", "dns", `"a"`, "{\n  \"dns\": [\"a\"]\n}\n"},
		{"to an empty list", `{"dns": []}`, "dns", `"a"`, `{"dns": ["a"]}`},
		{"to an empty list with a blank", `{"dns": [ ]}`, "dns", `"a"`, `{"dns": [ "a" ]}`},
		{"to an empty list over two lines", "{\n  \"dns\": [\n  ]\n}\n", "dns", `"a"`, "{\n  \"dns\": [\n  \n    \"a\"\n  ]\n}\n"},
		{"behind one element", `{"dns":["b"]}`, "dns", `"a"`, `{"dns":["b","a"]}`},
		{"behind one element, with blanks", `{"dns": ["b"]}`, "dns", `"a"`, `{"dns": ["b", "a"]}`},
		{"behind two elements", `{"dns": ["b","c"]}`, "dns", `"a"`, `{"dns": ["b","c","a"]}`},
		{"on a line of its own", "{\n\t\"dns\": [\n\t\t\"b\"\n\t]\n}", "dns", `"a"`, "{\n\t\"dns\": [\n\t\t\"b\",\n\t\t\"a\"\n\t]\n}"},
		{"where lines end as on Windows", "{\r\n  \"dns\": [\r\n    \"b\"\r\n  ]\r\n}", "dns", `"a"`, "{\r\n  \"dns\": [\r\n    \"b\",\r\n    \"a\"\r\n  ]\r\n}"},
		{"of another kind", `{"n": [1, {"x": [2]}]}`, "n", `{"y":3}`, `{"n": [1, {"x": [2]}, {"y": 3}]}`},
		{"that is there already", `{"dns": ["b", "\u0061"]}`, "dns", `"a"`, `{"dns": ["b", "\u0061"]}`},
		{"that is there twice", `{"dns": ["a", "a"]}`, "dns", `"a"`, `{"dns": ["a", "a"]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc := parse(t, test.text)
			path := []string{test.path, element(test.value)}
			depth := doc.Depth(path...)
			if err := doc.Set(json.RawMessage(test.value), path...); err != nil {
				t.Fatal(err)
			}
			got := string(doc.Bytes())
			if got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if value, ok := parse(t, got).Get(path...); !ok || !jsontext.Equal(value, json.RawMessage(test.value)) {
				t.Errorf("the element is not found: %s", value)
			}
			if depth == 2 {
				return // it was there: nothing was added
			}
			again := parse(t, got)
			if !again.Prune(depth, path...) || string(again.Bytes()) != test.text {
				t.Errorf("taken away again it is %q", again.Bytes())
			}
		})
	}
}

func TestAnElementGoesIntoAListOnly(t *testing.T) {
	for text, want := range map[string]string{
		`{"dns": "b"}`:   `"dns" is not a list`,
		`{"dns": {}}`:    `"dns" is not a list`,
		`{"x": {"a":1}}`: "",
	} {
		err := parse(t, text).Set(json.RawMessage(`"a"`), "dns", element(`"a"`))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	if err := parse(t, `{"dns": []}`).Set(json.RawMessage("1"), "dns", "a"); err == nil {
		t.Error("a key goes into a list")
	}
	doc := parse(t, `{"dns": ["a", "a", "b"]}`)
	if !doc.Prune(0, "dns", element(`"a"`)) || string(doc.Bytes()) != `{"dns": ["a", "b"]}` {
		t.Errorf("of an element that is there twice, one taken away leaves %s", doc.Bytes())
	}
	if !doc.Prune(0, "dns", element(`"a"`)) || string(doc.Bytes()) != `{"dns": ["b"]}` {
		t.Errorf("the other one taken away as well leaves %s", doc.Bytes())
	}
}
