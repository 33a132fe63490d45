package lab

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestALineOfADialogue(t *testing.T) {
	for _, c := range []struct {
		name, line string
		mark       byte
		want       string
		done       bool
		err        string
	}{
		{name: "an answer", line: `{"return": {"pid": 7}}`, want: `{"pid": 7}`, done: true},
		{name: "an empty answer", line: `{"return": {}}`, want: `{}`, done: true},
		{name: "a refusal", line: `{"error": {"class": "GenericError", "desc": "no such file"}}`, done: true, err: "no such file"},
		{name: "the monitor's greeting", line: `{"QMP": {"version": {}}}`},
		{name: "an event", line: `{"event": "RESET", "timestamp": {}}`},
		{name: "what is no JSON", line: "login:", done: true, err: `reading "login:"`},
		{name: "an old line, where a mark has to be", line: `{"return": 1}`, mark: 0xff},
		{name: "an answer with a mark", line: "\xff{\"return\": 2}", mark: 0xff, want: "2", done: true},
		{name: "half an old line before the mark", line: "{\"ret\xff{\"return\": 3}", mark: 0xff, want: "3", done: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, done, err := answer([]byte(c.line), c.mark)
			if string(got) != c.want || done != c.done {
				t.Errorf("got %q, done %t, want %q, done %t", got, done, c.want, c.done)
			}
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func FuzzALineOfADialogue(f *testing.F) {
	f.Add([]byte(`{"return": {}}`), byte(0))
	f.Add([]byte("\xff{\"error\": {\"desc\": \"x\"}}"), byte(0xff))
	f.Fuzz(func(t *testing.T, line []byte, mark byte) {
		got, done, err := answer(line, mark)
		if got != nil && (!done || err != nil) {
			t.Errorf("%q: %q, done %t, %v", line, got, done, err)
		}
	})
}

// TestADialogueEndsWithItsContext talks to somebody who never answers, and then to the same who does.
func TestADialogueEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.sync(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the end of the context", err)
	}
	if _, err := other.Write([]byte("{\"return\": 9}\n\xff{\"return\": 1}\n\xff{\"return\": 2}\n")); err != nil {
		t.Fatal(err)
	}
	if err := d.sync(t.Context(), 2); err != nil {
		t.Errorf("after an answer of before: %v", err)
	}
}

func TestTheAcceleratorIsNeverGuessed(t *testing.T) {
	t.Setenv("MOLO_VM_ACCEL", "")
	if diff := cmp.Diff([]string{"-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64"}, accelerator()); diff != "" {
		t.Errorf("without a word about it (-want +got):\n%s", diff)
	}
	t.Setenv("MOLO_VM_ACCEL", "kvm")
	if diff := cmp.Diff([]string{"-accel", "kvm", "-cpu", "qemu64"}, accelerator()); diff != "" {
		t.Errorf("when asked for (-want +got):\n%s", diff)
	}
}

func TestTheNetworkThatCloudInitIsTold(t *testing.T) {
	const want = `version: 2
ethernets:
  enp0s16:
    match:
      macaddress: "52:54:00:12:34:56"
    addresses: [203.0.113.1/30, "2001:db8::1/64"]
    routes:
      - to: 0.0.0.0/0
        via: 203.0.113.2
`
	if diff := cmp.Diff(want, vmNetworkConfig(newPeer(peerLink{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
