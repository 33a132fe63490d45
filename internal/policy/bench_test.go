package policy

import (
	"fmt"
	"strings"
	"testing"
)

// manySites is a policy of so many sites.
func manySites(n int) []byte {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "site \"app%d.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n  headers {\n    x_frame_options = \"SAMEORIGIN\"\n  }\n}\n", i)
	}
	return []byte(out.String())
}

// BenchmarkParse shows what a policy costs: time must grow with the sites, not faster.
func BenchmarkParse(b *testing.B) {
	for _, sites := range []int{1, 60, 600, 6000} {
		b.Run(fmt.Sprintf("sites=%d", sites), func(b *testing.B) {
			sources := []Source{{"policies.hcl", manySites(sites)}}
			b.SetBytes(int64(len(sources[0].Data)))
			b.ReportAllocs()
			for b.Loop() {
				if p, _ := Parse(sources); p == nil {
					b.Fatal("refused")
				}
			}
		})
	}
}
