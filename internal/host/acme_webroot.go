package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/mholt/acmez/v3/acme"

	"molo/nginx"
)

// webroot answers the questions of an authority through files that nginx serves.
type webroot struct{ host *Host }

// challengePort is where an authority asks (RFC 8555, 8.3).
const challengePort = 80

// token is what an authority may call a question (RFC 8555, 8.3): letters, digits, "-"
// and "_", so that it can't lead out of the directory.
var token = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// Present puts an answer where nginx finds it.
func (w webroot) Present(_ context.Context, c acme.Challenge) error {
	return w.host.answer(c.Token, c.KeyAuthorization)
}

// CleanUp takes it away again.
func (w webroot) CleanUp(_ context.Context, c acme.Challenge) error {
	return w.host.withdraw(c.Token)
}

// answer writes a file that nginx's workers can read.
func (h *Host) answer(name, text string) error {
	if !token.MatchString(name) {
		return fmt.Errorf("the authority asks for %q, which is no token", name)
	}
	dir := h.path(filepath.Join(nginx.ChallengeRoot, nginx.ChallengePath))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("answering the authority: %w", err)
	}
	for d := dir; d != filepath.Dir(h.path(nginx.ChallengeRoot)); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // whatever the umask
			return fmt.Errorf("answering the authority: %w", err)
		}
	}
	return replace(filepath.Join(dir, name), []byte(text), 0o644, false)
}

func (h *Host) withdraw(name string) error {
	return remove(h.path(filepath.Join(nginx.ChallengeRoot, nginx.ChallengePath, name)))
}

// answersChallenges makes sure that nginx answers for every name before an authority is
// asked: a failed order counts against the limits there. What a run that died has left
// to answer is taken away first.
func (h *Host) answersChallenges(ctx context.Context, names []string, proxyProtocol bool) error {
	if err := os.RemoveAll(h.path(nginx.ChallengeRoot)); err != nil {
		return err
	}
	name, want := rand.Text(), rand.Text()
	if err := h.answer(name, want); err != nil {
		return err
	}
	err := poll(ctx, nginxSwap, func(ctx context.Context) error {
		for _, site := range names {
			for _, address := range loopbacks() {
				_, body, err := get(ctx, question{socket{address, h.challengePort, proxyProtocol}, false, site, nginx.ChallengePath + name})
				if err != nil {
					return fmt.Errorf("nginx does not answer for %s on port %d, where an authority asks: %w", site, h.challengePort, err)
				}
				if body != want {
					return fmt.Errorf("nginx does not serve %s for %s on port %d, where an authority looks", nginx.ChallengePath, site, h.challengePort)
				}
			}
		}
		return nil
	})
	return errors.Join(err, h.withdraw(name))
}
