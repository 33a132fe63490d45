package daemonjson

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// tryScript starts dockerd with the daemon.json of a host that was never used before,
// and then a container. It is given flags, whether to join a swarm first, and whether
// dockerd has --validate.
const tryScript = `
fresh() {
	systemctl stop docker.service 2>/dev/null
	systemctl reset-failed docker.service docker.socket 2>/dev/null
	ip link delete docker0 2>/dev/null
	find /var/lib/docker /srv -mindepth 1 -maxdepth 1 -exec rm -rf {} +
	cp -a /root/pristine/. /var/lib/docker
	systemctl start docker.socket
}
fresh
if [ "$2" = true ]; then
	mv /etc/docker/daemon.json /root/daemon.json
	echo >/etc/default/docker
	systemctl start docker.service
	docker swarm init --advertise-addr 127.0.0.1 >/dev/null
	systemctl stop docker.service 2>/dev/null
	mv /root/daemon.json /etc/docker/daemon.json
fi
echo "DOCKER_OPTS=\"$1\"" >/etc/default/docker
if [ "$3" = true ]; then
	if said=$(dockerd -H fd:// --containerd=/run/containerd/containerd.sock $1 --validate 2>&1); then echo validate ok; else echo validate bad; fi
	echo "$said"
else
	echo validate -
fi
cursor=$(journalctl -u docker.service -n 0 --show-cursor | sed -n 's/^-- cursor: //p')
if ! systemctl start docker.service 2>/dev/null; then
	echo verdict no-start
	journalctl -u docker.service ${cursor:+--after-cursor="$cursor"} -o cat | grep -e level=fatal -e '^failed' -e '^unable' -e '^panic' -e 'daemon:' -e '^[a-z].*: ' | grep -v -e level=info -e level=warn -e ^docker.service: | tail -n 1
	exit
fi
run() { said=$(timeout -s KILL 20 docker run --detach --pull never try:1 2>&1); }
run || case $said in *[Nn]"o such image"*) docker load --quiet --input /root/image.tar >/dev/null; run ;; *) false ;; esac ||
	{ echo verdict no-containers; echo "$said" | grep -e rror | tail -n 1; exit; }
echo verdict works
`

// once makes a host on which tryScript can run: dockerd starts once or not at all, and
// its data are as they were before any of them.
const once = `
mkdir -p /etc/systemd/system/docker.service.d
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=no\nTimeoutStartSec=60\n' >/etc/systemd/system/docker.service.d/once.conf
systemctl daemon-reload
docker save try:1 -o /root/image.tar
systemctl stop docker.service 2>/dev/null
cp -a /var/lib/docker /root/pristine
`

// labHosts runs a test on a host of each release, all at once: most of the time they
// wait.
func labHosts(t *testing.T, test func(t *testing.T, h *lab.Host)) {
	labtest.Need(t)
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			h := labtest.Boot(t, release)
			labtest.Image(t, h, "try:1")
			test(t, h)
		})
	}
}

// TestMatrixOnRealDaemons tries files on the dockerd of every release. With -update it
// tries every file everywhere, and writes down what happened. Without, it holds what was
// written down to what happens: each file on one of the releases, which takes minutes
// less and still notices a script, a file or a table that has changed.
func TestMatrixOnRealDaemons(t *testing.T) {
	labHosts(t, func(t *testing.T, h *lab.Host) {
		files := matrix(t)
		if turn := slices.Index(lab.Releases(), h.Release()); !*update {
			var some []matrixFile
			for i, file := range files {
				if i%len(lab.Releases()) == turn {
					some = append(some, file)
				}
			}
			files = some
		}
		labtest.Output(t, h, "sh", "-c", once)
		got := map[string]observed{}
		validates := h.Release() != "bookworm"
		for _, file := range files {
			got[file.name] = try(t, h, file, validates)
		}
		if *update {
			write(t, h, files, got)
			return
		}
		_, want := results(t, h.Release())
		for _, file := range files {
			g, w := got[file.name], want[file.name]
			if g.verdict != w.verdict || g.validate != w.validate {
				t.Errorf("%s: %s, validate %s; it was %s, %s before\n%s", file.name, g.verdict, g.validate, w.verdict, w.validate, g.message)
			}
		}
	})
}

func try(t *testing.T, h *lab.Host, file matrixFile, validates bool) observed {
	t.Helper()
	if err := h.WriteFile("/etc/docker/daemon.json", file.config, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	r, err := h.Run(ctx, "sh", "-c", tryScript, "try", strings.Join(file.flags, " "), fmt.Sprint(file.swarm), fmt.Sprint(validates))
	if err != nil {
		t.Fatalf("%s: %v\n%s", file.name, err, r.Stderr)
	}
	var o observed
	for line := range strings.Lines(r.Stdout) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "validate":
			o.validate = rest
		case word == "verdict":
			o.verdict, o.message = rest, ""
		case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "configuration OK"):
			o.message = strings.TrimSpace(line)
		}
	}
	if o.verdict == "" || o.validate == "" {
		t.Fatalf("%s: the script said nothing:\n%s%s", file.name, r.Stdout, r.Stderr)
	}
	return o
}

func write(t *testing.T, h *lab.Host, files []matrixFile, got map[string]observed) {
	t.Helper()
	version := strings.Fields(labtest.Output(t, h, "dockerd", "--version"))[2]
	var out strings.Builder
	fmt.Fprintf(&out, "# dockerd %s made this of the files here. TestMatrixOnRealDaemons -update writes it.\n", strings.TrimSuffix(version, ","))
	for _, file := range files {
		o := got[file.name]
		line := fmt.Sprintf("%-42s %-13s %-3s %s", file.name, o.verdict, o.validate, constant(o.message))
		fmt.Fprintln(&out, strings.TrimRight(line, " "))
	}
	if err := os.WriteFile(resultsPath(h.Release()), []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// constant takes out of a message what is another each time.
func constant(message string) string {
	message = regexp.MustCompile(`[0-9a-f]{12,}`).ReplaceAllString(message, "…")
	message = regexp.MustCompile(`^time="[^"]*" `).ReplaceAllString(message, "")
	message = strings.TrimPrefix(message, "unable to configure the Docker daemon with file /etc/docker/daemon.json: ")
	message = strings.TrimPrefix(message, "docker: Error response from daemon: ")
	message = regexp.MustCompile(`(endpoint |veth)[a-z0-9_]+`).ReplaceAllString(message, "${1}…")
	return strings.ToValidUTF8(message[:min(len(message), 160)], "")
}
