package host

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// NginxConfiguration returns what "nginx -T" prints: nginx.conf and every file that
// it includes. It runs where the test of a staged tree does, without traces.
func (h *Host) NginxConfiguration(ctx context.Context) (string, error) {
	if h.offline() {
		return "", errors.New("nginx can only be asked for its configuration on a running host")
	}
	if _, err := os.Stat(nginxBinary); err != nil {
		return "", fmt.Errorf("reading the nginx configuration: %w", err)
	}
	var text []byte
	err := h.inNamespace(nginxDir, func() (err error) {
		text, err = h.exec(ctx, nil, nginxBinary, "-T", "-q")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the nginx configuration: %w", err)
	}
	return string(text), nil
}
