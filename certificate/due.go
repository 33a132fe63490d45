package certificate

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"molo/internal/facts"
	"molo/internal/policy"
)

// Decision is what becomes of a certificate that is ordered.
type Decision struct {
	Leaf  string    // digest of the one that can be served; "" if there is none
	Valid bool      // it is valid now, and for the site
	Order bool      // a new one has to be ordered now
	Why   string    // why a new one is due
	Renew time.Time // when a new one will be due; zero while it is already
	Until time.Time // where one is due but may not be tried yet: until then
	// Problem is what a person has to look at, where ordering would not help.
	Problem string
}

// Decide says whether a site's certificate is to be ordered now. It orders nothing
// because of a clock that has gone back: by that clock the new one would not be
// valid either.
func Decide(s *policy.Site, c facts.Certificate, now time.Time) Decision {
	pair, err := NewPair(c)
	if err != nil {
		return postponed(Decision{Why: missing(c, err)}, c.Failure, now)
	}
	leaf := pair.Leaf()
	d := Decision{Leaf: pair.Digest()}
	d.Why = another(ordered(s), c.Ordered, pair)
	d.Valid = pair.covers(Names(s)) == nil && pair.inTime(now) == nil
	renew, why := Renewal(pair, c.Renewal)
	switch {
	case d.Why != "":
	case now.Before(leaf.NotBefore):
		d.Problem = fmt.Sprintf("the certificate is not valid before %s; is the clock right?", day(leaf.NotBefore))
		return d
	case now.After(leaf.NotAfter):
		d.Why = "it has expired on " + day(leaf.NotAfter)
	case !now.Before(renew):
		d.Why = why
	default:
		d.Renew = renew
		return d
	}
	return postponed(d, c.Failure, now)
}

// missing says why there is no pair.
func missing(c facts.Certificate, err error) string {
	if c.ChainPath == "" {
		return "there is none yet"
	}
	return err.Error()
}

// another says in what the certificate differs from the one that the policy asks for.
func another(want facts.Ordered, have *facts.Ordered, pair Pair) string {
	switch {
	case pair.covers(want.Names) != nil:
		return pair.covers(want.Names).Error()
	case have == nil:
		return "nothing is known of its order"
	case have.Directory != want.Directory:
		return "it is of another authority: " + have.Directory
	case have.Profile != want.Profile:
		return fmt.Sprintf("it is of another profile: %q", have.Profile)
	case kind(pair.Leaf()) != want.KeyType:
		return "its key is of another kind: " + kind(pair.Leaf())
	case !slices.Equal(have.Names, want.Names):
		return "the names of the site have changed"
	}
	return ""
}

// postponed lets a due order wait until an earlier failure allows another try. A
// failure in what is now the future was noted by a clock that was wrong, and no pause is
// longer than the longest, whatever stands in the file.
func postponed(d Decision, f *facts.Failure, now time.Time) Decision {
	if f != nil && !now.Before(f.At) && now.Before(earlier(f.Until, f.At.Add(longestLimit))) {
		d.Until = earlier(f.Until, f.At.Add(longestLimit))
		return d
	}
	d.Order = true
	return d
}

// Renewal returns when a certificate has to be renewed, and why then: in the window
// that the authority names (RFC 9773), else when a third of its life is left, or half
// of a life under ten days. However late the authority's window is, the last sixth of
// the life stays for tries that fail.
func Renewal(p Pair, r *facts.Renewal) (time.Time, string) {
	leaf := p.Leaf()
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	last := leaf.NotAfter.Add(-life / 6)
	if windowed(p, r) {
		if at := within(r.Start, r.End, p.Digest()); at.Before(last) {
			return at, "the authority wants it renewed" + aside(r.URL)
		}
		return last, "a sixth of its life is left"
	}
	if life < 10*24*time.Hour {
		return leaf.NotAfter.Add(-life / 2), "half of its life is left"
	}
	return leaf.NotAfter.Add(-life / 3), "a third of its life is left"
}

func aside(url string) string {
	if url == "" {
		return ""
	}
	return ": " + url
}

// windowed reports whether what the authority said is about this certificate and
// makes sense (RFC 9773, 4.2).
func windowed(p Pair, r *facts.Renewal) bool {
	return r != nil && r.Leaf == p.Digest() && r.Start.Before(r.End)
}

// within picks a time in a window: the same one each time for a certificate, and
// spread evenly over all of them, since digests are.
func within(start, end time.Time, leaf string) time.Time {
	bits, err := hex.DecodeString(leaf[:min(8, len(leaf))])
	if err != nil || len(bits) != 4 {
		return start
	}
	share := float64(binary.BigEndian.Uint32(bits)) / (1 << 32)
	return start.Add(time.Duration(share * float64(end.Sub(start)))).Truncate(time.Second)
}

// Ask reports whether it is time to ask the authority when it wants the certificate
// renewed. One that may not be served is ordered anew whatever it says.
func Ask(c facts.Certificate, now time.Time) bool {
	pair, err := NewPair(c)
	if err != nil || c.Ordered == nil || pair.inTime(now) != nil {
		return false
	}
	r := c.Renewal
	return r == nil || r.Leaf != pair.Digest() || now.Before(r.Asked) || !now.Before(earlier(r.Next, r.Asked.Add(askAgainMost)))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
