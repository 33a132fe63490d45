package nginx

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/facts"
	"molo/internal/policy"
)

func TestTablesAreSizedForTheNames(t *testing.T) {
	sizes := func(bucket, most int) []table { return []table{{"x_bucket_size", bucket}, {"x_max_size", most}} }
	for _, tc := range []struct {
		name           string
		longest, count int
		want           []table
	}{
		{"a few short names need nothing", 30, 32, nil},
		{"the longest name that fits a bucket", 46, 32, nil},
		{"one byte more", 47, 1, sizes(512, 512)},
		{"many short names", 30, 33, sizes(256, 512)},
		{"600 names", 30, 600, sizes(256, 8192)},
		{"the longest name there is", 253, 1, sizes(2048, 512)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, sizeTable("x", tc.longest, tc.count, 32, 512), cmp.AllowUnexported(table{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestTablesOfTheOwnerAreLeftAlone(t *testing.T) {
	const bucket, size = "server_names_hash_bucket_size", "server_names_hash_max_size"
	for _, tc := range []struct {
		name, file string
		sites      int
		want       []string // in http.conf
		err        string
	}{
		{"nothing set, nothing needed", "", 1, nil, ""},
		{"set, not needed", bucket + " 32;", 1, nil, ""},
		{"nothing set, both needed", "", 100, []string{bucket + " 256;", size + " 1024;"}, ""},
		{"one set to enough", bucket + " 512;", 100, []string{size + " 1024;"}, ""},
		{"both set to enough, in nginx.conf", "http { " + bucket + " 256; " + size + " 4096; }", 100, nil, ""},
		{"one set to too little", "\n" + size + " 512;", 100, nil, "x.conf:2 sets " + size + " to 512 and the sites need 1024"},
		{"one set to nonsense", bucket + " big;", 100, nil, "x.conf:1 sets " + bucket + " to big"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resources, err := Compile(manySites(t, tc.sites), policy.NginxLog{}, facts.Nginx{Foreign: map[string]string{"x.conf": tc.file}})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q in it", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			http := string(treeOf(t, resources).Files["http.conf"])
			for _, want := range tc.want {
				if !strings.Contains(http, want) {
					t.Errorf("%q is not set", want)
				}
			}
			if got := strings.Count(http, "server_names_hash"); got != len(tc.want) {
				t.Errorf("%d tables are set, want %d", got, len(tc.want))
			}
		})
	}
}
