package nginx

import (
	"errors"
	"fmt"
	"strings"

	"molo/internal/policy"
)

// reserved is the domain of the servers that http.conf has of its own. RFC 6761
// keeps "invalid" out of the DNS.
const reserved = "molo.invalid"

// check returns what is wrong with the sites as a whole; what is wrong with one
// value alone is found when it becomes a token.
func check(sites []*policy.Site) error {
	served := map[uint16]bool{}
	for _, s := range sites {
		for _, port := range s.Ports() {
			served[port.V] = true
		}
	}
	seen := map[string]*policy.Site{}
	var errs []error
	for _, s := range sites {
		if first := seen[s.Name.V]; first != nil {
			errs = append(errs, wrong(s, "there is one already%s", from(first)))
		}
		seen[s.Name.V] = s
		if s.Name.V == reserved || strings.HasSuffix(s.Name.V, "."+reserved) {
			errs = append(errs, wrong(s, "names in %s are molo's own", reserved))
		}
		if served[s.Upstream.V.Port()] {
			errs = append(errs, wrong(s, "upstream %s is nginx itself: port %d is served by a site", s.Upstream.V, s.Upstream.V.Port()))
		}
		errs = append(errs, checkHeaders(s))
	}
	return errors.Join(errs...)
}

// checkHeaders finds headers set twice: names are compared without case (RFC 9110, section 5.1).
func checkHeaders(s *policy.Site) error {
	seen := map[string]bool{}
	for _, h := range s.Headers {
		name := strings.ToLower(h.Name)
		if seen[name] {
			return wrong(s, "header %q is set twice", h.Name)
		}
		seen[name] = true
	}
	return nil
}

// wrong is an error about a site.
func wrong(s *policy.Site, format string, args ...any) error {
	return fmt.Errorf("%ssite %q: %s", at(s.Range), s.Name.V, fmt.Sprintf(format, args...))
}

// from returns ", at policies.hcl:12" for a site that has a source.
func from(s *policy.Site) string {
	if s.Range.Filename == "" {
		return ""
	}
	return ", at " + strings.TrimSuffix(at(s.Range), ": ")
}
