package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// dialogue is a line on which each side writes JSON, one object a line: QEMU's monitor, and its agent in a machine.
type dialogue struct {
	conn  net.Conn
	in    *bufio.Reader
	stale bool // an answer may be under way that nobody waits for any more
}

func dial(ctx context.Context, path string) (*dialogue, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return &dialogue{conn: conn, in: bufio.NewReader(conn)}, nil
}

func (d *dialogue) close() error {
	if d == nil {
		return nil
	}
	return d.conn.Close()
}

// dialMonitor connects to QEMU's monitor, which wants to be greeted.
func dialMonitor(ctx context.Context, path string) (*dialogue, error) {
	d, err := dial(ctx, path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := d.ask(ctx, "qmp_capabilities", nil); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// ask sends a command and returns the answer.
func (d *dialogue) ask(ctx context.Context, command string, arguments any) (json.RawMessage, error) {
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	data, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return d.exchange(ctx, append(data, '\n'), 0)
}

// sync makes the agent forget what it was told before, such as half a command from before a reboot: it drops
// everything up to a byte that no JSON has, and its answer begins with one. Answers with another id are to questions
// that waited in the line while there was no agent.
func (d *dialogue) sync(ctx context.Context, id int) error {
	request := fmt.Appendf(nil, "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%d}}\n", id)
	for {
		answer, err := d.exchange(ctx, request, 0xff)
		if err != nil {
			return err
		}
		if string(bytes.TrimSpace(answer)) == fmt.Sprint(id) {
			d.stale = false
			return nil
		}
		request = nil
	}
}

// exchange sends a request and waits for the answer; where the answer has a mark, lines without it are old ones.
func (d *dialogue) exchange(ctx context.Context, request []byte, mark byte) (json.RawMessage, error) {
	stop := context.AfterFunc(ctx, func() { d.conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // of a socket that is open
	defer func() {
		stop()
		d.conn.SetDeadline(time.Time{}) //nolint:errcheck // as above
	}()
	if _, err := d.conn.Write(request); err != nil {
		d.stale = true
		return nil, errors.Join(context.Cause(ctx), err)
	}
	for {
		line, err := d.in.ReadBytes('\n')
		if err != nil {
			d.stale = true
			return nil, errors.Join(context.Cause(ctx), err)
		}
		if result, done, err := answer(line, mark); done {
			return result, err
		}
	}
}

// answer reads a line. It is no answer if it lacks the mark, or is QEMU's greeting or news of an event.
func answer(line []byte, mark byte) (result json.RawMessage, done bool, err error) {
	if mark != 0 {
		i := bytes.LastIndexByte(line, mark)
		if i < 0 {
			return nil, false, nil
		}
		line = line[i+1:]
	}
	var reply struct {
		Return json.RawMessage `json:"return"`
		Error  *struct {
			Desc string `json:"desc"`
		} `json:"error"`
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		return nil, true, fmt.Errorf("reading %q: %w", line, err)
	}
	if reply.Error != nil {
		return nil, true, errors.New(reply.Error.Desc)
	}
	return reply.Return, reply.Return != nil, nil
}
