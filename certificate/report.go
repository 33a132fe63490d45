package certificate

import (
	"fmt"
	"time"

	"molo/internal/facts"
	"molo/internal/policy"
)

// State says how a site's certificate stands.
type State string

// The states, from good to bad.
const (
	Good    State = "good"    // valid
	Due     State = "due"     // valid, but a new one is due, and could not be had yet
	Invalid State = "invalid" // out of its time, or not for the site
	None    State = "none"    // there is none that could be served
)

// Status says how the certificate of one site stands: for a person, and for metrics.
type Status struct {
	Site      string    `json:"site"`
	State     State     `json:"state"`
	Names     []string  `json:"names"`            // that the certificate is for
	Authority string    `json:"authority"`        // the ACME directory, or "file"
	Path      string    `json:"path,omitempty"`   // of the chain
	Issuer    string    `json:"issuer,omitempty"` // who signed it
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Renew     time.Time `json:"renew,omitzero"` // when the next one will be ordered
	Problem   string    `json:"problem,omitempty"`
	Error     string    `json:"error,omitempty"`     // of the last order, where it failed
	Failures  int       `json:"failures"`            // in a row
	Retry     time.Time `json:"retry,omitzero"`      // the next order is not tried before
	AskError  string    `json:"ask_error,omitempty"` // of the last question about its renewal
}

// Report says how the certificates of all sites stand, in the order of the sites. Where
// they may not be read it says nothing.
func Report(sites []*policy.Site, t facts.TLS) []Status {
	if t.Blind {
		return nil
	}
	var all []Status
	for _, s := range sites {
		if s.TLS != nil {
			all = append(all, status(s, t))
		}
	}
	return all
}

func status(s *policy.Site, t facts.TLS) Status {
	c := Of(s, t)
	out := Status{Site: s.Name.V, State: None, Names: Names(s), Authority: "file", Path: c.ChainPath}
	pair, err := NewPair(c)
	if err == nil {
		leaf := pair.Leaf()
		out.Names, out.Issuer = leaf.DNSNames, leaf.Issuer.String()
		out.NotBefore, out.NotAfter = leaf.NotBefore, leaf.NotAfter
	}
	if s.TLS.ACME == nil {
		out.State, out.Problem = fileState(s, pair, err, t.Now)
		return out
	}
	out.Authority = s.TLS.ACME.Directory.V
	d := Decide(s, c, t.Now)
	out.Renew, out.Problem = d.Renew, d.Problem
	switch {
	case d.Valid && d.Why == "":
		out.State = Good
	case d.Valid:
		out.State = Due
	case d.Leaf != "":
		out.State = Invalid
	}
	if out.Problem == "" {
		out.Problem = d.Why
	}
	if f := c.Failure; f != nil {
		out.Error, out.Failures, out.Retry = f.Error, f.Count, d.Until
	}
	if r := c.Renewal; r != nil {
		out.AskError = r.Error
	}
	return out
}

func fileState(s *policy.Site, pair Pair, err error, now time.Time) (State, string) {
	switch {
	case err != nil:
		return None, err.Error()
	case pair.covers(Names(s)) != nil:
		return Invalid, pair.covers(Names(s)).Error()
	case pair.inTime(now) != nil:
		return Invalid, pair.inTime(now).Error()
	}
	return Good, ""
}

// Text is one line for a person.
func (s Status) Text(now time.Time) string {
	text := "no certificate"
	if s.State != None {
		text = fmt.Sprintf("until %s (%s)", day(s.NotAfter), left(s.NotAfter.Sub(now)))
		if !s.Renew.IsZero() {
			text += ", to be renewed " + day(s.Renew)
		}
	}
	if s.Problem != "" {
		text += "; " + s.Problem
	}
	if s.Error != "" {
		text += "; the last order failed: " + s.Error
	}
	if !s.Retry.IsZero() {
		text += "; not tried again before " + day(s.Retry)
	}
	return text
}

// left says how much time there is.
func left(d time.Duration) string {
	switch {
	case d < 0:
		return "expired"
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
