package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/internal/lab/labtest"
)

// richSites asks for most of what sites can ask for.
const richSites = `
site "app.example.no" {
  upstream      = "127.0.0.1:8081"
  redirect_from = ["www.example.no"]
  websocket     = true
  limit {
    rate = "1000/s"
  }
  headers {
    upstream_wins = ["referrer_policy"]
  }
  path "/api/" {
    timeout = "5m"
    headers {
      x_frame_options = ""
    }
  }
}
site "any.example.no" {
  upstream = "127.0.0.1:8081"
  port     = 8084
  default  = true
}
site "haproxy.example.no" {
  upstream = "127.0.0.1:8081"
  port     = 8083
  trusted_proxies {
    from           = ["192.0.2.1"]
    proxy_protocol = true
  }
}
site "several.example.no" {
  backend "127.0.0.1:8081" {}
  backend "unix:/run/nobody.sock" {
    backup = true
  }
}
site "grpc.example.no" {
  upstream = "127.0.0.1:8081"
  protocol = "grpc"
}
`

// everyWeb runs a test on a host of each release with one application published on
// loopback.
func everyWeb(t *testing.T, test func(w *world)) {
	everyRelease(t, func(w *world) {
		w.sh("docker run -d --name app -p 127.0.0.1:8081:80 server:1")
		test(w)
	})
}

func TestSitesAreAppliedOnce(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.policy(richSites)
		r := w.molo(0, "apply")
		w.holds("the report", r.Stdout, "nothing answers on unix:/run/nobody.sock (no such file or directory), where several.example.no should be: requests go to the others")
		w.settled() // 51: the second apply does nothing, and no worker is another
		w.sh("curl -fsS -H 'Host: app.example.no' http://127.0.0.1/")
		w.holds("a site for other names", w.sh("curl -fsS -H 'Host: nobody.example.no' http://127.0.0.1:8084/"), "")
		if got := w.sh("curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' -H 'Host: www.example.no' 'http://127.0.0.1/a?b'"); got != "308 http://app.example.no/a?b" {
			w.Errorf("the other name: %q", got)
		}
		r = w.molo(0, "lint", "nginx")
		if strings.Contains(r.Stdout, "required:") || !strings.Contains(r.Stdout, "0 required") || strings.Contains(r.Stdout, "/etc/nginx/molo/") {
			w.Errorf("molo's own configuration, with Debian's around it, has findings:\n%s", r.Stdout)
		}
	})
}

// 48: neither a plan, nor a test of a staged tree that fails, nor a lint leaves a trace.
func TestNginxIsTestedWithoutATrace(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.policy(richSites)
		w.molo(0, "apply")
		const state = "find /etc/nginx /run/nginx* /var/lib/nginx /var/log/nginx /run/molo -mindepth 1 -printf '%p %i %m %u %g %T@\\n' | grep -v 'run/molo/lock\\|log ' | sort; ss -Hltnx | grep -c nginx; cat /run/nginx.pid"
		before := w.sh(state)
		w.policy(richSites + "site \"tls.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n  protocol = \"https\"\n  upstream_tls {\n    ca = \"/etc/nothing.pem\"\n  }\n}\n")
		r := w.molo(1, "apply") // 50
		w.holds("the message", r.Stdout+r.Stderr, "[emerg]", "/etc/nothing.pem", "hint: nothing was changed")
		w.sh("curl -fsS -o /dev/null -H 'Host: app.example.no' http://127.0.0.1/")
		w.sh("rm /var/lib/molo/nginx.json") // has the binary asked again
		w.molo(0, "plan")
		w.molo(0, "lint", "nginx")
		if diff := cmp.Diff(before, w.sh(state)); diff != "" {
			w.Errorf("something is not as it was (-before +after):\n%s", diff)
		}
		if got := w.sh("systemctl stop nginx; rm -f /run/nginx.pid; molo plan >/dev/null; ls /run/nginx.pid 2>&1; systemctl start nginx"); !strings.Contains(got, "No such file") {
			w.Errorf("a pid file came from nowhere: %s", got)
		}
	})
}

