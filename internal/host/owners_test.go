package host

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"molo/internal/policy"
	"molo/provision"
)

// TestTheOwnersBytesComeBack applies random policies, one after the other, to random
// files of the owner's, and then one that asks for nothing.
func TestTheOwnersBytesComeBack(t *testing.T) {
	changed := 0
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 4))
		owners := ownersFile(random)
		h := image(t, map[string]string{provision.DaemonJSON: owners, "/usr/bin/dockerd": ""})
		for range 1 + random.IntN(3) {
			text := randomPolicy(random)
			applyText(t, h, text)
			if after := h.text(t, provision.DaemonJSON); after != owners {
				changed++
			}
		}
		applyText(t, h, "")
		if diff := cmp.Diff(owners, h.text(t, provision.DaemonJSON)); diff != "" {
			t.Fatalf("seed %d (-owner's +after):\n%s", seed, diff)
		}
	}
	if changed < 300 {
		t.Errorf("only %d applies changed anything", changed)
	}
}

func TestAFileOfBlanksBecomesAnObject(t *testing.T) {
	h := image(t, map[string]string{provision.DaemonJSON: "\n\n", "/usr/bin/dockerd": ""})
	applyText(t, h, "docker {}\n")
	applyText(t, h, "")
	if got := strings.TrimSpace(h.text(t, provision.DaemonJSON)); got != "{}" {
		t.Errorf("got %q", got)
	}
}

func applyText(t *testing.T, h *Host, text string) {
	t.Helper()
	p, diagnostics := policy.Parse([]policy.Source{{Name: "policies.hcl", Data: []byte(text)}})
	if diagnostics.HasErrors() {
		t.Fatalf("%s\n%v", text, diagnostics)
	}
	report, err := provision.Apply(t.Context(), h, h, p, provision.Options{})
	if err != nil || report.Failed() != nil {
		data, _ := os.ReadFile(h.path(provision.DaemonJSON))
		t.Fatalf("applying %q to %q: %v, %v", text, data, err, report.Failed())
	}
}

// ownersFile returns a daemon.json that somebody may have written.
func ownersFile(random *rand.Rand) string {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	newline := pick("\n", "\n", "\r\n")
	indent := pick("  ", "\t", "    ")
	members := []string{
		`"icc": ` + pick("true", "false"), `"log-driver": "json-file"`, `"log-opts": ` + pick("{}", "{ }", `{"max-size": "1m"}`, `{"max-file":"2" , "compress":"true"}`),
		`"insecure-registries": ` + pick("[]", "[ ]", `["a.example:5000"]`, `["b.example" ,"a.example:5000"]`), `"dns":["192.0.2.1"]`,
		`"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}}`, `"max-concurrent-downloads" : 3`, `"data-root": "/srv\u002fdocker"`,
		`"features": {}`, `"default-network-opts": ` + pick("{}", `{"bridge":{}}`, `{"bridge": {"com.docker.network.driver.mtu": "1400"}}`), `"labels": ["a=<b>"]`,
	}
	random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	members = members[:random.IntN(len(members)+1)]
	if random.IntN(4) == 0 {
		return "{" + strings.Join(members, pick(", ", ",", " , ")) + "}" + pick("", newline)
	}
	if len(members) == 0 {
		return pick("{}", "{ }", "{"+newline+"}") + newline
	}
	return "{" + newline + indent + strings.Join(members, ","+newline+indent) + newline + "}" + pick("", newline, newline+newline)
}

// randomPolicy returns a block docker.
func randomPolicy(random *rand.Rand) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		if random.IntN(2) == 0 {
			fmt.Fprintf(&b, "  "+format+"\n", args...)
		}
	}
	b.WriteString("docker {\n")
	line("icc = %t", random.IntN(2) == 0)
	line("live_restore = false")
	line("userns_remap = \"off\"")
	line("publish_address = \"0.0.0.0\"")
	line("log {\n    max_size = \"%dm\"\n  }", 1+random.IntN(9))
	line("settings = {\n    %s\n  }", []string{
		`"max-concurrent-downloads" = 6`, `"insecure-registries" = ["a.example:5000", "c.example"]`, `"dns" = ["192.0.2.1", "192.0.2.2"]`,
		`"features" = { "buildkit" = true }`, `"labels" = ["a=<b>"]`,
	}[random.IntN(5)])
	b.WriteString("}\n")
	return b.String()
}
