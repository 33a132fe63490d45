package jsontext_test

import (
	"fmt"
	"strings"
	"testing"

	"molo/internal/jsontext"
)

// flat returns an object of that many members on lines of about 100 bytes.
func flat(members int) string {
	lines := make([]string, members)
	for i := range lines {
		lines[i] = fmt.Sprintf("  \"key-%05d\": {\"path\": %q, \"args\": [1, 2, 3]}", i, strings.Repeat("x", 50))
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n}\n"
}

// BenchmarkParse shows that time per byte does not grow with the file.
func BenchmarkParse(b *testing.B) {
	files := map[string]string{
		"nested=10": nested(10), "nested=1000": nested(1000),
		"members=100": flat(100), "members=1000": flat(1000), "members=10000": flat(10000),
		"list=1MB":    `{"a": [` + strings.Repeat("[1],", 250_000) + "0]}",
		"strings=1MB": `{"a": "` + strings.Repeat(`\u0061`, 170_000) + `"}`,
		"cut=1MB":     `{"a": ` + strings.Repeat(`"`, 1_000_000),
	}
	for name, src := range files {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = jsontext.Parse([]byte(src)) // some are cut short
			}
		})
	}
}

// BenchmarkSetAndDelete shows that an edit does not cost more in a larger file:
// every member of it is changed once, as many are added, and those are deleted.
func BenchmarkSetAndDelete(b *testing.B) {
	for _, members := range []int{100, 1000, 10000} {
		src := flat(members)
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			for b.Loop() {
				doc := parse(b, src)
				for i := range members {
					key := fmt.Sprintf("key-%05d", i)
					set(b, doc, `"changed"`, key)
					set(b, doc, `{"x":[1,2,{}]}`, "new-"+key, "y")
				}
				for i := range members {
					doc.Prune(0, fmt.Sprintf("new-key-%05d", i), "y")
				}
				doc.Bytes()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members*3), "ns/edit")
		})
	}
}

// BenchmarkSetDeep makes an edit under 999 objects.
func BenchmarkSetDeep(b *testing.B) {
	path := strings.Split(strings.Repeat("a.", 998)+"a", ".")
	for b.Loop() {
		doc := parse(b, nested(1000))
		set(b, doc, "true", append(path, "b")...)
		doc.Bytes()
	}
}
