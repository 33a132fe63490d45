package jsontext_test

import (
	"maps"
	"strings"
)

// ownersFiles returns daemon.json files as people write them.
func ownersFiles() map[string]string {
	files := flatFiles()
	maps.Copy(files, indentedFiles())
	files["CRLF"] = strings.ReplaceAll(files["three spaces"], "\n", "\r\n")
	return files
}

func flatFiles() map[string]string {
	return map[string]string{
		"nothing between the brackets":  "{}",
		"one blank in between":          "{ }\n",
		"brackets on two lines":         "{\n}\n",
		"an empty line in between":      "{\n\n}",
		"blanks and tabs in between":    "{\n  \t\n }\n\n",
		"a carriage return in between":  "{\r}",
		"one line":                      `{"debug":true}`,
		"one line, airy":                `{ "debug": true, "log-opts": { } }` + "\n",
		"one line, blanks before colon": `{"debug" : true , "dns" : ["192.0.2.53"]}`,
	}
}

func indentedFiles() map[string]string {
	return map[string]string{
		"tabs": "{\n\t\"log-driver\": \"json-file\",\n\t\"log-opts\": {\n\t\t\"max-size\": \"10m\"\n\t}\n}\n",
		"three spaces": `{
   "icc": false,
   "log-opts": {
      "max-size": "10m",
      "max-file": "3"
   }
}
`,
		"no indentation": "{\n\"icc\": false,\n\"log-opts\": {\n\"max-size\": \"10m\"\n}\n}",
		"keys on one line and closing brackets behind the last value": `{
  "icc": false, "ip": "127.0.0.1",
  "log-opts": { "max-size": "10m",
                "max-file": "3" } }`,
		"the NVIDIA toolkit's": `{
    "default-runtime": "nvidia",
    "runtimes": {
        "nvidia": {
            "args": [],
            "path": "nvidia-container-runtime"
        }
    },
    "features": {}
}`,
		"commas first": "{\n  \"icc\": false\n, \"ip\": \"127.0.0.1\"\n, \"log-opts\": {}\n}\n",
		"values in a column": `{
  "icc":           false,
  "ip":            "127.0.0.1",

  "live-restore":  true

}
`,
		"brackets on lines of their own": `
{
  "default-ulimits":
  {
    "nofile":
    {
      "Name": "nofile",
      "Hard": 64000
    }
  }
}
`,
		"escapes and odd numbers": `{"log\u002dopts": {"t\u0061g": "\u007b{.Name}}\/é\ud83d\ude00"}, "mtu": 1.5e3, "x": 12345678901234567890, "y": -0.0E+1}`,
		"not from column one":     "  {\n    \"icc\": false\n  }  ",
		"different steps of indentation": `{
        "icc": false,
        "builder": {
          "gc": {
            "enabled": true
          }
        }
}`,
		"mixed line ends": "{\r\n  \"icc\": false,\n\t\"ip\": \"127.0.0.1\"\r}",
	}
}
