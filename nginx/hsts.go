package nginx

import (
	"fmt"
	"time"

	"molo/internal/policy"
)

// HSTS returns the header Strict-Transport-Security of a site, for servers that
// speak TLS and for no others (RFC 6797, 7.2), or false where the policy sends none.
//
// A promise can't be taken back from browsers that have heard it, so a ramp never
// promises for longer than TLS has been asked for: five minutes on the first day, a
// day in the first week, a week in the first month. What holds for other names, and
// the word for browsers' lists, come with the last step.
func HSTS(h policy.HSTS, now time.Time) (policy.Header, bool) {
	if h.MaxAge.V < 0 {
		return policy.Header{}, false
	}
	age, last := ramp(h, now)
	value := fmt.Sprintf("max-age=%d", int64(age/time.Second))
	if last && (h.Scope.V == "subdomains" || h.Scope.V == "preload") {
		value += "; includeSubDomains"
	}
	if last && h.Scope.V == "preload" {
		value += "; preload"
	}
	return policy.Header{Name: strictTransport, Value: policy.Value[string]{V: value, Range: h.MaxAge.Range, Set: h.MaxAge.Set}}, true
}

// ramp returns for how long the header promises TLS now, and whether that is its
// last step. A clock that is not set yet counts as the first day.
func ramp(h policy.HSTS, now time.Time) (age time.Duration, last bool) {
	const day = 24 * time.Hour
	if h.RampFrom.V.IsZero() {
		return h.MaxAge.V, true
	}
	since := now.Sub(h.RampFrom.V)
	for _, step := range []struct{ until, age time.Duration }{{day, 5 * time.Minute}, {7 * day, day}, {30 * day, 7 * day}} {
		if since < step.until {
			return min(step.age, h.MaxAge.V), h.MaxAge.V <= step.age
		}
	}
	return h.MaxAge.V, true
}
