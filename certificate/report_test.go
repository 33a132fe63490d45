package certificate

import (
	"testing"
	"time"

	"molo/certificate/certtest"
	"molo/internal/facts"
	"molo/internal/policy"
)

func TestReportSaysHowEachCertificateStands(t *testing.T) {
	valid := had(t, now().Add(-dayLong), now().Add(89*dayLong))
	failing := had(t, now().Add(-89*dayLong), now().Add(dayLong+time.Hour))
	failing.Failure = &facts.Failure{Count: 3, At: now(), Until: now().Add(time.Hour), Error: "no route to the authority"}
	failing.Renewal = &facts.Renewal{Error: "no route either"}
	expired := had(t, now().Add(-90*dayLong), now().Add(-dayLong))
	own := certtest.New(t).Issue(t, certtest.Leaf{Names: []string{"app.example.no"}, From: now().Add(-dayLong), Until: now().Add(29 * dayLong)})
	for _, tc := range []struct {
		name  string
		site  *policy.Site
		have  facts.Certificate
		at    time.Duration
		state State
		text  string
	}{
		{"a good one", acmeSite("app.example.no"), valid, 0, Good, "until 2027-02-21 12:00 UTC (89 days), to be renewed 2027-01-22 12:00 UTC"},
		{"one that could not be renewed", acmeSite("app.example.no"), failing, 0, Due, "until 2026-11-25 13:00 UTC (25 hours); a third of its life is left; the last order failed: no route to the authority; not tried again before 2026-11-24 13:00 UTC"},
		{"one that has expired", acmeSite("app.example.no"), expired, 0, Invalid, "until 2026-11-23 12:00 UTC (expired); it has expired on 2026-11-23 12:00 UTC"},
		{"one for another name", acmeSite("b.no"), valid, 0, Invalid, "until 2027-02-21 12:00 UTC (89 days); it is for app.example.no and not for b.no"},
		{"none", acmeSite("app.example.no"), facts.Certificate{}, 0, None, "no certificate; there is none yet"},
		{"a file of the owner's", fileSite("app.example.no", ""), files(own.Chain(), own.Key, 0o600), 0, Good, "until 2026-12-23 12:00 UTC (29 days)"},
		{"a file that has expired", fileSite("app.example.no", ""), files(own.Chain(), own.Key, 0o600), 30 * dayLong, Invalid, "until 2026-12-23 12:00 UTC (expired); it has expired on 2026-12-23 12:00 UTC"},
		{"a file for another name", fileSite("b.no", ""), files(own.Chain(), own.Key, 0o600), 0, Invalid, "until 2026-12-23 12:00 UTC (29 days); it is for app.example.no and not for b.no"},
		{"no file", fileSite("app.example.no", ""), facts.Certificate{ChainPath: "/x", Chain: facts.CertFile{Problem: "no such file"}}, 0, None, "no certificate; /x: no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := now().Add(tc.at)
			have := map[string]facts.Certificate{tc.site.Name.V: tc.have}
			got := Report([]*policy.Site{{}, tc.site}, facts.TLS{Now: at, Ordered: have, Files: have})
			if len(got) != 1 {
				t.Fatalf("%d certificates, want 1", len(got))
			}
			if got[0].State != tc.state || got[0].Text(at) != tc.text {
				t.Errorf("%s: %s\nwant %s: %s", got[0].State, got[0].Text(at), tc.state, tc.text)
			}
		})
	}
}
