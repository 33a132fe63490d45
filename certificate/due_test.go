package certificate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/certificate/certtest"
	"molo/internal/facts"
	"molo/internal/policy"
)

const (
	dayLong   = 24 * time.Hour
	directory = "https://ca.example.no/dir"
)

// acmeSite is a site whose certificate is ordered.
func acmeSite(name string) *policy.Site {
	return &policy.Site{
		Name: policy.Value[string]{V: name},
		TLS: &policy.TLS{ACME: &policy.ACME{
			Directory: policy.Value[string]{V: directory}, KeyType: policy.Value[string]{V: "ecdsa-p256"},
		}},
	}
}

// had is a certificate on disk that was ordered for the site, from one time to another.
func had(t *testing.T, from, until time.Time) facts.Certificate {
	t.Helper()
	i := certtest.New(t).Issue(t, certtest.Leaf{Names: []string{"app.example.no"}, From: from, Until: until})
	return facts.Certificate{
		ChainPath: "/c/fullchain.pem", KeyPath: "/c/key.pem", Chain: ReadChain(i.Chain()), Key: ReadKey(i.Key),
		Ordered: &facts.Ordered{Directory: directory, KeyType: "ecdsa-p256", Names: []string{"app.example.no"}},
	}
}

func leafOf(t *testing.T, c facts.Certificate) string {
	t.Helper()
	pair, err := NewPair(c)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Digest()
}

// window is what an authority says of a certificate.
func window(t *testing.T, c facts.Certificate, start, end time.Time) *facts.Renewal {
	t.Helper()
	return &facts.Renewal{Leaf: leafOf(t, c), Asked: now(), Next: now().Add(time.Hour), Start: start, End: end}
}

func TestDecide(t *testing.T) {
	day := func(n float64) time.Time { return now().Add(time.Duration(n * float64(dayLong))) }
	ninety := had(t, day(-30), day(60))
	six := had(t, day(-2), day(4))
	changed := func(c facts.Certificate, change func(c *facts.Certificate)) facts.Certificate {
		ordered := *c.Ordered
		c.Ordered = &ordered
		change(&c)
		return c
	}
	failed := &facts.Failure{Count: 1, At: now(), Until: now().Add(time.Hour), Error: "no"}
	for _, tc := range []struct {
		name  string
		have  facts.Certificate
		at    time.Time
		order bool
		why   string
	}{
		{"no certificate at all", facts.Certificate{}, day(0), true, "there is none yet"},
		{"none, and an order has failed just now", facts.Certificate{Failure: failed}, day(0), false, "there is none yet"},
		{"none, and an order has failed an hour ago", facts.Certificate{Failure: failed}, now().Add(time.Hour), true, "there is none yet"},
		{"none, and an order has failed in what is the future again", facts.Certificate{Failure: failed}, day(-100), true, "there is none yet"},
		{"none, and a pause that is longer than any", facts.Certificate{Failure: &facts.Failure{At: now(), Until: day(10000)}}, day(7), true, "there is none yet"},
		{"a third of its life has gone", ninety, day(0), false, ""},
		{"nearly two thirds have gone", ninety, day(29.9), false, ""},
		{"a third is left", ninety, day(30), true, "a third of its life is left"},
		{"a third is left, and an order has failed", changed(ninety, func(c *facts.Certificate) {
			c.Failure = &facts.Failure{At: day(30), Until: day(31)}
		}), day(30.5), false, "a third of its life is left"},
		{"six days, less than half of them gone", six, day(0.9), false, ""},
		{"six days, half of them gone", six, day(1), true, "half of its life is left"},
		{"expired", ninety, day(61), true, "it has expired on 2027-01-23 12:00 UTC"},
		{"the clock a day ahead", ninety, day(1), false, ""},
		{"the clock 100 days ahead", ninety, day(100), true, "it has expired on 2027-01-23 12:00 UTC"},
		{"the clock a day behind", had(t, day(-0.5), day(89.5)), day(-1), false, ""},
		{"the clock 100 days behind", ninety, day(-100), false, ""},
		{"the authority's window is to come", changed(ninety, func(c *facts.Certificate) { c.Renewal = window(t, *c, day(10), day(12)) }), day(9.9), false, ""},
		{"the authority's window is over", changed(ninety, func(c *facts.Certificate) { c.Renewal = window(t, *c, day(10), day(12)) }), day(12), true, "the authority wants it renewed"},
		{"the authority's window is long gone", changed(ninety, func(c *facts.Certificate) {
			c.Renewal = window(t, *c, day(-3), day(-2))
			c.Renewal.URL = "https://ca.example.no/why"
		}), day(0), true, "the authority wants it renewed: https://ca.example.no/why"},
		{"the authority's window is later than a third of the life", changed(ninety, func(c *facts.Certificate) { c.Renewal = window(t, *c, day(40), day(41)) }), day(35), false, ""},
		{"the authority's window is too late for a second try", changed(ninety, func(c *facts.Certificate) { c.Renewal = window(t, *c, day(58), day(59)) }), day(45), true, "a sixth of its life is left"},
		{"a window that ends before it begins", changed(ninety, func(c *facts.Certificate) { c.Renewal = window(t, *c, day(-2), day(-3)) }), day(0), false, ""},
		{"a window of another certificate", changed(ninety, func(c *facts.Certificate) { c.Renewal = window(t, six, day(-3), day(-2)) }), day(0), false, ""},
		{"another authority", changed(ninety, func(c *facts.Certificate) { c.Ordered.Directory = "https://other.no" }), day(0), true, "it is of another authority: https://other.no"},
		{"another profile", changed(ninety, func(c *facts.Certificate) { c.Ordered.Profile = "shortlived" }), day(0), true, `it is of another profile: "shortlived"`},
		{"other names in its order", changed(ninety, func(c *facts.Certificate) { c.Ordered.Names = []string{"app.example.no", "b.no"} }), day(0), true, "the names of the site have changed"},
		{"nothing known of its order", changed(ninety, func(c *facts.Certificate) { c.Ordered = nil }), day(0), true, "nothing is known of its order"},
		{"a key that is gone", changed(ninety, func(c *facts.Certificate) { c.Key = facts.Key{Problem: "no such file"} }), day(0), true, "/c/key.pem: no such file"},
		{"the key of another", changed(ninety, func(c *facts.Certificate) { c.Key = six.Key }), day(0), true, "/c/key.pem: the key does not fit the certificate in /c/fullchain.pem"},
		{"a damaged chain", changed(ninety, func(c *facts.Certificate) { c.Chain = ReadChain([]byte("x")) }), day(0), true, "/c/fullchain.pem: there is no certificate in it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := Decide(acmeSite("app.example.no"), tc.have, tc.at)
			if d.Order != tc.order || d.Why != tc.why {
				t.Errorf("order %t because %q, want %t because %q", d.Order, d.Why, tc.order, tc.why)
			}
			if waits := !d.Until.IsZero(); waits != (tc.why != "" && !tc.order) {
				t.Errorf("waits until %s", d.Until)
			}
		})
	}
}

