package jsontext_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// setCase is one Set: of value, at the keys between the dots of path.
type setCase struct{ name, src, path, value, want string }

func runSetCases(t *testing.T, cases []setCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			doc := parse(t, tt.src)
			set(t, doc, tt.value, strings.Split(tt.path, ".")...)
			if diff := cmp.Diff(tt.want, string(doc.Bytes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetOpensUpAnEmptyObject(t *testing.T) {
	runSetCases(t, []setCase{
		{"an empty file becomes an object", "", "icc", "false", "{\n  \"icc\": false\n}\n"},
		{"a file of blanks keeps them at its end", "\r\n\r\n", "icc", "false", "{\r\n  \"icc\": false\r\n}\r\n\r\n"},
		{"an empty object opens up", "{}", "icc", "false", "{\n  \"icc\": false\n}"},
		{"with the line ends inside it", "{\r\n}", "icc", "false", "{\r\n\r\n  \"icc\": false\r\n}"},
		{"with the file's line ends", "{}\r\n", "a.b", "1", "{\r\n  \"a\": {\r\n    \"b\": 1\r\n  }\r\n}\r\n"},
		{"the blanks of an empty object stay", "{ }\n", "icc", "false", "{ \n  \"icc\": false\n}\n"},
	})
}

func TestSetKeepsALineALine(t *testing.T) {
	files := ownersFiles()
	runSetCases(t, []setCase{
		{"one line stays one line", files["one line"], "log-opts.max-size", `"10m"`, `{"debug":true,"log-opts":{"max-size":"10m"}}`},
		{"a dense line stays dense", files["one line"], "dns", `["192.0.2.1","192.0.2.2"]`, `{"debug":true,"dns":["192.0.2.1","192.0.2.2"]}`},
		{"an airy line stays airy", files["one line, airy"], "dns", `["192.0.2.1","192.0.2.2"]`, `{ "debug": true, "log-opts": { }, "dns": ["192.0.2.1", "192.0.2.2"] }` + "\n"},
		{"an empty object in a line keeps its blanks", files["one line, airy"], "log-opts.max-size", `"10m"`, `{ "debug": true, "log-opts": { "max-size": "10m" } }` + "\n"},
		{"blanks before colons and commas are kept up", files["one line, blanks before colon"], "a.b", `1`, `{"debug" : true , "dns" : ["192.0.2.53"] , "a" : {"b" : 1}}`},
		{"a single member tells how to go on", `{"a": 1}`, "b", "2", `{"a": 1, "b": 2}`},
		{"with blanks inside the brackets", `{ "a":1 }`, "b", "2", `{ "a":1, "b":2 }`},
	})
}

func TestSetFollowsIndentation(t *testing.T) {
	files := ownersFiles()
	runSetCases(t, []setCase{
		{"tabs are followed", files["tabs"], "log-opts.max-file", `"3"`, "{\n\t\"log-driver\": \"json-file\",\n\t\"log-opts\": {\n\t\t\"max-size\": \"10m\",\n\t\t\"max-file\": \"3\"\n\t}\n}\n"},
		{"a list of objects takes lines", "{\n \"a\": 1\n}", "b", `[1,{"c":2}]`, "{\n \"a\": 1,\n \"b\": [\n  1,\n  {\n   \"c\": 2\n  }\n ]\n}"},
		{"three spaces and CRLF are followed", files["CRLF"], "a.b", `[[1,2],{}]`, strings.ReplaceAll(`{
   "icc": false,
   "log-opts": {
      "max-size": "10m",
      "max-file": "3"
   },
   "a": {
      "b": [
         [1, 2],
         {}
      ]
   }
}
`, "\n", "\r\n")},
		{"no indentation stays none", files["no indentation"], "a.b", "1", "{\n\"icc\": false,\n\"log-opts\": {\n\"max-size\": \"10m\"\n},\n\"a\": {\n\"b\": 1\n}\n}"},
		{"a closing bracket stays behind the last value", files["keys on one line and closing brackets behind the last value"], "log-opts.tag", `"x"`, `{
  "icc": false, "ip": "127.0.0.1",
  "log-opts": { "max-size": "10m",
                "max-file": "3",
                "tag": "x" } }`},
		{"keys on one line go on in the next", "{\n  \"a\": 1, \"b\": {}\n}", "c", "3", "{\n  \"a\": 1, \"b\": {},\n  \"c\": 3\n}"},
		{"an object in the middle of a line stays there", "{\n  \"a\": 1, \"b\": {}\n}", "b.c", "3", "{\n  \"a\": 1, \"b\": {\"c\": 3}\n}"},
		{"unless it has lines of its own", "{\n  \"a\": 1, \"b\": {\n    \"c\": 1\n  }\n}", "b.d.e", "3", "{\n  \"a\": 1, \"b\": {\n    \"c\": 1,\n    \"d\": {\n      \"e\": 3\n    }\n  }\n}"},
		{"the NVIDIA runtime block stays as it is", files["the NVIDIA toolkit's"], "features.cdi", "true", `{
    "default-runtime": "nvidia",
    "runtimes": {
        "nvidia": {
            "args": [],
            "path": "nvidia-container-runtime"
        }
    },
    "features": {
        "cdi": true
    }
}`},
	})
}

func TestSetFollowsOddLayoutsWithinReason(t *testing.T) {
	files := ownersFiles()
	runSetCases(t, []setCase{
		{"commas first are followed", files["commas first"], "debug", "true", "{\n  \"icc\": false\n, \"ip\": \"127.0.0.1\"\n, \"log-opts\": {}\n, \"debug\": true\n}\n"},
		{"columns and empty lines are not imitated", files["values in a column"], "debug", "true", `{
  "icc":           false,
  "ip":            "127.0.0.1",

  "live-restore":  true,
  "debug": true

}
`},
		{"a colon at the end of a line is not imitated", files["brackets on lines of their own"], "default-ulimits.nofile.Soft", "1", `
{
  "default-ulimits":
  {
    "nofile":
    {
      "Name": "nofile",
      "Hard": 64000,
      "Soft": 1
    }
  }
}
`},
		{"the last step of indentation counts", files["different steps of indentation"], "builder.gc.policy", `{"all":true}`, `{
        "icc": false,
        "builder": {
          "gc": {
            "enabled": true,
            "policy": {
              "all": true
            }
          }
        }
}`},
		{"a file that begins further right", files["not from column one"], "a.b", "1", "  {\n    \"icc\": false,\n    \"a\": {\n      \"b\": 1\n    }\n  }  "},
		{"line ends are those of the next lines", "{\"a\": 1,\r\n \"b\": 2}", "c.d", "3", "{\"a\": 1,\r\n \"b\": 2,\r\n \"c\": {\r\n  \"d\": 3\r\n }}"},
		{"keys are quoted, and no further than needed", "{}", `a<"é`, "1", "{\n  \"a<\\\"é\": 1\n}"},
		{"values keep their spelling", `{"a": 1}`, "b", ` {"n":12345678901234567890 ,"e":1E3,"s":"\u003c<\/"} `, `{"a": 1, "b": {"n": 12345678901234567890, "e": 1E3, "s": "\u003c<\/"}}`},
	})
}

func TestSetOfAMemberReplacesNothingButItsValue(t *testing.T) {
	runSetCases(t, []setCase{
		{"a scalar", "{\"a\" :\t1 ,\n\"b\":2}", "a", `"x"`, "{\"a\" :\t\"x\" ,\n\"b\":2}"},
		{"a key with an escape keeps it", `{"log\u002dopts": {"max-size": "1m"}}`, "log-opts.max-size", `"2m"`, `{"log\u002dopts": {"max-size": "2m"}}`},
		{"an equal value, not a byte", `{"a": {"x": "\u0031",  "y": [1e3, {}]}}`, "a", `{"y":[1e3,{}],"x":"1"}`, `{"a": {"x": "\u0031",  "y": [1e3, {}]}}`},
		{"a number that dockerd reads otherwise", `{"mtu": 1.5e3}`, "mtu", "1500", `{"mtu": 1500}`},
		{"a list on one line stays there", "{\n  \"a\": [ {\"x\": 1} ]\n}", "a", `[{"x":2},{"x":3}]`, "{\n  \"a\": [{\"x\": 2}, {\"x\": 3}]\n}"},
		{"a list on several lines stays so", "{\n  \"a\": [\n    1\n  ]\n}", "a", `[1,2]`, "{\n  \"a\": [\n    1,\n    2\n  ]\n}"},
		{"an object on several lines in a line stays so", "{\"a\": {\n  \"x\": 1\n}}", "a", `{"y":[1,2]}`, "{\"a\": {\n  \"y\": [1, 2]\n}}"},
		{"an empty list says nothing about layout", "{\n  \"a\": [ ]\n}", "a", `{"y":1}`, "{\n  \"a\": {\n    \"y\": 1\n  }\n}"},
		{"nor does a scalar", "{\n  \"a\": 1\n}", "a", `{"y":[]}`, "{\n  \"a\": {\n    \"y\": []\n  }\n}"},
		{"an object may become a scalar", `{"a": {"x": 1}, "b": 2}`, "a", `null`, `{"a": null, "b": 2}`},
	})
}
