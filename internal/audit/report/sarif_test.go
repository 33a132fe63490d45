package report

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"molo/internal/audit"
)

// object is a JSON object.
type object = map[string]any

// at returns a member of an object that must be of this type; paths are in the schema's
// words.
func at[T any](t *testing.T, o object, name string) T {
	t.Helper()
	value, ok := o[name].(T)
	if !ok {
		t.Errorf("%s is %T, want %T", name, o[name], value)
	}
	return value
}

// oneOf checks a member that has a closed set of values.
func oneOf(t *testing.T, o object, name string, values ...string) {
	t.Helper()
	if got := at[string](t, o, name); !slices.Contains(values, got) {
		t.Errorf("%s is %q, want one of %q", name, got, values)
	}
}

// objects returns the objects of an array.
func objects(t *testing.T, o object, name string) []object {
	t.Helper()
	var all []object
	for _, one := range at[[]any](t, o, name) {
		inner, ok := one.(object)
		if !ok {
			t.Errorf("%s holds %T", name, one)
		}
		all = append(all, inner)
	}
	return all
}

// readSARIF checks a log against what the published schema of SARIF 2.1.0 requires of
// everything that is in it, and what the standard requires besides.
func readSARIF(t *testing.T, text string) object {
	t.Helper()
	var log object
	if err := json.Unmarshal([]byte(text), &log); err != nil || !utf8.ValidString(text) {
		t.Fatalf("not JSON: %v", err)
	}
	oneOf(t, log, "version", "2.1.0")
	if schema := at[string](t, log, "$schema"); !strings.HasSuffix(schema, "/sarif-schema-2.1.0.json") {
		t.Errorf("$schema is %q", schema)
	}
	known(t, log, "version", "$schema", "runs")
	for _, run := range objects(t, log, "runs") {
		known(t, run, "tool", "invocations", "automationDetails", "results", "properties")
		driver := at[object](t, at[object](t, run, "tool"), "driver")
		known(t, driver, "name", "version", "rules")
		if at[string](t, driver, "name") == "" {
			t.Error("the driver has no name")
		}
		rules := sarifRuleIDs(t, driver)
		for _, one := range objects(t, run, "invocations") {
			at[bool](t, one, "executionSuccessful")
			if _, err := time.Parse(time.RFC3339, at[string](t, one, "endTimeUtc")); err != nil || !strings.HasSuffix(one["endTimeUtc"].(string), "Z") {
				t.Errorf("endTimeUtc: %v", err)
			}
		}
		at[string](t, at[object](t, run, "automationDetails"), "id")
		for _, result := range objects(t, run, "results") {
			checkResult(t, result, rules)
		}
	}
	return log
}

// known refuses members that the schema does not know: most of its objects are closed.
func known(t *testing.T, o object, names ...string) {
	t.Helper()
	for name := range o {
		if !slices.Contains(names, name) {
			t.Errorf("a member %q that the schema does not know here", name)
		}
	}
}

// sarifRuleIDs checks the rules: their ids are unique, and their texts are there.
func sarifRuleIDs(t *testing.T, driver object) []string {
	t.Helper()
	var ids []string
	for _, rule := range objects(t, driver, "rules") {
		known(t, rule, "id", "shortDescription", "help", "defaultConfiguration", "properties")
		id := at[string](t, rule, "id")
		if slices.Contains(ids, id) {
			t.Errorf("two rules %s", id)
		}
		ids = append(ids, id)
		at[string](t, at[object](t, rule, "shortDescription"), "text")
		oneOf(t, at[object](t, rule, "defaultConfiguration"), "level", "none", "note", "warning", "error")
		tags := at[[]any](t, at[object](t, rule, "properties"), "tags")
		for i, tag := range tags {
			if slices.Contains(tags[:i], tag) {
				t.Errorf("%s: the tag %v stands twice", id, tag)
			}
		}
	}
	return ids
}

