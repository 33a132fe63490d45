package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"molo/internal/audit"
)

// The types below are the part of SARIF 2.1.0 (OASIS, 2020) that an audit has something
// to say in.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Automation  sarifAutomation   `json:"automationDetails"`
		Results     []sarifResult     `json:"results"`
		Properties  map[string]string `json:"properties"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID         string         `json:"id"`
		Short      sarifMessage   `json:"shortDescription"`
		Help       *sarifMessage  `json:"help,omitempty"`
		Default    sarifDefault   `json:"defaultConfiguration"`
		Properties sarifRuleExtra `json:"properties"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifRuleExtra struct {
		Area audit.Area  `json:"area"`
		Rank audit.Level `json:"molo/level"`
		Tags []string    `json:"tags"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful bool   `json:"executionSuccessful"`
		Ended      string `json:"endTimeUtc"`
		Machine    string `json:"machine,omitempty"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Kind         string             `json:"kind"`
		Level        string             `json:"level"`
		Message      sarifMessage       `json:"message"`
		Locations    []sarifLocation    `json:"locations,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

// sarifSchema is the published schema of the format.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// sarif turns a report into a SARIF log of one run.
func sarif(r audit.Report) sarifLog {
	rules, index := sarifRules(r.Findings)
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "molo", Version: r.Molo, Rules: rules}},
		Invocations: []sarifInvocation{{Successful: true, Ended: r.Time.UTC().Format(time.RFC3339), Machine: r.Hostname}},
		// What stands behind the last slash is this run, what stands before it the kind of run.
		Automation: sarifAutomation{"molo audit/" + r.Hostname + "/" + r.ID},
		Results:    []sarifResult{},
		Properties: map[string]string{"os": r.OS.ID + " " + r.OS.Codename, "kernel": r.Kernel, "docker": r.Docker, "policy": r.Policy},
	}
	seen := map[string]int{}
	for _, f := range r.Findings {
		run.Results = append(run.Results, sarifFinding(f, index[f.Slug], seen))
	}
	return sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}
}

// sarifRules describes the checks that the findings are of, and says where each stands.
func sarifRules(findings []audit.Finding) (rules []sarifRule, index map[string]int) {
	rules, index = []sarifRule{}, map[string]int{}
	for i, f := range checks(findings) {
		index[f.Slug] = i
		tags := []string{string(f.Area), string(f.Level)}
		for _, ref := range references(findings, f.Slug) {
			tags = append(tags, ref.Benchmark+" "+ref.ID)
		}
		rule := sarifRule{
			ID: f.Slug, Short: sarifMessage{f.Title}, Default: sarifDefault{sarifLevel(f.Level)},
			Properties: sarifRuleExtra{Area: f.Area, Rank: f.Level, Tags: tags},
		}
		if f.Fix != "" {
			rule.Help = &sarifMessage{f.Fix}
		}
		rules = append(rules, rule)
	}
	return rules, index
}

// sarifLevel translates a level.
func sarifLevel(l audit.Level) string {
	return map[audit.Level]string{audit.Required: "error", audit.Recommended: "warning", audit.Info: "note"}[l]
}

// sarifFinding translates a finding. Of what does not fail SARIF asks for the level
// "none" (3.27.10); "open" is what a tool could not decide (3.27.9). An exemption is a
// suppression; results without one have an empty list of them, not none (3.27.23).
func sarifFinding(f audit.Finding, rule int, seen map[string]int) sarifResult {
	kinds := map[audit.Status]string{audit.Fail: "fail", audit.Exempt: "fail", audit.Unknown: "open", audit.Pass: "pass", audit.NotApplicable: "notApplicable"}
	out := sarifResult{
		RuleID: f.Slug, RuleIndex: rule, Kind: kinds[f.Status], Level: "none", Message: sarifMessage{sarifText(f)},
		Suppressions: []sarifSuppression{}, Fingerprints: map[string]string{"molo/v1": fingerprint(f, seen)},
	}
	if out.Kind == "fail" {
		out.Level = sarifLevel(f.Level)
	}
	if f.Status == audit.Exempt {
		out.Suppressions = append(out.Suppressions, sarifSuppression{"external", "accepted", f.Why})
	}
	if f.Where != "" {
		out.Locations = []sarifLocation{location(f)}
	}
	return out
}

// sarifText is the message of a finding, with all that a person has to know.
func sarifText(f audit.Finding) string {
	text := title(f) + "."
	if f.Status == audit.Fail && f.Want != "" {
		text += " Wanted: " + f.Want + "."
	}
	if f.Status == audit.Fail && f.Fix != "" {
		text += " Fix: " + f.Fix + "."
	}
	return text
}

// inFile matches the place of a finding in a file: "/etc/docker/daemon.json:3".
var inFile = regexp.MustCompile(`^(/.*?|.*\.hcl)(?::(\d{1,9}))?$`)

// location says where a finding is: in a file, or at something that has a name.
func location(f audit.Finding) sarifLocation {
	m := inFile.FindStringSubmatch(f.Where)
	if m == nil {
		return sarifLocation{Logical: []sarifLogical{{Name: f.Where, Kind: string(f.Area)}}}
	}
	at := url.URL{Path: m[1]}
	if strings.HasPrefix(m[1], "/") {
		at.Scheme = "file"
	}
	out := sarifPhysical{Artifact: sarifArtifact{at.String()}}
	if line, err := strconv.Atoi(m[2]); err == nil && line > 0 {
		out.Region = &sarifRegion{line}
	}
	return sarifLocation{Physical: &out}
}

// fingerprint names a finding so that it is recognised in the next log: by its check and
// its place, without the line. What has the same place is told apart by its number.
func fingerprint(f audit.Finding, seen map[string]int) string {
	key := audit.SubjectOf(f)
	seen[key]++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
	return hex.EncodeToString(sum[:16])
}
