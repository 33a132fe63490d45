package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"

	"molo/internal/facts"
)

// fakeEngine is an Engine API with some containers. What it is told to break, it breaks.
type fakeEngine struct {
	version    string // "1.41"
	containers int
	images     int
	hang       string        // requests whose path ends like this are never answered
	fail       string        // these are answered with an error
	garble     string        // these are answered with half an object
	gone       string        // these are of containers that are gone by now
	exited     string        // these are of containers that have exited by now
	slow       time.Duration // each request takes so long, so that those at once meet

	requests atomic.Int64
	at       atomic.Int64 // requests under way
	most     atomic.Int64
	stop     chan struct{}
}

// start serves the API on a socket of its own and returns a client of it.
func (e *fakeEngine) start(t testing.TB) *client.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	e.stop = make(chan struct{})
	server := &http.Server{Handler: e}
	go server.Serve(listener)
	engine, err := client.New(client.WithHost("unix://" + socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(e.stop)
		engine.Close()
		server.Close()
		os.RemoveAll(dir)
	})
	return engine
}

func (e *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.requests.Add(1)
	for n := e.at.Add(1); ; {
		if most := e.most.Load(); n <= most || e.most.CompareAndSwap(most, n) {
			break
		}
	}
	defer e.at.Add(-1)
	w.Header().Set("Api-Version", e.version)
	w.Header().Set("Content-Type", "application/json")
	path := r.URL.Path
	time.Sleep(e.slow)
	switch {
	case e.hang != "" && strings.HasSuffix(path, e.hang):
		select {
		case <-e.stop:
		case <-r.Context().Done():
		}
	case e.fail != "" && strings.HasSuffix(path, e.fail):
		http.Error(w, `{"message": "the daemon is on fire"}`, http.StatusInternalServerError)
	case e.garble != "" && strings.HasSuffix(path, e.garble):
		fmt.Fprint(w, `{"Id": "x", "HostConfig": {"Privileged": fal`)
	case e.gone != "" && strings.HasSuffix(path, e.gone):
		http.Error(w, `{"message": "No such container"}`, http.StatusNotFound)
	case e.exited != "" && strings.HasSuffix(path, e.exited):
		fmt.Fprint(w, `{"Id": "x", "State": {"Status": "exited", "Pid": 0}, "Config": {}, "HostConfig": {}}`)
	default:
		e.answer(w, path)
	}
}

// answer knows the requests of an audit, and nothing else.
func (e *fakeEngine) answer(w http.ResponseWriter, path string) {
	_, path, _ = strings.Cut(strings.TrimPrefix(path, "/v"), "/")
	words := strings.Split(path, "/")
	switch {
	case words[0] == "_ping":
		fmt.Fprint(w, "OK")
	case path == "info":
		write(w, map[string]any{"ServerVersion": "26.1.5", "LoggingDriver": "local", "Driver": "overlay2", "MemoryLimit": true})
	case path == "containers/json":
		write(w, e.list())
	case path == "networks":
		fmt.Fprint(w, `[{"Name": "bridge", "Id": "0123456789abcdef", "Driver": "bridge", "Options": {}}]`)
	case path == "volumes":
		fmt.Fprint(w, `{"Volumes": [{"Name": "etc", "Driver": "local", "Options": {"type": "none", "o": "bind,ro", "device": "/etc"}},
			{"Name": "disk", "Driver": "local", "Options": {"type": "ext4", "device": "/dev/sda1"}}, {"Name": "far", "Driver": "local", "Options": {"type": "cifs", "device": "//nas/share"}},
			{"Name": "nfs", "Driver": "local", "Options": {"type": "nfs", "device": ":/share"}}, {"Name": "data", "Driver": "local"}]}`)
	case path == "images/json":
		var all []any
		for i := range e.images {
			all = append(all, map[string]any{"Id": fmt.Sprintf("sha256:%064d", i), "RepoTags": []string{fmt.Sprintf("image:%d", i)}})
		}
		write(w, all)
	case words[0] == "containers" && words[2] == "json":
		write(w, inspected(words[1]))
	case words[0] == "images" && words[len(words)-1] == "json":
		write(w, map[string]any{"Id": words[1], "Config": map[string]any{"Env": []string{"PATH=/bin", "EMPTY=", "TOKEN=very-secret"}}})
	default:
		http.Error(w, `{"message": "no such request"}`, http.StatusNotFound)
	}
}

