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
	return h.askNginx(ctx)
}

// learn keeps what nginx can do, where that is not known yet.
func (h *Host) learn(ctx context.Context) error {
	var k asked
	files := h.nginxFiles()
	if err := readJSON(h.canPath(), &k); err == nil && k.Files == files {
		return nil
	}
	return h.writeJSON(h.canPath(), asked{Files: files, Can: h.askNginx(ctx)})
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
func (h *Host) askNginx(ctx context.Context) facts.Can {
	const reject = "ssl_reject_handshake on;"
	return facts.Can{
		Reject: h.accepts(ctx, "ssl", reject),
		HTTP2:  h.accepts(ctx, "ssl", "http2 on;"+reject),
		HTTP3:  h.accepts(ctx, "quic reuseport", reject),
		MLKEM:  h.accepts(ctx, "ssl", "ssl_ecdh_curve X25519MLKEM768:X25519;"+reject),
	}
}

// accepts reports whether nginx takes a server with these options of listen and these
// directives. "nginx -t" binds what it listens on: an address of loopback that is
// nobody's. The configuration is in memory, and no log or pid file is touched, so that
// this leaves no traces and takes no rights.
func (h *Host) accepts(ctx context.Context, listen, directives string) bool {
	const conf = "events {}\nhttp { access_log off; server { listen 127.77.79.76:9 %s; %s } }\n"
	file, err := memoryFile("nginx.conf", fmt.Sprintf(conf, listen, directives))
	if err != nil {
		h.log.Warn("nginx can't be asked what it can do", "why", err)
		return false
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, h.path(nginxProgram), "-t", "-q", "-e", "stderr", "-g", "pid /dev/null;", "-c", "/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{file}
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) && !errors.Is(err, fs.ErrNotExist) {
		h.log.Warn("nginx can't be asked what it can do", "why", err)
	}
	h.log.Debug("asked nginx", "listen", listen, "directives", directives, "accepted", err == nil, "said", string(out))
	return err == nil
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
