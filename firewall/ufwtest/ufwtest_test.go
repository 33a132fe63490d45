package ufwtest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/firewall/ufwtest"
)

// TestRuleFilesAreThoseOfUFW writes the rules of files that the real ufw wrote.
func TestRuleFilesAreThoseOfUFW(t *testing.T) {
	for name, v6 := range map[string]bool{"user.rules": false, "user6.rules": true} {
		data, err := os.ReadFile("../testdata/ufw/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var tuples []string
		for line := range strings.Lines(string(data)) {
			if tuple, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "### tuple ### "); ok {
				tuples = append(tuples, tuple)
			}
		}
		if len(tuples) < 20 {
			t.Fatalf("%s has %d tuples", name, len(tuples))
		}
		if diff := cmp.Diff(rules(string(data)), rules(ufwtest.RuleFile(v6, tuples...))); diff != "" {
			t.Errorf("%s (-ufw +written):\n%s", name, diff)
		}
	}
}

// rules cuts off what is about logging. UFW ends some lines with a blank.
func rules(text string) []string {
	text, _, _ = strings.Cut(text, "### END RULES ###")
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}
