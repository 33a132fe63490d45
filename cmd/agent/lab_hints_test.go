package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"molo/internal/audit"
)

// careless are containers that fall short, and what more of them has to be run.
func careless() []struct {
	name, image string
	flags       []string
	then        string // is run afterwards
} {
	return []struct {
		name, image string
		flags       []string
		then        string
	}{
		{"web", "good:1 -http :80", []string{"--publish 8090:80", "--restart always", "--env DB_PASSWORD=correct-horse"}, ""},
		{"writer", "good:1", []string{"--user 1000", "--log-driver json-file"}, "printf x >/srv/x; mkdir -p /srv/d/e; docker cp /srv/d writer:/data; docker cp /srv/x writer:/data/e/x; mkdir -p /srv/n/var/cache; docker cp /srv/n/var writer:/"},
		{"open", "good:1", []string{
			"--cap-add SYS_ADMIN", "--cap-add CHOWN", "--security-opt seccomp=unconfined", "--security-opt systempaths=unconfined", "--security-opt no-new-privileges=false",
			"--device /dev/null:/dev/mine", "--volume /etc:/x", "--volume /srv:/data:rshared", "--publish 0.0.0.0:81:8080",
		}, ""},
		{"loose", "good:1", []string{
			"--privileged", "--user 1000:1000", "--network host", "--pid host", "--ipc host", "--uts host", "--cgroupns host", "--cgroup-parent x.slice",
		}, ""},
	}
}

// TestFixHintsMendWhatTheAuditFinds starts careless containers, starts them again as the
// hints say, and looks whether the audit is content and they still work.
func TestFixHintsMendWhatTheAuditFinds(t *testing.T) {
	everyAuditRelease(t, func(w *world) {
		w.image("good:1", "server", `HEALTHCHECK CMD ["/none"]`)
		w.daemon("userns-remap", "", "no-new-privileges", "")
		w.sh("mount --make-rshared /")
		for _, c := range careless() {
			w.sh(fmt.Sprintf("docker run -d --name %s %s %s; %s", c.name, strings.Join(c.flags, " "), c.image, c.then))
		}
		hints := w.hints()
		if len(hints) != len(careless()) {
			w.Fatalf("%d hints, want one for each of %d containers", len(hints), len(careless()))
		}
		for _, c := range careless() {
			h := hints[c.name]
			w.overrideLoads(h)
			w.Logf("%s: add %q, leave out %q, image %s, before %q, breaks %q, left %q", c.name, h.Add, h.LeaveOut, h.Image, h.Before, h.Breaks, h.Left)
			flags := slices.Concat(slices.DeleteFunc(slices.Clone(c.flags), func(f string) bool { return leftOut(h, f) }), h.Add)
			if slices.Contains(h.Left, "the option shared or rshared of its mount at /data: take it out") {
				flags = strings.Split(strings.ReplaceAll(strings.Join(flags, "\n"), ":rshared", ""), "\n")
			}
			_, command, _ := strings.Cut(c.image, " ")
			w.sh(strings.Join(append(h.Before, "docker rm -f "+c.name, fmt.Sprintf("docker run -d --name %s %s %s %s", c.name, strings.Join(flags, " "), h.Image, command)), " && "))
		}
		w.finds("the containers, as the hints say", []string{"--only", "containers"}, bounds("web", "writer", "loose", "open")...)
		w.sh("curl -sSf --max-time 10 --retry 5 --retry-connrefused http://127.0.0.1:8090/ >/dev/null")
		if mounts := w.sh("docker inspect -f '{{json .HostConfig.Tmpfs}}' writer"); !strings.Contains(mounts, "/data") || !strings.Contains(mounts, `"/var"`) {
			w.Errorf("the writer's directories are %s", mounts)
		}
		// Any user may write there, and Docker lets any user listen on port 80.
		if mode := strings.TrimSpace(w.sh("stat -c %a /proc/$(docker inspect -f '{{.State.Pid}}' writer)/root/data")); mode != "1777" {
			w.Errorf("the mode of the writer's directory is %s", mode)
		}
		if slices.ContainsFunc(hints["web"].Add, func(f string) bool { return strings.HasPrefix(f, "--sysctl") }) {
			w.Error("a sysctl for port 80, where Docker lets every user listen")
		}
		w.sh("docker cp /srv/x open:/data/x") // a mount of its own is still there
	})
}

// hints returns the hints by the name of the container. No secret is in them.
func (w *world) hints() map[string]audit.Hint {
	w.Helper()
	text := w.molo(3, "audit", "--fix-hints", "--only", "containers").Stdout
	r := w.molo(3, "audit", "--fix-hints", "--only", "containers", "--json").Stdout
	if strings.Contains(text+r, "correct-horse") {
		w.Error("the value of a secret is in the hints")
	}
	var report struct{ Hints []audit.Hint }
	if err := json.Unmarshal([]byte(r), &report); err != nil {
		w.Fatalf("%v\n%s", err, r)
	}
	all := map[string]audit.Hint{}
	for _, h := range report.Hints {
		all[h.Container] = h
		for _, flag := range h.Add {
			if !strings.Contains(text, "    "+flag+"\n") {
				w.Errorf("the text lacks %q:\n%s", flag, text)
			}
		}
	}
	return all
}

// leftOut reports whether a hint says to leave a flag out. What Docker makes of one is
// not always spelled like it.
func leftOut(h audit.Hint, flag string) bool {
	return slices.ContainsFunc(h.LeaveOut, func(out string) bool {
		device, isDevice := strings.CutPrefix(out, "--device ")
		return out == flag || strings.ReplaceAll(flag, "0.0.0.0:", "") == out || isDevice && strings.HasPrefix(flag, "--device "+device+":")
	})
}

// overrideLoads puts an override over a compose file with the loader of docker compose.
func (w *world) overrideLoads(h audit.Hint) {
	w.Helper()
	dir := w.TempDir()
	base := fmt.Sprintf("services:\n  %s:\n    image: good:1\n    cap_add: [SYS_ADMIN]\n    ports: ['8090:80']\n    security_opt: ['seccomp=unconfined']\n", h.Container)
	var files []types.ConfigFile
	for i, text := range []string{base, h.Override} {
		name := filepath.Join(dir, fmt.Sprintf("%d.yml", i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			w.Fatal(err)
		}
		files = append(files, types.ConfigFile{Filename: name})
	}
	project, err := loader.LoadWithContext(w.Context(), types.ConfigDetails{WorkingDir: dir, ConfigFiles: files}, func(o *loader.Options) { o.SetProjectName("x", true) })
	if err != nil {
		w.Errorf("%s: the override is refused: %v\n%s", h.Container, err, h.Override)
		return
	}
	if s := project.Services[h.Container]; h.Container == "open" && (s.User != "1000:1000" || slices.Contains(s.CapAdd, "SYS_ADMIN") || slices.Contains(s.SecurityOpt, "seccomp=unconfined") || !s.ReadOnly) {
		w.Errorf("the override does not hold: %+v\n%s", s, h.Override)
	}
}
