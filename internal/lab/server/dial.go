package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

func dial(ctx context.Context, addr string, out io.Writer) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintln(out, "connected to", conn.RemoteAddr())
	return nil
}

func get(ctx context.Context, url string, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Fprintln(out, resp.Status)
	_, err = io.Copy(out, resp.Body)
	return err
}

// send tries each half second: a packet may be lost while an address is being resolved.
func send(ctx context.Context, addr string, out io.Writer) error {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	buf := make([]byte, 1500)
	for ctx.Err() == nil {
		if _, err := conn.Write([]byte("hello")); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if n, err := conn.Read(buf); err == nil {
			fmt.Fprintf(out, "%s from %s\n", buf[:n], conn.RemoteAddr())
			return nil
		}
	}
	return fmt.Errorf("no echo from %s: %w", addr, ctx.Err())
}
