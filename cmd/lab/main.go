// Command lab boots throw-away Debian hosts and shows molo at work on one of them.
//
//	go run ./cmd/lab demo MOLO            molo's main job, from open port to closed
//	go run ./cmd/lab up RELEASE NAME      boot a host that stays
//	go run ./cmd/lab sh NAME COMMAND...   run a command on it
//	go run ./cmd/lab push NAME FILE PATH  copy a file to it
//	go run ./cmd/lab down NAME            end it and forget it
//	go run ./cmd/lab list                 the hosts there are
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"molo/internal/lab"
)

const usage = `usage: lab demo MOLO | up RELEASE NAME | sh NAME COMMAND... | push NAME FILE PATH | down NAME | list
The releases are: `

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	bad := errors.New(usage + strings.Join(lab.Releases(), ", "))
	if len(args) == 0 {
		return bad
	}
	verb, args := args[0], args[1:]
	switch {
	case verb == "demo" && len(args) == 1:
		return demo(ctx, args[0], out)
	case verb == "up" && len(args) == 2:
		_, err := lab.Boot(ctx, lab.Options{Release: args[0], Name: args[1], Keep: true, Log: os.Stderr})
		return err
	case verb == "sh" && len(args) > 1:
		return shell(ctx, args[0], args[1:], out)
	case verb == "push" && len(args) == 3:
		h, err := lab.Open(args[0])
		if err != nil {
			return err
		}
		return h.Push(args[1], args[2])
	case verb == "down" && len(args) == 1:
		h, err := lab.Open(args[0])
		if err != nil {
			return err
		}
		return h.Close()
	case verb == "list" && len(args) == 0:
		return list(out)
	}
	return bad
}

func shell(ctx context.Context, name string, argv []string, out io.Writer) error {
	h, err := lab.Open(name)
	if err != nil {
		return err
	}
	cmd := h.Command(ctx, argv...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out, os.Stderr
	return cmd.Run()
}

func list(out io.Writer) error {
	hosts, err := lab.List()
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if _, err := fmt.Fprintf(out, "%-20s %-10s pid %d\n", h.Name, h.Release, h.Pid); err != nil {
			return err
		}
	}
	return nil
}