func write(w http.ResponseWriter, v any) { json.NewEncoder(w).Encode(v) }

func (e *fakeEngine) list() []any {
	var all []any
	for i := range e.containers {
		all = append(all, map[string]any{
			"Id": fmt.Sprintf("%064d", i), "Names": []string{fmt.Sprintf("/c%d", i)}, "Image": "image:0", "ImageID": fmt.Sprintf("sha256:%064d", 0),
			"State": "running", "HostConfig": map[string]any{"NetworkMode": "bridge"},
			"Ports": []any{map[string]any{"IP": "::", "PrivatePort": 80, "PublicPort": 8080 + i, "Type": "tcp"}},
		})
	}
	return append(all, map[string]any{"Id": strings.Repeat("f", 64), "Names": []string{"/old"}, "State": "exited", "HostConfig": map[string]any{}})
}

func inspected(id string) map[string]any {
	return map[string]any{
		"Id": id, "State": map[string]any{"Pid": 0, "Status": "running"}, "AppArmorProfile": "docker-default",
		"Config": map[string]any{"Image": "image:0", "User": "1000:1000", "Healthcheck": map[string]any{"Test": []string{"CMD", "true"}}},
		"HostConfig": map[string]any{
			"Privileged": true, "CapAdd": []string{"NET_ADMIN"}, "CapDrop": []string{"ALL"}, "SecurityOpt": []string{"no-new-privileges"}, "ReadonlyRootfs": true,
			"Memory": 64 << 20, "NanoCpus": 1e9, "PidsLimit": 100, "NetworkMode": "bridge", "PidMode": "host", "IpcMode": "host", "UTSMode": "host", "UsernsMode": "host",
			"CgroupnsMode": "host", "CgroupParent": "x.slice", "Devices": []any{map[string]any{"PathOnHost": "/dev/sda"}}, "DeviceCgroupRules": []string{"c 1:3 rw"},
			"RestartPolicy": map[string]any{"Name": "on-failure", "MaximumRetryCount": 5}, "LogConfig": map[string]any{"Type": "json-file", "Config": map[string]string{"max-size": "1m"}},
			"MaskedPaths": []string{"/proc/kcore"},
		},
		"Mounts": []any{map[string]any{"Type": "bind", "Source": "/etc", "Destination": "/x", "RW": true, "Propagation": "rshared"}, map[string]any{"Type": "volume", "Name": "etc", "Source": "/var/lib/docker/volumes/etc/_data", "Destination": "/y"}},
	}
}

// read reads a whole engine, as an audit does.
func (e *fakeEngine) read(t testing.TB) (facts.Engine, error) {
	t.Helper()
	engine := e.start(t)
	a, err := askedOf(context.Background(), engine)
	if err != nil {
		return facts.Engine{}, err
	}
	return detailsOf(context.Background(), engine, a)
}

