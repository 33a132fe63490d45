package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"molo/internal/lab"
)

var everyCrash = flag.Bool("every-crash", false, "kill at every side effect on every release, not on one of them")

// crashPolicy asks for something of every part; the two ways in which it can be asked
// differ in all of them, and a change from one to the other restarts dockerd.
func crashPolicy(second bool) string {
	files, header, label, size := "5", "same-origin", "tier=1", "7000"
	if second {
		files, header, label, size = "7", "no-referrer", "tier=2", "7100"
	}
	open := ""
	if second {
		open = "  publish \"metrics\" {\n    ports = [9100]\n    from  = [\"192.0.2.0/24\"]\n  }\n"
	}
	return "docker {\n  settings = { \"labels\" = [\"" + label + "\"] }\n  log {\n    max_file = " + files + "\n  }\n}\n" +
		"firewall {\n" + open + "}\n" +
		"sysctl {\n  settings = { \"net.ipv4.tcp_keepalive_time\" = " + size + " }\n}\n" +
		"site \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n  headers {\n    referrer_policy = \"" + header + "\"\n  }\n}\n"
}

// watchDocker asks dockerd again and again how it is, until it is told to stop, and
// prints for how long it did not answer at most, in milliseconds.
const watchDocker = `
import os, socket, time
longest, last = 0, time.monotonic()
while not os.path.exists("/run/enough"):
    try:
        s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect("/run/docker.sock")
        s.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        if b" 200 " in s.recv(100):
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        s.close()
    except OSError:
        pass
    time.sleep(0.05)
print(int(1000 * max(longest, time.monotonic() - last)))
`

// TestMoloDiesAtEverySideEffect kills an apply right before each of its side effects, one
// after the other, until one comes through. After each the next apply converges; all the
// while the published port is shut, and dockerd is never away for longer than a restart
// takes. Each effect is tried on one release, or with -every-crash on all of them.
func TestMoloDiesAtEverySideEffect(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED: the killer reads the registers of amd64 only")
	}
	killer, err := lab.BuildStatic(context.Background(), "molo/internal/lab/killer")
	if err != nil {
		t.Fatal(err)
	}
	everyRelease(t, func(w *world) {
		if err := w.host.Push(killer, "/usr/bin/killer"); err != nil {
			w.Fatal(err)
		}
		w.sh("docker run -d --name web --restart always -p 8080:80 server:1")
		w.sh("docker run -d --name app --restart always -p 127.0.0.1:8081:80 server:1")
		w.policy(crashPolicy(false))
		w.molo(0, "apply")
		s := &scene{world: w}
		s.shut(func() { w.diesEverywhere() }, "W tcp 8080", "W tcp6 8080")
	})
}

// diesEverywhere does the killing.
func (w *world) diesEverywhere() {
	w.Helper()
	watch := w.lab().Command(context.Background(), "python3", "-c", watchDocker)
	away := make(chan string, 1)
	go func() {
		out, err := watch.Output()
		away <- strings.TrimSpace(string(out)) + strings.TrimPrefix(fmt.Sprint(err), "<nil>")
	}()
	turn, step := slices.Index(lab.Releases(), w.host.Release()), len(lab.Releases())
	if *everyCrash {
		turn, step = 0, 1
	}
	second, crashes := false, 0
	for n := turn + 1; ; n += step {
		second = !second
		w.policy(crashPolicy(second))
		w.reset()
		out := w.sh(fmt.Sprintf("killer %d molo apply --no-probe 2>&1; echo code=$?", n))
		if !strings.Contains(out, "code=9") {
			w.holds("the apply that came through", out, "code=0", "ended after")
			break
		}
		crashes++
		w.recovers(out, second)
	}
	w.sh("touch /run/enough")
	w.Logf("died %d times", crashes)
	if crashes < 30/step {
		w.Errorf("only %d side effects: what is counted?", crashes)
	}
	if ms, err := strconv.Atoi(<-away); err != nil || time.Duration(ms)*time.Millisecond > 15*time.Second {
		w.Errorf("dockerd did not answer for %d ms (%v)", ms, err)
	}
}

// recovers runs molo as the timer does, and looks whether all is well then.
func (w *world) recovers(crash string, second bool) {
	w.Helper()
	w.reset()
	r := w.molo(0, "apply", "--no-probe")
	if w.Failed() {
		w.Fatalf("after %s\n%s", crash, r.Stdout)
	}
	w.same("after "+crash+" the number of containers", "2\n", w.sh("docker ps --quiet | wc -l"))
	header, files, label := "same-origin", "5", "tier=1"
	if second {
		header, files, label = "no-referrer", "7", "tier=2"
	}
	w.holds("what nginx serves after "+crash, w.sh("curl -fsSi -H 'Host: app.example.no' http://127.0.0.1/"), "Referrer-Policy: "+header)
	w.holds("what dockerd says after "+crash, w.sh("docker info; docker rm -f logged >/dev/null; docker create --name logged server:1 >/dev/null; docker inspect -f '{{.HostConfig.LogConfig.Config}}' logged"), label, "max-file:"+files)
	if out := w.molo(0, "plan", "--detailed-exitcode").Stdout; w.Failed() {
		w.Fatalf("after %s the next apply did not do everything:\n%s", crash, out)
	}
}
