// Server is the program that the lab's tests run in containers, behind proxies and across firewalls: it answers over
// HTTP and UDP, and it can dial out. It is one static file without needs of its own.
//
//	server -http :80 -http :8080 -udp :53    answer until ended
//	server -dial 203.0.113.2:80              connect, print what became of it, exit 0 or 1
//	server -get http://203.0.113.2/          the same with a request, and print the body
//	server -send 203.0.113.2:53              send a packet over UDP and wait for its echo
//
// Over HTTP:
//
//	/              hello from HOSTNAME
//	/headers       the request's headers, Host included, as JSON
//	/remote        the address that the request came from
//	/status/500    that status
//	/slow          an answer after 3 s, or after /slow?for=500ms
//	/stream        a line each 100 ms until the client goes away
//	/echo          the request's body
//	/xaccel        X-Accel-Redirect: /secret, which a careless proxy follows
//	/secret        what nobody is to see
//
// Every answer has the header X-Powered-By: lab.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// addrs is a flag that may be given several times.
type addrs []string

func (a *addrs) String() string { return strings.Join(*a, ",") }

func (a *addrs) Set(addr string) error {
	*a = append(*a, addr)
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var web, udp addrs
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Var(&web, "http", "serve HTTP on this `address`; may be given again")
	flags.Var(&udp, "udp", "echo UDP on this `address`; may be given again")
	dialTo := flags.String("dial", "", "connect to this `address` and exit")
	getURL := flags.String("get", "", "fetch this `URL` and exit")
	sendTo := flags.String("send", "", "have a UDP packet echoed by this `address` and exit")
	timeout := flags.Duration("timeout", 3*time.Second, "how long -dial, -get and -send wait")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	limited, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	var err error
	switch {
	case *dialTo != "":
		err = dial(limited, *dialTo, stdout)
	case *getURL != "":
		err = get(limited, *getURL, stdout)
	case *sendTo != "":
		err = send(limited, *sendTo, stdout)
	default:
		err = serve(ctx, web, udp, stderr)
	}
	if err != nil {
		fmt.Fprintln(stdout, err)
		return 1
	}
	return 0
}