func TestWhatAnAuditReadsOfAContainer(t *testing.T) {
	for _, version := range []string{"1.41", "1.45", "1.54"} {
		t.Run(version, func(t *testing.T) {
			e := &fakeEngine{version: version, containers: 1, images: 2}
			got, err := e.read(t)
			if err != nil {
				t.Fatal(err)
			}
			want := []facts.ContainerDetail{{
				ID: fmt.Sprintf("%064d", 0), Name: "c0", Image: "image:0", ImageID: fmt.Sprintf("sha256:%064d", 0),
				Published: got.Containers[0].Published, User: "1000:1000", Privileged: true, CapAdd: []string{"NET_ADMIN"}, CapDrop: []string{"ALL"},
				SecurityOpt: []string{"no-new-privileges"}, AppArmorProfile: "docker-default", ReadOnly: true, Memory: 64 << 20, CPU: true, Pids: 100,
				Network: "bridge", PidMode: "host", IpcMode: "host", UTSMode: "host", UsernsMode: "host", CgroupnsMode: "host", CgroupParent: "x.slice",
				Devices: []string{"/dev/sda", "rule c 1:3 rw"}, Restart: "on-failure", Retries: 5, LogDriver: "json-file", LogOpts: map[string]string{"max-size": "1m"}, HealthCheck: true,
				Mounts: []facts.Mount{{Type: "bind", Source: "/etc", Destination: "/x", Writable: true, Propagation: "rshared"}, {Type: "volume", Volume: "etc", Source: "/var/lib/docker/volumes/etc/_data", Destination: "/y"}},
			}}
			if diff := cmp.Diff(want, got.Containers, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if p := got.Containers[0].Published; len(p) != 1 || p[0].Address.String() != "::" || p[0].Port != 8080 {
				t.Errorf("published: %+v", p)
			}
			images := []facts.Image{
				{ID: fmt.Sprintf("sha256:%064d", 0), Tags: []string{"image:0"}, Used: true, Environment: []string{"PATH", "TOKEN"}},
				{ID: fmt.Sprintf("sha256:%064d", 1), Tags: []string{"image:1"}, Environment: []string{"PATH", "TOKEN"}},
			}
			if diff := cmp.Diff(images, got.Images); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]facts.Volume{{Name: "etc", Device: "/etc"}, {Name: "disk", Device: "/dev/sda1"}, {Name: "far"}, {Name: "nfs"}, {Name: "data"}}, got.Volumes); diff != "" {
				t.Errorf("volumes (-want +got):\n%s", diff)
			}
			if text, _ := json.Marshal(got); strings.Contains(string(text), "very-secret") {
				t.Error("the value of a variable was read")
			}
		})
	}
}

