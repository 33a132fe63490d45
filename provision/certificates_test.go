package provision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"molo/certificate"
	"molo/certificate/certtest"
	"molo/internal/facts"
	"molo/internal/host/hosttest"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/nginx"
	"molo/provision"
)

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// tlsPolicy has sites whose certificates are ordered, or are the owner's where the
// block tls says so.
func tlsPolicy(t *testing.T, tls string, names ...string) *policy.Policy {
	t.Helper()
	var text strings.Builder
	for _, name := range names {
		text.WriteString("site \"" + name + "\" {\n  upstream = \"127.0.0.1:8081\"\n  tls {" + tls + "}\n}\n")
	}
	p, diagnostics := policy.Parse([]policy.Source{{Name: "policies.hcl", Data: []byte(text.String())}})
	if diagnostics.HasErrors() {
		t.Fatalf("%+v", diagnostics.Entries())
	}
	return p
}

// tlsHost is a host with nginx whose authority issues certificates for 90 days, and
// notes failures as the real one does.
func tlsHost(t *testing.T) *hosttest.Host {
	t.Helper()
	h := &hosttest.Host{}
	h.Is.Time = noon()
	h.Is.Nginx = facts.Nginx{Installed: true, Running: true, TLS: facts.TLS{Ordered: map[string]facts.Certificate{}}}
	h.React = func(h *hosttest.Host, did string) {
		if site, ok := strings.CutPrefix(did, "write certificate:"); ok {
			id := resource.Certificate{Site: site}.ID()
			if h.State[id] == nil {
				delete(h.Is.Nginx.TLS.Ordered, site)
				return
			}
			h.Is.Nginx.TLS.Ordered[site] = issued(t, site, h.Is.Time)
			pair, err := certificate.NewPair(h.Is.Nginx.TLS.Ordered[site])
			if err != nil {
				t.Fatal(err)
			}
			h.State[id] = resource.Certificate{Site: site, Leaf: pair.Digest()}
		}
		tree, _ := h.State["tree:/etc/nginx/molo"].(resource.Tree)
		h.Is.Nginx.TLS.Live = nginx.ServedBy(tree.Files)
	}
	return h
}

// issued is a certificate that lasts 90 days, just ordered.
func issued(t *testing.T, site string, from time.Time) facts.Certificate {
	t.Helper()
	i := certtest.New(t).Issue(t, certtest.Leaf{Names: []string{site}, From: from.Add(-time.Hour), Until: from.AddDate(0, 0, 90)})
	c := facts.Certificate{
		Chain: certificate.ReadChain(i.Chain()), Key: certificate.ReadKey(i.Key),
		Ordered: &facts.Ordered{Directory: "https://acme-v02.api.letsencrypt.org/directory", KeyType: "ecdsa-p256", Names: []string{site}},
	}
	pair, err := certificate.NewPair(c)
	if err != nil {
		t.Fatal(err)
	}
	dir := certificate.Pairs + "/" + site + "/" + certificate.ID(pair.Digest()) + "/"
	c.ChainPath, c.KeyPath = dir+certificate.ChainFile, dir+certificate.KeyFile
	return c
}

