package nginx_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
	"molo/internal/lab"
	"molo/internal/lab/labtest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/nginx"
)

// web is a Debian host with nginx, a client before it and an application behind it.
type web struct {
	host   *lab.Host
	client *lab.Peer
	app    *app
	sites  []*policy.Site
	tree   resource.Tree
	can    []string // what nginx understands
}

func newWeb(t *testing.T, release string) *web {
	t.Helper()
	w := &web{host: labtest.Boot(t, release), app: &app{}, sites: parseSites(t, sitesHCL)}
	w.client = labtest.Peer(t, w.host, "client")
	w.can = interview(t, w.host)
	l := listenOn(t, w.host, "127.0.0.1:8080")
	server := &http.Server{Handler: w.app}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	w.apply(t, w.sites)
	return w
}

// interview asks the host's nginx what it can do.
func interview(t *testing.T, h *lab.Host) (can []string) {
	t.Helper()
	for _, c := range nginx.Capabilities() {
		if err := h.WriteFile("/tmp/asked.conf", []byte(c.Config()), 0o644); err != nil {
			t.Fatal(err)
		}
		res, err := h.Run(t.Context(), "sh", "-c", "nginx -t -q -c /tmp/asked.conf; code=$?; rm -f /run/nginx-asked.*; exit $code")
		if err != nil {
			t.Fatal(err)
		}
		if res.Code == 0 {
			can = append(can, c.Name)
		}
	}
	return can
}

func parseSites(t *testing.T, text string) []*policy.Site {
	t.Helper()
	p, diags := policy.Parse([]policy.Source{{Name: "policies.hcl", Data: []byte(text)}})
	if diags.HasErrors() {
		t.Fatalf("policy: %+v", diags.Entries())
	}
	return p.Sites
}

// apply makes nginx serve the sites.
func (w *web) apply(t *testing.T, sites []*policy.Site) {
	t.Helper()
	w.put(t, sites)
	w.load(t)
	if err := w.prove(t, w.tree, 10*time.Second); err != nil {
		t.Fatal(err)
	}
}

// put writes what molo would onto the host.
func (w *web) put(t *testing.T, sites []*policy.Site) {
	t.Helper()
	labtest.Output(t, w.host, "mkdir", "-p", nginx.LogDir)
	resources, err := nginx.Compile(sites, policy.NginxLog{}, w.facts(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		switch r := r.(type) {
		case resource.Tree:
			w.tree = r
			w.writeTree(t, r)
		case resource.File:
			if err := w.host.WriteFile(r.Path, r.Content, r.Mode); err != nil {
				t.Fatal(err)
			}
		case resource.Link:
			labtest.Output(t, w.host, "rm", "-f", r.Path)
		}
	}
}

// load has nginx test and load what is there. A warning of nginx's fails the test.
func (w *web) load(t *testing.T) {
	t.Helper()
	if res, err := w.host.Run(t.Context(), "nginx", "-t"); err != nil || res.Code != 0 || strings.Contains(res.Stderr, "[warn]") {
		t.Fatalf("nginx -t: %v, exit %d\n%s", err, res.Code, res.Stderr)
	}
	labtest.Output(t, w.host, "systemctl", "reload", "nginx")
}

// writeTree unpacks a generation and points the link at it.
func (w *web) writeTree(t *testing.T, tree resource.Tree) {
	t.Helper()
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	dir := "gen-" + resource.Generation(tree.Files)
	for name, content := range tree.Files {
		header := &tar.Header{Name: path.Join(dir, name), Mode: 0o644, Size: int64(len(content))}
		if err := out.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	labtest.Output(t, w.host, "mkdir", "-p", tree.Dir)
	untar := w.host.Command(t.Context(), "tar", "-x", "-C", tree.Dir)
	untar.Stdin = &archive
	if said, err := untar.CombinedOutput(); err != nil {
		t.Fatalf("unpacking the tree: %v\n%s", err, said)
	}
	labtest.Output(t, w.host, "ln", "-sfn", dir, nginx.Current)
}

// facts reads what the host serves besides molo's sites.
func (w *web) facts(t *testing.T) facts.Nginx {
	t.Helper()
	host := facts.Nginx{Installed: true, Foreign: map[string]string{}, Version: "asked", Can: w.can}
	list := labtest.Output(t, w.host, "find", "/etc/nginx/nginx.conf", "/etc/nginx/conf.d", "/etc/nginx/sites-enabled", "-not", "-type", "d")
	for name := range strings.FieldsSeq(list) {
		text, err := w.host.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		host.Foreign[name] = string(text)
		if name == nginx.DefaultSite {
			host.DefaultSite = strings.TrimSpace(labtest.Output(t, w.host, "readlink", name))
		}
	}
	return host
}

// prove asks nginx, from the host itself, until it runs with the tree.
func (w *web) prove(t *testing.T, tree resource.Tree, limit time.Duration) error {
	t.Helper()
	probes, err := nginx.Probes(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range probes {
		for _, address := range []string{"127.0.0.1", "[::1]"} {
			if err := w.probe(t.Context(), p, address, limit); err != nil {
				return err
			}
		}
	}
	return nil
}

// probe asks one address until it says what is wanted several times in a row: for
// a moment after a reload old workers take connections too.
func (w *web) probe(ctx context.Context, p nginx.Probe, address string, limit time.Duration) error {
	target := fmt.Sprintf("%s:%d", address, p.Port)
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", p.Path, p.Host)
	if p.ProxyProtocol {
		request = "PROXY UNKNOWN\r\n" + request
	}
	var got answer
	row := 0
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got = send(ctx, w.host.DialContext, target, request)
		if got.err != nil || got.status != 200 || got.body != p.Want {
			row = 0
		} else if row++; row == 5 {
			return nil
		}
	}
	return fmt.Errorf("%s answers %s, want %q", target, got, p.Want)
}

// ask sends a request from the client, over IPv4.
func (w *web) ask(t *testing.T, request string) answer {
	t.Helper()
	return send(t.Context(), w.client.DialContext, net.JoinHostPort(w.client.HostAddr4.String(), "80"), request)
}

// listenOn opens a socket on the host itself, until the test ends.
func listenOn(t *testing.T, h *lab.Host, address string) net.Listener {
	t.Helper()
	var l net.Listener
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends here, in the host's network
		done <- func() error {
			ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", h.Pid()))
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			l, err = net.Listen("tcp", address)
			return err
		}()
	}()
	if err := <-done; err != nil {
		t.Fatalf("listening on %s of %s: %v", address, h.Name(), err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
