package jsontext_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"molo/internal/jsontext"
)

// names are few, so that edits meet what is there and each other.
func names() []string {
	return []string{"icc", "log-opts", "max-size", "a\"\\é", ""}
}

func values() []string {
	return []string{
		`true`, `null`, `"10m"`, `1e3`, `12345678901234567890`, `"\u003c\/"`, `[]`, `{}`, `["a","b"]`,
		`{"max-size":"1m","icc":{"icc":[1,2]}}`, `[{"icc":1},[[],[2]]]`, `{"log-opts":{}}`,
	}
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

func randomEdits(random *rand.Rand) []edit {
	edits := make([]edit, random.IntN(7))
	for i := range edits {
		for range 1 + random.IntN(3) {
			edits[i].path = append(edits[i].path, pick(random, names()...))
		}
		edits[i].value = json.RawMessage(pick(random, values()...))
		if random.IntN(3) == 0 {
			edits[i].path = append(edits[i].path, jsontext.Element(edits[i].value))
		}
	}
	return edits
}

// randomObject returns the text of an object that no human would write.
func randomObject(random *rand.Rand, depth int) string {
	blank := func() string { return pick(random, "", "", " ", "\n", "\n  ", "\t", "\r\n\t", "\r", " \n\n    ") }
	if random.IntN(3) == 0 {
		depth = 0
	}
	var out strings.Builder
	out.WriteString(blank() + "{" + blank())
	order := random.Perm(len(names()))
	for i, n := range order[:random.IntN(len(order))*min(1, depth)] {
		if i > 0 {
			out.WriteString(blank() + "," + blank())
		}
		name := names()[n]
		if random.IntN(4) == 0 {
			name = strings.ReplaceAll(name, "o", "\x00")
		}
		key := strings.ReplaceAll(fmt.Sprintf("%q", name), `\x00`, `\u006f`)
		fmt.Fprintf(&out, "%s%s:%s", key, blank(), blank())
		if random.IntN(2) == 0 {
			out.WriteString(pick(random, values()...))
		} else {
			out.WriteString(strings.Trim(randomObject(random, depth-1), " \t\r\n"))
		}
		out.WriteString(blank())
	}
	out.WriteString("}" + blank())
	return out.String()
}
