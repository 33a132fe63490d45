package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"time"
)

// ServerPackage is the program that tests put into containers and behind proxies; see its package documentation.
const ServerPackage = "molo/internal/lab/server"

// ImportImage makes a Docker image of one static program, which containers will run as /server with these arguments.
func (h *Host) ImportImage(ctx context.Context, name, binary string, args ...string) error {
	if err := h.importImage(ctx, name, binary, args); err != nil {
		return fmt.Errorf("importing image %s: %w", name, err)
	}
	return nil
}

func (h *Host) importImage(ctx context.Context, name, binary string, args []string) error {
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	layer, err := oneFile("server", program)
	if err != nil {
		return err
	}
	entrypoint, err := json.Marshal(append([]string{"/server"}, args...))
	if err != nil {
		return err
	}
	argv := []string{"docker", "import", "-c", "ENTRYPOINT " + string(entrypoint), "-", name}
	cmd := h.Command(ctx, argv...)
	cmd.Stdin = bytes.NewReader(layer)
	res, err := run(ctx, cmd)
	_, err = output(argv, res, err)
	return err
}

// oneFile returns an archive with one program in it.
func oneFile(name string, data []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// BuildStatic compiles a main package into a static program and returns its path. It is named by its contents, and
// stays where it is for a day.
func BuildStatic(ctx context.Context, pkg string) (string, error) {
	binary, err := labHome().buildStatic(ctx, pkg)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", pkg, err)
	}
	return binary, nil
}

func (h home) buildStatic(ctx context.Context, pkg string) (string, error) {
	if err := h.make(); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(h.path("bin"), "building-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	fresh := path.Join(temp, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", fresh, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	data, err := os.ReadFile(fresh)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	binary := h.path("bin", fmt.Sprintf("%s-%x", path.Base(pkg), sum[:6]))
	return binary, errors.Join(os.Rename(fresh, binary), h.pruneBinaries())
}

// pruneBinaries removes programs that nobody has built for a day.
func (h home) pruneBinaries() error {
	entries, err := os.ReadDir(h.path("bin"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < 24*time.Hour {
			continue // gone, or young
		}
		if err := os.RemoveAll(h.path("bin", e.Name())); err != nil {
			return err
		}
	}
	return nil
}
