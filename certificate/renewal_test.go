package certificate

import (
	"strings"
	"testing"
	"time"

	"molo/internal/facts"
)

func TestParseRenewal(t *testing.T) {
	start, end := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 3, 0, 0, 0, 0, time.UTC)
	const window = `"suggestedWindow": {"start": "2026-12-01T01:00:00+01:00", "end": "2026-12-03T00:00:00Z"}`
	for _, tc := range []struct {
		name, answer string
		want         facts.Renewal
		err          string
	}{
		{"a window", "{" + window + "}", facts.Renewal{Start: start, End: end}, ""},
		{"with an explanation", "{" + window + `, "explanationURL": "https://ca.example.no/why"}`, facts.Renewal{Start: start, End: end, URL: "https://ca.example.no/why"}, ""},
		{"with an explanation that steers the terminal", "{" + window + `, "explanationURL": "https://ca.example.no/\u001b[2J"}`, facts.Renewal{Start: start, End: end}, ""},
		{"a window of one second, as when it was revoked", `{"suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-01T00:00:01Z"}}`, facts.Renewal{Start: start, End: start.Add(time.Second)}, ""},
		{"no window", "{}", facts.Renewal{}, "the renewal window ends before it begins"},
		{"a window the wrong way round", `{"suggestedWindow": {"start": "2026-12-03T00:00:00Z", "end": "2026-12-01T00:00:00Z"}}`, facts.Renewal{}, "the renewal window ends before it begins"},
		{"no JSON", "<html>", facts.Renewal{}, "reading the renewal window"},
		{"no time", `{"suggestedWindow": {"start": "soon"}}`, facts.Renewal{}, "reading the renewal window"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseRenewal([]byte(tc.answer))
			if got != tc.want || !strings.HasPrefix(text(err), tc.err) || (err == nil) != (tc.err == "") {
				t.Errorf("got %+v, %v\nwant %+v, %q", got, err, tc.want, tc.err)
			}
		})
	}
}

// What an authority answers decides when orders are made, and is shown to people.
func FuzzParseRenewal(f *testing.F) {
	f.Add([]byte(`{"suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-03T00:00:00Z"}, "explanationURL": "https://ca.example.no/"}`))
	f.Add([]byte(`{"suggestedWindow": {"start": "0000-12-01T00:00:00Z", "end": "9999-12-03T00:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRenewal(data)
		if err != nil {
			return
		}
		if !r.Start.Before(r.End) || strings.ContainsFunc(r.URL, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("%q became %+v", data, r)
		}
		if at := within(r.Start, r.End, "80000000"); at.Before(r.Start.Add(-time.Second)) || at.After(r.End) {
			t.Errorf("%q: %s is not in the window", data, at)
		}
	})
}