func checkResult(t *testing.T, result object, rules []string) {
	t.Helper()
	known(t, result, "ruleId", "ruleIndex", "kind", "level", "message", "locations", "suppressions", "partialFingerprints")
	i := int(at[float64](t, result, "ruleIndex"))
	if i < 0 || i >= len(rules) || rules[i] != at[string](t, result, "ruleId") {
		t.Errorf("ruleIndex %d does not lead to ruleId %v", i, result["ruleId"])
	}
	oneOf(t, result, "kind", "notApplicable", "pass", "fail", "review", "open", "informational")
	oneOf(t, result, "level", "none", "note", "warning", "error")
	if result["kind"] != "fail" && result["level"] != "none" {
		t.Errorf("kind %v has the level %v", result["kind"], result["level"]) // 3.27.10
	}
	if at[string](t, at[object](t, result, "message"), "text") == "" {
		t.Error("a message is empty")
	}
	for _, s := range objects(t, result, "suppressions") {
		oneOf(t, s, "kind", "inSource", "external")
		oneOf(t, s, "status", "accepted", "underReview", "rejected")
		at[string](t, s, "justification")
	}
	for name, value := range at[object](t, result, "partialFingerprints") {
		if text, ok := value.(string); !ok || text == "" {
			t.Errorf("the fingerprint %s is %v", name, value)
		}
	}
	if _, has := result["locations"]; has {
		for _, l := range objects(t, result, "locations") {
			checkLocation(t, l)
		}
	}
}

// uriReference is what RFC 3986 lets a URI consist of.
var uriReference = regexp.MustCompile(`^(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$`)

func checkLocation(t *testing.T, l object) {
	t.Helper()
	known(t, l, "physicalLocation", "logicalLocations")
	if _, has := l["physicalLocation"]; !has {
		for _, one := range objects(t, l, "logicalLocations") {
			at[string](t, one, "name")
			at[string](t, one, "kind")
		}
		return
	}
	physical := at[object](t, l, "physicalLocation")
	uri := at[string](t, at[object](t, physical, "artifactLocation"), "uri")
	if _, err := url.Parse(uri); err != nil || !uriReference.MatchString(uri) {
		t.Errorf("%q is not a URI: %v", uri, err)
	}
	if _, has := physical["region"]; has && at[float64](t, at[object](t, physical, "region"), "startLine") < 1 {
		t.Error("a line below 1")
	}
}

func TestWherePlacesAreInSARIF(t *testing.T) {
	for where, want := range map[string]sarifLocation{
		"/etc/docker/daemon.json:3": {Physical: &sarifPhysical{sarifArtifact{"file:///etc/docker/daemon.json"}, &sarifRegion{3}}},
		"/etc/docker/daemon.json":   {Physical: &sarifPhysical{sarifArtifact{"file:///etc/docker/daemon.json"}, nil}},
		"/srv/a b#c":                {Physical: &sarifPhysical{sarifArtifact{"file:///srv/a%20b%23c"}, nil}},
		"/srv/x:0":                  {Physical: &sarifPhysical{sarifArtifact{"file:///srv/x"}, nil}},
		"policies.hcl:12":           {Physical: &sarifPhysical{sarifArtifact{"policies.hcl"}, &sarifRegion{12}}},
		"web":                       {Logical: []sarifLogical{{"web", "containers"}}},
		"web:1":                     {Logical: []sarifLogical{{"web:1", "containers"}}},
		"0.0.0.0:8080/tcp":          {Logical: []sarifLogical{{"0.0.0.0:8080/tcp", "containers"}}},
	} {
		if diff := cmp.Diff(want, location(audit.Finding{Where: where, Area: audit.AreaContainers})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", where, diff)
		}
	}
}

func TestFingerprintsTellFindingsApartAndOutliveLines(t *testing.T) {
	prints := func(all ...audit.Finding) []string {
		seen := map[string]int{}
		var out []string
		for _, f := range all {
			out = append(out, fingerprint(f, seen))
		}
		return out
	}
	a := prints(audit.Finding{Slug: "a", Where: "/x:1"}, audit.Finding{Slug: "a", Where: "/x:2"}, audit.Finding{Slug: "b", Where: "/x:1"})
	b := prints(audit.Finding{Slug: "a", Where: "/x:5", Got: "other"})
	if a[0] == a[1] || a[0] == a[2] || a[1] == a[2] {
		t.Errorf("findings look alike: %v", a)
	}
	if a[0] != b[0] {
		t.Error("a line that moved makes another finding")
	}
}

func TestWhatIsExemptIsSuppressedWithItsReason(t *testing.T) {
	var kinds []string
	for _, r := range sarif(sampleReport("web")).Runs[0].Results {
		line := r.RuleID + " " + r.Kind + " " + r.Level
		for _, s := range r.Suppressions {
			line += " " + s.Justification
		}
		kinds = append(kinds, line)
	}
	want := []string{
		"daemon-icc fail error", "container-privileged fail error", "container-privileged fail error", "container-memory fail warning", "container-memory fail warning",
		"host-updates open none", "container-mounts fail error exempt x until 2027-01-31: web", "file-mode pass none", "daemon-swarm notApplicable none",
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