func TestTheWrongNameIsServedUntilTheRightOneIsThere(t *testing.T) {
	c := had(t, now().Add(-dayLong), now().Add(89*dayLong))
	d := Decide(acmeSite("other.example.no"), c, now())
	if !d.Order || d.Valid || d.Leaf == "" || d.Why != "it is for app.example.no and not for other.example.no" {
		t.Errorf("got %+v", d)
	}
}

func TestAClockThatHasGoneBackIsReported(t *testing.T) {
	c := had(t, now(), now().Add(90*dayLong))
	d := Decide(acmeSite("app.example.no"), c, now().Add(-dayLong))
	want := "the certificate is not valid before 2026-11-24 12:00 UTC; is the clock right?"
	if d.Order || d.Valid || d.Problem != want {
		t.Errorf("got %+v, want the problem %q", d, want)
	}
}

func TestTheTimeInTheWindowIsSpreadAndStays(t *testing.T) {
	start, end := now(), now().Add(10*time.Hour)
	seen := map[time.Time]bool{}
	for _, leaf := range []string{"00000000ff", "40000000ff", "80000000ff", "ffffffffff"} {
		at := within(start, end, leaf)
		if at.Before(start) || !at.Before(end) || at != within(start, end, leaf) {
			t.Errorf("%s: %s is not in the window, or another time each time", leaf, at)
		}
		seen[at] = true
	}
	if len(seen) != 4 || !seen[start] || !seen[start.Add(5*time.Hour)] {
		t.Errorf("times %v are not spread over the window", seen)
	}
}

