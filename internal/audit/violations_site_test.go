package audit

import (
	"strings"
	"time"

	"molo/internal/facts"
)

// siteWithFiles is a site with TLS, whose certificate testdata/clean.json holds.
const siteWithFiles = `site "app.example.no" {
  upstream = "127.0.0.1:8081"
  tls {
    certificate = "/etc/ssl/app.pem"
    key         = "/etc/ssl/private/app.key"
  }
}
`

// reportOnly is how molo's own headers are until the policy says more.
func reportOnly(a *facts.SiteAnswer) {
	a.Headers["Content-Security-Policy-Report-Only"] = a.Headers["Content-Security-Policy"]
	a.Headers["X-Frame-Options"] = []string{"DENY"}
	delete(a.Headers, "Content-Security-Policy")
}

func siteViolations() []violation {
	answer := func(change func(*facts.SiteAnswer)) func(*facts.Audit) {
		return func(f *facts.Audit) {
			a := f.Sites["app.example.no"]
			change(&a)
			f.Sites["app.example.no"] = a
		}
	}
	header := func(name, value string) func(*facts.Audit) {
		return answer(func(a *facts.SiteAnswer) { a.Headers[name] = []string{value} })
	}
	at := func(date string) func(*facts.Audit) {
		return func(f *facts.Audit) {
			now, _ := time.Parse(time.DateOnly, date)
			f.Facts.Nginx.TLS.Now = now
		}
	}
	configured := func(old, new string) func(*facts.Audit) {
		return func(f *facts.Audit) { f.NginxConfiguration = strings.Replace(f.NginxConfiguration, old, new, 1) }
	}
	const plain = "site \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n}\n"
	const ordered = "site \"app.example.no\" {\n  upstream = \"127.0.0.1:8081\"\n  tls {\n    acme {\n      email = \"ops@example.no\"\n    }\n  }\n}\n"
	const which = " site-certificate app.example.no"
	invalid := []string{"fail required" + which}
	late := []string{"fail recommended site-certificate-renewal app.example.no"}
	weak := []string{"fail recommended site-headers app.example.no"}
	return []violation{
		{name: "a certificate that has run out", policy: siteWithFiles, broken: at("2027-01-31"), want: []string{late[0], invalid[0]}},
		{name: "a certificate that is not valid yet", policy: siteWithFiles, broken: at("2026-10-31"), want: invalid},
		{name: "a certificate with two weeks left", policy: siteWithFiles, broken: at("2027-01-16")},
		{name: "a certificate with less", policy: siteWithFiles, broken: at("2027-01-17"), want: late},
		{name: "a certificate whose key is another's", policy: siteWithFiles, broken: func(f *facts.Audit) {
			c := f.Facts.Nginx.TLS.Files["app.example.no"]
			c.Key.Public = "00"
			f.Facts.Nginx.TLS.Files["app.example.no"] = c
		}, want: invalid},
		{name: "a certificate that was never ordered", policy: ordered, want: invalid},
		{name: "nginx shows another certificate", policy: siteWithFiles, broken: answer(func(a *facts.SiteAnswer) { a.Leaf = "00" }), want: invalid},
		{
			name: "nginx does not speak TLS", policy: siteWithFiles, broken: answer(func(a *facts.SiteAnswer) { a.TLS, a.Leaf, a.Leads = false, "", "" }),
			want: append(weak, invalid...),
		},
		{
			name: "nginx does not answer", policy: siteWithFiles, broken: answer(func(a *facts.SiteAnswer) { *a = facts.SiteAnswer{Problem: "connection refused"} }),
			want: []string{"unknown recommended site-headers app.example.no", "unknown required" + which},
		},
		{
			name: "an order that fails", policy: ordered, broken: func(f *facts.Audit) {
				t := &f.Facts.Nginx.TLS
				c := t.Files["app.example.no"]
				c.Ordered = &facts.Ordered{Directory: "https://acme-v02.api.letsencrypt.org/directory", KeyType: "ecdsa-p256", Names: []string{"app.example.no"}}
				c.Failure = &facts.Failure{Count: 3, Error: "connection refused"}
				t.Ordered, t.Now = map[string]facts.Certificate{"app.example.no": c}, time.Date(2027, 1, 10, 0, 0, 0, 0, time.UTC)
			}, want: late,
		},

		{name: "a site in plain HTTP", policy: plain, broken: answer(func(a *facts.SiteAnswer) { a.TLS, a.Leads = false, "" }), want: weak},
		{name: "a content security policy that is only reported against", policy: siteWithFiles, broken: answer(reportOnly)},
		{
			name: "another header that is missing besides", policy: siteWithFiles, broken: answer(func(a *facts.SiteAnswer) {
				reportOnly(a)
				delete(a.Headers, "X-Content-Type-Options")
			}), want: weak,
		},
		{name: "an application that sends a weak cookie", policy: siteWithFiles, broken: header("Set-Cookie", "session=1; Secure"), want: weak},
		{name: "plain HTTP that leads to plain HTTP, and no HSTS", policy: siteWithFiles, broken: answer(func(a *facts.SiteAnswer) {
			a.Leads = "/login"
			delete(a.Headers, "Strict-Transport-Security")
		}), want: weak},

		{name: "nginx tells its version", broken: configured("\tserver_tokens off;\n", ""), want: []string{"fail recommended site-configuration /etc/nginx/nginx.conf:4"}},
		{name: "nginx has too few files", broken: configured("worker_rlimit_nofile 4096;\n", ""), want: []string{"fail info site-advice /etc/nginx/nginx.conf:1"}},
		{name: "no nginx", broken: func(f *facts.Audit) {
			f.Facts.Nginx = facts.Nginx{}
			f.NginxConfiguration = ""
		}},
	}
}
