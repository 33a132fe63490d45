package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"molo/internal/facts"
)

const nginxProgram = "/usr/sbin/nginx"

// asked is what nginx was found to be able to do, and which nginx that was.
type asked struct {
	Files string    `json:"files"`
	Can   facts.Can `json:"can"`
}

func (h *Host) canPath() string { return h.path(filepath.Join(stateDir, "nginx-can.json")) }

// can says what nginx and its TLS library can do. Versions don't tell: distributions
// build the same one with other libraries, and take single directives over into old ones.
// So nginx is asked, and the answer kept for as long as its files are the same. The
// nginx of an image can't be asked: it counts as the oldest that will do.
func (h *Host) can(ctx context.Context) facts.Can {
	if h.offline() {
		return facts.Can{Reject: true}
	}
	var k asked
	if err := readJSON(h.canPath(), &k); err == nil && k.Files == h.nginxFiles() {
		return k.Can
	}
	can, err := h.askNginx(ctx)
	if err != nil {
		h.log.Warn("nginx can't be asked what it can do", "why", err)
	}
	return can
}

// learn keeps what nginx can do, where that is not known yet.
func (h *Host) learn(ctx context.Context) error {
	var k asked
	files := h.nginxFiles()
	if err := readJSON(h.canPath(), &k); err == nil && k.Files == files {
		return nil
	}
	can, err := h.askNginx(ctx)
	if err != nil {
		return fmt.Errorf("asking nginx what it can do: %w", err)
	}
	return h.writeJSON(h.canPath(), asked{Files: files, Can: can})
}

// nginxFiles stands for nginx and the TLS library that it runs with.
func (h *Host) nginxFiles() string {
	var out strings.Builder
	for _, pattern := range []string{nginxProgram, "/usr/lib/*/libssl.so.*", "/usr/lib/*/libcrypto.so.*"} {
		found, err := filepath.Glob(h.path(pattern))
		if err != nil {
			continue // the patterns are good
		}
		for _, path := range found {
			var st unix.Stat_t
			if unix.Stat(path, &st) == nil {
				fmt.Fprintf(&out, "%s %d %d %d; ", path, st.Ino, st.Size, st.Mtim.Nano())
			}
		}
	}
	return out.String()
}

// askNginx has nginx test a configuration for each thing that it may be able to do.
func (h *Host) askNginx(ctx context.Context) (can facts.Can, err error) {
	const reject = "ssl_reject_handshake on;"
	for _, q := range []struct {
		answer             *bool
		listen, directives string
	}{
		{&can.Reject, "ssl", reject},
		{&can.HTTP2, "ssl", "http2 on;" + reject},
		{&can.HTTP3, "quic reuseport", reject},
		{&can.MLKEM, "ssl", "ssl_ecdh_curve X25519MLKEM768:X25519;" + reject},
	} {
		if *q.answer, err = h.accepts(ctx, q.listen, q.directives); err != nil {
			return can, err
		}
	}
	return can, nil
}

// accepts reports whether nginx takes a server with these options of listen and these
// directives. "nginx -t" binds what it listens on: an address of loopback that is
// nobody's. The configuration is in memory, and no log or pid file is touched, so that
// this leaves no traces and takes no rights. The error is for an nginx that could not
// say.
func (h *Host) accepts(ctx context.Context, listen, directives string) (bool, error) {
	const conf = "events {}\nhttp { access_log off; server { listen 127.77.79.76:9 %s; %s } }\n"
	file, err := memoryFile("nginx.conf", fmt.Sprintf(conf, listen, directives))
	if err != nil {
		return false, err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, h.path(nginxProgram), "-t", "-q", "-e", "stderr", "-g", "pid /dev/null;", "-c", "/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{file}
	out, err := cmd.CombinedOutput()
	h.log.Debug("asked nginx", "listen", listen, "directives", directives, "accepted", err == nil, "said", string(out))
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.Exited() || errors.Is(err, fs.ErrNotExist) {
		return false, nil // it says no, or there is none
	}
	return err == nil, err
}

// memoryFile returns a file without a name that holds the text.
func memoryFile(name, text string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	if _, err := file.WriteString(text); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
