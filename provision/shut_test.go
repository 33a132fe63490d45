package provision_test

import (
	"strings"
	"testing"

	"molo/firewall"
	"molo/internal/facts"
	"molo/internal/policy"
	"molo/internal/resource"
	"molo/provision"
)

// TestWithoutUsableRulesOfUFWNothingOpens applies with half a rule file.
func TestWithoutUsableRulesOfUFWNothingOpens(t *testing.T) {
	ctx := t.Context()
	half := "### RULES ###\n"
	good := firewallPolicy(t, "docker {}\n"+policyText)
	reach := func(h *surfaced) string {
		t.Helper()
		h.Is.UFW = shop("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in").Is.UFW
		e, err := provision.Exposed(ctx, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range e.Exposures {
			if x.Port == 8080 && x.Address.Is4() {
				return x.Words()[0] + " because of " + x.Reach[0].Why
			}
		}
		return "gone"
	}
	fails := func(h *surfaced, p *policy.Policy) {
		t.Helper()
		h.Is.UFW.Rules4 = half
		plan, _, err := provision.MakePlan(ctx, h, h, p, provision.Options{})
		if err != nil || len(plan) != 1 || plan.Outcomes()[0].Err == nil {
			t.Errorf("the plan has %d parts, error %v", len(plan), err)
		}
		report, err := provision.Apply(ctx, h, h, p, provision.Options{})
		if err != nil || report.Failed() == nil || !strings.Contains(report.Failed().Error(), "/etc/ufw/user.rules") {
			t.Errorf("the apply says %v, error %v", report.Failed(), err)
		}
		if _, ok := h.State[resource.KeyID(provision.DaemonJSON, "icc")]; ok {
			t.Error("daemon.json was written nevertheless")
		}
	}

	fresh := shop()
	fails(fresh, good)
	if got := reach(fresh); !strings.HasPrefix(got, "nobody because of default: ufw's rules could not be read") {
		t.Errorf("where no rules were loaded, 8080 is reached by %s", got)
	}
	loaded := shop("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in")
	if _, err := provision.Apply(ctx, loaded, loaded, firewallPolicy(t, policyText), provision.Options{}); err != nil {
		t.Fatal(err)
	}
	fails(loaded, good)
	if got := reach(loaded); got != "everybody because of ufw: allow 8080/tcp" {
		t.Errorf("where rules were loaded, 8080 is reached by %s", got)
	}
}

// TestWithoutUFWsFilesNothingOpens applies where ufw holds its lock for too long, and
// where MANAGE_BUILTINS is set.
func TestWithoutUFWsFilesNothingOpens(t *testing.T) {
	locked := shop("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in")
	locked.Is.UFW = facts.UFW{Installed: true}
	locked.Is.Unknown = []facts.Unread{{What: "/run/ufw.lock", Part: provision.PartFirewall, Why: "held"}}
	builtins := shop("allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in")
	builtins.Is.UFW.Defaults += "MANAGE_BUILTINS=yes\n"
	for want, h := range map[string]*surfaced{"/run/ufw.lock could not be read": locked, "MANAGE_BUILTINS=yes": builtins} {
		report, err := provision.Apply(t.Context(), h, h, firewallPolicy(t, policyText), provision.Options{})
		if err != nil || report.Failed() == nil || !strings.Contains(report.Failed().Error(), want) {
			t.Errorf("the apply says %v, error %v, want %q", report.Failed(), err, want)
		}
		program, _ := firewall.Loaded(stateOf(h), []resource.Family{resource.IPv4})
		if len(program.Families) != 1 || program.Families[0].In[len(program.Families[0].In)-1].Verdict != firewall.Deny {
			t.Errorf("%s: loaded are %+v", want, program.Families)
		}
	}
}

// TestWhatStandsBehindTheFilterStaysWithTheRest applies half a rule file where UFW rejects.
func TestWhatStandsBehindTheFilterStaysWithTheRest(t *testing.T) {
	h := shop("reject tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in")
	p := firewallPolicy(t, policyText)
	if report, err := provision.Apply(t.Context(), h, h, p, provision.Options{}); err != nil || report.Failed() != nil {
		t.Fatal(err, report.Failed())
	}
	h.Is.UFW.Rules4 = "### RULES ###\n"
	report, err := provision.Apply(t.Context(), h, h, p, provision.Options{})
	if err != nil || report.Failed() == nil {
		t.Errorf("half a file: %v, error %v", report.Failed(), err)
	}
	if h.State["rules:ip/security"] == nil {
		t.Error("the second guard is gone")
	}
}

// stateOf returns the rules that are loaded.
func stateOf(h *surfaced) []resource.Rules {
	var all []resource.Rules
	for _, r := range h.State {
		if rules, ok := r.(resource.Rules); ok {
			all = append(all, rules)
		}
	}
	return all
}

// TestOnlyTheNamedPartsHaveToBeRight has a daemon.json that nobody can merge into.
func TestOnlyTheNamedPartsHaveToBeRight(t *testing.T) {
	h := shop()
	h.Is.Docker.Config = "{"
	p := firewallPolicy(t, "docker {}\n"+policyText)
	if _, err := provision.Apply(t.Context(), h, h, p, provision.Options{}); err == nil {
		t.Error("an apply of everything has no error")
	}
	report, err := provision.Apply(t.Context(), h, h, p, provision.Options{Only: []string{provision.PartFirewall}})
	if err != nil || report.Failed() != nil || !report.Has(provision.PartFirewall, provision.Changed) {
		t.Errorf("an apply of the firewall alone: error %v, %v", err, report.Failed())
	}
}
