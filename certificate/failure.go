package certificate

import (
	"time"

	"molo/internal/facts"
)

// The pauses after an order that failed. Let's Encrypt takes five failures an hour
// for one name; the first three tries here take 45 minutes.
const (
	firstPause = 15 * time.Minute
	lastPause  = 12 * time.Hour
	// longestLimit bounds what an authority can ask for: it could be a mistake.
	longestLimit = 7 * 24 * time.Hour
)

// The times between questions about renewal, where the authority does not say, or
// says something odd (RFC 9773, 4.3).
const (
	askAgain      = 6 * time.Hour
	askAgainLeast = time.Hour
	askAgainMost  = 24 * time.Hour
)

// Failed notes another failure. limit is how long the authority asks to wait, zero
// where it does not.
func Failed(before *facts.Failure, now time.Time, limit time.Duration, why string) facts.Failure {
	f := facts.Failure{Count: 1, At: now, Error: why, Asked: limit > 0}
	if before != nil && !now.Before(before.At) {
		f.Count += before.Count
	}
	pause := lastPause
	if steps := f.Count - 1; steps < 10 {
		pause = min(lastPause, firstPause<<steps)
	}
	f.Until = now.Add(max(pause, min(limit, longestLimit)))
	return f
}

// unfinished is what an order that is under way leaves behind.
const unfinished = "an order was begun, and what came of it could not be noted"

// Begun notes an order before it is made. Should nothing be noted after it, because the
// run was killed or the disk is full, the next run may try at once; if that ends in the
// same way, the ones after it wait: an authority counts what it issued, installed or not.
func Begun(before *facts.Failure, now time.Time) facts.Failure {
	f := Failed(before, now, 0, unfinished)
	if before == nil || before.Error != unfinished {
		f.Until = now
	}
	return f
}

// Asked notes what the authority said about renewing a certificate. next is when it
// wants to be asked again, zero where it did not say.
func Asked(r facts.Renewal, now, next time.Time) facts.Renewal {
	pause := next.Sub(now)
	if next.IsZero() {
		pause = askAgain
	}
	r.Asked, r.Next = now, now.Add(max(askAgainLeast, min(pause, askAgainMost)))
	return r
}

// First notes what the authority says of a certificate that it has just issued. A
// window that has begun already has to wait for the next question: an authority that
// is mistaken would have every run order another one.
func First(r facts.Renewal, now, next time.Time) facts.Renewal {
	if !r.Start.After(now) {
		r.Start, r.End = time.Time{}, time.Time{}
	}
	return Asked(r, now, next)
}

// Usable returns the error of a certificate, just ordered, that is not what was
// asked for, or that this host would have to order again at once: that would go on
// for ever.
func Usable(c facts.Certificate, now time.Time) error {
	pair, err := NewPair(c)
	if err != nil {
		return err
	}
	for _, err := range []error{pair.covers(c.Ordered.Names), pair.ordered(), pair.strong(), pair.inTime(now)} {
		if err != nil {
			return err
		}
	}
	return nil
}
