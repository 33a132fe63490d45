package audit

import (
	"slices"

	"molo/internal/facts"
	"molo/internal/policy"
)

// check is one question about a host.
type check struct {
	slug  string
	title string // what should hold
	area  Area
	level Level
	want  string
	fix   string
	apply bool     // molo apply does it
	cis   []string // the numbers in the CIS benchmark
	// needs are the sources without which there is no answer.
	needs []facts.Source
	// asks is what the policy says about it; nil where a policy can say nothing.
	asks func(*policy.Policy) stance
	// judge looks at the host. Of verdicts that pass or do not apply, the first one
	// counts, and only if there is none of another kind.
	judge func(*view) []verdict
}

// stance is what a policy says about a check.
type stance struct {
	asked  bool   // it must hold
	waived bool   // it need not
	where  string // the line that says so
}

// verdict is one answer to a check. What it leaves empty is as the check says.
type verdict struct {
	status  Status
	subject subject
	want    string
	got     string
	where   string
	why     string
	fix     string
	cis     []string
	sides   *Sides
}

// subject is what a verdict is about, as far as exemptions can name it. The zero
// value stands for the host.
type subject struct {
	container string
	images    []string
	labels    map[string]string
}

func passes(got string) verdict        { return verdict{status: Pass, got: got} }
func fails(where, got string) verdict  { return verdict{status: Fail, where: where, got: got} }
func notApplicable(why string) verdict { return verdict{status: NotApplicable, why: why} }
func unknown(where, why string) verdict {
	return verdict{status: Unknown, where: where, why: why}
}

// either returns a pass or a failure, for the same thing.
func either(ok bool, where, got string) verdict {
	if ok {
		return passes(got)
	}
	return fails(where, got)
}

// checks lists all checks. Those of exemptions come from the others' findings.
func checks() []check {
	return slices.Concat(hostChecks(), updateChecks(), auditRuleChecks(), daemonChecks(), engineChecks(), defaultChecks(), swarmChecks(), fileChecks(), imageChecks(),
		containerChecks(), careChecks(), confinementChecks(), isolationChecks(), mountChecks(), namespaceChecks(), networkChecks(), siteChecks())
}

// run asks one check and makes findings of its verdicts.
func (v *view) run(c check) []Finding {
	if c.judge == nil {
		return nil
	}
	verdicts := v.judge(c)
	var wrong []Finding
	for _, one := range verdicts {
		if one.status != Pass && one.status != NotApplicable {
			wrong = append(wrong, v.finding(c, one))
		}
	}
	if len(wrong) > 0 || len(verdicts) == 0 {
		return wrong
	}
	i := max(0, slices.IndexFunc(verdicts, func(one verdict) bool { return one.status == Pass }))
	return []Finding{v.finding(c, verdicts[i])}
}

// judge answers a check, or says why it can't be answered.
func (v *view) judge(c check) []verdict {
	if slices.Contains(c.needs, facts.FromEngine) && !v.docker().Installed {
		return []verdict{notApplicable("Docker is not installed")}
	}
	for _, source := range c.needs {
		if why, unread := v.Facts.Unread[source]; unread {
			return []verdict{unknown("", string(source)+": "+why)}
		}
	}
	return c.judge(v)
}

// finding makes a finding of a verdict, and lets the policy have its say.
func (v *view) finding(c check, one verdict) Finding {
	f := Finding{
		Slug: c.slug, Title: c.title, Area: c.area, Level: c.level, Status: one.status, Want: or(one.want, c.want), Got: one.got,
		Where: one.where, Sides: one.sides, Why: one.why, Fix: or(one.fix, c.fix), Apply: c.apply,
	}
	cis := one.cis
	if cis == nil {
		cis = c.cis
	}
	f.References = []Reference{}
	for _, id := range cis {
		f.References = append(f.References, Reference{CIS, id})
	}
	var s stance
	if c.asks != nil {
		s = c.asks(v.policy)
	}
	if s.asked {
		f.Level = Required
	}
	if s.asked && c.apply {
		f.Fix = "molo apply" // the policy says it already
	}
	if f.Status == Fail && s.waived {
		f.Status, f.Why = Exempt, s.where+" asks for less"
	}
	if f.Status == Fail {
		v.exempt(&f, one.subject)
	}
	if f.Status == Unknown {
		v.unclear[c.slug] = true
	}
	if f.Status == Pass || f.Status == NotApplicable {
		f.Fix, f.Apply = "", false
	}
	return f
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
