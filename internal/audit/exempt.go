package audit

import (
	"slices"
	"strings"
	"time"

	"molo/internal/policy"
)

// exemptionSlug is the check of the exemptions themselves.
const exemptionSlug = "policy-exemption"

// exempt looks for an exemption that covers a failure.
func (v *view) exempt(f *Finding, s subject) {
	for _, e := range v.policy.Exemptions {
		named := slices.ContainsFunc(e.Checks.V, func(c policy.CheckName) bool { return c.Name == f.Slug })
		if !named || !fits(e, s) {
			continue
		}
		if v.over(e) {
			f.Why = "exempt " + e.Name.V + " at " + place(e.Range) + " expired on " + e.Expires.V.Format(time.DateOnly)
			continue
		}
		v.used[e] = true
		f.Status = Exempt
		f.Why = "exempt " + e.Name.V + " at " + place(e.Range) + " until " + e.Expires.V.Format(time.DateOnly) + ": " + e.Reason.V
		return
	}
}

// over reports whether the last day of an exemption has passed.
func (v *view) over(e *policy.Exemption) bool {
	return !v.Facts.Read.Before(e.Expires.V.AddDate(0, 0, 1))
}

// fits reports whether an exemption is about a subject. One that names nothing is
// about the host.
func fits(e *policy.Exemption, s subject) bool {
	if e.Container.V == "" && e.Label.V == "" && e.Image.V == "" {
		return s.container == "" && len(s.images) == 0
	}
	image := func(name string) bool { return name == e.Image.V || repository(name) == e.Image.V }
	return (e.Container.V == "" || e.Container.V == s.container) &&
		(e.Label.V == "" || labelled(s.labels, e.Label.V)) &&
		(e.Image.V == "" || slices.ContainsFunc(s.images, image))
}

// labelled reports whether a label is there; one that is written "key=value" must
// have this value.
func labelled(labels map[string]string, wanted string) bool {
	key, value, exact := strings.Cut(wanted, "=")
	got, ok := labels[key]
	return ok && (!exact || got == value)
}

// repository takes tag and digest off the name of an image. A colon before a slash
// belongs to the registry's port.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		return image[:i]
	}
	return image
}

// exemptions is the check of the exemptions: it has to run after all others. Where
// something is unknown of a check, an exemption from it without a use may have one.
func (v *view) exemptions() check {
	return check{
		slug: exemptionSlug, title: "Exemptions have not expired and are still needed", area: AreaPolicy, level: Recommended,
		want: "no exemption that has expired or covers nothing", fix: "take the block out of the policy, or give it a new date",
		judge: func(v *view) []verdict {
			var all []verdict
			for _, e := range v.policy.Exemptions {
				unclear := slices.ContainsFunc(e.Checks.V, func(c policy.CheckName) bool { return v.unclear[c.Name] })
				switch {
				case v.over(e):
					all = append(all, fails(place(e.Range), "exempt "+e.Name.V+" expired on "+e.Expires.V.Format(time.DateOnly)))
				case !v.used[e] && !unclear:
					all = append(all, fails(place(e.Range), "exempt "+e.Name.V+" covers nothing that fails"))
				}
			}
			if len(v.policy.Exemptions) == 0 {
				return []verdict{notApplicable("the policy has none")}
			}
			return append(all, passes("all in use"))
		},
	}
}
