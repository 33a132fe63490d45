package policy

import (
	"strings"
	"testing"
)

func TestRetentionOfLogs(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"a number of days", "14d", ""},
		{"hours that make whole days", "48h", ""},
		{"a day and a half", "36h", "in whole days"},
		{"less than a day", "12h", "is not from 1d to 3650d"},
		{"for ever", "99999d", "is not from 1d to 3650d"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, diags := Parse([]Source{{"p.hcl", []byte("nginx {\n  log {\n    retention = \"" + tc.value + "\"\n  }\n}\n")}})
			var said []string
			for _, d := range diags.Entries() {
				said = append(said, d.Detail)
			}
			if got := strings.Join(said, "\n"); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("said %q, want %q", got, tc.want)
			}
		})
	}
}
