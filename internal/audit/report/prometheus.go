package report

import (
	"fmt"
	"io"
	"strings"

	"molo/internal/audit"
)

// writePrometheus writes the text format of Prometheus, for the textfile collector of a
// node exporter. Samples have no timestamps: the exporter refuses such files. Series
// that alerts go by are always there, with 0 where nothing is wrong.
func writePrometheus(w io.Writer, r audit.Report) error {
	var out strings.Builder
	gauge(&out, "info", "The audit that these numbers are of.", sample(1, "docker", r.Docker, "molo", r.Molo, "policy", r.Policy))
	gauge(&out, "timestamp_seconds", "When the host was audited.", fmt.Sprintf(" %d", r.Time.Unix()))
	gauge(&out, "findings", "Findings by level and status.", byLevel(r.Findings)...)
	gauge(&out, "checks", "Checks by area and by the worst status of their findings.", byArea(r.Findings)...)
	gauge(&out, "check_findings", "Findings of each check that do not pass.", byCheck(r.Findings)...)
	_, err := io.WriteString(w, out.String())
	return err
}

// gauge writes one metric with its samples.
func gauge(out *strings.Builder, name, help string, samples ...string) {
	if len(samples) == 0 {
		return
	}
	fmt.Fprintf(out, "# HELP molo_audit_%s %s\n# TYPE molo_audit_%s gauge\n", name, help, name)
	for _, s := range samples {
		out.WriteString("molo_audit_" + name + s + "\n")
	}
}

func byLevel(all []audit.Finding) []string {
	type kind struct {
		level  audit.Level
		status audit.Status
	}
	counts := map[kind]int{}
	for _, f := range all {
		counts[kind{f.Level, f.Status}]++
	}
	var out []string
	for _, l := range audit.Levels() {
		for _, s := range audit.Statuses() {
			out = append(out, sample(counts[kind{l, s}], "level", string(l), "status", string(s)))
		}
	}
	return out
}

func byArea(all []audit.Finding) []string {
	var out []string
	for _, s := range audit.Scores(all) {
		for _, one := range []struct {
			status audit.Status
			n      int
		}{{audit.Fail, s.Failing + s.Required}, {audit.Unknown, s.Unknown}, {audit.Exempt, s.Exempt}, {audit.Pass, s.Pass}} {
			out = append(out, sample(one.n, "area", string(s.Area), "status", string(one.status)))
		}
	}
	return out
}

func byCheck(all []audit.Finding) []string {
	counts := map[string]map[audit.Status]int{}
	for _, f := range all {
		if counts[f.Slug] == nil {
			counts[f.Slug] = map[audit.Status]int{}
		}
		counts[f.Slug][f.Status]++
	}
	var out []string
	for _, f := range checks(all) {
		for _, s := range []audit.Status{audit.Fail, audit.Unknown, audit.Exempt} {
			out = append(out, sample(counts[f.Slug][s], "area", string(f.Area), "check", f.Slug, "level", string(f.Level), "status", string(s)))
		}
	}
	return out
}

// sample writes labels and a value.
func sample(value int, pairs ...string) string {
	// The format knows these three escapes and no others.
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	var labels []string
	for i := 0; i+1 < len(pairs); i += 2 {
		labels = append(labels, pairs[i]+`="`+escape.Replace(strings.ToValidUTF8(pairs[i+1], "\uFFFD"))+`"`)
	}
	return fmt.Sprintf("{%s} %d", strings.Join(labels, ","), value)
}
