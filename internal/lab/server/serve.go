package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// serve listens on all addresses, and returns when ctx ends or one of them fails.
func serve(ctx context.Context, web, udp []string, log io.Writer) error {
	if len(web)+len(udp) == 0 {
		return errors.New("nothing to do; hint: -http, -udp, -dial, -get or -send")
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var listen net.ListenConfig
	for _, addr := range web {
		l, err := listen.Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		defer l.Close()
		fmt.Fprintln(log, "http on", l.Addr())
		go func() { stop(http.Serve(l, handler())) }()
	}
	for _, addr := range udp {
		c, err := listen.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Fprintln(log, "udp on", c.LocalAddr())
		go func() { stop(echo(c)) }()
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func echo(c net.PacketConn) error {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		if _, err := c.WriteTo(buf[:n], from); err != nil {
			return err
		}
	}
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", hello)
	mux.HandleFunc("/headers", headers)
	mux.HandleFunc("/remote", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.RemoteAddr) })
	mux.HandleFunc("/status/{code}", status)
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("/secret", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "secret") })
	mux.HandleFunc("/xaccel", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Accel-Redirect", "/secret")
		fmt.Fprintln(w, "xaccel")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Powered-By", "lab")
		mux.ServeHTTP(w, r)
	})
}

func hello(w http.ResponseWriter, _ *http.Request) {
	name, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "hello from", name)
}

func headers(w http.ResponseWriter, r *http.Request) {
	all := r.Header.Clone()
	all.Set("Host", r.Host) // net/http keeps it apart
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(all)
}

func status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		http.Error(w, "a status is a number from 200 to 599", http.StatusBadRequest)
		return
	}
	w.WriteHeader(code)
	if code != http.StatusNoContent && code != http.StatusNotModified {
		fmt.Fprintln(w, code, http.StatusText(code))
	}
}

func slow(w http.ResponseWriter, r *http.Request) {
	wait, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil {
		wait = 3 * time.Second
	}
	select {
	case <-r.Context().Done():
	case <-time.After(wait):
		fmt.Fprintln(w, "slow")
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		fmt.Fprintln(w, "line", i)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
