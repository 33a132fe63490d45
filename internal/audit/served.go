package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"molo/certificate"
	"molo/internal/facts"
	"molo/nginx"
)

// enoughPoints is what a site needs of the Observatory's 100. Over TLS molo's own headers
// have that: a content security policy that is enforced, worth 25 points, is for those to
// write who know the application. Without TLS a site falls short whatever it sends.
const enoughPoints = 75

// soon is how much time a certificate must have left at least.
const soon = 14 * 24 * time.Hour

// certificates judges the certificates of sites: those on disk, and that nginx shows them.
func certificates(v *view) []verdict {
	tls := v.Facts.Facts.Nginx.TLS
	shown := map[string]string{}
	for _, h := range nginx.Handshakes(v.policy.Sites, tls) {
		shown[h.Site] = h.Leaf
	}
	all := certificate.Report(v.policy.Sites, tls)
	var verdicts []verdict
	for _, s := range all {
		verdicts = append(verdicts, v.certificate(s, shown[s.Site]))
	}
	if len(all) == 0 {
		return []verdict{notApplicable("no site of the policy has TLS")}
	}
	if verdicts[0].status == Pass {
		first := slices.MinFunc(all, func(a, b certificate.Status) int { return a.NotAfter.Compare(b.NotAfter) })
		verdicts[0].got = "the first to run out is that of " + first.Site + ", " + first.Text(tls.Now)
	}
	return verdicts
}

// certificate judges the certificate of one site, which nginx should show by its digest.
func (v *view) certificate(s certificate.Status, leaf string) verdict {
	answer := v.Facts.Sites[s.Site]
	switch {
	case s.State == certificate.None || s.State == certificate.Invalid:
		return fails(s.Site, s.Text(v.Facts.Facts.Nginx.TLS.Now))
	case answer.Problem != "":
		return unknown(s.Site, "nginx could not be asked: "+answer.Problem)
	case !answer.TLS:
		return fails(s.Site, "nginx does not speak TLS for it")
	case answer.Leaf != leaf:
		return fails(s.Site, "nginx shows another certificate than the one on disk")
	}
	return passes("")
}

// renewals judges whether certificates are on the way to running out.
func renewals(v *view) []verdict {
	now := v.Facts.Facts.Nginx.TLS.Now
	var all []verdict
	for _, s := range certificate.Report(v.policy.Sites, v.Facts.Facts.Nginx.TLS) {
		enough := min(soon, s.NotAfter.Sub(s.NotBefore)/3)
		late := s.State != certificate.None && s.NotAfter.Sub(now) < enough
		all = append(all, either(!late && s.Error == "", s.Site, s.Text(now)))
	}
	if all == nil {
		return []verdict{notApplicable("no site of the policy has TLS")}
	}
	return all
}

// siteHeaders scores what nginx answers for each site, with what its application adds.
func siteHeaders(v *view) []verdict {
	var all []verdict
	worst := nginx.Score{Points: 1000}
	for _, s := range v.policy.Sites {
		name := s.Name.V
		answer, asked := v.Facts.Sites[name]
		if !asked || answer.Problem != "" {
			all = append(all, unknown(name, "nginx could not be asked: "+cmp.Or(answer.Problem, "no answer")))
			continue
		}
		score := nginx.Observe(observed(name, answer))
		if score.Points < worst.Points {
			worst = score
		}
		all = append(all, either(score.Points >= enoughPoints, name, points(score)))
	}
	if all == nil {
		return []verdict{notApplicable("the policy has no sites")}
	}
	if i := slices.IndexFunc(all, func(one verdict) bool { return one.status == Pass }); i >= 0 {
		all[i].got = "at least " + points(worst)
	}
	return all
}

// observed is an answer as the Observatory takes it. That browsers trust who signed the
// certificate is taken for granted: a host inside a company may have another authority.
func observed(name string, a facts.SiteAnswer) nginx.Answer {
	out := nginx.Answer{Host: name, TLS: a.TLS, Headers: a.Headers, Plain: a.Plain, Route: []string{"http://" + name + "/"}}
	switch {
	case strings.Contains(a.Leads, "://"):
		out.Route = append(out.Route, a.Leads)
	case a.Leads != "":
		out.Route = append(out.Route, "http://"+name+a.Leads)
	}
	return out
}

// points says what a score is, what has cost the most, and why.
func points(s nginx.Score) string {
	marks := slices.DeleteFunc(slices.Clone(s.Marks), func(m nginx.Mark) bool { return m.Points >= 0 })
	slices.SortStableFunc(marks, func(a, b nginx.Mark) int { return cmp.Compare(a.Points, b.Points) })
	text := fmt.Sprintf("%d points (%s)", s.Points, s.Grade)
	for i, m := range marks[:min(len(marks), 3)] {
		text += fmt.Sprintf(", %d for %s", m.Points, m.Rule)
		if i == 0 {
			text += " (" + m.Why + ")"
		}
	}
	return text
}

// linted reads nginx's configuration, whoever wrote it.
func (v *view) linted(level nginx.Level) []verdict {
	if !v.Facts.Facts.Nginx.Installed {
		return []verdict{notApplicable("nginx is not installed")}
	}
	if v.lint == nil {
		v.lint = append([]nginx.Finding{}, nginx.LintDump(nginx.Root, v.Facts.NginxConfiguration)...)
	}
	all := []verdict{passes("nothing")}
	for _, f := range v.lint {
		if f.Level == level {
			one := fails(fmt.Sprintf("%s:%d", f.File, f.Line), f.Rule+": "+f.Text)
			one.fix = f.Fix
			all = append(all, one)
		}
	}
	return all
}
