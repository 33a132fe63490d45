package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
)

const (
	// siteTime is how long a site gets to answer an audit: its application may be slow.
	siteTime = 3 * time.Second
	// sitesAtOnce is how many sites are asked at the same time.
	sitesAtOnce = 8
)

// siteJobs lists how that is read which only nginx and its sites have.
func (h *Host) siteJobs(a facts.Audit, sites []*policy.Site) map[facts.Source]job {
	jobs := map[facts.Source]job{}
	if a.Facts.Nginx.Installed {
		jobs[facts.FromNginx] = func(ctx context.Context) (func(*facts.Audit), error) {
			text, err := h.NginxConfiguration(ctx)
			return func(a *facts.Audit) { a.NginxConfiguration = text }, err
		}
	}
	if len(sites) == 0 {
		return jobs
	}
	jobs[facts.FromSites] = func(ctx context.Context) (func(*facts.Audit), error) {
		answers := askAll(ctx, sites)
		return func(a *facts.Audit) { a.Sites = answers }, nil
	}
	jobs[facts.FromTLS] = func(ctx context.Context) (func(*facts.Audit), error) {
		t, unread, err := h.TLS(ctx, certificate.Wants(sites))
		switch {
		case err == nil && len(unread) > 0:
			err = errors.New(unread[0].Why)
		case err == nil && t.Blind:
			err = fs.ErrPermission
		}
		t.Now = a.Read
		return func(a *facts.Audit) { a.Facts.Nginx.TLS = t }, err
	}
	return jobs
}

// askAll asks nginx for all sites.
func askAll(ctx context.Context, sites []*policy.Site) map[string]facts.SiteAnswer {
	var mutex sync.Mutex
	var group sync.WaitGroup
	answers := map[string]facts.SiteAnswer{}
	turn := make(chan struct{}, sitesAtOnce)
	for _, s := range sites {
		group.Go(func() {
			turn <- struct{}{}
			answer := askSite(ctx, s)
			<-turn
			mutex.Lock()
			defer mutex.Unlock()
			answers[s.Name.V] = answer
		})
	}
	group.Wait()
	return answers
}

// askSite asks for the first page of a site as a visitor gets it: over TLS where nginx
// speaks that, else over plain HTTP. No redirect is followed.
func askSite(ctx context.Context, s *policy.Site) facts.SiteAnswer {
	plain, err := firstPage(ctx, question{socket{"127.0.0.1", s.Port.V, s.ProxyProtocol()}, false, s.Name.V, "/"})
	if err == nil {
		plain.Plain, plain.Leads = true, http.Header(plain.Headers).Get("Location")
	}
	if s.TLS != nil {
		secured, tlsErr := firstPage(ctx, question{socket{"127.0.0.1", s.TLS.Port.V, s.ProxyProtocol()}, true, s.Name.V, "/"})
		if tlsErr == nil {
			secured.Plain, secured.Leads = plain.Plain, plain.Leads
			return secured
		}
		if timeout := net.Error(nil); errors.As(tlsErr, &timeout) && timeout.Timeout() {
			err = tlsErr // there may be TLS, behind an application that says nothing
		}
	}
	if err != nil {
		return facts.SiteAnswer{Problem: plainly(err)}
	}
	return plain
}

// firstPage asks a question and wants no more than the headers of the answer: a page may
// be long, or never end.
func firstPage(ctx context.Context, q question) (facts.SiteAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, siteTime)
	defer cancel()
	response, err := q.ask(ctx)
	if err != nil {
		return facts.SiteAnswer{}, err
	}
	out := facts.SiteAnswer{Status: response.StatusCode, Headers: response.Header}
	if response.TLS != nil {
		sum := sha256.Sum256(response.TLS.PeerCertificates[0].Raw)
		out.TLS, out.Leaf = true, hex.EncodeToString(sum[:])
	}
	return out, response.Body.Close()
}
