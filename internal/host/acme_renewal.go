package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"molo/certificate"
	"molo/internal/facts"
)

// refreshPatience bounds one question about a renewal: nothing depends on the answer.
const refreshPatience = 10 * time.Second

// Refresh asks authorities when they want certificates renewed, where it is time to ask.
// An authority that does not answer is asked again later; meanwhile the time of before
// holds, or a part of the certificate's life.
func (h *Host) Refresh(ctx context.Context, wants []certificate.Want) error {
	if h.offline() || len(wants) == 0 {
		return nil
	}
	return h.askDue(ctx, wants)
}

// askDue asks about those certificates for which it is time.
func (h *Host) askDue(ctx context.Context, wants []certificate.Want) error {
	silent := map[string]error{} // by directory
	for _, w := range wants {
		if w.Directory == "" {
			continue
		}
		have, err := h.orderedFor(w.Site)
		if err != nil {
			return fmt.Errorf("reading the certificate of %s: %w", w.Site, err)
		}
		if !certificate.Ask(have, h.now()) || have.Ordered.Directory != w.Directory {
			continue
		}
		if err := h.askRenewal(ctx, w, have, silent); err != nil {
			return err
		}
	}
	return nil
}

// askRenewal asks about one certificate and notes the answer.
func (h *Host) askRenewal(ctx context.Context, w certificate.Want, have facts.Certificate, silent map[string]error) error {
	pair, err := certificate.NewPair(have)
	if err != nil {
		return err
	}
	r, next, err := facts.Renewal{}, time.Time{}, silent[w.Directory]
	if err == nil {
		r, next, err = h.renewalOf(ctx, w, pair)
		silent[w.Directory] = err
	}
	if err != nil {
		if have.Renewal != nil && have.Renewal.Leaf == pair.Digest() {
			r = *have.Renewal
		}
		r.Error, next = err.Error(), time.Time{}
	}
	r.Leaf = pair.Digest()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return h.writeNote(w.Site, renewalFile, certificate.Asked(r, h.now(), next))
}

// renewalOf asks an authority about a certificate, and says when it may be asked again.
// One that does not know of such questions is asked the next day whether it does by then.
func (h *Host) renewalOf(ctx context.Context, w certificate.Want, pair certificate.Pair) (facts.Renewal, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, refreshPatience)
	defer cancel()
	client, _, err := h.acmeClient(w.Directory, w.DirectoryCA)
	if err != nil {
		return facts.Renewal{}, time.Time{}, err
	}
	defer client.HTTPClient.CloseIdleConnections()
	directory, err := client.GetDirectory(ctx)
	if err != nil {
		return facts.Renewal{}, time.Time{}, fmt.Errorf("reading %s: %w", w.Directory, err)
	}
	if directory.RenewalInfo == "" {
		return facts.Renewal{}, h.now().Add(24 * time.Hour), nil
	}
	id, err := acme.ARIUniqueIdentifier(pair.Leaf())
	if err != nil {
		return facts.Renewal{}, time.Time{}, err
	}
	return h.fetchRenewal(ctx, client.HTTPClient, directory.RenewalInfo+"/"+id)
}

// fetchRenewal reads one renewal window.
func (h *Host) fetchRenewal(ctx context.Context, client *http.Client, url string) (facts.Renewal, time.Time, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return facts.Renewal{}, time.Time{}, err
	}
	request.Header.Set("User-Agent", "molo")
	response, err := client.Do(request)
	if err != nil {
		return facts.Renewal{}, time.Time{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return facts.Renewal{}, time.Time{}, err
	}
	if response.StatusCode != http.StatusOK {
		return facts.Renewal{}, time.Time{}, errors.New("asking about the renewal: the authority answers " + response.Status)
	}
	var next time.Time
	if pause := retryAfter(response.Header.Get("Retry-After"), h.now()); pause > 0 {
		next = h.now().Add(pause)
	}
	r, err := certificate.ParseRenewal(body)
	return r, next, err
}
