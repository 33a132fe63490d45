package certificate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"molo/internal/facts"
)

// ParseRenewal reads the answer of an authority to the question when a certificate
// should be renewed (RFC 9773, 4.2).
func ParseRenewal(data []byte) (facts.Renewal, error) {
	var answer struct {
		Window struct {
			Start time.Time `json:"start"`
			End   time.Time `json:"end"`
		} `json:"suggestedWindow"`
		URL string `json:"explanationURL"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return facts.Renewal{}, fmt.Errorf("reading the renewal window: %w", err)
	}
	if !answer.Window.Start.Before(answer.Window.End) {
		return facts.Renewal{}, errors.New("the renewal window ends before it begins")
	}
	return facts.Renewal{Start: answer.Window.Start.UTC(), End: answer.Window.End.UTC(), URL: shown(answer.URL)}, nil
}

// shown returns a URL that may be shown to a person, or "".
func shown(link string) string {
	u, err := url.Parse(link)
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if err != nil || u.Scheme != "https" || len(link) > 200 || strings.ContainsFunc(link, odd) {
		return ""
	}
	return link
}
