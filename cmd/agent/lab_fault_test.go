package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/firewall/ufwtest"
	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// snapshot is everything on a host that molo could change: files, firewall tables,
// processes.
func (w *world) snapshot() string {
	w.Helper()
	return w.sh("find /etc /var/lib/molo /usr/bin/molo -type f -exec sha256sum {} + 2>/dev/null | sort; "+
		"find /etc -type l -printf '%p -> %l\\n' | sort; for six in '' 6; do ip${six}tables-save | grep -v '^#' | sed 's/ \\[[0-9:]*\\]$//'; done; "+
		"docker ps --all --quiet") + w.pids()
}

func TestABadPolicyChangesNothing(t *testing.T) {
	bad, err := filepath.Glob("../../internal/policy/testdata/bad/*.hcl*")
	if err != nil || len(bad) < 20 {
		t.Fatalf("found %d bad policies, want at least 20 (%v)", len(bad), err)
	}
	everyRelease(t, func(w *world) {
		w.policy(wholePolicy)
		w.molo(0, "apply")
		before := w.snapshot()
		for _, name := range bad {
			text, err := os.ReadFile(name)
			if err != nil {
				w.Fatal(err)
			}
			target := "/root/" + filepath.Base(name)
			w.write(target, string(text))
			r := w.molo(exitBadInput, "apply", "--policy", target)
			if !strings.Contains(r.Stderr, "on "+target+" line ") {
				w.Errorf("%s: the message names no line:\n%s", filepath.Base(name), r.Stderr)
			}
		}
		if diff := cmp.Diff(before, w.snapshot()); diff != "" {
			w.Errorf("a bad policy changed the host (-before +after):\n%s", diff)
		}
	})
}

// TestKilledApplyConverges ends molo by SIGKILL when it has just done something,
// and lets the next run find what it left.
func TestKilledApplyConverges(t *testing.T) {
	moments := []struct {
		name string
		seen string // a shell test that holds from that moment on
	}{
		{"the lock is taken", "test -s /run/molo/lock"},
		{"the firewall's intent is noted", "grep -q '\"firewall\": {' /var/lib/molo/state.json"},
		{"the first chains stand", "iptables-save | grep -q :MOLO"},
		{"docker's intent is noted", "grep -q '\"docker\": {' /var/lib/molo/state.json"},
		{"daemon.json is written", "grep -q no-new-privileges /etc/docker/daemon.json"},
		{"dockerd restarts", "! systemctl is-active --quiet docker"},
		{"a generation is written", "test -e /etc/nginx/molo"},
		{"the generation is live", "test -e /etc/nginx/molo/current"},
	}
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name web -p 8080:80 server:1")
		w.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		for _, moment := range moments {
			w.policy("")
			w.molo(0, "apply")
			w.sh("rm -rf /run/molo")
			w.policy(wholePolicy)
			w.kill(moment.name, moment.seen)
			w.molo(0, "apply")
			w.reachable(8080, false)
			if got := w.sh("docker ps --quiet | wc -l"); got != "2\n" {
				w.Errorf("killed when %s: %s containers run, want 2", moment.name, strings.TrimSpace(got))
			}
			w.sh("curl -fsS -o /dev/null -H 'Host: app.example.no' http://127.0.0.1/")
			w.molo(0, "plan", "--detailed-exitcode")
		}
	})
}

// kill starts an apply and ends it as soon as the shell test holds.
func (w *world) kill(name, seen string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// molo and the watch run side by side in one shell, so that nothing but the
	// test itself lies between the moment and the signal.
	script := "molo apply >/dev/null 2>&1 & pid=$!\n" +
		"while kill -0 $pid 2>/dev/null; do if " + seen + "; then kill -KILL $pid; wait $pid; exit 9; fi; done 2>/dev/null\nexit 1"
	r, err := w.host.Run(ctx, "sh", "-c", script)
	if err != nil {
		w.Fatal(err)
	}
	if r.Code != 9 {
		w.Errorf("apply ended before %s was seen: nothing was killed\n%s%s", name, r.Stdout, r.Stderr)
	}
}

