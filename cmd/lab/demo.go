package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"molo/internal/lab"
)

// demoRelease is what the demo runs on: Debian 13 with Docker 26.1.
const demoRelease = "trixie"

// stage is a host with the world around it, and what the audience sees.
type stage struct {
	host     *lab.Host
	stranger *lab.Peer // a machine on the internet
	out      io.Writer
}

// demo shows molo's main job on a host that is thrown away afterwards. It fails
// when the host does not behave as the text says.
func demo(ctx context.Context, molo string, out io.Writer) (err error) {
	if err := lab.Preflight(); err != nil {
		return err
	}
	s := stage{out: out}
	s.say("Booting a throw-away Debian host (%s). The first time, its root file system is built: about a minute.", demoRelease)
	if s.host, err = lab.Boot(ctx, lab.Options{Release: demoRelease, Name: "demo", Log: os.Stderr}); err != nil {
		return err
	}
	defer func() {
		if closed := s.host.Close(); err == nil {
			err = closed
		}
	}()
	if s.stranger, err = s.host.Peer(ctx, "stranger"); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{
		func(ctx context.Context) error { return s.prepare(ctx, molo) },
		s.bypass, s.converge, s.allow, s.proxy, s.rest,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	s.say("That was all. The host is gone now, and this machine is as it was.")
	return nil
}

// prepare installs molo and its example policy and starts two containers.
func (s *stage) prepare(ctx context.Context, molo string) error {
	if err := s.host.Push(molo, "/usr/bin/molo"); err != nil {
		return err
	}
	if err := s.host.Push("policies.hcl", "/etc/molo/policies.hcl"); err != nil {
		return err
	}
	server, err := lab.BuildStatic(ctx, "molo/internal/lab/server")
	if err != nil {
		return err
	}
	if err := s.host.ImportImage(ctx, "hello:1", server); err != nil {
		return err
	}
	s.say("An owner sets up UFW and starts two containers, one of them for a proxy.")
	for _, line := range []string{
		"ufw allow 22/tcp",
		"ufw --force enable",
		"docker run --detach --name web --publish 8080:80 hello:1 -http :80",
		"docker run --detach --name app --publish 127.0.0.1:8081:80 hello:1 -http :80",
	} {
		if err := s.shell(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) bypass(ctx context.Context) error {
	s.say("UFW denies everything but SSH. And yet a stranger gets an answer from port 8080:")
	return s.expect(ctx, true)
}

func (s *stage) converge(ctx context.Context) error {
	s.say("This is the policy, and what molo would do about it:")
	for _, line := range []string{`grep -vE "^ *(#|$)" /etc/molo/policies.hcl`, "molo plan", "molo apply"} {
		if err := s.shell(ctx, line); err != nil {
			return err
		}
	}
	s.say("The port is shut now, and the container still runs:")
	if err := s.expect(ctx, false); err != nil {
		return err
	}
	return s.shell(ctx, `docker ps --format "{{.Names}}  {{.Status}}  {{.Ports}}"`)
}

func (s *stage) allow(ctx context.Context) error {
	s.say("A published port obeys UFW like any other port:")
	for _, line := range []string{"ufw allow 8080/tcp", "ufw allow 80/tcp", "molo apply"} {
		if err := s.shell(ctx, line); err != nil {
			return err
		}
	}
	return s.expect(ctx, true)
}

func (s *stage) proxy(ctx context.Context) error {
	s.say("nginx serves the other container, and adds the headers that its answers lack:")
	answer, err := s.get(ctx, "80", "app.example.no")
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "stranger$ curl -i -H 'Host: app.example.no' http://%s/\n%s\n", s.stranger.HostAddr4, answer)
	if !strings.Contains(answer, "X-Frame-Options: DENY") {
		return fmt.Errorf("the site does not send its headers")
	}
	return nil
}

func (s *stage) rest(ctx context.Context) error {
	s.say("A second apply has nothing to do:")
	return s.shell(ctx, "molo apply --detailed-exitcode")
}

// say prints a line of the story.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "\n==> "+format+"\n", args...)
}

// shell runs a line on the host and shows both.
func (s *stage) shell(ctx context.Context, line string) error {
	fmt.Fprintf(s.out, "demo$ %s\n", line)
	cmd := s.host.Command(ctx, "sh", "-c", line)
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}

// expect shows whether the stranger reaches port 8080, and fails if that is not so.
func (s *stage) expect(ctx context.Context, open bool) error {
	answer, err := s.get(ctx, "8080", s.stranger.HostAddr4.String())
	switch {
	case err == nil:
		_, body, _ := strings.Cut(answer, "\r\n\r\n")
		answer = strings.TrimSpace(body)
	case !open:
		answer = "(no answer: " + err.Error() + ")"
	default:
		return err
	}
	fmt.Fprintf(s.out, "stranger$ curl http://%s:8080/\n%s\n", s.stranger.HostAddr4, answer)
	if (err == nil) != open {
		return fmt.Errorf("port 8080: reachable %t, expected %t", err == nil, open)
	}
	return nil
}

// get asks the host from the stranger's machine.
func (s *stage) get(ctx context.Context, port, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := s.stranger.DialContext(ctx, "tcp", net.JoinHostPort(s.stranger.HostAddr4.String(), port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+name+"/", nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	if err := request.Write(conn); err != nil {
		return "", err
	}
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 1<<16))
	return string(answer), err
}
