package lab_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

func TestPeers(t *testing.T) {
	forEachRelease(t, func(t *testing.T, h *lab.Host) {
		near, far := labtest.Peer(t, h, "near"), labtest.Peer(t, h, "far")
		for _, p := range []*lab.Peer{near, far} {
			for _, addr := range []netip.Addr{p.HostAddr4, p.HostAddr6} {
				if body := fetch(t, p, "http://"+netip.AddrPortFrom(addr, 80).String()+"/"); !strings.Contains(body, "nginx") {
					t.Errorf("%s asked %v and got %q", p.Name(), addr, body)
				}
			}
		}
		again := labtest.Peer(t, h, "near")
		if again != near {
			t.Error("a peer of the same name is another one")
		}
		for _, addr := range []netip.Addr{near.Addr4, near.Addr6} {
			dialBack(t, h, near, addr)
		}
	})
}

// dialBack listens at a peer and connects to it from the host.
func dialBack(t *testing.T, h *lab.Host, p *lab.Peer, addr netip.Addr) {
	t.Helper()
	l, err := p.Listen(t.Context(), "tcp", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := h.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// fetch gets a URL from a peer.
func fetch(t *testing.T, p *lab.Peer, url string) string {
	t.Helper()
	body, err := get(t.Context(), p, url)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func get(ctx context.Context, p *lab.Peer, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DialContext: p.DialContext, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// eventually asks until a URL answers: a container is up some time before the program in it.
func eventually(t *testing.T, p *lab.Peer, url string) string {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		body, err := get(t.Context(), p, url)
		if err == nil {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestPublishedPortGoesAroundUFW(t *testing.T) {
	forEachRelease(t, func(t *testing.T, h *lab.Host) {
		p := labtest.Peer(t, h, "internet")
		labtest.Image(t, h, "web:1", "-http", ":80", "-udp", ":53")
		labtest.Output(t, h, "ufw", "--force", "enable")
		labtest.Output(t, h, "docker", "run", "-d", "--restart=always", "--name", "web", "--hostname", "web", "-p", "8080:80", "-p", "53:53/udp", "web:1")
		if got := eventually(t, p, fmt.Sprintf("http://%v:8080/", p.HostAddr4)); got != "hello from web\n" {
			t.Errorf("the container says %q", got)
		}
		if _, err := get(t.Context(), p, fmt.Sprintf("http://%v:80/", p.HostAddr4)); err == nil {
			t.Error("ufw lets port 80 of the host itself in")
		}
		if got := udp(t, p, netip.AddrPortFrom(p.HostAddr4, 53)); got != "ping" {
			t.Errorf("udp echo %q", got)
		}
		checkEgress(t, h, p)

		if err := h.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := eventually(t, p, fmt.Sprintf("http://%v:8080/", p.HostAddr4)); got != "hello from web\n" {
			t.Errorf("after a reboot the container says %q", got)
		}
		if out := labtest.Output(t, h, "ufw", "status"); !strings.Contains(out, "Status: active") {
			t.Errorf("after a reboot ufw says %q", out)
		}
	})
}

// checkEgress has the container connect to a listener at the peer, by the server's own flags.
func checkEgress(t *testing.T, h *lab.Host, p *lab.Peer) {
	t.Helper()
	l, err := p.Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to := fmt.Sprintf("%v:%d", p.Addr4, l.Addr().(*net.TCPAddr).Port)
	if out := labtest.Output(t, h, "docker", "exec", "web", "/server", "-dial", to); out != "connected to "+to+"\n" {
		t.Errorf("the container says %q", out)
	}
}

func udp(t *testing.T, p *lab.Peer, to netip.AddrPort) string {
	t.Helper()
	conn, err := p.DialContext(t.Context(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}