func TestTwoAppliesAtOnce(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.policy("docker {}\n")
		out := w.sh("molo apply >/tmp/first 2>&1 & pid=$!; " +
			"until test -s /run/molo/lock; do :; done; molo apply; echo code=$?; wait $pid; echo first=$?")
		if !strings.Contains(out, "code=75") || !strings.Contains(out, "first=0") {
			w.Errorf("two applies at once: want 75 for the second and 0 for the first:\n%s", out)
		}
	})
}

func TestWhatANoChangeApplyStarts(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		w.policy(wholePolicy)
		w.molo(0, "apply")
		r := w.molo(0, "apply", "--verbose")
		var started []string
		for line := range strings.Lines(r.Stderr) {
			if _, argv, ok := strings.Cut(line, "msg=exec argv="); ok {
				started = append(started, strings.TrimSpace(argv))
			}
		}
		want := []string{"[iptables-save]", "[ip6tables-save]"}
		if diff := cmp.Diff(want, started); diff != "" {
			w.Errorf("processes of a no-change apply (-want +got):\n%s", diff)
		}
	})
}

// BenchmarkNoChangeApplyWithRules measures a run on a converged host by the number of
// UFW's rules in each family. How many programs it starts must not grow with them.
func BenchmarkNoChangeApplyWithRules(b *testing.B) {
	h := convergedHost(b)
	for _, n := range []int{10, 1000, 10000} {
		var rules, rules6 []string
		for i := range n {
			rules = append(rules, fmt.Sprintf("allow tcp %d 0.0.0.0/0 any 0.0.0.0/0 in", 10000+i))
			rules6 = append(rules6, fmt.Sprintf("allow tcp %d ::/0 any ::/0 in", 10000+i))
		}
		for path, text := range map[string]string{"/etc/ufw/user.rules": ufwtest.RuleFile(false, rules...), "/etc/ufw/user6.rules": ufwtest.RuleFile(true, rules6...)} {
			if err := h.WriteFile(path, []byte(text), 0o640); err != nil {
				b.Fatal(err)
			}
		}
		labtest.Output(b, h, "molo", "apply", "--no-probe")
		b.Run(fmt.Sprintf("%d rules", n), func(b *testing.B) { measure(b, h, "molo", "apply", "--verbose") })
	}
}

// BenchmarkNoChangeApply measures a run on a converged host. "enter" is what it
// takes to run nothing there; the difference is molo's.
func BenchmarkNoChangeApply(b *testing.B) {
	h := convergedHost(b)
	for name, argv := range map[string][]string{"enter": {"true"}, "apply": {"molo", "apply", "--verbose"}, "plan": {"molo", "plan"}} {
		b.Run(name, func(b *testing.B) { measure(b, h, argv...) })
	}
}

// measure runs a command again and again, and counts the programs that it starts.
func measure(b *testing.B, h *lab.Host, argv ...string) {
	b.Helper()
	execs := 0
	for b.Loop() {
		r, err := h.Run(context.Background(), argv...)
		if err != nil || r.Code != 0 {
			b.Fatalf("%v: %v, exit code %d\n%s", argv, err, r.Code, r.Stderr)
		}
		execs = strings.Count(r.Stderr, "msg=exec")
	}
	b.ReportMetric(float64(execs), "execs/op")
}

// convergedHost is a host on which there is nothing to do.
func convergedHost(b *testing.B) *lab.Host {
	b.Helper()
	h := labtest.Boot(b, "trixie")
	if err := h.Push(build(b), "/usr/bin/molo"); err != nil {
		b.Fatal(err)
	}
	if err := h.WriteFile("/etc/molo/policies.hcl", []byte(wholePolicy), 0o644); err != nil {
		b.Fatal(err)
	}
	labtest.Output(b, h, "ufw", "--force", "enable")
	labtest.Output(b, h, "molo", "apply")
	return h
}
