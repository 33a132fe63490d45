package host

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"molo/internal/resource"
)

// authorities are those that a run orders from, each account once.
type authorities struct {
	host  *Host
	known map[string]*authority
}

// authority is one account with one authority, for one run.
type authority struct {
	host    *Host
	want    resource.Certificate // any of those that this account orders
	client  *acmez.Client
	replies *replies
	account acme.Account
	renews  bool  // it knows about renewals (RFC 9773)
	opened  bool  // whether open was called
	broken  error // it can't be reached, or does not take the account: why
	limited error // it does not take further orders from the account in this run
}

// of returns the authority that a certificate is ordered from.
func (s authorities) of(want resource.Certificate) *authority {
	id := accountID(want)
	if s.known[id] == nil {
		s.known[id] = &authority{host: s.host, want: want}
	}
	return s.known[id]
}

// accountID is what the directory of an account is called. Another mail address is
// another account: nothing has to be changed at an authority, which might refuse it.
func accountID(c resource.Certificate) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{c.Directory, c.Email, c.KeyID}, "\n")))
	return hex.EncodeToString(sum[:])[:16]
}

// open reads the directory and makes sure of the account, once in a run.
func (a *authority) open(ctx context.Context) error {
	if !a.opened {
		a.opened = true
		a.broken = a.note(a.connect(ctx))
	}
	return a.broken
}

func (a *authority) connect(ctx context.Context) error {
	client, replies, err := a.host.acmeClient(a.want.Directory, a.want.DirectoryCA)
	if err != nil {
		return err
	}
	a.replies = replies
	a.client = &acmez.Client{Client: client, ChallengeSolvers: map[string]acmez.Solver{acme.ChallengeTypeHTTP01: webroot{a.host}}}
	directory, err := client.GetDirectory(ctx)
	if err != nil {
		return fmt.Errorf("reading %s: %w", a.want.Directory, err)
	}
	a.renews = directory.RenewalInfo != ""
	return a.loadAccount(ctx)
}

// note looks at what went wrong. An authority that can't be reached any
// more, or counts this account's orders, is not asked again in this run.
func (a *authority) note(err error) error {
	problem, unreachable := acme.Problem{}, new(url.Error)
	switch {
	case errors.As(err, &problem) && problem.Type == acme.ProblemTypeRateLimited:
		a.limited = explained(err)
	case errors.As(err, &unreachable):
		a.broken = err
	}
	return err
}

// limit is how long the authority wants not to be asked.
func (a *authority) limit() time.Duration {
	if a.limited == nil || a.replies == nil {
		return 0
	}
	return max(a.replies.retryAfter(a.host.now()), time.Minute)
}

// explained puts what an authority says into words for a person.
func explained(err error) error {
	problem := acme.Problem{}
	if !errors.As(err, &problem) {
		return err
	}
	kind := strings.TrimPrefix(problem.Type, acme.ProblemTypeNamespace)
	var said []string
	for _, p := range problem.Subproblems {
		said = append(said, p.Detail)
	}
	if problem.Detail != "" || said == nil {
		said = append([]string{problem.Detail}, said...)
	}
	text := fmt.Sprintf("the authority says: %s (%s)", plain(strings.Join(said, "; ")), plain(kind))
	switch problem.Type {
	case acme.ProblemTypeConnection:
		text += "\nhint: port 80 has to be open to everybody: ufw allow 80/tcp"
	case acme.ProblemTypeDNS, acme.ProblemTypeUnauthorized, acme.ProblemTypeIncorrectResponse:
		text += "\nhint: the name has to lead to this host, over IPv4 and, if it has one, over IPv6"
	}
	return &saidError{text, err}
}

// saidError has the words of explained, and is the error that they explain.
type saidError struct {
	text string
	err  error
}

func (e *saidError) Error() string { return e.text }
func (e *saidError) Unwrap() error { return e.err }

// plain makes one line of text that somebody else wrote, without what steers a terminal.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, text)
	return text[:min(len(text), 500)]
}

// acmeClient returns a client of the authority whose directory is at a URL.
func (h *Host) acmeClient(directory, directoryCA string) (*acme.Client, *replies, error) {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		ForceAttemptHTTP2:     true,
	}
	if directoryCA != "" {
		roots, err := h.roots(directoryCA)
		if err != nil {
			return nil, nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	replies := &replies{transport: transport}
	return &acme.Client{
		Directory: directory, UserAgent: "molo", PollTimeout: orderPatience,
		HTTPClient: &http.Client{Transport: replies, Timeout: time.Minute, CheckRedirect: stayOnTLS},
	}, replies, nil
}

// roots reads the roots that a private authority's directory comes from.
func (h *Host) roots(path string) (*x509.CertPool, error) {
	file, err := h.readCertificates(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	pool := x509.NewCertPool()
	if file.Problem != "" || !pool.AppendCertsFromPEM([]byte(file.PEM)) {
		return nil, fmt.Errorf("%s: %s", path, file.Problem)
	}
	return pool, nil
}

// stayOnTLS refuses to be led away from TLS.
func stayOnTLS(r *http.Request, via []*http.Request) error {
	if r.URL.Scheme != "https" || len(via) > 5 {
		return errors.New("the authority leads to " + r.URL.Redacted())
	}
	return nil
}

// maxAnswer bounds an answer of an authority; a chain has some 10 KB.
const maxAnswer = 1 << 20

// replies looks at all answers of an authority on their way.
type replies struct {
	transport http.RoundTripper
	mu        sync.Mutex
	limit     string // Retry-After of the last refusal
}

// RoundTrip speaks TLS only, and reads no more than an answer can have.
func (a *replies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, errors.New("the authority names a place without TLS: " + r.URL.Redacted())
	}
	response, err := a.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable {
		a.mu.Lock()
		a.limit = response.Header.Get("Retry-After")
		a.mu.Unlock()
	}
	response.Body = limited{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}

// limited is a body of which only a part is read.
type limited struct {
	io.Reader
	io.Closer
}

// retryAfter is how long to wait (RFC 9110, section 10.2.3), zero if not said.
func (a *replies) retryAfter(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return retryAfter(a.limit, now)
}

func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
