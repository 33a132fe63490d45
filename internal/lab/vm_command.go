package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"time"
)

// Run runs a command in the machine to its end, as root, in / and with a login's environment. It goes through a serial
// line: no network and no firewall is in its way. It returns an error only if the command could not run, or ctx ended
// first.
func (v *VM) Run(ctx context.Context, argv ...string) (Result, error) {
	res, err := v.run(ctx, nil, argv)
	if err != nil {
		return res, fmt.Errorf("running %s on %s: %w", argv[0], v.Name(), err)
	}
	return res, nil
}

// Output runs a command in the machine and returns what it printed. If it ends with another code than 0, that is an
// error which holds what it printed.
func (v *VM) Output(ctx context.Context, argv ...string) (string, error) {
	res, err := v.Run(ctx, argv...)
	return output(argv, res, err)
}

func (v *VM) run(ctx context.Context, stdin []byte, argv []string) (Result, error) {
	var started struct {
		Pid int `json:"pid"`
	}
	arguments := map[string]any{"path": argv[0], "arg": argv[1:], "capture-output": true, "env": environment()}
	if stdin != nil {
		arguments["input-data"] = stdin
	}
	if err := v.ask(ctx, "guest-exec", arguments, &started); err != nil {
		return Result{}, err
	}
	var status struct {
		Exited   bool   `json:"exited"`
		ExitCode int    `json:"exitcode"`
		Signal   int    `json:"signal"`
		Out      []byte `json:"out-data"`
		Err      []byte `json:"err-data"`
	}
	err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		err := v.ask(ctx, "guest-exec-status", map[string]any{"pid": started.Pid}, &status)
		return status.Exited, err
	})
	res := Result{Stdout: string(status.Out), Stderr: string(status.Err), Code: status.ExitCode}
	if status.Signal != 0 {
		res.Code = 128 + status.Signal
	}
	return res, err
}

// ask asks the agent inside.
func (v *VM) ask(ctx context.Context, command string, arguments, result any) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process == nil {
		return errDown
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the agent inside does not answer"))
	defer cancel()
	agent := v.process.agent
	if agent.stale {
		if err := agent.sync(ctx, 1+rand.IntN(1<<30)); err != nil {
			return err
		}
	}
	answer, err := agent.ask(ctx, command, arguments)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, result)
}

// vmBootLimit is ten times what a boot takes on a quiet machine without hardware virtualization: a busy one has been
// seen to take five minutes.
const vmBootLimit = 10 * time.Minute

// Await waits until the agent inside answers, which is some time before the boot is over.
func (v *VM) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, vmBootLimit, fmt.Errorf("no answer within %v", vmBootLimit))
	defer cancel()
	err := poll(ctx, 200*time.Millisecond, func() (bool, error) { return v.answers(ctx) })
	if err != nil {
		return fmt.Errorf("waiting for %s: %w\n%s", v.Name(), err, v.console())
	}
	return nil
}

// answers tries whether the agent does. While there is none, what is sent waits in the line: a try must be able to end.
func (v *VM) answers(ctx context.Context) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process == nil {
		return false, errDown
	}
	select {
	case err := <-v.process.ended:
		v.process.ended = nil
		return false, fmt.Errorf("the emulator ended: %w", err)
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return v.process.agent.sync(ctx, 1+rand.IntN(1<<30)) == nil, nil
}

// WriteFile writes a file of the machine, whose owner is root, with exactly this mode; it makes the directories above it
// where they are missing.
func (v *VM) WriteFile(name string, data []byte, mode fs.FileMode) error {
	const script = `mkdir -p "$1" && cat >"$2.new" && chmod "$3" "$2.new" && mv "$2.new" "$2"`
	argv := []string{"/bin/sh", "-c", script, "sh", path.Dir(name), name, fmt.Sprintf("%o", mode.Perm())}
	res, err := v.run(context.Background(), data, argv)
	if _, err = output(argv, res, err); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// ReadFile reads a file of the machine.
func (v *VM) ReadFile(name string) ([]byte, error) {
	out, err := v.Output(context.Background(), "cat", name)
	return []byte(out), err
}

// Push copies a file of this machine to the virtual one, with its mode. It is slow: what is large belongs in the seed.
func (v *VM) Push(local, name string) error { return push(v, local, name) }