func TestAsk(t *testing.T) {
	c := had(t, now().Add(-dayLong), now().Add(89*dayLong))
	asked := c
	asked.Renewal = window(t, c, now(), now().Add(time.Hour))
	other := c
	other.Renewal = window(t, had(t, now(), now().Add(dayLong)), now(), now().Add(time.Hour))
	stuck := asked
	stuck.Renewal = &facts.Renewal{Leaf: leafOf(t, c), Asked: now(), Next: now().Add(10000 * dayLong)}
	foreign := c
	foreign.Ordered = nil
	for _, tc := range []struct {
		name string
		have facts.Certificate
		at   time.Time
		want bool
	}{
		{"never asked", c, now(), true},
		{"asked just now", asked, now(), false},
		{"asked, just before the next time", asked, now().Add(time.Hour - time.Second), false},
		{"asked, and it is time again", asked, now().Add(time.Hour), true},
		{"asked, and a next time that is never", stuck, now().Add(25 * time.Hour), true},
		{"asked in what is the future again", asked, now().Add(-time.Minute), true},
		{"asked about the one before", other, now(), true},
		{"no certificate", facts.Certificate{}, now(), false},
		{"expired: it is ordered anew anyway", c, now().Add(100 * dayLong), false},
		{"nobody knows where it comes from", foreign, now(), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Ask(tc.have, tc.at); got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}

func TestPausesGrowAndTheAuthoritysAreKept(t *testing.T) {
	var f *facts.Failure
	var got []time.Duration
	at := now()
	for range 8 {
		next := Failed(f, at, 0, "no")
		got = append(got, next.Until.Sub(at))
		f, at = &next, next.Until
	}
	want := []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 12 * time.Hour}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for limit, want := range map[time.Duration]time.Duration{time.Minute: 15 * time.Minute, 30 * time.Hour: 30 * time.Hour, 10000 * time.Hour: 7 * dayLong} {
		f := Failed(nil, now(), limit, "rate limited")
		if got := f.Until.Sub(now()); got != want || !f.Asked {
			t.Errorf("limit %s: pause %s, want %s", limit, got, want)
		}
	}
	if f := Failed(&facts.Failure{Count: 40, At: now()}, now(), 0, ""); f.Count != 41 || f.Until.Sub(now()) != 12*time.Hour {
		t.Errorf("after 40 failures: %+v", f)
	}
	if f := Failed(&facts.Failure{Count: 40, At: now().Add(time.Hour)}, now(), 0, ""); f.Count != 1 {
		t.Errorf("after 40 failures in the future: %+v", f)
	}
}

func TestTheNextQuestionIsBounded(t *testing.T) {
	for next, want := range map[time.Duration]time.Duration{0: time.Hour, time.Second: time.Hour, 5 * time.Hour: 5 * time.Hour, 1000 * time.Hour: 24 * time.Hour, -time.Hour: time.Hour} {
		if got := Asked(facts.Renewal{}, now(), now().Add(next)); got.Next.Sub(now()) != want || got.Asked != now() {
			t.Errorf("%s: next after %s, want %s", next, got.Next.Sub(now()), want)
		}
	}
	if got := Asked(facts.Renewal{}, now(), time.Time{}); got.Next.Sub(now()) != 6*time.Hour {
		t.Errorf("not said: next after %s", got.Next.Sub(now()))
	}
}

func TestANewCertificateThatWouldBeOrderedAgainIsRefused(t *testing.T) {
	good := had(t, now().Add(-time.Hour), now().Add(89*dayLong))
	for _, tc := range []struct {
		name string
		have facts.Certificate
		at   time.Time
		want string
	}{
		{"as ordered", good, now(), ""},
		{"not valid yet by this clock", good, now().Add(-2 * time.Hour), "it is not valid before 2026-11-24 11:00 UTC; is the clock right?"},
		{"expired by this clock", good, now().Add(100 * dayLong), "it has expired on 2027-02-21 12:00 UTC"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := text(Usable(tc.have, tc.at)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	good.Ordered = &facts.Ordered{Names: []string{"www.example.no"}}
	if Usable(good, now()) == nil {
		t.Error("one for another name is taken")
	}
}

func TestAWindowThatHasBegunAtTheOrderIsNotFollowedAtOnce(t *testing.T) {
	early := First(facts.Renewal{Start: now().Add(-time.Hour), End: now().Add(time.Hour)}, now(), time.Time{})
	if !early.Start.IsZero() || !early.End.IsZero() || early.Next.Before(now().Add(time.Hour)) {
		t.Errorf("got %+v", early)
	}
	late := First(facts.Renewal{Start: now().Add(time.Hour), End: now().Add(2 * time.Hour)}, now(), time.Time{})
	if late.Start.IsZero() {
		t.Errorf("a window to come is lost: %+v", late)
	}
}

func TestAnOrderWhoseEndNobodyNotedIsTriedAgainOnce(t *testing.T) {
	at := now()
	var f *facts.Failure
	for i, want := range []time.Duration{0, 30 * time.Minute, time.Hour} {
		next := Begun(f, at)
		if got := next.Until.Sub(at); got != want || next.Count != i+1 {
			t.Errorf("order %d: waits %s, count %d, want %s", i+1, got, next.Count, want)
		}
		f, at = &next, at.Add(want)
	}
	refused := Failed(nil, at, 0, "refused")
	if next := Begun(&refused, at); !next.Until.Equal(at) || next.Count != 2 {
		t.Errorf("after a refusal: %+v", next)
	}
}
