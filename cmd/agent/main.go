// Command molo makes a Docker host match its policy: locked down, proven, and kept so.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"molo/internal/host"
)

// The exit codes. 64 to 78 are those of sysexits(3), which systemd names in
// "systemctl status".
const (
	exitOK       = 0
	exitFailed   = 1
	exitChanges  = 2  // only with --detailed-exitcode: changes are pending, or were made
	exitFindings = 3  // something required was found wanting
	exitLocked   = 75 // EX_TEMPFAIL: another run is under way, or waits to be confirmed
	exitNotRoot  = 77 // EX_NOPERM
	exitBadInput = 78 // EX_CONFIG: the policy is not valid
)

// errChanges ends a run that went well with exitChanges.
var errChanges = errors.New("the host differs from the policy")

// errFindings ends a run that went well and found something wanting with exitFindings.
var errFindings = errors.New("something required was found wanting")

// errNotRoot says that a command needs root.
var errNotRoot = errors.New("this command must run as root\nhint: use sudo")

// reported wraps an error that has been shown already.
type reported struct{ error }

// Unwrap returns the error that was shown.
func (r reported) Unwrap() error { return r.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs molo and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err := a.show(err); err != nil {
		fmt.Fprintln(stderr, "molo:", err) //nolint:errcheck // there is nowhere left to say it
		return exitFailed
	}
	return exitCode(err)
}

// exitCode is the one place where an error becomes an exit code.
func exitCode(err error) int {
	var locked *host.LockedError
	var unconfirmed *unconfirmedError
	var bad *badPolicy
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errChanges):
		return exitChanges
	case errors.Is(err, errFindings):
		return exitFindings
	case errors.Is(err, errNotRoot):
		return exitNotRoot
	case errors.As(err, &locked), errors.As(err, &unconfirmed):
		return exitLocked
	case errors.As(err, &bad):
		return exitBadInput
	}
	return exitFailed
}

// show tells the user, or with --json the machine, what went wrong.
func (a *app) show(err error) error {
	var shown reported
	if err == nil || errors.Is(err, errChanges) || errors.Is(err, errFindings) || errors.As(err, &shown) {
		return nil
	}
	if a.json {
		return a.writeJSON(map[string]string{"error": err.Error()})
	}
	_, err = fmt.Fprintln(a.stderr, "molo:", err)
	return err
}

// say tells a person, or with --json a machine, what was done.
func (a *app) say(value any, text string) error {
	if a.json {
		return a.writeJSON(value)
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}

// writeJSON writes one JSON document to stdout.
func (a *app) writeJSON(value any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