func apply(t *testing.T, h *hosttest.Host, p *policy.Policy, o provision.Options) *provision.Report {
	t.Helper()
	report, err := provision.Apply(context.Background(), h, h, p, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func siteFile(h *hosttest.Host, name string) string {
	tree, _ := h.State["tree:/etc/nginx/molo"].(resource.Tree)
	return string(tree.Files["sites/"+name+".conf"])
}

func TestOneApplyLeadsFromNothingToTLS(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	if err := apply(t, h, p, provision.Options{}).Failed(); err != nil {
		t.Fatal(err)
	}
	want := `refresh app.example.no
check provision.NginxConfig
remember 0 owned, pending [logs]
write file:/etc/tmpfiles.d/60-molo-nginx.conf
write file:/etc/logrotate.d/molo-nginx
make /var/log/nginx/molo
remember 2 owned, pending []
remember 2 owned, pending [confinement]
write file:/etc/systemd/system/nginx.service.d/60-molo.conf
reread unit files
remember 3 owned, pending []
remember 3 owned, pending [nginx]
write tree:/etc/nginx/molo
write file:/etc/nginx/conf.d/molo.conf
reload nginx.service
remember 5 owned, pending []
remember 5 owned, pending [certificates]
write certificate:app.example.no
remember 6 owned, pending []
check provision.NginxConfig
remember 6 owned, pending [nginx]
write tree:/etc/nginx/molo
reload nginx.service
remember 6 owned, pending []
`
	if diff := cmp.Diff(want, h.Log()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := siteFile(h, "app.example.no"); !strings.Contains(got, "ssl_certificate /var/lib/molo/acme/certificates/app.example.no/") {
		t.Errorf("the site is served so:\n%s", got)
	}
	report := apply(t, h, p, provision.Options{})
	if diff := cmp.Diff("refresh app.example.no\n", h.Log()); diff != "" || report.Changed() || report.Failed() != nil {
		t.Errorf("the second apply (%v, -want +got)\n%s", report.Failed(), diff)
	}
}

// A clock that is a day off changes nothing that is served, and is told where it makes a
// certificate look as if it were out of its time.
func TestAClockThatIsADayOffChangesNothing(t *testing.T) {
	const own = "\n certificate = \"/etc/ssl/a.pem\"\n key = \"/etc/ssl/a.key\"\n"
	short := func() map[string]facts.Certificate {
		c := issued(t, "app.example.no", noon())
		i := certtest.New(t).Issue(t, certtest.Leaf{Names: []string{"app.example.no"}, From: noon().Add(-time.Hour), Until: noon().Add(12 * time.Hour)})
		c.Chain, c.Key = certificate.ReadChain(i.Chain()), certificate.ReadKey(i.Key)
		return map[string]facts.Certificate{"app.example.no": c}
	}
	for _, tc := range []struct {
		name, tls string
		off       time.Duration
		says      string // "": nothing, since nothing looks wrong
		fails     bool
	}{
		{"an ordered one, a day behind", "", -24 * time.Hour, "is not valid before 2026-11-24 11:00 UTC; is the clock right?", true},
		{"an ordered one, a day ahead", "", 24 * time.Hour, "", false},
		{"the owner's, a day behind", own, -24 * time.Hour, "it is not valid before 2026-11-24 11:00 UTC; is the clock right?", true},
		{"the owner's, a day ahead", own, 24 * time.Hour, "it has expired on 2026-11-25 00:00 UTC", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, p := tlsHost(t), tlsPolicy(t, tc.tls, "app.example.no")
			h.Is.Nginx.TLS.Files = short()
			if err := apply(t, h, p, provision.Options{}).Failed(); err != nil {
				t.Fatal(err)
			}
			h.Log()
			h.Is.Time = noon().Add(tc.off)
			plan, _, err := provision.MakePlan(t.Context(), h, h, p, provision.Options{})
			if err != nil || !plan.Empty() {
				t.Errorf("something is to be changed: %+v, %v", plan, err)
			}
			report := apply(t, h, p, provision.Options{})
			if log := h.Log(); strings.Contains(log, "write ") || strings.Contains(log, "reload") || (report.Failed() != nil) != tc.fails {
				t.Errorf("done:\n%s%v", log, report.Failed())
			}
			var said strings.Builder
			if err := provision.WriteText(&said, plan.Outcomes()); err != nil {
				t.Fatal(err)
			}
			if text := said.String() + fmt.Sprint(report.Failed()); tc.says == "" && strings.Contains(text, "certificate") || !strings.Contains(text, tc.says) {
				t.Errorf("said, want %q:\n%s", tc.says, text)
			}
		})
	}
}

// A killed run leaves something that the next one finishes, wherever it died.
func TestAKilledRunIsFinishedByTheNext(t *testing.T) {
	for after := 1; after < 15; after++ {
		h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
		h.KillAfter = after
		report, err := provision.Apply(context.Background(), h, h, p, provision.Options{})
		if died := errors.Is(errors.Join(err, report.Failed()), hosttest.ErrKilled); !died {
			t.Fatalf("after %d effects there is nothing left to kill", after)
		}
		h.KillAfter = 0
		if err := apply(t, h, p, provision.Options{}).Failed(); err != nil {
			t.Errorf("killed after %d effects: %v", after, err)
		}
		if got := siteFile(h, "app.example.no"); !strings.Contains(got, "ssl_certificate ") {
			t.Errorf("killed after %d effects, the site is served so:\n%s", after, got)
		}
	}
}

var errNoAuthority = errors.New("no route to the authority")

// failing lets the next order of a site fail, and notes that.
func failing(h *hosttest.Host, site string, until time.Time, asked bool) {
	h.Fail = map[string]error{"write certificate:" + site: errNoAuthority}
	c := h.Is.Nginx.TLS.Ordered[site]
	c.Failure = &facts.Failure{Count: 1, At: h.Is.Time, Until: until, Asked: asked, Error: "no route to the authority"}
	h.Is.Nginx.TLS.Ordered[site] = c
}

func TestAFailedOrderLeavesTheChallengeServedAndWaits(t *testing.T) {
	for _, asked := range []bool{false, true} {
		h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
		h.Fail = map[string]error{"write certificate:app.example.no": errNoAuthority}
		report := apply(t, h, p, provision.Options{})
		if err := report.Failed(); !errors.Is(err, errNoAuthority) || report.Has(provision.PartNginx, provision.Failed) {
			t.Fatalf("the failure is %v, in nginx: %t", err, report.Has(provision.PartNginx, provision.Failed))
		}
		if got := siteFile(h, "app.example.no"); !strings.Contains(got, "acme.conf") || strings.Contains(got, "proxy_pass") {
			t.Errorf("the site is served so:\n%s", got)
		}
		failing(h, "app.example.no", noon().Add(time.Hour), asked)
		h.Fail = nil
		h.Log()
		report = apply(t, h, p, provision.Options{})
		if diff := cmp.Diff("refresh app.example.no\n", h.Log()); diff != "" {
			t.Errorf("asked %t: while it waits (-want +got)\n%s", asked, diff)
		}
		if err := report.Failed(); err == nil || !strings.Contains(err.Error(), "not tried again before 2026-11-24 13:00:00 UTC") {
			t.Errorf("asked %t: the error does not say until when: %v", asked, err)
		}
		apply(t, h, p, provision.Options{Retry: true})
		if tried := strings.Contains(h.Log(), "write certificate:"); tried == asked {
			t.Errorf("asked by the authority %t: --retry tries %t", asked, tried)
		}
		h.Is.Time = noon().Add(time.Hour)
		if err := apply(t, h, p, provision.Options{}).Failed(); err != nil {
			t.Errorf("asked %t: when the time has come: %v", asked, err)
		}
	}
}

func TestOneFailedOrderKeepsNoOtherSiteWaiting(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "a.example.no", "b.example.no")
	h.Fail = map[string]error{"write certificate:a.example.no": errNoAuthority}
	if err := apply(t, h, p, provision.Options{}).Failed(); !errors.Is(err, errNoAuthority) {
		t.Errorf("the failure is %v", err)
	}
	if !strings.Contains(siteFile(h, "b.example.no"), "ssl_certificate ") || strings.Contains(siteFile(h, "a.example.no"), "ssl_certificate ") {
		t.Errorf("served:\n%s\n%s", siteFile(h, "a.example.no"), siteFile(h, "b.example.no"))
	}
}

func TestARenewedCertificateIsServed(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	apply(t, h, p, provision.Options{})
	before := h.Is.Nginx.TLS.Ordered["app.example.no"]
	h.Log()
	h.Is.Time = noon().AddDate(0, 0, 61)
	report := apply(t, h, p, provision.Options{})
	if err := report.Failed(); err != nil || report.Rounds != 2 {
		t.Errorf("after %d rounds: %v", report.Rounds, err)
	}
	after := h.Is.Nginx.TLS.Ordered["app.example.no"]
	if got := siteFile(h, "app.example.no"); after.ChainPath == before.ChainPath || !strings.Contains(got, after.ChainPath) {
		t.Errorf("the new one is in %s, and served is\n%s", after.ChainPath, got)
	}
}

// The renewal of a certificate that still holds is no reason to call the host broken.
func TestARenewalThatWaitsIsANote(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	apply(t, h, p, provision.Options{})
	h.Is.Time = noon().AddDate(0, 0, 61)
	failing(h, "app.example.no", h.Is.Time.Add(time.Hour), false)
	report := apply(t, h, p, provision.Options{})
	if err := report.Failed(); err != nil {
		t.Errorf("the run fails: %v", err)
	}
	for _, o := range report.Parts {
		if o.Part == provision.PartCertificates && (len(o.Notes) != 1 || !strings.Contains(o.Notes[0].Text, "a third of its life is left; the last order failed: no route")) {
			t.Errorf("notes %+v", o.Notes)
		}
	}
}

func TestACertificateThatNobodyAsksForStaysUntilItExpires(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	apply(t, h, p, provision.Options{})
	apply(t, h, &policy.Policy{}, provision.Options{})
	if h.State["certificate:app.example.no"] == nil {
		t.Fatal("it went with its site")
	}
	h.Log()
	apply(t, h, p, provision.Options{})
	if strings.Contains(h.Log(), "write certificate") {
		t.Error("the site came back, and it was ordered again")
	}
	apply(t, h, &policy.Policy{}, provision.Options{})
	h.Is.Time = noon().AddDate(0, 0, 91)
	apply(t, h, &policy.Policy{}, provision.Options{})
	if h.State["certificate:app.example.no"] != nil {
		t.Error("expired, it is still there")
	}
}

// nginx would not start again without a file that its configuration names.
func TestACertificateThatNginxUsesIsNeverTakenAway(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	apply(t, h, p, provision.Options{})
	h.Is.Time = noon().AddDate(0, 0, 91)
	apply(t, h, &policy.Policy{}, provision.Options{Only: []string{provision.PartCertificates}})
	if h.State["certificate:app.example.no"] == nil {
		t.Error("nginx still uses it, and it is gone")
	}
}

func TestFilesOfTheOwnerThatDoNotFitStopNginxAlone(t *testing.T) {
	h := tlsHost(t)
	p := tlsPolicy(t, "\n    certificate = \"/etc/ssl/app.pem\"\n  ", "app.example.no")
	p.Docker = dockerPolicy().Docker
	h.Is.Docker = dockerHost().Is.Docker
	good, other := issued(t, "app.example.no", noon()), issued(t, "app.example.no", noon())
	bad := good
	bad.Key = other.Key
	h.Is.Nginx.TLS.Files = map[string]facts.Certificate{"app.example.no": bad}
	report := apply(t, h, p, provision.Options{})
	err := report.Failed()
	if err == nil || !strings.Contains(err.Error(), "policies.hcl:4: site \"app.example.no\": ") || !strings.Contains(err.Error(), "the key does not fit the certificate") {
		t.Errorf("error %v", err)
	}
	if log := h.Log(); strings.Contains(log, "write tree") || !strings.Contains(log, "write key:") {
		t.Errorf("done:\n%s", log)
	}
	h.Is.Nginx.TLS.Files["app.example.no"] = good
	if apply(t, h, p, provision.Options{}); !strings.Contains(siteFile(h, "app.example.no"), "ssl_certificate ") {
		t.Error("with files that fit, the site is not served over TLS")
	}
}

func TestAnExpiredFileOfTheOwnerFailsTheRunAndIsServedOn(t *testing.T) {
	h := tlsHost(t)
	p := tlsPolicy(t, "\n    certificate = \"/etc/ssl/app.pem\"\n  ", "app.example.no")
	h.Is.Nginx.TLS.Files = map[string]facts.Certificate{"app.example.no": issued(t, "app.example.no", noon())}
	if err := apply(t, h, p, provision.Options{}).Failed(); err != nil {
		t.Fatal(err)
	}
	served := siteFile(h, "app.example.no")
	h.Is.Time = noon().AddDate(0, 0, 91)
	err := apply(t, h, p, provision.Options{}).Failed()
	if err == nil || !strings.Contains(err.Error(), "it has expired on 2027-02-22") || siteFile(h, "app.example.no") != served {
		t.Errorf("error %v, served:\n%s", err, siteFile(h, "app.example.no"))
	}
}

// Without root nothing is known of certificates: the plan says so, and wants nothing.
func TestAPlanWithoutRootLeavesOutWhatItCanNotSee(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	h.Is.Nginx.TLS = facts.TLS{Blind: true}
	h.Is.Unknown = []facts.Unread{{What: certificate.Dir, Part: provision.PartNginx, Why: "permission denied"}}
	plan, _, err := provision.MakePlan(context.Background(), h, h, p, provision.Options{Only: []string{provision.PartNginx, provision.PartCertificates}})
	if err != nil || !plan.Empty() || len(plan.Unread()) != 1 {
		t.Errorf("plan %+v, %v", plan, err)
	}
}

// A run that is taken back leaves the certificates it had ordered: the next one would
// order them again, and authorities count.
func TestARollbackLeavesCertificatesAlone(t *testing.T) {
	h, p := tlsHost(t), tlsPolicy(t, "", "app.example.no")
	apply(t, h, p, provision.Options{Run: "1"})
	report, err := provision.Rollback(context.Background(), h, h, *h.Kept.Trail)
	if err != nil || report.Failed() != nil {
		t.Fatal(err, report.Failed())
	}
	if h.State["certificate:app.example.no"] == nil || h.State["tree:/etc/nginx/molo"] != nil {
		t.Errorf("left:\n%s", h)
	}
}
