package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// readJUnit parses a document and checks that its sums are right.
func readJUnit(t *testing.T, text string) junitSuites {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.Strict = true
	var all junitSuites
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		if _, err = decoder.Token(); !errors.Is(err, io.EOF) {
			t.Errorf("something stands behind the document: %v", err)
		}
	}
	var sum [4]int
	names := map[string]bool{}
	for _, s := range all.Suites {
		var got [4]int
		for _, c := range s.Cases {
			got[0]++
			for i, r := range []*junitResult{c.Failure, c.Error, c.Skipped} {
				if r != nil {
					got[i+1]++
				}
			}
			if names[c.Class+c.Name] {
				t.Errorf("two cases %q", c.Name)
			}
			names[c.Class+c.Name] = true
		}
		if got != [4]int{s.Tests, s.Failures, s.Errors, s.Skipped} {
			t.Errorf("suite %s counts %d, %d, %d, %d; it has %v", s.Name, s.Tests, s.Failures, s.Errors, s.Skipped, got)
		}
		for i := range sum {
			sum[i] += got[i]
		}
	}
	if sum != [4]int{all.Tests, all.Failures, all.Errors, all.Skipped} {
		t.Errorf("the suites count %d, %d, %d, %d; there are %v", all.Tests, all.Failures, all.Errors, all.Skipped, sum)
	}
	return all
}

// readPrometheus parses metrics with the parser of node_exporter, and returns the samples
// but for those whose labels others have chosen.
func readPrometheus(t *testing.T, text string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]float64{}
	for name, family := range families {
		if family.GetHelp() == "" || !strings.HasPrefix(name, "molo_audit_") {
			t.Errorf("%s has no help, or is not the audit's", name)
		}
		for _, m := range family.GetMetric() {
			if m.TimestampMs != nil {
				t.Errorf("%s has a timestamp", name)
			}
			labels := ""
			for _, l := range m.GetLabel() {
				if name != "molo_audit_info" {
					labels += fmt.Sprintf(",%s=%s", l.GetName(), l.GetValue())
				}
			}
			if _, twice := samples[name+labels]; twice {
				t.Errorf("%s%s stands twice", name, labels)
			}
			samples[name+labels] = m.GetGauge().GetValue()
		}
	}
	return samples
}

func TestMetricsCountFindingsAndChecks(t *testing.T) {
	got := readPrometheus(t, written(t, Prometheus, sampleReport(`we"b\`)))
	want := map[string]float64{
		"molo_audit_findings,level=required,status=fail":                                                  3,
		"molo_audit_findings,level=recommended,status=fail":                                               2,
		"molo_audit_findings,level=info,status=fail":                                                      0,
		"molo_audit_checks,area=containers,status=fail":                                                   2,
		"molo_audit_checks,area=containers,status=exempt":                                                 1,
		"molo_audit_check_findings,area=containers,check=container-privileged,level=required,status=fail": 2,
		"molo_audit_check_findings,area=host,check=host-updates,level=recommended,status=unknown":         1,
		"molo_audit_check_findings,area=files,check=file-mode,level=required,status=fail":                 0,
		"molo_audit_timestamp_seconds":                                                                    1795503600,
	}
	for name, value := range want {
		if n, there := got[name]; !there || n != value {
			t.Errorf("%s is %v (there: %t), want %v", name, n, there, value)
		}
	}
}

func TestACaseForEachFinding(t *testing.T) {
	var got []string
	for _, s := range readJUnit(t, written(t, JUnit, sampleReport("web"))).Suites {
		for _, c := range s.Cases {
			line := c.Class + " | " + c.Name
			for what, r := range map[string]*junitResult{"failure ": c.Failure, "error ": c.Error, "skipped ": c.Skipped} {
				if r != nil {
					line += " | " + what + r.Type
				}
			}
			got = append(got, line)
		}
	}
	want := []string{
		"molo.audit.host | host-updates | error unknown",
		"molo.audit.daemon | daemon-icc /etc/docker/daemon.json:2 | failure required", "molo.audit.daemon | daemon-swarm | skipped ",
		"molo.audit.files | file-mode",
		"molo.audit.containers | container-privileged web | failure required", "molo.audit.containers | container-privileged worker | failure required",
		"molo.audit.containers | container-memory web | failure recommended", "molo.audit.containers | container-memory web (2) | failure recommended",
		"molo.audit.containers | container-mounts web | skipped ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