func TestAHalfBrokenEngineLeavesOneContainerUnknown(t *testing.T) {
	broken := fmt.Sprintf("/containers/%064d/json", 1)
	for name, e := range map[string]*fakeEngine{
		"it fails":           {fail: broken},
		"it answers in half": {garble: broken},
		"it says nothing":    {hang: broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e.version, e.containers, e.images = "1.45", 3, 1
			began := time.Now()
			got, err := e.read(t)
			if err != nil {
				t.Fatal(err)
			}
			var unread []string
			for _, c := range got.Containers {
				if c.Unread != "" {
					unread = append(unread, c.Name)
				} else if !c.Privileged {
					t.Errorf("%s was not read", c.Name)
				}
			}
			if diff := cmp.Diff([]string{"c1"}, unread); diff != "" {
				t.Errorf("unread (-want +got):\n%s", diff)
			}
			if took := time.Since(began); took > 2*inspectTimeout {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestAContainerThatEndsMeanwhileIsNotJudged(t *testing.T) {
	second := fmt.Sprintf("/containers/%064d/json", 1)
	for name, e := range map[string]*fakeEngine{"it is gone": {gone: second}, "it has exited": {exited: second}} {
		t.Run(name, func(t *testing.T) {
			e.version, e.containers = "1.45", 3
			got, err := e.read(t)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, c := range got.Containers {
				names = append(names, c.Name)
			}
			if diff := cmp.Diff([]string{"c0", "c2"}, names); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheProcessesOfContainersOnTheWire checks whose ports are looked for inside.
func TestTheProcessesOfContainersOnTheWire(t *testing.T) {
	on := func(id, network string) facts.Container {
		return facts.Container{ID: id, Name: id, Running: true, Endpoints: []facts.Endpoint{{Network: network}}}
	}
	d := facts.Docker{
		Networks:   []facts.Network{{Name: "lan", Driver: "macvlan"}, {Name: "front", Driver: "bridge"}},
		Containers: []facts.Container{on("web", "front"), on("cam", "lan"), on("gone", "lan")},
	}
	inspected := []facts.ContainerDetail{{ID: "web", Process: facts.Process{PID: 1}}, {ID: "cam", Process: facts.Process{PID: os.Getpid()}}}
	got, err := withProcesses(d, inspected)
	if err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	for _, c := range got.Containers {
		pids[c.Name] = c.PID
	}
	if diff := cmp.Diff(map[string]int{"cam": os.Getpid(), "gone": 0}, pids); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d.Containers[1].PID != 0 {
		t.Error("what others read at the same time was changed")
	}
	for name, pid := range map[string]int{"ended before it was asked about": 0, "ended since": 1 << 30} {
		got.Containers = []facts.Container{{Name: "cam", Running: true, PID: pid, Endpoints: on("cam", "lan").Endpoints}}
		if sockets, err := onTheWire(got); err != nil || len(sockets) > 0 {
			t.Errorf("a container that %s: %v, error %v", name, sockets, err)
		}
	}
	inspected[1].Unread = "no answer"
	if _, err := withProcesses(d, inspected); err == nil {
		t.Error("the ports of a container that can't be inspected count as known")
	}
}

func TestABrokenEngineIsAnErrorAndNoHang(t *testing.T) {
	for name, e := range map[string]*fakeEngine{
		"no list of images":       {fail: "/images/json"},
		"half a list":             {garble: "/containers/json"},
		"no information":          {fail: "/info"},
		"an engine that is stuck": {hang: "/info"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e.version, e.containers = "1.45", 3
			began := time.Now()
			if got, err := e.read(t); err == nil {
				t.Errorf("no error: %+v", got)
			}
			if took := time.Since(began); took > engineTimeout+5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestRequestsAreLinearAndBounded(t *testing.T) {
	for _, n := range []int{0, 20, 300} {
		e := &fakeEngine{version: "1.45", containers: n, images: n / 2, slow: 2 * time.Millisecond}
		got, err := e.read(t)
		if err != nil {
			t.Fatal(err)
		}
		// The four of facts, the list of images, and the ping that agrees on a version.
		if requests, want := int(e.requests.Load()), 6+n+n/2; requests != want || len(got.Containers) != n {
			t.Errorf("%d containers: %d requests, want %d", n, requests, want)
		}
		if most := int(e.most.Load()); most > engineWorkers || n > engineWorkers && most < 2 {
			t.Errorf("%d containers: %d requests at once, want several and at most %d", n, most, engineWorkers)
		}
	}
}

func TestAJobThatNeverEndsIsLeftBehind(t *testing.T) {
	h := &Host{root: "/"}
	a := facts.Audit{Unread: map[facts.Source]string{}}
	block := make(chan struct{})
	defer close(block)
	var once sync.Once
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	h.gather(ctx, &a, time.Second, map[facts.Source]job{
		facts.FromMachine: func(context.Context) (func(*facts.Audit), error) {
			<-block // a stat on a dead share: no deadline reaches it
			return nil, nil
		},
		facts.FromUpdates: func(context.Context) (func(*facts.Audit), error) {
			return func(a *facts.Audit) { once.Do(func() { a.Updates.Enabled = true }) }, nil
		},
	})
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %s", took)
	}
	if a.Unread[facts.FromMachine] == "" || a.Unread[facts.FromUpdates] != "" || !a.Updates.Enabled {
		t.Errorf("unread %v, updates %+v", a.Unread, a.Updates)
	}
}

func BenchmarkAuditEngine(b *testing.B) {
	for _, n := range []int{0, 20, 300} {
		b.Run(fmt.Sprintf("%d containers", n), func(b *testing.B) {
			e := &fakeEngine{version: "1.45", containers: n, images: n / 2}
			engine := e.start(b)
			for b.Loop() {
				a, err := askedOf(b.Context(), engine)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := detailsOf(b.Context(), engine, a); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(e.requests.Load())/float64(b.N), "requests/op")
		})
	}
}
