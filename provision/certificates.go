package provision

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
)

// certificatesPart says which certificates are to be ordered. It comes after nginx,
// which has to answer the authority; the round after that, nginx serves them. What was
// had stays when another order fails.
func certificatesPart(sites []*policy.Site, f facts.Facts) Part {
	part := Part{Name: PartCertificates, Stays: true}
	t := f.Nginx.TLS
	asked := map[string]bool{}
	for _, s := range sites {
		if s.TLS == nil || s.TLS.ACME == nil {
			continue
		}
		asked[s.Name.V] = true
		if f.Nginx.Installed && !f.Offline && !t.Blind {
			part.certificate(s, certificate.Decide(s, certificate.Of(s, t), t.Now), certificate.Of(s, t).Failure)
		}
	}
	for _, site := range slices.Sorted(maps.Keys(t.Ordered)) {
		if leaf := spare(site, t); leaf != "" && !asked[site] {
			part.Want = append(part.Want, Wanted{Resource: resource.Certificate{Site: site, Leaf: leaf}, Keep: true})
		}
	}
	return part
}

// certificate adds what has to become of one certificate.
func (p *Part) certificate(s *policy.Site, d certificate.Decision, f *facts.Failure) {
	from := From(s.TLS.ACME.Range)
	if d.Order || d.Leaf != "" {
		want := certificate.Resource(s, d.Leaf, "")
		if d.Order {
			want = certificate.Resource(s, "", d.Why)
		}
		p.Want = append(p.Want, Wanted{Resource: want, From: from})
	}
	if d.Leaf == "" {
		p.Attached = append(p.Attached, Note{Text: s.Name.V + " is served over TLS once its certificate is there", Where: from.String()})
	}
	problem := d.Problem
	if !d.Until.IsZero() {
		problem = fmt.Sprintf("%s; the last order failed: %s\nhint: it is not tried again before %s, unless with: molo apply --retry",
			d.Why, f.Error, d.Until.UTC().Format(time.DateTime+" MST"))
		if f.Asked {
			problem = strings.TrimSuffix(problem, ", unless with: molo apply --retry") + ", as the authority wants"
		}
	}
	switch {
	case problem == "":
	case d.Valid:
		p.Notes = append(p.Notes, Note{Text: s.Name.V + ": " + strings.ReplaceAll(problem, "\nhint: ", "; "), Where: from.String()})
	default:
		p.Violations = append(p.Violations, s.Name.V+": "+problem)
	}
}

// spare returns the certificate of a site that is gone, as long as it is worth
// keeping: a site that comes back finds it, and authorities limit how often they issue
// the same one. What nginx still uses is kept whatever it is worth.
func spare(site string, t facts.TLS) (leaf string) {
	pair, err := certificate.NewPair(t.Ordered[site])
	if err != nil {
		return ""
	}
	used := strings.HasPrefix(t.Live[site].Chain, certificate.Pairs+"/"+site+"/")
	if used || t.Now.Before(pair.Leaf().NotAfter) {
		return pair.Digest()
	}
	return ""
}

// readTLS adds what is needed to decide about TLS to the facts.
func readTLS(ctx context.Context, h Host, p *policy.Policy, f *facts.Facts, o Options) error {
	tls, unread, err := h.TLS(ctx, certificate.Wants(p.Sites))
	if err != nil {
		return fmt.Errorf("reading certificates: %w", err)
	}
	tls.Now = f.Time
	if o.Retry {
		tls.Ordered = forgiven(tls.Ordered)
	}
	f.Nginx.TLS, f.Unknown = tls, append(f.Unknown, unread...)
	return nil
}

// forgiven leaves out failures that only molo's own pauses keep from being tried again.
func forgiven(all map[string]facts.Certificate) map[string]facts.Certificate {
	out := map[string]facts.Certificate{}
	for site, c := range all {
		if c.Failure != nil && !c.Failure.Asked {
			c.Failure = nil
		}
		out[site] = c
	}
	return out
}