// names answers every question for an address with 127.0.0.1, as a name server in /run.
const names = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
while True:
    q, who = s.recvfrom(512)
    end = q.index(b"\0", 12) + 5
    a = q[end-4:end-2] == b"\0\1"
    s.sendto(q[:2] + b"\x81\x80\0\1\0" + (b"\1" if a else b"\0") + b"\0\0\0\0" + q[12:end] + (b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1" if a else b""), who)
`

// What the owner's own sites need of /run is there while they are tested: name servers,
// certificates, files that are included. nginx's own in /run is not touched.
func TestNginxIsTestedWithWhatIsInRun(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.write("/root/names.py", names)
		w.sh("systemd-run --unit names python3 /root/names.py; timeout 5 sh -c 'until ss -Hlun sport = :53 | grep -q 127.0.0.53; do sleep 0.05; done'")
		w.sh("umount /etc/resolv.conf 2>/dev/null; mkdir -p /run/systemd/resolve /run/web && echo nameserver 127.0.0.53 > /run/systemd/resolve/stub-resolv.conf && ln -sfn ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf")
		w.sh("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=own -keyout /run/web/own.key -out /run/web/own.pem 2>/dev/null; echo 'proxy_pass http://backend.example.test:8081;' > /run/web/pass.conf")
		w.write("/etc/nginx/conf.d/own.conf", "server {\n\tlisten 8443 ssl;\n\tlisten unix:/run/web/own.sock;\n\tssl_certificate /run/web/own.pem;\n\tssl_certificate_key /run/web/own.key;\n\tlocation / { include /run/web/pass.conf; }\n}\n")
		w.sh("nginx -t && systemctl reload nginx && timeout 5 sh -c 'until curl -fsSk -o /dev/null https://127.0.0.1:8443/; do sleep 0.05; done'")
		w.policy(richSites)
		w.molo(0, "apply")
		const state = "find /run/nginx* /run/web /run/systemd/resolve -printf '%p %i %m %u %g %T@\n' | sort; ss -Hlx | grep own.sock | wc -l"
		before := w.sh(state)
		w.settled()
		w.holds("lint", w.molo(3, "lint", "nginx").Stdout, "/run/web/pass.conf:1: advised: proxy-target")
		if diff := cmp.Diff(before, w.sh(state)); diff != "" {
			w.Errorf("something in /run is not as it was (-before +after):\n%s", diff)
		}
		w.sh("curl -fsSk -o /dev/null https://127.0.0.1:8443/; curl -fsS -o /dev/null --unix-socket /run/web/own.sock http://own/")
	})
}

// Why a reload did not do what it should is looked for where nginx.conf says.
func TestWhyAReloadFailedIsFoundWhereNginxLogs(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.sh("mkdir -p /srv/log && sed -i 's|^error_log .*||; 1i error_log /srv/log/nginx.log;' /etc/nginx/nginx.conf && nginx -t && systemctl restart nginx")
		w.sh("systemd-run --unit squatter python3 -m http.server 8099; timeout 5 sh -c 'until curl -s -o /dev/null http://127.0.0.1:8099/; do sleep 0.05; done'")
		w.policy("site \"more.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n  port = 8099\n}\n")
		w.holds("a port that is taken", w.molo(1, "apply").Stdout, "hint: another program has port 8099")
		w.sh("sed -i 's|^error_log .*|error_log syslog:server=unix:/dev/log;|' /etc/nginx/nginx.conf && nginx -t && systemctl restart nginx")
		w.holds("a port that is taken", w.molo(1, "apply", "--retry").Stdout, "hint: nginx.conf sends what nginx says of itself elsewhere")
	})
}

// 57: a name that the owner serves already, in a file that nginx.conf includes from
// elsewhere, is a conflict that nobody overwrites; so is another default server.
func TestSitesOfTheOwnerAreNotOverwritten(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.sh("mkdir -p /srv/app; sed -i 's|include /etc/nginx/conf.d|include /srv/app/*.nginx; include /etc/nginx/conf.d|' /etc/nginx/nginx.conf")
		w.write("/srv/app/web.nginx", "server {\n\tlisten 80;\n\tserver_name app.example.no;\n\treturn 204;\n}\n")
		w.sh("nginx -t && systemctl reload nginx")
		w.policy(richSites)
		before := w.sh("find /etc/nginx -type f -exec sha256sum {} +; find /etc/nginx -type l -printf '%p %l\\n'")
		r := w.molo(1, "apply")
		w.holds("the message", r.Stdout+r.Stderr, "/srv/app/web.nginx:3 serves the same name on port 80")
		w.write("/srv/app/web.nginx", "server {\n\tlisten 8084 default_server;\n}\n")
		r = w.molo(1, "apply")
		w.holds("the message", r.Stdout+r.Stderr, "/srv/app/web.nginx:2 is the default server of port 8084")
		if diff := cmp.Diff(before, w.sh("find /etc/nginx -type f -exec sha256sum {} +; find /etc/nginx -type l -printf '%p %l\\n'")); diff != "" {
			w.Errorf("a conflict changed the configuration (-before +after):\n%s", diff)
		}
		w.sh("rm -r /srv/app")
		w.molo(0, "apply")
		w.sh("sed -i 's|include /etc/nginx/conf.d.*||' /etc/nginx/nginx.conf")
		r = w.molo(1, "apply")
		w.holds("the message", r.Stdout+r.Stderr, "does not include /etc/nginx/conf.d/molo.conf", "hint: ")
	})
}

// 56: an edit of the live tree is found, shown, taken back, and kept.
func TestAnEditByHandIsTakenBackAndKept(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.policy(richSites)
		w.molo(0, "apply")
		w.sh("sed -i 's/DENY/ALLOWALL/' /etc/nginx/molo/current/sites/app.example.no.conf && nginx -t && systemctl reload nginx")
		r := w.molo(2, "plan", "--detailed-exitcode")
		w.holds("the plan", r.Stdout, "edited by hand", "drift", "ALLOWALL")
		r = w.molo(0, "apply")
		w.holds("the report", r.Stdout, "edited by hand: what is written there goes, and is kept as gen-")
		w.sh("curl -sI -H 'Host: app.example.no' http://127.0.0.1/ | grep -qi '^x-frame-options: DENY'")
		_, after, _ := strings.Cut(r.Stdout, "is kept as ")
		name, _, _ := strings.Cut(after, ";")
		w.sh("grep -q ALLOWALL /etc/nginx/molo/" + name + "/sites/app.example.no.conf")
		w.settled()
	})
}

// What an apply can't finish leaves the last good generation serving, and says what to do.
func TestTheLastGoodGenerationGoesOn(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.policy(richSites)
		w.molo(0, "apply")
		good := w.sh("readlink /etc/nginx/molo/current")
		still := func(what string) {
			w.Helper()
			w.sh("curl -fsS -o /dev/null -H 'Host: app.example.no' http://127.0.0.1/")
			if diff := cmp.Diff(good, w.sh("readlink /etc/nginx/molo/current")); diff != "" {
				w.Errorf("%s: the generation is another (-before +after):\n%s", what, diff)
			}
		}
		// A full disk.
		w.sh("cp -a /etc/nginx/molo /root/kept; mount -t tmpfs -o size=300k tmpfs /etc/nginx/molo; cp -a /root/kept/. /etc/nginx/molo/; dd if=/dev/zero of=/etc/nginx/molo/fill bs=1k 2>/dev/null; true")
		w.policy(richSites + "site \"more.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n")
		r := w.molo(1, "apply")
		w.holds("a full disk", r.Stdout+r.Stderr, "no space left on device", "hint: what was served goes on; make room (df -h /etc/nginx/molo)")
		if strings.Contains(r.Stdout+r.Stderr, "putting back") {
			w.Errorf("going back did not work on a full disk:\n%s", r.Stdout)
		}
		still("a full disk")
		w.sh("test ! -e /etc/nginx/molo/*.tmp; umount /etc/nginx/molo; rm -rf /root/kept")
		// 49: another program on the port.
		w.sh("systemd-run --unit squatter python3 -m http.server 8099; timeout 5 sh -c 'until curl -s -o /dev/null http://127.0.0.1:8099/; do sleep 0.05; done'")
		w.policy(richSites + "site \"more.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n  port = 8099\n}\n")
		r = w.molo(1, "apply")
		w.holds("a port that is taken", r.Stdout+r.Stderr, "hint: another program has port 8099", "ss -ltnp 'sport = :8099'")
		still("a port that is taken")
		w.sh("systemctl stop squatter")
		w.molo(0, "apply")
		w.sh("curl -fsS -o /dev/null -H 'Host: more.example.no' http://127.0.0.1:8099/")
		// An application that is down is no reason to fail, and is said.
		w.policy(richSites)
		w.sh("docker stop -t 1 app")
		r = w.molo(0, "apply")
		w.holds("an application that is down", r.Stdout, "nothing answers on 127.0.0.1:8081 (connection refused), where any.example.no, app.example.no, grpc.example.no and 2 others should be: until something does, requests get 502")
		w.sh("curl -sI -H 'Host: app.example.no' http://127.0.0.1/ | grep -qi '^x-content-type-options: nosniff'")
		w.sh("docker start app")
		w.molo(0, "apply")
	})
}

// 52: while the configuration changes again and again, no request is lost, on new
// connections or on one that is kept.
func TestReloadsLoseNoRequest(t *testing.T) {
	const site = "site \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n"
	everyWeb(t, func(w *world) {
		w.sh("ufw allow 80/tcp")
		w.policy(site)
		w.molo(0, "apply")
		done := make(chan struct{})
		var clients sync.WaitGroup
		var asked [2]atomic.Int64 // on connections of their own, and on kept ones
		for kind := range asked {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: w.stranger.DialContext, DisableKeepAlives: kind == 0}}
			for range 2 {
				clients.Go(func() {
					for !closed(done) {
						if err := w.fetch(client); err != nil {
							w.Errorf("after %d requests: %v", asked[kind].Load(), err)
							return
						}
						asked[kind].Add(1)
					}
				})
			}
		}
		for i := range 8 {
			w.policy(fmt.Sprintf("%ssite \"n%d.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n", site, i))
			w.molo(0, "apply")
		}
		close(done)
		clients.Wait()
		if asked[0].Load() < 100 || asked[1].Load() < 100 {
			w.Errorf("only %d and %d requests were made", asked[0].Load(), asked[1].Load())
		}
		w.Logf("%d requests on connections of their own and %d on kept ones during 8 reloads", asked[0].Load(), asked[1].Load())
	})
}

func closed(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// fetch asks for a page of the site, from outside.
func (w *world) fetch(client *http.Client) error {
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/", w.stranger.HostAddr4), nil)
	if err != nil {
		return err
	}
	request.Host = "app.example.no"
	resp, err := client.Do(request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// A WebSocket outlives the workers that are replaced around it.
func TestWebSocketsOutliveReloads(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.sh("ufw allow 80/tcp")
		w.echo()
		w.policy("site \"app.example.no\" {\n  upstream  = \"127.0.0.1:8099\"\n  websocket = true\n}\n")
		w.molo(0, "apply")
		conn, err := w.dial(w.stranger.HostAddr4, 80)
		if err != nil {
			w.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example.no\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		in := bufio.NewReader(conn)
		if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 101 {
			w.Fatalf("%v, %v", resp, err)
		}
		w.policy("site \"app.example.no\" {\n  upstream  = \"127.0.0.1:8099\"\n  websocket = true\n  max_body  = \"1m\"\n}\n")
		w.molo(0, "apply")
		io.WriteString(conn, "ping")
		echo := make([]byte, 4)
		if _, err := io.ReadFull(in, echo); err != nil || string(echo) != "ping" {
			w.Errorf("echo %q, %v", echo, err)
		}
	})
}

// echo starts an application on port 8099 of the host that takes WebSockets.
func (w *world) echo() {
	w.Helper()
	w.write("/root/echo.py", `
import socket, threading
def one(c):
    c.recv(4096)
    c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    while True:
        d = c.recv(4096)
        if not d: return
        c.sendall(d)
s = socket.create_server(("127.0.0.1", 8099))
while True: threading.Thread(target=one, args=(s.accept()[0],), daemon=True).start()
`)
	w.sh("systemd-run --unit echo python3 /root/echo.py; timeout 5 sh -c 'until ss -Hltn sport = :8099 | grep -q .; do sleep 0.05; done'")
}

// An upstream that others can reach, or a file of passwords that others can read, is
// a violation: everything is applied, and the run fails until it is mended.
func TestViolationsOfSites(t *testing.T) {
	everyRelease(t, func(w *world) {
		labtest.Image(w.T, w.lab(), "onhost:1", "-http", ":8081")
		w.sh("docker run -d --name open -p 8081:80 server:1")
		w.sh("docker run -d --name own server:1")
		address := strings.TrimSpace(w.sh("docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' own"))
		site := func(body string) { w.policy("site \"app.example.no\" {\n" + body + "\n}\n") }
		site(`upstream = "127.0.0.1:8081"`)
		r := w.molo(1, "apply")
		w.holds("a published upstream", r.Stdout, "policies.hcl:2: site \"app.example.no\": container open publishes port 8081 on all addresses", "hint: publish it with -p 127.0.0.1:8081:80")
		w.sh("curl -fsS -o /dev/null -H 'Host: app.example.no' http://127.0.0.1/")
		w.molo(1, "plan")
		w.sh("docker rm -f open; docker run -d --name onhost --network host onhost:1; timeout 5 sh -c 'until ss -Hltn sport = :8081 | grep -q .; do sleep 0.05; done'")
		w.holds("an upstream on the host's network", w.molo(1, "apply").Stdout, "policies.hcl:2: site \"app.example.no\": container onhost listens on port 8081 of all addresses", "hint: have it listen on 127.0.0.1:8081 alone")
		w.sh("docker rm -f onhost; systemd-run --unit native python3 -m http.server 8081; timeout 5 sh -c 'until ss -Hltn sport = :8081 | grep -q .; do sleep 0.05; done'")
		w.holds("a process of the host", w.molo(1, "apply").Stdout, "the process python3 listens on port 8081 of all addresses")
		w.sh("systemctl stop native; docker run -d --name shut -p 127.0.0.1:8081:80 server:1")
		w.molo(0, "apply")
		site(`upstream = "` + address + `:80"`)
		w.molo(0, "apply")
		w.sh("curl -fsS -o /dev/null -H 'Host: app.example.no' http://127.0.0.1/")
		site(`upstream = "192.0.2.9:80"`)
		w.holds("an upstream elsewhere", w.molo(1, "apply").Stdout, "upstream 192.0.2.9:80 is neither loopback nor a container's address")
		site("upstream = \"192.0.2.9:80\"\nremote = true")
		w.molo(0, "apply")
		site("upstream = \"127.0.0.1:8081\"\nauth {\n  users = \"/etc/nginx/app.users\"\n}")
		w.holds("no file", w.molo(1, "apply").Stdout, "policies.hcl:4: /etc/nginx/app.users is not there", "openssl passwd")
		w.sh("echo \"molo:$(openssl passwd -6 breakwater)\" > /etc/nginx/app.users; chmod 0644 /etc/nginx/app.users")
		w.holds("a file for everybody", w.molo(1, "apply").Stdout, "everybody on this host", "hint: chown root:www-data /etc/nginx/app.users && chmod 0640 /etc/nginx/app.users")
		w.sh("chmod 0600 /etc/nginx/app.users")
		w.holds("a file for root alone", w.molo(1, "apply").Stdout, "nginx's workers run as www-data and can't read")
		w.sh("chown root:www-data /etc/nginx/app.users && chmod 0640 /etc/nginx/app.users")
		w.molo(0, "apply")
		w.settled()
		w.sh("curl -fsS -o /dev/null -u molo:breakwater -H 'Host: app.example.no' http://127.0.0.1/")
		w.sh("test $(curl -sS -o /dev/null -w '%{http_code}' -u molo:wrong -H 'Host: app.example.no' http://127.0.0.1/) = 401")
	})
}

// What the binary can do is asked once, and again when it is another one.
func TestNginxIsAskedOnceForEachBinary(t *testing.T) {
	everyWeb(t, func(w *world) {
		w.policy(richSites)
		asked := func() int { return strings.Count(w.molo(0, "apply", "--verbose").Stderr, "/usr/sbin/nginx -t -q -c") }
		if first, second := asked(), asked(); first < 5 || second != 0 {
			w.Errorf("asked %d questions and then %d, want some and none", first, second)
		}
		w.sh("cp -a /usr/sbin/nginx /usr/sbin/nginx.new && mv /usr/sbin/nginx.new /usr/sbin/nginx")
		if third, fourth := asked(), asked(); third < 5 || fourth != 0 {
			w.Errorf("of a new binary %d questions were asked and then %d, want some and none", third, fourth)
		}
		var kept struct {
			Version string
			Can     []string
		}
		if err := json.Unmarshal([]byte(w.read("/var/lib/molo/nginx.json")), &kept); err != nil {
			w.Fatal(err)
		}
		want := map[string]string{"bookworm": "1.22", "trixie": "1.26", "forky": "1.30"}
		for release, version := range want {
			if strings.Contains(w.Name(), release) && !strings.HasPrefix(kept.Version, version) {
				w.Errorf("version %s, want %s", kept.Version, version)
			}
		}
		for name, releases := range map[string]string{
			"http2-directive": "trixie forky", "http3": "trixie forky", "keepalive-min": "forky", "max-headers": "bookworm trixie forky",
			"reject-handshake": "bookworm trixie forky", "grpc": "bookworm trixie forky", "geo": "bookworm trixie forky", "limits": "bookworm trixie forky", "real-ip": "bookworm trixie forky", "cookie-flags": "bookworm trixie forky",
		} {
			_, release, _ := strings.Cut(w.Name(), "/")
			if got, want := strings.Contains(" "+strings.Join(kept.Can, " ")+" ", " "+name+" "), strings.Contains(releases, release); got != want {
				w.Errorf("%s can do %s: %t, want %t", release, name, got, want)
			}
		}
	})
}

// sixHundred is a policy of 600 sites, in the first of which something is changed.
func sixHundred(change string) string {
	var text strings.Builder
	for i := range 600 {
		fmt.Fprintf(&text, "site \"customer-number-%03d.example.no\" {\n  upstream      = \"127.0.0.1:8081\"\n  redirect_from = [\"www.customer-number-%03d.example.no\"]\n  websocket     = true\n  limit {}\n%s\n  path \"/api/\" {\n    max_body = \"1m\"\n  }\n}\n", i, i, change)
		change = ""
	}
	return text.String()
}

// measured runs an apply and prints its exit code, the milliseconds it took, and the most
// memory in KiB that molo or what it started had.
const measured = "import resource,subprocess,sys,time\nt=time.monotonic()\np=subprocess.run(['molo','apply'],stdout=subprocess.DEVNULL)\n" +
	"print(p.returncode,int(1000*(time.monotonic()-t)),resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"

// 59: six hundred sites go through a whole apply, in no more memory than a small host has.
func TestSixHundredSites(t *testing.T) {
	labtest.Need(t)
	h := labtest.Boot(t, "trixie")
	if err := h.Push(build(t), "/usr/bin/molo"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"the first run", "nothing changed"} {
		if err := h.WriteFile("/etc/molo/policies.hcl", []byte(sixHundred("")), 0o644); err != nil {
			t.Fatal(err)
		}
		var code, ms, kb int
		out := labtest.Output(t, h, "python3", "-c", measured)
		if _, err := fmt.Sscan(out, &code, &ms, &kb); err != nil || code != 0 || kb > 300<<10 {
			t.Fatalf("%s: %v: code %d, %d MiB, want 300 at most", name, err, code, kb>>10)
		}
		t.Logf("%s: %d ms, %d MiB", name, ms, kb>>10)
	}
	labtest.Output(t, h, "sh", "-c", "test $(curl -sS -o /dev/null -w '%{http_code}' -H 'Host: customer-number-599.example.no' http://127.0.0.1/.molo) = 404")
}

// BenchmarkSixHundredSites measures what 600 sites cost: the first run, which renders,
// tests, swaps and proves them all, one that changes a single site, and one that has
// nothing to do. Memory is molo's and nginx's at their most.
func BenchmarkSixHundredSites(b *testing.B) {
	h := labtest.Boot(b, "trixie")
	if err := h.Push(build(b), "/usr/bin/molo"); err != nil {
		b.Fatal(err)
	}
	policy := func(change string) {
		if err := h.WriteFile("/etc/molo/policies.hcl", []byte(sixHundred(change)), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	changes := 0
	for _, name := range []string{"first", "one site changed", "nothing changed"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if name == "first" {
					labtest.Output(b, h, "sh", "-c", "rm -rf /etc/nginx/molo /etc/nginx/conf.d/molo.conf /var/lib/molo; systemctl reload nginx")
				}
				if name == "one site changed" {
					changes++
				}
				policy(fmt.Sprintf("  timeout = \"%ds\"", 60+changes))
				var code, ms, kb int
				out := labtest.Output(b, h, "python3", "-c", measured)
				if _, err := fmt.Sscan(out, &code, &ms, &kb); err != nil || code != 0 {
					b.Fatalf("%v: %q", err, out)
				}
				b.ReportMetric(float64(ms), "ms/run")
				b.ReportMetric(float64(kb)/1024, "MB")
			}
		})
	}
}
